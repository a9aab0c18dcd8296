//! Results of queries in ES|QL and SQL as frames.
//!
//! While hits are documents of a mapping, a result is a table that brings its own columns. Both
//! forms of ES|QL's answers, JSON and Arrow, make the same frame of the same result: what the
//! server writes otherwise into Arrow (addresses and points as bytes, `unsigned_long` with its top
//! bit flipped) is put right. A column is a list where some row of the result has more than one
//! value in it, as only the data tells.
//!
//! Sending queries, and whether a result was cut off, is left to `es-export`.

mod arrow;
mod builder;
mod json;
mod types;

use polars::prelude::{DataFrame, Schema};

use crate::error::{Error, ErrorKind};
use builder::ColumnBuilder;
use json::Answer;
use types::TableColumn;

/// The result of a query in ES|QL.
#[derive(Clone, Debug)]
pub struct Table {
    /// The rows.
    pub frame: DataFrame,
    /// The columns and their types in Elasticsearch, in order.
    pub types: Vec<(String, String)>,
}

impl Table {
    /// Reads an answer in JSON.
    ///
    /// # Errors
    /// [`ErrorKind::Partial`] when shards are missing from it, [`ErrorKind::Malformed`] when it is
    /// cut off or no answer to a query, [`ErrorKind::UnsupportedType`] when it has a column whose
    /// values the server does not return.
    ///
    /// ```
    /// let body = br#"{"is_partial":false,"columns":[{"name":"c","type":"long"}],"values":[[7]]}"#;
    /// let table = es_frame::Table::from_esql_json(body)?;
    /// assert_eq!(table.frame.column("c")?.get(0)?.try_extract::<i64>()?, 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_esql_json(body: &[u8]) -> Result<Self, Error> {
        let Answer { columns, builders, is_partial, .. } = json::read(body, None, "values", 0)?;
        if is_partial {
            return Err(Error::new(
                ErrorKind::Partial,
                "the result of the query lacks some shards, so rows are missing",
            )
            .with_help("see the health of the indices, and run the query again"));
        }
        Self::of(&columns, builders)
    }

    /// Reads an answer in Arrow. It cannot tell whether shards are missing: the query must have
    /// been sent with `allow_partial_results=false`.
    ///
    /// # Errors
    /// As [`Table::from_esql_json`]; [`ErrorKind::UnsupportedType`] also for shapes, which only the
    /// answer in JSON has as text.
    pub fn from_esql_arrow(body: &[u8]) -> Result<Self, Error> {
        let (columns, builders) = arrow::read(body)?;
        Self::of(&columns, builders)
    }

    fn of(columns: &[TableColumn], builders: Vec<ColumnBuilder>) -> Result<Self, Error> {
        let unreturned: Vec<&str> = columns.iter().filter(|column| column.is_unreturned()).map(|c| &*c.name).collect();
        if !unreturned.is_empty() {
            let names = unreturned.join(", ");
            return Err(Error::new(ErrorKind::UnsupportedType, format!("the server returns no values of {names}"))
                .with_help(format!("add | DROP {names} to the query, or read the documents with a search")));
        }
        let frame = frame(columns, builders)?;
        Ok(Self { frame, types: types_of(columns) })
    }
}

/// Reads the pages of a query in SQL into frames of one schema, that of the first page.
#[derive(Clone, Debug)]
pub struct SqlDecoder {
    columns: Vec<TableColumn>,
    types: Vec<(String, String)>,
}

impl SqlDecoder {
    /// Reads the first page, which names the columns.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`] when the page is cut off or none, [`ErrorKind::UnsupportedType`] for
    /// a column whose values the server does not return, [`ErrorKind::Value`] naming row and column
    /// when a value does not fit.
    ///
    /// ```
    /// let body = br#"{"columns":[{"name":"c","type":"integer"}],"rows":[[7]],"cursor":"x"}"#;
    /// let (decoder, first) = es_frame::SqlDecoder::of_first_page(body)?;
    /// assert_eq!(decoder.schema(), **first.schema());
    /// assert_eq!(decoder.page(br#"{"rows":[[8],[null]]}"#, 1)?.height(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of_first_page(body: &[u8]) -> Result<(Self, DataFrame), Error> {
        let Answer { columns, builders, .. } = json::read(body, None, "rows", 0)?;
        if let Some(column) = columns.iter().find(|column| column.is_unreturned()) {
            let message =
                format!("column {} is of type {}, which SQL returns no values of", column.name, column.es_type);
            return Err(Error::new(ErrorKind::UnsupportedType, message).with_help("leave the column out of the query"));
        }
        let frame = self::frame(&columns, builders)?;
        let types = types_of(&columns);
        Ok((Self { columns, types }, frame))
    }

    /// Reads a later page. `rows` is the number of rows before it, for messages.
    ///
    /// # Errors
    /// As [`SqlDecoder::of_first_page`].
    pub fn page(&self, body: &[u8], rows: usize) -> Result<DataFrame, Error> {
        let answer = json::read(body, Some(&self.columns), "rows", rows)?;
        frame(&self.columns, answer.builders)
    }

    /// The schema of all pages.
    pub fn schema(&self) -> Schema {
        self.columns.iter().map(|column| (column.name.as_str().into(), column.column_type.dtype())).collect()
    }

    /// The columns and their types in Elasticsearch, in order.
    pub fn field_types(&self) -> &[(String, String)] {
        &self.types
    }
}

fn types_of(columns: &[TableColumn]) -> Vec<(String, String)> {
    columns.iter().map(|column| (column.name.clone(), column.es_type.clone())).collect()
}

fn frame(columns: &[TableColumn], builders: Vec<ColumnBuilder>) -> Result<DataFrame, Error> {
    let rows = builders.first().map_or(0, ColumnBuilder::rows);
    let columns = columns.iter().zip(builders).map(|(column, builder)| builder.finish(&column.name));
    Ok(DataFrame::new(rows, columns.collect::<Result<_, _>>()?)?)
}

#[cfg(test)]
mod tests;
