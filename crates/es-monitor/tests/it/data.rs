//! The documents of the live tests, made by formulas that tests/oracle/windows.py repeats,
//! and a client for the node.

use es_core::{Client, ClusterConfig, Method, NewIndex, Request};
use es_testing::{Node, Scope};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// Documents of the reference and the current window.
pub(crate) const SIZES: (u64, u64) = (2000, 1500);

/// The start of the reference window; its documents follow each other by a minute.
pub(crate) const REFERENCE: &str = "2024-01-01T00:00:00Z";

/// The start of the current window, as the reference.
pub(crate) const CURRENT: &str = "2024-02-01T00:00:00Z";

/// A client for the node, with its credentials.
pub(crate) async fn connect(node: &Node) -> Client {
    let config = ClusterConfig::default().overlaid(|variable| match variable {
        "ELASTICSEARCH_URL" => Some(node.url.clone()),
        "ELASTICSEARCH_API_KEY" => node.api_key.clone(),
        "ELASTICSEARCH_USER" if node.api_key.is_none() => node.username.clone(),
        "ELASTICSEARCH_PASSWORD" if node.api_key.is_none() => node.password.clone(),
        "ELASTICSEARCH_CA_CERT" => node.ca_cert_path.as_ref().map(|path| path.display().to_string()),
        _ => None,
    });
    Client::connect(config.unwrap()).await.unwrap()
}

/// An index of two shards with both windows in it.
pub(crate) async fn two_windows(client: &Client, scope: &Scope) -> String {
    let index = format!("{}windows", scope.prefix());
    create(client, &index).await;
    let documents: Vec<Value> = (0..SIZES.0).map(reference).chain((0..SIZES.1).map(current)).collect();
    write(client, &index, &documents).await;
    index
}

/// Creates the index of [`two_windows`] without documents.
pub(crate) async fn create(client: &Client, index: &str) {
    let mapping = json!({"dynamic": "strict", "properties": {
        "time": {"type": "date"}, "skewed": {"type": "double"}, "near": {"type": "double"},
        "single": {"type": "float"}, "whole": {"type": "integer"}, "city": {"type": "keyword"},
        "late": {"type": "boolean"}, "host": {"type": "ip"}, "gap": {"type": "double"},
        "constant": {"type": "float"}, "several": {"type": "long"},
        "note": {"type": "text", "fields": {"raw": {"type": "keyword"}}},
    }});
    let new = NewIndex {
        settings: json!({"number_of_shards": 2, "number_of_replicas": 0}).as_object().unwrap().clone(),
        mapping: serde_json::from_value(mapping).unwrap(),
    };
    client.indices().create(index, &new).await.unwrap();
}

/// Indexes documents and makes them visible.
pub(crate) async fn write(client: &Client, index: &str, documents: &[Value]) {
    let body: String = documents.iter().map(|document| format!("{{\"index\":{{}}}}\n{document}\n")).collect();
    let request = Request::new(Method::Post, format!("/{index}/_bulk")).query("refresh", "true").ndjson(body);
    let answer: Value = client.send(&request).await.unwrap().json().unwrap();
    assert_eq!(answer["errors"], false, "{answer}");
}

/// A number that is far from uniform.
pub(crate) fn skewed(reference: bool, i: u64) -> f64 {
    let root = if reference { i * 7919 % 2003 } else { i * 7907 % 1511 + 300 };
    (root * root) as f64 / 1000.0
}

fn reference(i: u64) -> Value {
    json!({
        "time": minute(REFERENCE, i), "skewed": skewed(true, i), "near": skewed(true, i),
        "single": skewed(true, i), "whole": (i * i % 37) as i64 - 5,
        "city": match i % 10 { 0..5 => "a", 5..8 => "b", _ => "c" },
        "late": i.is_multiple_of(4), "host": if i.is_multiple_of(2) { "10.0.0.1" } else { "10.0.0.2" },
        "gap": (!i.is_multiple_of(100)).then_some(1.5), "constant": 5.1, "several": [i, i + 1],
    })
}

fn current(i: u64) -> Value {
    let root = i * 7907 % 2003;
    json!({
        "time": minute(CURRENT, i), "skewed": skewed(false, i), "near": (root * root) as f64 / 1000.0,
        "single": skewed(false, i), "whole": ((i * i + 3 * i) % 41) as i64 - 5,
        "city": match i % 20 { _ if i.is_multiple_of(50) => "d", 0..9 => "a", 9..15 => "b", _ => "c" },
        "late": i.is_multiple_of(3), "host": if i.is_multiple_of(2) { "10.0.0.1" } else { "10.0.0.2" },
        "gap": (!i.is_multiple_of(10)).then_some(1.5), "constant": if i.is_multiple_of(2) { 5.1 } else { 5.2 }, "several": [i, i + 1],
    })
}

pub(crate) fn minute(start: &str, i: u64) -> String {
    let start: Timestamp = start.parse().unwrap();
    (start + SignedDuration::from_mins(i as i64)).to_string()
}
