//! Answers that break the protocol.

use std::sync::atomic::Ordering;

use es_core::{Client, ErrorKind, Method, Request, RetryPolicy};
use wiremock::Mock;
use wiremock::matchers::path;

use crate::support::{answer, at, breaking_node, mock_node};

#[tokio::test]
async fn json_that_is_cut_off_is_an_error() {
    let server = mock_node().await;
    let cut = answer(200).set_body_raw(r#"{"count": 17, "_shards": {"fai"#, "application/json");
    Mock::given(path("/flights/_count")).respond_with(cut).mount(&server).await;
    let client = Client::connect(at(&server.uri())).await.unwrap();
    let error = client.indices().count("flights").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(error.to_string().starts_with("the answer to POST /flights/_count cannot be read: EOF"), "{error}");
    assert_eq!((error.request(), error.status()), (Some("POST /flights/_count"), Some(200)));
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn a_count_that_misses_a_shard_is_an_error() {
    let server = mock_node().await;
    let body = r#"{"count": 17, "_shards": {"total": 2, "successful": 1, "failed": 1, "failures": [
        {"shard": 1, "index": "flights", "node": "n1", "reason": {"type": "x", "reason": "disk gone"}}]}}"#;
    let thinned = answer(200).set_body_raw(body, "application/json");
    Mock::given(path("/flights/_count")).respond_with(thinned).mount(&server).await;
    let client = Client::connect(at(&server.uri())).await.unwrap();
    let error = client.indices().count("flights").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PartialResult);
    assert_eq!(
        error.to_string(),
        "the count of flights failed on 1 of 2 shards: shard [flights][1] on node n1: x: disk gone"
    );
    assert_eq!(error.failed_shards()[0].reason.reason, "disk gone");
}

#[tokio::test]
async fn an_answer_shorter_than_announced_is_a_broken_connection() {
    let reply = b"HTTP/1.1 200 OK\r\nX-Elastic-Product: Elasticsearch\r\nContent-Length: 100\r\n\r\n{\"count\": 1";
    let (client, requests) = breaking_node(reply).await;
    let error = client.send(&Request::new(Method::Post, "/a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert!(error.to_string().contains("broke: "), "{error}");
    assert!(error.is_retryable());
    assert_eq!(requests.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn after_a_lost_reply_only_what_is_harmless_is_sent_again() {
    let (client, requests) = breaking_node(b"").await;
    for (request, expected) in [
        (Request::new(Method::Post, "/a"), 1),
        (Request::new(Method::Post, "/a").repeatable(), 4),
        (Request::new(Method::Get, "/a"), 4),
        (Request::new(Method::Get, "/a").retry(RetryPolicy::NEVER), 1),
    ] {
        let before = requests.load(Ordering::SeqCst);
        let error = client.send(&request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Interrupted);
        assert_eq!(requests.load(Ordering::SeqCst) - before, expected, "{request:?}");
    }
}
