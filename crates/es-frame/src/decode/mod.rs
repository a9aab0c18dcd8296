//! Pages of search hits, read straight into columns.
//!
//! A [`HitDecoder`] is made of a mapping and the columns asked for; the schema of every
//! frame it returns is known before the first page. What the server is asked to return
//! ([`Retrieval`]) follows from the columns.

mod builder;
mod page;
mod plan;

use polars::prelude::{DataFrame, Schema};
use serde_json::{Value, json};

use crate::error::Error;
use es_core::Mapping;
use plan::PlannedColumn;

pub use plan::{ColumnRequest, Retrieval};

/// Reads pages of search hits into frames of one schema.
///
/// ```
/// use es_frame::{ColumnRequest, HitDecoder};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mapping = serde_json::from_value(serde_json::json!({
///     "properties": {"carrier": {"type": "keyword"}, "dep_delay": {"type": "integer"}}
/// }))?;
/// let decoder = HitDecoder::new(&mapping, &ColumnRequest::All)?;
/// let page = decoder.decode(
///     br#"{"pit_id": "p", "timed_out": false, "_shards": {"failed": 0}, "hits": {"hits": [
///         {"_id": "1", "fields": {"carrier": ["UA"]}, "sort": [7]}
///     ]}}"#,
/// )?;
/// assert_eq!(page.frame.height(), 1);
/// assert_eq!(page.frame.column("dep_delay")?.null_count(), 1);
/// assert_eq!(page.last_sort.as_deref(), Some("[7]"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct HitDecoder {
    columns: Vec<PlannedColumn>,
    retrieval: Retrieval,
}

/// One page of hits.
#[derive(Debug)]
pub struct HitPage {
    /// The rows, in the order of the hits.
    pub frame: DataFrame,
    /// The `sort` values of the last hit as raw JSON, to ask for the next page with; `None`
    /// on an empty page, which is the end.
    pub last_sort: Option<String>,
    /// The id of the point in time to use from now on.
    pub pit_id: Option<String>,
}

impl HitDecoder {
    /// Plans the columns of an index.
    ///
    /// # Errors
    /// [`crate::ErrorKind::UnknownColumn`] with the nearest names, and
    /// [`crate::ErrorKind::UnsupportedType`] for a field that has no column type.
    pub fn new(mapping: &Mapping, request: &ColumnRequest) -> Result<Self, Error> {
        let (columns, retrieval) = plan::plan(mapping, request)?;
        Ok(Self { columns, retrieval })
    }

    /// The schema of the frames.
    pub fn schema(&self) -> Schema {
        self.columns.iter().map(|column| (column.name.as_str().into(), column.column_type.dtype())).collect()
    }

    /// Where the server takes the values from, and why.
    pub fn retrieval(&self) -> &Retrieval {
        &self.retrieval
    }

    /// The Elasticsearch types of the columns, in order, by name.
    pub fn field_types(&self) -> impl Iterator<Item = (&str, &str)> {
        self.columns.iter().map(|column| (column.name.as_str(), column.field_type.as_str()))
    }

    /// Puts into a search body what makes the server return the columns.
    pub fn ask(&self, body: &mut Value) {
        let doc_values: Vec<Value> = self.columns.iter().filter_map(PlannedColumn::doc_value_request).collect();
        if !doc_values.is_empty() {
            body["docvalue_fields"] = json!(doc_values);
        }
        let source: Vec<&str> =
            self.columns.iter().filter(|column| column.from_source.is_some()).map(|column| &*column.name).collect();
        body["_source"] = if source.is_empty() { json!(false) } else { json!(source) };
    }

    /// Reads a response body.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Partial`] when shards failed or the search timed out,
    /// [`crate::ErrorKind::Malformed`] when the body is cut off or not a search answer, and
    /// [`crate::ErrorKind::Value`] naming document and field when a value does not fit.
    pub fn decode(&self, body: &[u8]) -> Result<HitPage, Error> {
        page::decode(&self.columns, body)
    }

    /// An empty frame of the schema.
    pub fn empty_frame(&self) -> DataFrame {
        DataFrame::empty_with_schema(&self.schema())
    }
}
