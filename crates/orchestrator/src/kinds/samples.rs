//! Documents to try an ingest pipeline on.

use es_core::Client;
use es_serving::ingest_pipeline::SampleDocument;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Prepared;
use crate::error::Result;

/// The input of taking samples.
#[derive(Debug)]
pub struct Sampling<'a> {
    /// The connection.
    pub client: &'a Client,
    /// The findings of the same kind.
    pub prepared: &'a Prepared,
    /// The most documents.
    pub most: usize,
}

#[derive(Deserialize)]
struct Hit {
    #[serde(rename = "_id")]
    id: String,
    #[serde(rename = "_routing")]
    routing: Option<String>,
    #[serde(rename = "_source", default)]
    source: Map<String, Value>,
}

/// The first documents of an index; none where there is no index.
pub(super) async fn published(client: &Client, index: &str, most: usize) -> Result<Vec<SampleDocument>> {
    if client.indices().describe(index).await?.is_empty() {
        return Ok(Vec::new());
    }
    let body = json!({ "size": most, "sort": ["_doc"], "track_total_hits": false });
    let hits = client.search(index, &body).await?.hits()?;
    let sample = |hit: Hit| SampleDocument { routing: hit.routing, ..SampleDocument::new(index, hit.id, hit.source) };
    Ok(hits.into_iter().map(sample).collect())
}

/// Documents of the lines of a bulk request: actions that index or create, and their sources.
pub(super) fn of_bulk_lines(lines: &[u8], index: &str, most: usize) -> Vec<SampleDocument> {
    let mut samples = Vec::new();
    let mut lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    while let (true, Some(action), Some(source)) = (samples.len() < most, lines.next(), lines.next()) {
        let action: Value = serde_json::from_slice(action).unwrap_or_default();
        let Ok(source) = serde_json::from_slice(source) else { continue };
        let text = |name: &str| action.pointer(&format!("/index/{name}")).and_then(Value::as_str).map(str::to_owned);
        let id = text("_id").unwrap_or_else(|| (samples.len() + 1).to_string());
        samples.push(SampleDocument { routing: text("routing"), ..SampleDocument::new(index, id, source) });
    }
    samples
}
