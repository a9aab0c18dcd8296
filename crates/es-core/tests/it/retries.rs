//! Retries: which requests are sent again, and for how long.

use std::time::{Duration, Instant};

use es_core::{Client, ErrorKind, Method, Request, RetryPolicy};
use serde_json::json;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer};

use crate::support::{answer, asked, at, mock_node};

/// A node whose `/work` fails a number of times before it succeeds.
async fn failing(times: u64, status: u16) -> (MockServer, Client) {
    let server = mock_node().await;
    let failure = answer(status).set_body_json(json!({"error": {"type": "x", "reason": "not now"}, "status": status}));
    Mock::given(path("/work")).respond_with(failure).up_to_n_times(times).with_priority(1).mount(&server).await;
    Mock::given(path("/work")).respond_with(answer(200).set_body_json(json!({"ok": true}))).mount(&server).await;
    let client = Client::connect(at(&server.uri())).await.unwrap();
    (server, client)
}

fn work(method: Method) -> Request {
    Request::new(method, "/work")
}

#[tokio::test]
async fn a_repeatable_request_gets_over_two_failures() {
    for request in [work(Method::Get), work(Method::Post).repeatable()] {
        let (server, client) = failing(2, 503).await;
        let response = client.send(&request).await.unwrap();
        assert_eq!(response.json::<serde_json::Value>().unwrap(), json!({"ok": true}));
        assert_eq!(asked(&server, "/work").await, 3);
    }
}

#[tokio::test]
async fn what_may_have_been_applied_is_not_sent_twice() {
    for method in [Method::Post, Method::Put, Method::Delete] {
        let (server, client) = failing(1, 503).await;
        let error = client.send(&work(method)).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (ErrorKind::Unavailable, Some(503)));
        assert_eq!(error.to_string(), format!("{} /work was answered 503: x: not now", method.as_str()));
        assert_eq!(asked(&server, "/work").await, 1);
    }
}

#[tokio::test]
async fn failures_that_do_not_pass_are_not_tried_again() {
    for (status, kind) in [(400, ErrorKind::BadRequest), (404, ErrorKind::NotFound), (500, ErrorKind::Server)] {
        let (server, client) = failing(1, status).await;
        assert_eq!(client.send(&work(Method::Get)).await.unwrap_err().kind(), kind);
        assert_eq!(asked(&server, "/work").await, 1);
    }
}

#[tokio::test]
async fn retries_end() {
    let (server, client) = failing(100, 503).await;
    let error = client.send(&work(Method::Get)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(asked(&server, "/work").await, 4);
    client.send(&work(Method::Get).retry(RetryPolicy::NEVER)).await.unwrap_err();
    assert_eq!(asked(&server, "/work").await, 5);
}

#[tokio::test]
async fn an_overloaded_server_is_waited_for_as_long_as_it_asks() {
    let server = mock_node().await;
    let busy = answer(429).insert_header("Retry-After", "1");
    Mock::given(path("/work")).respond_with(busy).up_to_n_times(1).with_priority(1).mount(&server).await;
    Mock::given(path("/work")).respond_with(answer(200)).mount(&server).await;
    let client = Client::connect(at(&server.uri())).await.unwrap();
    let started = Instant::now();
    // The server refused it before it did anything, so even a plain POST may be sent again.
    client.send(&work(Method::Post)).await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());
    assert_eq!(asked(&server, "/work").await, 2);
}

#[tokio::test]
async fn a_wait_longer_than_the_limit_is_not_begun() {
    let server = mock_node().await;
    let busy = answer(429).insert_header("Retry-After", "3600");
    Mock::given(path("/work")).respond_with(busy).mount(&server).await;
    let client = Client::connect(at(&server.uri())).await.unwrap();
    // A wait that was begun would take an hour.
    let error = client.send(&work(Method::Get)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Overloaded);
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3600)));
    assert_eq!(error.help(), Some("the cluster has too much to do: lower the concurrency or try later"));
    assert_eq!(asked(&server, "/work").await, 1);
}

#[tokio::test]
async fn a_server_may_name_the_time_instead_of_the_wait() {
    let server = mock_node().await;
    let at_that_time = std::time::SystemTime::now() + Duration::from_secs(3600);
    let busy = answer(503).insert_header("Retry-After", httpdate::fmt_http_date(at_that_time).as_str());
    Mock::given(path("/work")).respond_with(busy).mount(&server).await;
    let client = Client::connect(at(&server.uri())).await.unwrap();
    let error = client.send(&work(Method::Get)).await.unwrap_err();
    let asked_for = error.retry_after().unwrap().as_secs();
    assert!((3000..=3600).contains(&asked_for), "{asked_for}");
    assert_eq!(asked(&server, "/work").await, 1);
}

#[tokio::test]
async fn a_stalled_server_ends_at_the_time_limit() {
    let server = mock_node().await;
    let slow = answer(200).set_delay(Duration::from_secs(30));
    Mock::given(path("/work")).respond_with(slow).mount(&server).await;
    let config = es_core::ClusterConfig { request_timeout: Duration::from_millis(200), ..at(&server.uri()) };
    let client = Client::connect(config).await.unwrap();
    let started = Instant::now();
    let error = client.send(&work(Method::Post)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_eq!(error.to_string(), format!("{} did not answer within 200ms", server.uri()));
    assert!(error.help().unwrap().contains("firewall"), "{:?}", error.help());
    assert_eq!((error.request(), error.node()), (Some("POST /work"), Some(server.uri().as_str())));
    assert!(error.is_retryable());
    // A limit of the request's own, and a request that may be sent four times.
    let own = work(Method::Get).timeout(Duration::from_millis(50));
    assert_eq!(client.send(&own).await.unwrap_err().kind(), ErrorKind::TimedOut);
    // Each of the five would be answered after half a minute.
    assert!(started.elapsed() < Duration::from_secs(25), "{:?}", started.elapsed());
    assert_eq!(asked(&server, "/work").await, 5);
}

#[tokio::test]
async fn a_compressed_body_arrives_whole_each_time() {
    let server = mock_node().await;
    Mock::given(method("POST")).respond_with(answer(503)).up_to_n_times(1).with_priority(1).mount(&server).await;
    Mock::given(method("POST")).respond_with(answer(200)).mount(&server).await;
    let client = Client::connect(es_core::ClusterConfig { compression: true, ..at(&server.uri()) }).await.unwrap();
    let text = json!({"text": "abc".repeat(10_000)});
    client.send(&work(Method::Post).json(&text).repeatable()).await.unwrap();
    let requests = server.received_requests().await.unwrap();
    let bodies: Vec<_> = requests.iter().filter(|request| request.url.path() == "/work").collect();
    assert_eq!(bodies.len(), 2);
    for request in bodies {
        assert_eq!(request.headers.get("content-encoding").unwrap(), "gzip");
        assert!(request.body.len() < 3_000);
        let mut plain = String::new();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&request.body[..]), &mut plain).unwrap();
        assert_eq!(plain, text.to_string());
    }
}
