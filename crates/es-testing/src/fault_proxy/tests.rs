//! Scripts of faults, played to a server of a few lines.

use std::time::Instant;

use reqwest::{Client, Response};
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use super::message::{Kind, read_message};
use super::*;

const BODY: &str = r#"{"count":17}"#;

/// A node that counts the requests it applies; a path that ends in `chunked` or `close` is
/// answered in that framing.
async fn node() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = bind(0).await;
    let url = format!("http://{}", listener.local_addr().unwrap());
    let applied = Arc::new(Mutex::new(Vec::new()));
    let log = applied.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let log = log.clone();
            tokio::spawn(async move {
                let mut received = Vec::new();
                while let Ok(Some(request)) = read_message(&mut stream, &mut received, Kind::Request).await {
                    let line = request.head().unwrap().lines().next().unwrap().to_owned();
                    let framed = if line.contains("chunked") {
                        let (one, other) = BODY.split_at(5);
                        format!(
                            "transfer-encoding: chunked\r\n\r\n5\r\n{one}\r\n{:x}\r\n{other}\r\n0\r\n\r\n",
                            other.len()
                        )
                    } else if line.contains("_bulk") {
                        // An item for each line of action and source that arrives.
                        let lines = request.body().unwrap().iter().filter(|byte| **byte == b'\n').count();
                        let items = vec![r#"{"index":{"status":201}}"#; lines / 2].join(",");
                        let reply = format!(r#"{{"errors":false,"items":[{items}]}}"#);
                        format!("content-length: {}\r\n\r\n{reply}", reply.len())
                    } else if line.contains("close") {
                        format!("connection: close\r\n\r\n{BODY}")
                    } else {
                        let body = if line.starts_with("HEAD") { "" } else { BODY };
                        format!("content-length: {}\r\n\r\n{body}", BODY.len())
                    };
                    let closes = line.contains("close");
                    log.lock().unwrap().push(line);
                    stream.write_all(format!("HTTP/1.1 200 OK\r\n{framed}").as_bytes()).await.unwrap();
                    if closes {
                        return;
                    }
                }
            });
        }
    });
    (url, applied)
}

async fn setup() -> (FaultProxy, Client, Arc<Mutex<Vec<String>>>) {
    let (url, applied) = node().await;
    let client = Client::builder().no_proxy().timeout(Duration::from_millis(500)).build().unwrap();
    (FaultProxy::before(&url).await, client, applied)
}

async fn post(client: &Client, proxy: &FaultProxy, path: &str) -> reqwest::Result<Response> {
    client.post(format!("{}{path}", proxy.url())).body("{}").send().await
}

async fn text(client: &Client, proxy: &FaultProxy, path: &str) -> reqwest::Result<String> {
    post(client, proxy, path).await?.text().await
}

#[tokio::test]
async fn without_a_script_requests_pass() {
    let (proxy, client, applied) = setup().await;
    for path in ["/a", "/chunked", "/close", "/a"] {
        assert_eq!(text(&client, &proxy, path).await.unwrap(), BODY, "{path}");
    }
    let head = client.head(format!("{}/a?q=1", proxy.url())).send().await.unwrap();
    assert_eq!(head.headers()["content-length"], "12");
    assert_eq!(text(&client, &proxy, "/a").await.unwrap(), BODY);
    assert_eq!(applied.lock().unwrap().len(), 6);
    assert_eq!((proxy.seen("/a"), proxy.forwarded("/a"), proxy.seen(""), proxy.unused()), (4, 4, 6, 0));
    let first = &proxy.requests("")[0];
    assert_eq!((first.method.as_str(), first.path.as_str(), first.body.as_slice()), ("POST", "/a", &b"{}"[..]));
    assert!(first.headers.contains(&("content-length".into(), "2".into())), "{:?}", first.headers);
    assert_eq!((first.fault, first.status), (Fault::Pass, Some(200)));
}

#[tokio::test]
async fn faults_before_the_node_keep_it_from_seeing_the_request() {
    let (proxy, client, applied) = setup().await;
    proxy.script([Fault::Reset, Fault::Stall, Fault::Answer(429)]);
    let reset = post(&client, &proxy, "/a").await.unwrap_err();
    assert!(!reset.is_timeout() && !reset.is_connect(), "{reset:?}");
    assert!(post(&client, &proxy, "/a").await.unwrap_err().is_timeout());
    let refused = post(&client, &proxy, "/a").await.unwrap();
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["x-elastic-product"]),
        (429, &"Elasticsearch".parse().unwrap())
    );
    assert!(refused.text().await.unwrap().contains("fault_proxy_exception"));
    assert_eq!((proxy.seen("/a"), proxy.forwarded("/a"), proxy.unused()), (3, 0, 0));
    assert!(applied.lock().unwrap().is_empty());
    assert_eq!(text(&client, &proxy, "/a").await.unwrap(), BODY);
}

