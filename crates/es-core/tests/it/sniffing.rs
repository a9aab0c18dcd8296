//! Finding the other nodes of a cluster.

use std::time::Duration;

use es_core::{Client, ClusterConfig, ErrorKind, Method, Request, Sniffing};
use serde_json::{Value, json};
use wiremock::matchers::path;
use wiremock::{Mock, MockServer};

use crate::logs::logs;
use crate::support::{answer, asked, at, dead_port, hello, mock_node, of_node};

const WORK: &str = "/work";

async fn node() -> MockServer {
    let server = mock_node().await;
    Mock::given(path(WORK)).respond_with(answer(200)).mount(&server).await;
    server
}

fn listed(roles: &[&str], address: &str) -> Value {
    json!({"roles": roles, "http": {"publish_address": address}})
}

fn address(server: &MockServer) -> String {
    server.address().to_string()
}

async fn lists(server: &MockServer, nodes: Value) {
    let body = json!({"cluster_name": "mock", "nodes": nodes});
    Mock::given(path("/_nodes/http")).respond_with(answer(200).set_body_json(body)).mount(server).await;
}

async fn sniffing(url: &str, sniffing: Sniffing) -> Client {
    let connect_timeout = Duration::from_millis(500);
    Client::connect(ClusterConfig { sniffing, connect_timeout, ..at(url) }).await.unwrap()
}

async fn work(client: &Client, times: usize) {
    for _ in 0..times {
        client.send(&Request::new(Method::Post, WORK)).await.unwrap();
    }
}

#[tokio::test]
async fn a_real_node_lists_itself() {
    for node in [es_testing::plain().await, es_testing::secure().await].into_iter().flatten() {
        let config = ClusterConfig { sniffing: Sniffing::AtStart, ..of_node(&node) };
        let client = Client::connect(config).await.unwrap();
        let scheme = node.url.split("://").next().unwrap();
        assert!(client.nodes().iter().all(|url| url.starts_with(&format!("{scheme}://"))), "{:?}", client.nodes());
        assert!(!client.nodes().is_empty());
        client.send(&Request::new(Method::Get, "/_cluster/health")).await.unwrap();
    }
}

#[tokio::test]
async fn found_nodes_share_the_work() {
    let (seed, second, master, stranger) = (node().await, node().await, node().await, MockServer::start().await);
    let mut other = hello("9.4.3");
    other["cluster_uuid"] = "another".into();
    Mock::given(path("/")).respond_with(answer(200).set_body_json(other)).mount(&stranger).await;
    let nodes = json!({
        "a": listed(&["data", "master"], &address(&seed)),
        "b": listed(&[], &format!("localhost/{}", address(&second))),
        "c": listed(&["master"], &address(&master)),
        "d": listed(&["data"], &address(&stranger)),
        "e": listed(&["data"], &format!("127.0.0.1:{}", dead_port().await)),
    });
    lists(&seed, nodes).await;
    let client = sniffing(&seed.uri(), Sniffing::AtStart).await;
    // The name is kept, as certificates are for names; what cannot be used from here is not.
    assert_eq!(client.nodes(), [seed.uri(), format!("http://localhost:{}", second.address().port())]);
    work(&client, 6).await;
    assert_eq!([asked(&seed, WORK).await, asked(&second, WORK).await], [3, 3]);
    assert_eq!(master.received_requests().await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_list_that_cannot_be_had_changes_nothing() {
    let bodies = [
        answer(200).set_body_string("<html>"),
        answer(200).set_body_string("{\"nodes\":{}}"),
        answer(403).set_body_json(json!({"error": {"type": "security_exception", "reason": "no"}})),
        answer(500),
        answer(200).set_delay(Duration::from_secs(30)),
        answer(200).set_body_json(json!({"nodes": {"a": listed(&["data"], "127.0.0.1:1")}})),
    ];
    let logs = logs();
    for body in bodies {
        let seed = node().await;
        Mock::given(path("/_nodes/http")).respond_with(body).mount(&seed).await;
        for mode in [Sniffing::AtStart, Sniffing::Continuous { every: Duration::ZERO }] {
            let client = sniffing(&seed.uri(), mode).await;
            work(&client, 2).await;
            assert_eq!(client.nodes(), [seed.uri()]);
            assert!(logs.warned(&[&seed.uri(), "stay as they are"]));
        }
        assert_eq!(asked(&seed, WORK).await, 4);
    }
}

#[tokio::test]
async fn the_list_is_renewed_while_requests_go_on() {
    let (seed, second) = (node().await, node().await);
    lists(&seed, json!({"a": listed(&["data"], &address(&second))})).await;
    lists(&second, json!({"a": listed(&["data"], &address(&seed)), "b": listed(&["data"], &address(&second))})).await;
    let client = sniffing(&seed.uri(), Sniffing::Continuous { every: Duration::from_millis(1) }).await;
    assert_eq!(client.nodes(), [second.uri()]);
    let renewed = async {
        while client.nodes() != [seed.uri(), second.uri()] {
            work(&client, 1).await;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), renewed).await.unwrap();
}

#[tokio::test]
async fn when_all_found_nodes_fail_the_configured_ones_are_used() {
    let (seed, second) = (node().await, node().await);
    lists(&seed, json!({"a": listed(&["data"], &address(&second))})).await;
    let client = sniffing(&seed.uri(), Sniffing::AtStart).await;
    work(&client, 2).await;
    assert_eq!(asked(&second, WORK).await, 2);
    drop(second);
    for _ in 0..3 {
        // Connections to the dead node may still be open, so only repeatable requests are safe.
        client.send(&Request::new(Method::Get, WORK)).await.unwrap();
    }
    assert_eq!(asked(&seed, WORK).await, 3);
}

#[tokio::test]
async fn a_cloud_id_and_sniffing_contradict_each_other() {
    let endpoint = es_core::Endpoint::CloudId("cluster:ZXhhbXBsZS5vcmckYWJjJGRlZg==".into());
    let config = ClusterConfig { endpoint, sniffing: Sniffing::AtStart, ..ClusterConfig::default() };
    let error = Client::connect(config).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Config, "both a cloud id and sniffing are set"));
}
