//! Searches against a mock: partial answers, ids that change, pages that are refused.

use std::time::{Duration, Instant};

use es_core::{Client, ErrorKind, NextPage, PageSize, PointInTime};
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::support::{answer, at, mock_node};

const KEEP: Duration = Duration::from_secs(60);

/// A node that opens points in time and answers each search by what `search` says of its body.
async fn node(search: impl Fn(&Value) -> ResponseTemplate + Send + Sync + 'static) -> (MockServer, Client) {
    let server = mock_node().await;
    let opened = answer(200).set_body_json(json!({"id": "first", "_shards": {"total": 1, "failed": 0}}));
    Mock::given(method("POST")).and(path("/a/_pit")).respond_with(opened).mount(&server).await;
    let closed = answer(200).set_body_json(json!({"succeeded": true, "num_freed": 1}));
    Mock::given(method("DELETE")).and(path("/_pit")).respond_with(closed.clone()).mount(&server).await;
    Mock::given(method("DELETE")).and(path("/_search/scroll")).respond_with(closed).mount(&server).await;
    let answers = move |request: &Request| search(&serde_json::from_slice(&request.body).unwrap());
    Mock::given(method("POST")).respond_with(answers).with_priority(9).mount(&server).await;
    let client = Client::connect(at(&server.uri())).await.unwrap();
    (server, client)
}

/// The bodies that were sent to a path.
async fn bodies(server: &MockServer, of_path: &str) -> Vec<Value> {
    let requests = server.received_requests().await.unwrap();
    let of_path = requests.iter().filter(|request| request.url.path() == of_path);
    of_path.map(|request| serde_json::from_slice(&request.body).unwrap()).collect()
}

fn page(id: &str, hits: usize) -> ResponseTemplate {
    let hits: Vec<Value> = (0..hits).map(|n| json!({"_id": n.to_string(), "sort": [n]})).collect();
    answer(200).set_body_json(json!({
        "pit_id": id, "took": 1, "timed_out": false, "_shards": {"total": 1, "failed": 0},
        "hits": {"total": {"value": hits.len()}, "hits": hits},
    }))
}

fn refusal() -> ResponseTemplate {
    let breaker = json!({"type": "circuit_breaking_exception", "reason": "[parent] Data too large"});
    answer(429).set_body_json(json!({"error": breaker, "status": 429}))
}

async fn open(client: &Client) -> PointInTime {
    client.open_point_in_time("a", KEEP).await.unwrap()
}

#[tokio::test]
async fn the_newest_id_is_sent() {
    let (server, client) = node(|body| match body["pit"]["id"].as_str() {
        Some("first") => page("second", 0),
        _ => page("third", 0),
    })
    .await;
    let point = open(&client).await;
    point.search(&json!({"size": 1})).await.unwrap();
    assert_eq!(point.count(&json!({"match_all": {}})).await.unwrap(), 0);
    let pages = PageSize::of_rows(1);
    point.search_sized(&pages, NextPage::default(), |rows| json!({"size": rows})).await.unwrap();
    point.close().await.unwrap();
    let sent: Vec<Value> = bodies(&server, "/_search").await.iter().map(|body| body["pit"]["id"].clone()).collect();
    assert_eq!(sent, ["first", "second", "third"]);
    assert_eq!(bodies(&server, "/_pit").await, [json!({"id": "third"})]);
}

#[tokio::test]
async fn a_partial_answer_is_refused_by_every_search() {
    for (failed, timed_out, why) in [
        (1, false, "the search failed on 1 of 2 shards: shard [a][1]: oops: no"),
        (0, true, "the search timed out before all documents were seen"),
    ] {
        let (server, client) = node(move |_| {
            answer(200).set_body_json(json!({
                "pit_id": "second", "_scroll_id": "s", "took": 1, "timed_out": timed_out,
                "_shards": {"total": 2, "failed": failed, "failures": [
                    {"shard": 1, "index": "a", "reason": {"type": "oops", "reason": "no"}}]},
                "hits": {"total": {"value": 1}, "hits": []},
            }))
        })
        .await;
        let point = open(&client).await;
        let (body, pages) = (json!({}), PageSize::of_rows(1));
        let errors = [
            point.search(&body).await.unwrap_err(),
            point.count(&body).await.unwrap_err(),
            point.search_sized(&pages, NextPage::default(), |_| json!({})).await.unwrap_err(),
            client.search("a", &body).await.unwrap_err(),
            client.documents("a").search::<Value>(&body, &body, 1).await.unwrap_err(),
            client.scroll("a", &body, KEEP).await.unwrap_err(),
        ];
        for error in errors {
            assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::PartialResult, why));
            assert!(error.help().is_some(), "{error}");
        }
        assert_eq!(client.settle(KEEP).await, 0);
        assert_eq!(bodies(&server, "/_search/scroll").await, [json!({"scroll_id": "s"})], "it is closed all the same");
    }
}

