//! Shared parts of the tests: a client, an index with documents, rows as numbers.

use std::fmt::Write as _;

use es_core::{Client, ClusterConfig};
use es_features::{ComputeOptions, Error, FeatureSet, FeatureStream, FeatureSummary};
use es_testing::{Node, Scope};
use es_values::Query;
use futures::TryStreamExt as _;
use polars::prelude::{DataFrame, DataType};
use reqwest::Method;
use serde_json::Value;

/// A client of the node, with the node's own credentials.
pub(crate) async fn client(node: &Node) -> Client {
    let config = ClusterConfig::default()
        .overlaid(|name| match name {
            "ELASTICSEARCH_URL" => Some(node.url.clone()),
            "ELASTICSEARCH_API_KEY" => node.api_key.clone(),
            "ELASTICSEARCH_USER" if node.api_key.is_none() => node.username.clone(),
            "ELASTICSEARCH_PASSWORD" if node.api_key.is_none() => node.password.clone(),
            "ELASTICSEARCH_CA_CERT" => node.ca_cert_path.as_ref().map(|path| path.display().to_string()),
            _ => None,
        })
        .unwrap();
    Client::connect(config).await.unwrap()
}

/// Creates an index in the test's scope.
pub(crate) async fn create(node: &Node, scope: &Scope, name: &str, shards: u32, properties: Value) -> String {
    let index = format!("{}{name}", scope.prefix());
    let body = serde_json::json!({
        "settings": {"number_of_shards": shards, "number_of_replicas": 0, "refresh_interval": -1},
        "mappings": {"properties": properties},
    });
    node.json(Method::PUT, &format!("/{index}"), body.to_string()).await;
    index
}

/// Writes documents and makes them visible.
pub(crate) async fn write(node: &Node, index: &str, documents: impl IntoIterator<Item = Value>) {
    let mut lines = String::new();
    for document in documents {
        writeln!(lines, "{{\"index\":{{}}}}\n{document}").unwrap();
    }
    write_lines(node, index, lines).await;
    refresh(node, index).await;
}

/// Sends the lines of a bulk request.
pub(crate) async fn write_lines(node: &Node, index: &str, lines: String) {
    let answer = node.json(Method::POST, &format!("/{index}/_bulk?filter_path=errors,items.*.error"), lines).await;
    assert_eq!(answer["errors"], false, "{answer}");
}

pub(crate) async fn refresh(node: &Node, index: &str) {
    node.json(Method::POST, &format!("/{index}/_refresh"), "").await;
}

/// All rows of a feature set in one frame.
pub(crate) async fn compute(
    client: &Client,
    source: &str,
    set: &FeatureSet,
    options: ComputeOptions,
) -> Result<(DataFrame, FeatureSummary), Error> {
    collect(FeatureStream::builder(client, source, set).with_options(options).open().await?).await
}

/// The rest of a stream in one frame.
pub(crate) async fn collect(mut stream: FeatureStream) -> Result<(DataFrame, FeatureSummary), Error> {
    let mut all = DataFrame::empty_with_schema(stream.schema());
    while let Some(frame) = stream.try_next().await? {
        assert_eq!(frame.schema(), stream.schema());
        all.vstack_mut(&frame).unwrap();
    }
    let summary = stream.summary();
    assert_eq!(summary.rows, all.height() as u64);
    assert_eq!(summary.grid_instants, stream.grid_instants());
    Ok((all, summary))
}

/// A column as floats; times are milliseconds.
pub(crate) fn numbers(frame: &DataFrame, column: &str) -> Vec<Option<f64>> {
    let mut series = frame.column(column).unwrap().clone();
    if matches!(series.dtype(), DataType::Datetime(..)) {
        series = series.cast(&DataType::Int64).unwrap();
    }
    series.cast(&DataType::Float64).unwrap().f64().unwrap().iter().collect()
}

/// A column of strings.
pub(crate) fn texts(frame: &DataFrame, column: &str) -> Vec<String> {
    frame.column(column).unwrap().str().unwrap().iter().map(|text| text.unwrap().to_owned()).collect()
}

pub(crate) fn query(value: Value) -> Query {
    serde_json::from_value(value).unwrap()
}
