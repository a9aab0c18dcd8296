//! The schemas of lists of texts. The values themselves are plain `Vec<String>`.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

/// Names of fields: at least one, each once.
pub(super) struct FieldNames;

/// Names of assets or tags, each once.
pub(super) struct Names;

/// URLs of nodes: at least one, each once.
pub(super) struct Hosts;

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
