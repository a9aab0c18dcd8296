//! Rows as JSON documents and as lines of bulk requests, straight from the columns.
//!
//! `cells` resolves the physical type of each column, `members` and `value` write it, `action`
//! and `plain` write the metadata of a document, and `line`, `text` and `digits` are the fast
//! paths for buffers, strings and numbers.

mod action;
mod cells;
mod digits;
mod line;
mod members;
mod options;
mod plain;
#[cfg(test)]
mod tests;
mod text;
mod value;

use polars::prelude::{Column, DataFrame};

use crate::error::{Error, ErrorKind};
use action::Actions;
use cells::{Cells, Style};
use es_values::suggestion;
use line::Line;
use members::Members;
use value::Refusal;

pub(crate) use digits::eight_digits;
pub(crate) use members::check_paths;
pub use options::{DottedNames, NonFinite, Operation, VectorForm, WriterOptions};

/// Writes the rows of one frame as JSON documents, as ids, and as lines of bulk requests.
///
/// A null is left out of its document, because Elasticsearch treats a missing field and a null
/// alike; in a list it is kept, because positions count. Numbers are written with all their
/// digits, decimals with all of their scale. Instants are written in UTC; a `Datetime`
/// without a time zone is taken as UTC, and one whose year does not have four digits is written
/// as epoch milliseconds, as text where it has a finer fraction. A `Time` is `HH:MM:SS.fffffffff`, a `Duration` its
/// number of units, binary data Base64.
pub struct DocumentWriter<'a> {
    members: Members<'a>,
    actions: Actions<'a>,
    rows: usize,
    /// About how many bytes the lines of a row take.
    typical_size: usize,
}

impl<'a> DocumentWriter<'a> {
    /// A writer of the frame's rows. The values of the `id` columns make up the id of a document,
    /// so that the same row always is the same document.
    ///
    /// # Errors
    /// As [`DocumentWriter::with_options`].
    pub fn new(frame: &'a DataFrame, id: &[impl AsRef<str>]) -> Result<Self, Error> {
        let id = id.iter().map(|name| name.as_ref().to_owned()).collect();
        Self::with_options(frame, &WriterOptions { id, ..WriterOptions::default() })
    }

    /// A writer of the frame's rows.
    ///
    /// The columns must be contiguous, as [`DataFrame::rechunk_mut`] leaves them.
    ///
    /// # Errors
    /// [`ErrorKind::UnknownColumn`] for a named column that the frame lacks,
    /// [`ErrorKind::UnsupportedType`] for a type without a form in JSON, for a column that
    /// cannot have its role, and with [`DottedNames::Objects`] for two names of which one is an
    /// object's, [`ErrorKind::Row`] for an operation that Elasticsearch refuses with these
    /// options, such as an update without an id, and [`ErrorKind::Polars`] when a column is in
    /// several chunks.
    pub fn with_options(frame: &'a DataFrame, options: &WriterOptions) -> Result<Self, Error> {
        let style = Style { non_finite: options.non_finite, vectors: options.vectors };
        let is_field = |column: &&Column| !options.is_metadata(column.name());
        let columns = frame
            .columns()
            .iter()
            .filter(is_field)
            .map(|column| Ok((column.name().as_str(), Cells::new(column, style)?)))
            .collect::<Result<Vec<_>, Error>>()?;
        let members = match options.dotted_names {
            DottedNames::Flat => Members::flat(columns),
            DottedNames::Objects => Members::objects(columns)?,
        };
        let actions = Actions::new(frame, options, style)?;
        let typical_size = members.typical_size() + actions.typical_size();
        Ok(Self { members, actions, rows: frame.height(), typical_size })
    }

    /// The number of rows of the frame.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// True if the frame has the documents' ids.
    pub fn has_ids(&self) -> bool {
        self.actions.has_ids()
    }

    /// True if sending the lines of a row twice ends in the same state as sending them once:
    /// the documents have ids of their own.
    pub fn is_repeatable(&self) -> bool {
        self.has_ids()
    }

    /// Appends the lines of a bulk request for a row: the action line and, unless it is a
    /// deletion, the source line, each with its line break. Returns the offset in `out` at which
    /// the source line begins; for a deletion that is its end.
    ///
    /// # Errors
    /// [`ErrorKind::Row`] when the row cannot be written, as [`DocumentWriter::write_id`] and
    /// [`DocumentWriter::write_document`] say, or when its operation or version is invalid. `out`
    /// may then end in a part of a line.
    pub fn write_lines(&self, row: usize, out: &mut Vec<u8>) -> Result<usize, Error> {
        let mut line = Line::new(out, self.typical_size);
        let operation = self.actions.write(row, &mut line)?;
        let source = line.at();
        match operation {
            Operation::Delete => return Ok(source),
            Operation::Index | Operation::Create => self.write_members(row, &mut line)?,
            Operation::Update | Operation::Upsert => {
                line.put_bytes(b"{\"doc\":");
                self.write_members(row, &mut line)?;
                if operation == Operation::Upsert {
                    line.put_bytes(b",\"doc_as_upsert\":true");
                }
                line.put(b'}');
            }
        }
        line.put(b'\n');
        Ok(source)
    }

    /// Appends the document of a row, without a line break.
    ///
    /// # Errors
    /// [`ErrorKind::Row`] names the column that holds a number that is not finite, with
    /// [`NonFinite::Reject`]. `out` may then end in a part of a document.
    pub fn write_document(&self, row: usize, out: &mut Vec<u8>) -> Result<(), Error> {
        self.write_members(row, &mut Line::new(out, self.typical_size))
    }

    /// Appends the id of a row as a JSON string: the values of the id columns, joined by
    /// `|`. In text values `|` and `\` are preceded by a `\`, so that different rows never
    /// get the same id. An id longer than Elasticsearch takes is replaced by its hash.
    ///
    /// # Errors
    /// [`ErrorKind::Row`] when an id column is null in this row, or the id is empty. `out` may
    /// then end in a part of an id.
    pub fn write_id(&self, row: usize, out: &mut Vec<u8>) -> Result<(), Error> {
        self.actions.id.write(row, &mut Line::new(out, 64))
    }

    #[inline]
    fn write_members(&self, row: usize, line: &mut Line<'_>) -> Result<(), Error> {
        match self.members.write(row, line) {
            Ok(true) => {}
            Ok(false) => line.put_bytes(b"{}"),
            Err(refusal) => return Err(refused(&refusal, row)),
        }
        Ok(())
    }
}

#[cold]
fn refused(refusal: &Refusal, row: usize) -> Error {
    let (column, value) = (refusal.column(), refusal.value());
    Error::new(ErrorKind::Row, format!("column {column} holds {value}, which JSON has no number for"))
        .with_row(row)
        .with_help(
            "write such values as nulls or strings (`NonFinite::Null`, `NonFinite::String`), or filter the rows out",
        )
}

/// A column that the options name.
fn writer_column<'a>(frame: &'a DataFrame, name: &str, role: &str) -> Result<&'a Column, Error> {
    frame.column(name).map_err(|_| {
        let known = frame.columns().iter().map(|column| column.name().as_str());
        Error::new(
            ErrorKind::UnknownColumn,
            format!("there is no column {name}, which the options name as the {role} column"),
        )
        .with_help(suggestion(name, "columns", known))
    })
}
