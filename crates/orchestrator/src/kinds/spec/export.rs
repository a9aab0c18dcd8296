//! `export`: a data set as files.

mod cells;
mod output;
mod split;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use es_values::schema::FieldNames;
use es_values::{Query, TimeSpan};

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
    /// Feature rows that are joined to the rows: of each asset the latest row of the entity that
    /// was known at the row's time, as columns `asset__field`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<FeatureJoin>,
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

/// Feature rows that are joined to other rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeatureJoin {
    /// The asset of kind `features`.
    #[schemars(extend("format" = "name", "pattern" = "^[a-z0-9_]+$"))]
    pub from: String,
    /// How old a feature row may be; without it, of any age.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<TimeSpan>,
    /// The field with the time of the rows that are joined to; without it, the one that is called
    /// like the time of the features.
    #[schemars(extend("format" = "text", "minLength" = 1))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
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
