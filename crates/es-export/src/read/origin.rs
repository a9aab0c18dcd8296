//! The origin of rows, for those who keep them, and the state of a read that can be resumed.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::request::Sample;
use crate::schemas::{DrawnSample, Instant};

/// The ways of reading rows that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReadBy {
    /// A point in time.
    PointInTime,
    /// A scroll.
    Scroll,
    /// A query in ES|QL.
    Esql,
    /// A query in SQL.
    Sql,
}

/// The origin of rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Origin {
    /// The cluster.
    pub cluster_uuid: String,
    /// Its version.
    pub elasticsearch: String,
    /// The way of reading them.
    pub read_by: ReadBy,
    /// The index, alias or pattern that was asked for, in a search.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<String>,
    /// The physical indices behind it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indices: Vec<String>,
    /// The query: JSON, or the text of one in ES|QL or SQL.
    pub query: Value,
    /// The other parameters of the query: `runtime_mappings`, `sort`, `params`, `filter`.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub parameters: serde_json::Map<String, Value>,
    /// The limit of rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// The part that was drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<DrawnSample>")]
    pub sample: Option<Sample>,
    /// The place that the server took the values from, and the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retrieval: Option<String>,
    /// Remarks on the values of columns: those that `_source` leaves out, and those that the server does
    /// not return to the last bit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// When the point in time was opened, or the query sent: rows are as they were then.
    #[schemars(with = "Instant")]
    pub opened_at: Timestamp,
    /// The number of slices.
    pub slices: usize,
    /// The number of documents that matched, the sample drawn already; for a query in ES|QL its rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matched: Option<u64>,
    /// A fingerprint of the mapping.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mapping: Option<String>,
}

/// A read from a point in time that another process can resume.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedRead {
    /// The newest id of the point in time.
    pub point_in_time: String,
    /// The number of slices; each is whole or to be read again.
    pub slices: usize,
    /// The number of documents that match.
    pub matched: u64,
    /// When the point in time was opened.
    pub opened_at: Timestamp,
    /// The physical indices it is of.
    pub indices: Vec<String>,
    /// A fingerprint of the request.
    pub request: String,
    /// A fingerprint of the columns.
    pub columns: String,
}