#[tokio::test]
async fn faults_behind_the_node_leave_the_request_applied() {
    let (proxy, client, applied) = setup().await;
    let faults =
        [Fault::DropReply, Fault::Rewrite(503), Fault::Truncate(45), Fault::StallAfter(45), Fault::Truncate(9999)];
    proxy.script(faults);
    assert!(!post(&client, &proxy, "/a").await.unwrap_err().is_timeout());
    let rewritten = post(&client, &proxy, "/a").await.unwrap();
    assert_eq!((rewritten.status().as_u16(), rewritten.text().await.unwrap().as_str()), (503, BODY));
    let cut = text(&client, &proxy, "/a").await.unwrap_err();
    assert!(cut.is_body() || cut.is_decode(), "{cut:?}");
    assert!(text(&client, &proxy, "/a").await.unwrap_err().is_timeout());
    assert_eq!(text(&client, &proxy, "/a").await.unwrap(), BODY);
    assert_eq!((applied.lock().unwrap().len(), proxy.forwarded("/a"), proxy.unused()), (5, 5, 0));
    let statuses: Vec<_> = proxy.requests("/a").iter().map(|request| request.status).collect();
    assert_eq!(statuses, [Some(200); 5]);
}

#[tokio::test]
async fn slow_replies_come_whole_to_whoever_waits() {
    let (proxy, client, _) = setup().await;
    proxy.script([
        Fault::Drip(Duration::from_millis(1)),
        Fault::Delay(Duration::from_millis(50)),
        Fault::Drip(Duration::from_secs(1)),
    ]);
    assert_eq!(text(&client, &proxy, "/a").await.unwrap(), BODY);
    let started = Instant::now();
    assert_eq!(text(&client, &proxy, "/a").await.unwrap(), BODY);
    assert!(started.elapsed() >= Duration::from_millis(50));
    assert!(text(&client, &proxy, "/a").await.unwrap_err().is_timeout());
    assert_eq!(proxy.forwarded("/a"), 3);
}

#[tokio::test]
async fn scripts_are_found_by_path() {
    let (proxy, client, _) = setup().await;
    proxy.script_for("/_bulk", [Fault::Answer(429), Fault::Answer(503)]);
    proxy.script([Fault::Answer(500)]);
    let mut statuses = Vec::new();
    for path in ["/a/_search", "/a/_bulk", "/a/_bulk", "/a/_bulk", "/a/_search"] {
        statuses.push(post(&client, &proxy, path).await.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [500, 429, 503, 200, 200]);
}

#[tokio::test]
async fn connections_break_before_a_request_is_read() {
    let (proxy, client, applied) = setup().await;
    proxy.script_connections([ConnectionFault::Reset, ConnectionFault::Stall]);
    assert!(!post(&client, &proxy, "/a").await.unwrap_err().is_timeout());
    assert!(post(&client, &proxy, "/a").await.unwrap_err().is_timeout());
    assert_eq!((proxy.connections(), proxy.seen(""), applied.lock().unwrap().len()), (2, 0, 0));
    assert_eq!(text(&client, &proxy, "/a").await.unwrap(), BODY);
    assert_eq!(proxy.connections(), 3);
}

#[tokio::test]
async fn a_shut_proxy_refuses_and_opens_again_on_its_port() {
    let (proxy, client, _) = setup().await;
    let url = proxy.url();
    assert_eq!(text(&client, &proxy, "/a").await.unwrap(), BODY);
    timeout(Duration::from_secs(5), proxy.shut()).await.unwrap();
    assert!(post(&client, &proxy, "/a").await.unwrap_err().is_connect());
    proxy.open().await;
    assert_eq!(proxy.url(), url);
    assert_eq!(text(&client, &proxy, "/a").await.unwrap(), BODY);
    drop(proxy);
    let gone = async {
        while client.get(&url).send().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(5), gone).await.unwrap();
}

#[tokio::test]
async fn single_documents_are_refused() {
    let (proxy, client, applied) = setup().await;
    proxy.script_for("/_bulk", [60, 100, 0].map(|percent| Fault::RefuseItems { percent, seed: 1 }));
    for refused in [3, 5, 0] {
        let body = "{\"index\":{}}\n{}\n".repeat(5);
        let answer = client.post(format!("{}/i/_bulk", proxy.url())).body(body).send().await.unwrap();
        let answer: serde_json::Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        let statuses = answer["items"].as_array().unwrap().iter().map(|item| item["index"]["status"].as_u64().unwrap());
        let statuses: Vec<u64> = statuses.collect();
        assert_eq!(statuses.len(), 5);
        assert_eq!(statuses.iter().filter(|status| **status == 429).count(), refused);
        assert_eq!(answer["errors"], refused > 0);
    }
    assert_eq!(proxy.items(), SeenItems { forwarded: 7, refused: 8 });
    // What is refused altogether never gets there.
    assert_eq!(applied.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_function_decides_where_no_script_does() {
    let (proxy, client, _) = setup().await;
    proxy.forget_bodies();
    proxy.script_for("/a", [Fault::Answer(503)]);
    proxy.decide_with(|request| if request.body == b"{}" { Fault::Answer(429) } else { Fault::Pass });
    for status in [503, 429, 429] {
        assert_eq!(post(&client, &proxy, "/a").await.unwrap().status().as_u16(), status);
    }
    let other = client.post(format!("{}/a", proxy.url())).body("other").send().await.unwrap();
    assert_eq!(other.status().as_u16(), 200);
    assert!(proxy.requests("/a").iter().all(|request| request.body.is_empty()));
}
