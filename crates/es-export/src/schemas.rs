//! Schemas of values in manifests, whose form must not change.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// An instant as it is written: ISO 8601 in UTC.
pub(crate) struct Instant;

impl JsonSchema for Instant {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Instant".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time"})
    }
}

/// A random part of the documents that a query matches, which is the same each time as long as
/// the documents stay as they are in their index.
///
/// The server draws a number for each matching document from the seed and the document's
/// `_seq_no` (`random_score`), and keeps those that are among the highest. That reads one doc
/// value a document and no `_id`, and does not depend on how segments are merged or which copy
/// of a shard answers. The same documents in another index make another sample.
#[derive(JsonSchema)]
#[schemars(rename = "Sample")]
#[allow(dead_code, reason = "the fields are those of the schema")]
pub(crate) struct DrawnSample {
    /// The share of documents to expect, above 0 and up to 1; the exact number is a matter of
    /// chance.
    share: f64,
    /// Another seed is another sample.
    seed: u64,
}
