//! `export`: a data set as files.

mod cells;
mod output;
mod split;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::lists::FieldNames;
use crate::value::Query;

pub use cells::{Encoding, FieldOptions, Malformed, Missing, Values};
pub use output::{Compression, ExportFormat, Output};
pub use split::{Split, TimePart};

/// Files that are kept up to date with an index asset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// The asset whose documents are exported.
    #[schemars(extend("format" = "name", "pattern" = "^[a-z0-9_]+$"))]
    pub from: String,
    /// Which documents; without it, all.
    #[serde(rename = "where")]
    pub filter: Option<Query>,
    /// Fields that are computed while reading, as `runtime_mappings` of a search.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    #[schemars(extend("additionalProperties" = { "type": "object" }))]
    pub runtime: IndexMap<String, Value>,
    /// Which fields, in this order; without it, all.
    #[schemars(with = "Option<FieldNames>")]
    pub columns: Option<Vec<String>>,
    /// What is done with the values of every field, unless `fields` says otherwise.
    #[serde(default)]
    pub cells: FieldOptions,
    /// What is done with the values of single fields.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub fields: IndexMap<String, FieldOptions>,
    /// A part of the documents, drawn by chance: the same ones each time.
    pub sample: Option<Sample>,
    /// How many documents at most.
    #[schemars(range(min = 1))]
    pub limit: Option<u64>,
    /// The files to write.
    pub to: Output,
    /// How the rows are divided into parts.
    pub split: Option<Split>,
}

/// A part of the documents, drawn by chance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// The share of the documents, between 0 and 1.
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub share: f64,
    /// Another seed draws others.
    #[serde(default)]
    pub seed: u64,
}
