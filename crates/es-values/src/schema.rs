//! Pieces of JSON Schema that several option types share.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::json;

/// The schema of a list of field names: at least one, each once. The values themselves are a plain
/// `Vec<String>`, with `#[schemars(with = "FieldNames")]`.
pub struct FieldNames;

/// The schema of a list of names of assets or tags, each once.
pub struct Names;

/// The schema of a list of URLs of nodes: at least one, each once.
pub struct Hosts;

impl JsonSchema for FieldNames {
    fn schema_name() -> Cow<'static, str> {
        "FieldNames".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "items": { "type": "string", "format": "text", "minLength": 1 },
            "minItems": 1,
            "uniqueItems": true,
        })
    }
}

impl JsonSchema for Names {
    fn schema_name() -> Cow<'static, str> {
        "Names".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "items": { "type": "string", "format": "name", "pattern": "^[a-z0-9_]+$" },
            "uniqueItems": true,
        })
    }
}

impl JsonSchema for Hosts {
    fn schema_name() -> Cow<'static, str> {
        "Hosts".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "items": { "type": "string", "format": "host", "pattern": "^https?://[^@]+$" },
            "minItems": 1,
            "uniqueItems": true,
        })
    }
}

/// Says in a schema that exactly one of `keys` must be there. A key without a value counts as
/// absent, as it does when the value is read.
pub fn exactly_one(schema: &mut Schema, keys: &[&str]) {
    let is_set = |key: &&str| json!({ "required": [key], "properties": { *key: { "not": { "type": "null" } } } });
    let branches: Vec<_> = keys.iter().map(is_set).collect();
    schema.insert("oneOf".to_owned(), json!(branches));
}
