//! Pages of search hits, read straight into columns.
//!
//! A [`HitDecoder`] is made of a mapping and the columns asked for; the schema of every
//! frame it returns is known before the first page. What the server is asked to return
//! ([`Retrieval`]) follows from the columns.
//!
//! `plan` decides what is read from where; `page` and `hit` read the answer around the
//! documents, `table`, `places` and `cells` the documents, and `builder` the values. `scan` and
//! `window` are the bytes themselves: one goes anywhere, the other is quick and looks a little ahead.

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
#[derive(Debug)]
pub struct HitDecoder {
    plan: Plan,
    /// The rows of the page before, for which there is room in the next.
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

    /// Plans the columns of an index, with choices.
    ///
    /// # Errors
    /// [`crate::ErrorKind::UnknownColumn`] with the names that there are, for a column or a
    /// policy of a column that is none, and [`crate::ErrorKind::UnsupportedType`] for a field
    /// that cannot be read from where the options say, such as a date whose format is not
    /// known, or one without doc values in an index that keeps no `_source`.
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

    /// The Elasticsearch types of the columns, in order, by name.
    pub fn field_types(&self) -> impl Iterator<Item = (&str, &str)> {
        self.plan.columns.iter().map(|column| (column.name.as_str(), column.field_type.as_str()))
    }

    /// Puts into a search body what makes the server return the columns. What else there is in
    /// the body stays; the answer must keep `timed_out` and `_shards.failed` if it is filtered.
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
    /// not say whether it is whole, and [`crate::ErrorKind::Value`] naming document and field
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
