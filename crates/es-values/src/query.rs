//! Elasticsearch queries, passed through as they are written.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A query of the Elasticsearch query DSL: an object with one key, the name of the
/// query, such as `{ range: { distance: { gt: 100 } } }`.
///
/// Its inside is not checked here: the server knows its queries best.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Query(Map<String, Value>);

impl Query {
    /// The query as JSON.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::Object(self.0.clone())
    }
}

impl JsonSchema for Query {
    fn schema_name() -> Cow<'static, str> {
        "Query".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "title": "query",
            "additionalProperties": { "type": "object" },
            "description": "A query of the Elasticsearch query DSL.",
            "examples": [{ "range": { "distance": { "gt": 100 } } }],
        })
    }
}
