//! Clients, batches, and a server whose answers a test decides.

use std::time::Duration;

use es_bulk::{Batch, BatchBuilder, BatchLimits, BulkOptions, Error};
use es_core::{Backoff, Client, ClusterConfig, Credentials, Endpoint, RetryPolicy, Secret};
use es_frame::DocumentWriter;
use es_testing::{FaultProxy, Node, Scope};
use futures::stream::{self, Stream};
use polars::prelude::*;
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

/// The index of tests against a mock.
pub(crate) const INDEX: &str = "flights";

pub(crate) fn at(url: &str) -> ClusterConfig {
    ClusterConfig { endpoint: Endpoint::hosts(url).unwrap(), ..ClusterConfig::default() }
}

/// A client of the plain node and names of the test's own, or nothing where there is no node.
pub(crate) async fn live(test: &str) -> Option<(Client, Scope)> {
    let node = es_testing::plain().await?;
    let client = Client::connect(of_node(&node, &node.url)).await.unwrap();
    Some((client, Scope::new(&node, test)))
}

/// A client that reaches the plain node through a proxy, or nothing where there is no node.
pub(crate) async fn behind_a_proxy(test: &str) -> Option<(Client, FaultProxy, Scope)> {
    let node = es_testing::plain().await?;
    let proxy = FaultProxy::before(&node.url).await;
    let client = Client::connect(of_node(&node, &proxy.url())).await.unwrap();
    Some((client, proxy, Scope::new(&node, test)))
}

/// The configuration for a node that is reached at an address.
pub(crate) fn of_node(node: &Node, url: &str) -> ClusterConfig {
    let mut config = at(url);
    config.tls.ca_cert = node.ca_cert_path.clone();
    config.credentials = match (&node.api_key, &node.username, &node.password) {
        (Some(key), _, _) => Credentials::api_key(key),
        (None, Some(user), Some(password)) => {
            Credentials::Basic { user: user.clone(), password: Secret::new(password.clone()) }
        }
        _ => Credentials::None,
    };
    config
}

/// Options with waits short enough for a test.
pub(crate) fn options() -> BulkOptions {
    BulkOptions {
        retry: RetryPolicy {
            max: 4,
            total: Duration::from_secs(10),
            backoff: Backoff { first: Duration::from_millis(5), longest: Duration::from_millis(20) },
        },
        request_timeout: Duration::from_secs(20),
        ..BulkOptions::default()
    }
}

/// Rows `0..rows` with the columns `k` (text, the key) and `n` (integer).
pub(crate) fn numbered(rows: i64) -> DataFrame {
    let keys: Vec<String> = (0..rows).map(|n| format!("key-{n}")).collect();
    df!("k" => keys, "n" => (0..rows).collect::<Vec<_>>()).unwrap()
}

/// The batches of a frame, each of at most so many documents.
pub(crate) fn batches(frame: &DataFrame, id: &[&str], documents: usize) -> Vec<Batch> {
    let writer = DocumentWriter::new(frame, id).unwrap();
    let mut builder = BatchBuilder::new(BatchLimits { documents, bytes: 1 << 20, ..BatchLimits::default() });
    let mut all = builder.push_frame(&writer).unwrap();
    all.extend(builder.finish());
    all
}

pub(crate) fn stream_of(batches: Vec<Batch>) -> impl Stream<Item = Result<Batch, Error>> {
    stream::iter(batches.into_iter().map(Ok))
}

/// An answer of Elasticsearch's own.
pub(crate) fn answer(status: u16, body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(status).insert_header("X-Elastic-Product", "Elasticsearch").set_body_json(body)
}

/// A mock of Elasticsearch and a client of it; `bulk` answers bulk requests.
pub(crate) async fn mock_node(
    bulk: impl Fn(&Request) -> ResponseTemplate + Send + Sync + 'static,
) -> (MockServer, Client) {
    let server = MockServer::builder().start().await;
    let hello = json!({
        "name": "mock", "cluster_name": "mock", "cluster_uuid": "vSxLkM3uQ0mJ", "version": {"number": "9.4.3"},
    });
    Mock::given(method("GET")).and(path("/")).respond_with(answer(200, &hello)).mount(&server).await;
    Mock::given(path(format!("/{INDEX}/_bulk"))).respond_with(bulk).mount(&server).await;
    let client = Client::connect(at(&server.uri())).await.unwrap();
    (server, client)
}

/// The values of `n` of the documents in the body of a bulk request.
pub(crate) fn numbers(request: &Request) -> Vec<i64> {
    let text = std::str::from_utf8(&request.body).unwrap();
    assert!(text.ends_with('\n'));
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len() % 2, 0);
    lines
        .chunks(2)
        .map(|pair| {
            assert!(pair[0]["index"].is_object(), "{}", pair[0]);
            pair[1]["n"].as_i64().unwrap()
        })
        .collect()
}

/// The documents of each bulk request that a server got.
pub(crate) async fn received(server: &MockServer) -> Vec<Vec<i64>> {
    let requests = server.received_requests().await.unwrap();
    requests.iter().filter(|request| request.url.path().ends_with("/_bulk")).map(numbers).collect()
}

/// The result of an item of a bulk answer.
pub(crate) fn item(status: u16) -> Value {
    let result = match status {
        201 => json!({"status": 201, "result": "created"}),
        200 => json!({"status": 200, "result": "updated"}),
        status => json!({"status": status, "error": {"type": "refused_for_the_test", "reason": "because"}}),
    };
    json!({"index": result})
}

/// An answer with a status for each document of the request.
pub(crate) fn items(request: &Request, status: impl Fn(i64) -> u16) -> ResponseTemplate {
    let items: Vec<Value> = numbers(request).into_iter().map(|n| item(status(n))).collect();
    answer(200, &json!({"items": items}))
}
