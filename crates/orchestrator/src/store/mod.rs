//! Where state lives. What is published, and what it was made of, stands in the indices themselves
//! and in the manifests of exports, so that it can never disagree with them; the history of runs
//! and the leases of parts have indices of their own.

pub mod generation;
pub mod history;
pub mod lease;
pub mod lock;
pub mod observe;

use serde_json::{Map, Value};

/// The keys of a JSON object; none of any other value.
pub(crate) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
