//! Several nodes, of which some do not answer.

use es_core::{Client, ErrorKind, Method, Request};
use wiremock::Mock;
use wiremock::matchers::path;

use crate::support::{answer, asked, at, dead_port, mock_node};

#[tokio::test]
async fn a_dead_first_host_is_passed_over() {
    let server = mock_node().await;
    Mock::given(path("/work")).respond_with(answer(200)).mount(&server).await;
    let dead = dead_port().await;
    let client = Client::connect(at(&format!("127.0.0.1:{dead},{}", server.uri()))).await.unwrap();
    for _ in 0..5 {
        // Nothing was sent to the dead node, so a request that must not be repeated moves on too.
        client.send(&Request::new(Method::Post, "/work")).await.unwrap();
    }
    assert_eq!(asked(&server, "/work").await, 5);
}

#[tokio::test]
async fn a_node_that_dies_is_passed_over() {
    let (first, second) = (mock_node().await, mock_node().await);
    for server in [&first, &second] {
        Mock::given(path("/work")).respond_with(answer(200)).mount(server).await;
    }
    let client = Client::connect(at(&format!("{},{}", first.uri(), second.uri()))).await.unwrap();
    for _ in 0..4 {
        client.send(&Request::new(Method::Get, "/work")).await.unwrap();
    }
    assert_eq!([asked(&first, "/work").await, asked(&second, "/work").await], [2, 2]);
    drop(first);
    for _ in 0..6 {
        client.send(&Request::new(Method::Get, "/work")).await.unwrap();
    }
    assert_eq!(asked(&second, "/work").await, 8);
}

#[tokio::test]
async fn when_all_are_dead_the_first_is_named() {
    let (one, other) = (dead_port().await, dead_port().await);
    let error = Client::connect(at(&format!("127.0.0.1:{one},127.0.0.1:{other}"))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.to_string().contains(&format!("127.0.0.1:{one}:")), "{error}");
}