#[tokio::test]
async fn a_page_refused_by_a_breaker_is_halved() {
    let (server, client) = node(|body| match body["size"].as_u64() {
        Some(rows) if rows > 300 => refusal(),
        _ => page("first", 3),
    })
    .await;
    let point = open(&client).await;
    let pages = PageSize::of_rows(1_000);
    let found = point.search_sized(&pages, NextPage::default(), |rows| json!({"size": rows})).await.unwrap();
    assert_eq!((found.rows, found.refused_to), (250, Some(250)));
    let next = NextPage { max_rows: found.rows, ..NextPage::default() };
    let found = point.search_sized(&pages, next, |rows| json!({"size": rows})).await.unwrap();
    assert_eq!((found.rows, found.refused_to), (250, None));
    let sizes: Vec<Value> = bodies(&server, "/_search").await.iter().map(|body| body["size"].clone()).collect();
    assert_eq!(sizes, [1_000, 500, 250, 250]);
}

#[tokio::test]
async fn a_breaker_that_stays_open_ends_the_search() {
    let (server, client) = node(|_| refusal()).await;
    let point = client.open_point_in_time("a", Duration::from_millis(700)).await.unwrap();
    let pages = PageSize::of_rows(150);
    let error = point.search_sized(&pages, NextPage::default(), |rows| json!({"size": rows})).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Overloaded);
    assert!(error.server().unwrap().is_circuit_breaker());
    let sizes: Vec<Value> = bodies(&server, "/_search").await.iter().map(|body| body["size"].clone()).collect();
    assert_eq!(sizes[..2], [150, 100]);
    assert!(sizes[2..].iter().all(|size| *size == 100), "{sizes:?}");
}

#[tokio::test]
async fn a_page_too_large_for_the_client_is_halved() {
    let server = mock_node().await;
    let opened = answer(200).set_body_json(json!({"id": "first"}));
    Mock::given(path("/a/_pit")).respond_with(opened).mount(&server).await;
    let answers = |request: &Request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        page("first", body["size"].as_u64().unwrap() as usize)
    };
    Mock::given(path("/_search")).respond_with(answers).mount(&server).await;
    let config = es_core::ClusterConfig { max_response_size: 2_000, ..at(&server.uri()) };
    let point = open(&Client::connect(config).await.unwrap()).await;
    let pages = PageSize::of_rows(100);
    let found = point.search_sized(&pages, NextPage::default(), |rows| json!({"size": rows})).await.unwrap();
    assert_eq!((found.rows, found.refused_to, pages.rows()), (50, None, 50));

    let config = es_core::ClusterConfig { max_response_size: 160, ..at(&server.uri()) };
    let point = open(&Client::connect(config).await.unwrap()).await;
    let error = point.search_sized(&pages, NextPage::default(), |_| json!({"size": 9})).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AnswerTooLarge);
    assert!(error.help().unwrap().contains("ClusterConfig::max_response_size"), "{:?}", error.help());
}

#[tokio::test]
async fn a_page_that_comes_after_another_has_the_values_as_they_were_written() {
    let (server, client) = node(|_| page("first", 1)).await;
    let point = open(&client).await;
    let after = serde_json::value::RawValue::from_string("[18446744073709551615,1.10,null]".to_owned()).unwrap();
    let next = NextPage { after: Some(&after), ..NextPage::default() };
    point.search_sized(&PageSize::of_rows(1), next, |rows| json!({"size": rows})).await.unwrap();
    let requests = server.received_requests().await.unwrap();
    let sent = String::from_utf8_lossy(&requests.last().unwrap().body).into_owned();
    assert!(sent.contains(r#""search_after":[18446744073709551615,1.10,null]"#), "{sent}");
}

#[tokio::test]
async fn a_guard_keeps_it_open_while_nobody_searches() {
    let (server, client) = node(|_| page("second", 0)).await;
    let point = client.open_point_in_time("a", Duration::from_millis(300)).await.unwrap();
    let started = Instant::now();
    let guard = point.keep_open();
    let asked = loop {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let asked = bodies(&server, "/_search").await;
        if asked.len() >= 2 {
            break asked;
        }
    };
    // Three times in its length, and no more often.
    let most = started.elapsed().as_millis() / 100 + 1;
    assert!(asked.len() as u128 <= most, "{} of at most {most}", asked.len());
    assert_eq!((&asked[0]["size"], asked[1]["pit"]["id"].as_str()), (&json!(0), Some("second")));
    drop(guard);
    tokio::time::sleep(Duration::from_millis(250)).await;
    let before = bodies(&server, "/_search").await.len();
    tokio::time::sleep(Duration::from_millis(250)).await;
    assert_eq!(bodies(&server, "/_search").await.len(), before);
}

#[tokio::test]
async fn a_closing_that_takes_too_long_is_counted() {
    let (_server, client) = node(|_| page("first", 0)).await;
    assert_eq!(client.settle(KEEP).await, 0);
    client.finish_later(std::future::pending());
    client.finish_later(async {});
    assert_eq!(client.settle(Duration::from_millis(100)).await, 1);
}
