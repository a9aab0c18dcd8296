//! The rows to read, and the limits of reading.

use std::time::Duration;

use es_frame::{CellPolicy, ColumnRequest, FieldSource};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::options::ReadOptions;

/// The rows to read, and the limits of reading.
#[derive(Clone, Debug)]
pub struct ReadRequest {
    /// The source of rows.
    pub from: ReadFrom,
    /// The limits.
    pub options: ReadOptions,
}

/// The source of rows.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "a read has one of these, and most have the largest")]
pub enum ReadFrom {
    /// The documents that a query matches, any number of them.
    Search(Search),
    /// The result of a query in ES|QL, which the server holds whole: 10,000 rows at most.
    Esql(Esql),
    /// The result of a query in SQL, page by page.
    Sql(Sql),
}

/// The documents that a query matches.
#[derive(Clone, Debug)]
pub struct Search {
    /// An index, an alias, a pattern, or a list of them with commas.
    pub index: String,
    /// An Elasticsearch query. Default: all documents.
    pub query: Value,
    /// The columns. Default: all fields of the mapping.
    pub columns: ColumnRequest,
    /// Fields that are computed when they are read, as in `runtime_mappings` of a search: name
    /// to definition.
    pub runtime: Map<String, Value>,
    /// The order of the rows, as in `sort` of a search. Default: none, which is fastest.
    pub sort: Vec<Value>,
    /// The first so many rows and no more.
    pub limit: Option<u64>,
    /// A random part of the documents.
    pub sample: Option<Sample>,
    /// The way of reading pages.
    pub through: Through,
    /// The source of values. Default: the one that costs the server least.
    pub source: FieldSource,
    /// The treatment of several values, malformed ones and missing ones. Default: more than one
    /// value and a malformed one are errors, and a missing one is null.
    pub policy: CellPolicy,
    /// The same for single columns, by name.
    pub policies: IndexMap<String, CellPolicy>,
}

/// The way of reading the pages of one read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Through {
    /// A point in time; a scroll where the cluster does not let a point in time be opened.
    #[default]
    Auto,
    /// A point in time: read in slices side by side, and pages can be asked for again.
    PointInTime,
    /// A scroll: one page after the other, and a page that is lost ends the read.
    Scroll,
}

/// A random part of the documents that a query matches, which is the same each time as long as
/// the documents stay as they are in their index.
///
/// The server draws a number for each matching document from the seed and the document's
/// `_seq_no` (`random_score`), and keeps those that are among the highest. That reads one doc
/// value a document and no `_id`, and does not depend on how segments are merged or which copy
/// of a shard answers. The same documents in another index make another sample.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(description = "A part of the documents, drawn at random.")]
pub struct Sample {
    /// The expected share of the documents, between 0 and 1. The exact number is random.
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub share: f64,
    /// The seed of the draw. Another seed draws other documents.
    #[serde(default)]
    pub seed: u64,
}

/// A query in ES|QL.
#[derive(Clone, Debug)]
pub struct Esql {
    /// The query.
    pub query: String,
    /// The values of its parameters, as the API takes them.
    pub params: Vec<Value>,
    /// An Elasticsearch query that documents must match beforehand.
    pub filter: Option<Value>,
    /// The form that the server is asked to answer in.
    pub format: EsqlFormat,
    /// The maximum time to wait for the end of the query. Default: 1 hour.
    pub wait: Duration,
}

/// The form in which the server answers a query in ES|QL. It makes no difference to the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EsqlFormat {
    /// Arrow, or JSON where the server or a column's type does not allow that.
    #[default]
    Auto,
    /// JSON.
    Json,
}

/// A query in SQL. A field with more than one value is an error, never one value of several.
#[derive(Clone, Debug)]
pub struct Sql {
    /// The query.
    pub query: String,
    /// The values of its parameters.
    pub params: Vec<Value>,
    /// An Elasticsearch query that documents must match beforehand.
    pub filter: Option<Value>,
    /// The time zone that dates are computed in, such as `Europe/Berlin`. Default: UTC.
    pub time_zone: Option<String>,
}

impl ReadRequest {
    /// Everything in an index or alias.
    pub fn new(index: impl Into<String>) -> Self {
        Search::new(index).into()
    }

    /// The search, if it is one.
    pub fn search(&self) -> Option<&Search> {
        match &self.from {
            ReadFrom::Search(search) => Some(search),
            ReadFrom::Esql(_) | ReadFrom::Sql(_) => None,
        }
    }

    /// The search, if it is one, to be changed.
    pub fn search_mut(&mut self) -> Option<&mut Search> {
        match &mut self.from {
            ReadFrom::Search(search) => Some(search),
            ReadFrom::Esql(_) | ReadFrom::Sql(_) => None,
        }
    }
}

impl Search {
    /// Everything in an index or alias.
    pub fn new(index: impl Into<String>) -> Self {
        Self {
            index: index.into(),
            query: json!({"match_all": {}}),
            columns: ColumnRequest::All,
            runtime: Map::new(),
            sort: Vec::new(),
            limit: None,
            sample: None,
            through: Through::Auto,
            source: FieldSource::Auto,
            policy: CellPolicy::default(),
            policies: IndexMap::new(),
        }
    }
}

impl Esql {
    /// A query without parameters.
    pub fn new(query: impl Into<String>) -> Self {
        Self {
            query: query.into(),
            params: Vec::new(),
            filter: None,
            format: EsqlFormat::Auto,
            wait: Duration::from_secs(3600),
        }
    }
}

impl Sql {
    /// A query without parameters.
    pub fn new(query: impl Into<String>) -> Self {
        Self { query: query.into(), params: Vec::new(), filter: None, time_zone: None }
    }
}

impl From<ReadFrom> for ReadRequest {
    fn from(from: ReadFrom) -> Self {
        Self { from, options: ReadOptions::default() }
    }
}

impl From<Search> for ReadRequest {
    fn from(search: Search) -> Self {
        ReadFrom::Search(search).into()
    }
}

impl From<Esql> for ReadRequest {
    fn from(esql: Esql) -> Self {
        ReadFrom::Esql(esql).into()
    }
}

impl From<Sql> for ReadRequest {
    fn from(sql: Sql) -> Self {
        ReadFrom::Sql(sql).into()
    }
}
