//! Indices of inferred mappings, with the documents of a frame in them.

use es_core::{Mapping, Version};
use es_frame::{DocumentWriter, WriterOptions};
use es_testing::{Node, Scope};
use polars::prelude::DataFrame;
use reqwest::Method;
use serde_json::{Value, json};

/// A node, its version, and names of the test's own, or nothing where there is no node.
pub(crate) async fn live(test: &str) -> Option<(Node, Version, Scope)> {
    let node = es_testing::plain().await?;
    let version = node.get("/").await["version"]["number"].as_str().unwrap().parse().unwrap();
    let scope = Scope::new(&node, test);
    Some((node, version, scope))
}

/// Creates an index that takes no field beyond its mapping.
pub(crate) async fn create(node: &Node, index: &str, mut mapping: Mapping) {
    mapping.parameters.insert("dynamic".to_owned(), json!("strict"));
    let body = json!({"settings": {"number_of_shards": 1, "number_of_replicas": 0}, "mappings": mapping});
    node.json(Method::PUT, &format!("/{index}"), body.to_string()).await;
}

/// Sends all rows in one bulk request and returns the statuses of the items.
pub(crate) async fn send(node: &Node, index: &str, frame: &DataFrame, options: &WriterOptions) -> Vec<u64> {
    let writer = DocumentWriter::with_options(frame, options).unwrap();
    let mut body = Vec::new();
    for row in 0..writer.rows() {
        writer.write_lines(row, &mut body).unwrap();
    }
    let answer =
        node.json(Method::POST, &format!("/{index}/_bulk?refresh=true"), String::from_utf8(body).unwrap()).await;
    let items = answer["items"].as_array().unwrap();
    assert_eq!(items.len(), writer.rows(), "{answer}");
    let status = |item: &Value| {
        let result = item.as_object().unwrap().values().next().unwrap();
        assert_eq!(result.get("error"), None, "{result}");
        result["status"].as_u64().unwrap()
    };
    items.iter().map(status).collect()
}

/// The text of a document's source; the id may have parameters after it.
pub(crate) async fn source(node: &Node, index: &str, id: &str) -> String {
    let response = node.request(Method::GET, &format!("/{index}/_source/{id}")).send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.text().await.unwrap()
}
