//! `export`: a data set as files.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::lists::FieldNames;
use crate::value::Query;

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
    /// Which fields, in this order; without it, all.
    #[schemars(with = "Option<FieldNames>")]
    pub columns: Option<Vec<String>>,
    /// The files to write.
    pub to: Output,
    /// How the rows are divided into parts.
    pub split: Option<Split>,
}

/// Files to write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// The folder to write to, from the folder of the pipeline file.
    #[schemars(extend("format" = "text"))]
    pub path: String,
    /// The format.
    #[serde(default)]
    pub format: ExportFormat,
    /// How the files are compressed.
    #[serde(default)]
    pub compression: Compression,
}

/// The format of exported files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// Apache Parquet.
    #[default]
    Parquet,
}

/// How exported files are compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Zstandard.
    #[default]
    Zstd,
    /// Snappy.
    Snappy,
    /// LZ4.
    Lz4,
    /// Not at all.
    None,
}

/// How rows are divided into parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// What decides which part a row belongs to.
    pub by: SplitMethod,
    /// The fields that are hashed: rows that agree in all of them are in the same part.
    #[schemars(with = "FieldNames")]
    pub key: Vec<String>,
    /// Another seed gives another division.
    #[serde(default)]
    pub seed: u64,
    /// The parts and their shares, which sum to 1.
    #[schemars(
        extend(
        "propertyNames" = { "format": "name", "pattern": "^[a-z0-9_]+$" },
        "additionalProperties" = { "type": "number", "exclusiveMinimum": 0, "maximum": 1 },
        "minProperties" = 1
    )
    )]
    pub parts: IndexMap<String, f64>,
}

/// What decides which part a row belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SplitMethod {
    /// A hash of the key, so that a row stays in its part when the data grows.
    Hash,
}
