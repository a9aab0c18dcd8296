//! The keys of an `export` asset.

use es_export::{FieldOptions, Output, Sample, SplitOptions};
use es_values::Query;
use es_values::schema::FieldNames;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::kinds::joins::FeatureJoin;

/// Files that are kept up to date with an index asset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// The asset whose documents are exported.
    #[schemars(extend("format" = "name", "pattern" = "^[a-z0-9_]+$"))]
    pub from: String,
    /// The documents that match; without it, all.
    #[serde(rename = "where")]
    pub filter: Option<Query>,
    /// Fields that are computed while reading, as `runtime_mappings` of a search.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    #[schemars(extend("additionalProperties" = { "type": "object" }))]
    pub runtime: IndexMap<String, Value>,
    /// The fields, in this order; without it, all.
    #[schemars(with = "Option<FieldNames>")]
    pub columns: Option<Vec<String>>,
    /// Feature rows that are joined to the rows: of each asset the latest row of the entity that
    /// was known at the row's time, as columns `asset__field`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<FeatureJoin>,
    /// The treatment of the values of every field, unless `fields` says otherwise.
    #[serde(default)]
    pub cells: FieldOptions,
    /// The treatment of the values of single fields.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub fields: IndexMap<String, FieldOptions>,
    /// A part of the documents, drawn by chance: the same ones each time.
    pub sample: Option<Sample>,
    /// The most documents to read.
    #[schemars(range(min = 1))]
    pub limit: Option<u64>,
    /// The files to write.
    pub to: Output,
    /// The division of the rows into parts.
    pub split: Option<SplitOptions>,
}
