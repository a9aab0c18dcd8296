//! The place of all state. What is published, and what it was made of, stands in the indices themselves
//! and in the manifests of exports, so that it can never disagree with them; the history of runs
//! and the leases of parts have indices of their own.

pub mod generation;
pub mod history;
pub mod lease;
pub mod lock;
pub mod observe;

use es_core::{Client, ErrorKind, Mapping, NewIndex};
use serde_json::{Map, Value, json};

use crate::error::Result;

/// Creates a hidden index for state of this program, unless another run has.
async fn create_hidden(client: &Client, name: &str, mapping: Mapping) -> Result<()> {
    let settings = object(json!({"number_of_shards": 1, "auto_expand_replicas": "0-1", "hidden": true}));
    match client.indices().create(name, &NewIndex { settings, mapping }).await {
        Err(error) if error.kind() != ErrorKind::Conflict => Err(error.into()),
        _ => Ok(()),
    }
}

/// The keys of a JSON object; none of any other value.
pub(crate) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
