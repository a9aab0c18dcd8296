//! Pages of search hits, read straight into columns.
//!
//! A [`HitDecoder`] is built from a mapping and the requested columns; the schema of every
//! frame it returns is known before the first page. The request to the server ([`Retrieval`])
//! follows from the columns.
//!
//! `plan` decides where each column is read from; `page` and `hit` read the answer around the
//! documents, `table`, `places` and `cells` the documents, and `builder` the values. `scan` and
//! `window` read the bytes themselves: one anywhere, the other fast, where enough bytes follow.

mod builder;
mod cells;
mod date_format;
mod hit;
mod number;
mod options;
mod page;
mod places;
mod plan;
mod scan;
mod shape;
mod stop;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod window;

use std::sync::atomic::{AtomicUsize, Ordering};

use polars::prelude::{DataFrame, Schema};
use serde_json::Value;

use crate::error::Error;
use es_core::Mapping;
use plan::Plan;

pub use options::{CellPolicy, ColumnRequest, DecodeOptions, FieldSource, Malformed, Missing, StoredSource, Values};
pub use plan::Retrieval;

/// Reads pages of search hits into frames of one schema.
///
/// ```
/// use es_frame::{ColumnRequest, HitDecoder};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mapping = serde_json::from_value(serde_json::json!({
///     "properties": {"carrier": {"type": "keyword"}, "dep_delay": {"type": "integer", "coerce": false}}
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
#[derive(Debug)]
pub struct HitDecoder {
    plan: Plan,
    /// The number of rows of the previous page, the capacity of the next one.
    rows: AtomicUsize,
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
    /// The id of the scroll to use from now on.
    pub scroll_id: Option<String>,
}

impl HitDecoder {
    /// Plans the columns of an index.
    ///
    /// # Errors
    /// As [`HitDecoder::with_options`].
    pub fn new(mapping: &Mapping, request: &ColumnRequest) -> Result<Self, Error> {
        Self::with_options(mapping, &DecodeOptions { columns: request.clone(), ..DecodeOptions::default() })
    }

    /// Plans the columns of an index, with options.
    ///
    /// # Errors
    /// [`crate::ErrorKind::UnknownColumn`] with the names that there are, for a column or a
    /// policy of an unknown column, and [`crate::ErrorKind::UnsupportedType`] for a field that
    /// cannot be read from the source that the options require, such as a date of an unknown
    /// format, or a field without doc values in an index without `_source`.
    pub fn with_options(mapping: &Mapping, options: &DecodeOptions) -> Result<Self, Error> {
        Ok(Self { plan: Plan::new(mapping, options)?, rows: AtomicUsize::new(0) })
    }

    /// The schema of the frames.
    pub fn schema(&self) -> Schema {
        self.plan.columns.iter().map(|column| (column.name.as_str().into(), column.dtype())).collect()
    }

    /// The place from which the server takes the values, and the reason.
    pub fn retrieval(&self) -> &Retrieval {
        &self.plan.retrieval
    }

    /// The columns that the mapping keeps out of `_source`. They are read from doc values, or from where
    /// they are stored by themselves.
    pub fn left_out_of_source(&self) -> impl Iterator<Item = &str> {
        self.plan.columns.iter().filter(|column| column.is_left_out).map(|column| column.name.as_str())
    }

    /// The Elasticsearch types of the columns, in order, by name.
    pub fn field_types(&self) -> impl Iterator<Item = (&str, &str)> {
        self.plan.columns.iter().map(|column| (column.name.as_str(), column.field_type.as_str()))
    }

    /// Completes a search body so that the server returns the columns. Other members of the body
    /// stay. If the answer is filtered, it must keep `timed_out`, `_shards.failed`, and `_ignored`
    /// of each hit.
    pub fn ask(&self, body: &mut Value) {
        for (name, value) in &self.plan.request {
            body[name] = value.clone();
        }
    }

    /// Reads a response body.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Partial`] when shards failed or the search timed out,
    /// [`crate::ErrorKind::Malformed`] when the body is cut off, not a search answer, or does
    /// not say that it is complete, and [`crate::ErrorKind::Value`] naming document and field
    /// when a value does not fit.
    pub fn decode(&self, body: &[u8]) -> Result<HitPage, Error> {
        let page = page::decode(&self.plan, body, self.rows.load(Ordering::Relaxed))?;
        self.rows.store(page.frame.height(), Ordering::Relaxed);
        Ok(page)
    }

    /// An empty frame of the schema.
    pub fn empty_frame(&self) -> DataFrame {
        DataFrame::empty_with_schema(&self.schema())
    }
}

impl Clone for HitDecoder {
    fn clone(&self) -> Self {
        Self { plan: self.plan.clone(), rows: AtomicUsize::new(self.rows.load(Ordering::Relaxed)) }
    }
}
