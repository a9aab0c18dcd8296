//! Values as plain text: document ids, routing values and names of pipelines.

use std::borrow::Cow;

use super::cells::{Cells, Values};
use super::line::Line;
use super::text::{needs_escape, write_inside};
use super::value::{Time, write_base64};
use crate::error::{Error, ErrorKind};
use es_core::id::{SEPARATOR, is_special, shortened};

/// The columns that a document's id is made of, with their names.
pub(crate) struct IdColumns<'a> {
    /// The value of the one column is the id, without a change.
    pub(crate) is_plain: bool,
    pub(crate) columns: Vec<(String, Cells<'a>)>,
}

impl IdColumns<'_> {
    /// Appends the id of a row as a JSON string; see [`crate::DocumentWriter::write_id`].
    pub(crate) fn write(&self, row: usize, line: &mut Line<'_>) -> Result<(), Error> {
        line.put(b'"');
        let start = line.at();
        for (place, (name, cells)) in self.columns.iter().enumerate() {
            if place > 0 {
                line.put(SEPARATOR);
            }
            let part = line.at();
            if !cells.write_plain(row, line) {
                return Err(Error::new(
                    ErrorKind::Row,
                    format!("column {name} is part of the document id and has no value"),
                )
                .with_row(row)
                .with_help("choose id columns that are never null, or filter such rows out"));
            }
            if cells.is_text() && !self.is_plain {
                escape_separators(part, line);
            }
        }
        close(start, row, line)
    }
}

/// Puts a `\` before each `|` and `\` of what was written from a place on.
#[inline]
fn escape_separators(from: usize, line: &mut Line<'_>) {
    if !line.since(from).iter().copied().any(is_special) {
        return;
    }
    let text = line.since(from).to_vec();
    line.rewind(from);
    for byte in text {
        if is_special(byte) {
            line.put(b'\\');
        }
        line.put(byte);
    }
}

/// Turns the plain text from a place on into the inside of a JSON string, and closes it.
fn close(start: usize, row: usize, line: &mut Line<'_>) -> Result<(), Error> {
    let id = line.since(start);
    if id.is_empty() {
        return Err(Error::new(ErrorKind::Row, "the document id is empty, which Elasticsearch refuses")
            .with_row(row)
            .with_help("choose id columns that are never empty, or filter such rows out"));
    }
    if let Cow::Owned(hash) = shortened(id) {
        line.rewind(start);
        line.put_bytes(&hash);
    } else {
        escape_since(start, line);
    }
    line.put(b'"');
    Ok(())
}

/// Escapes what was written from a place on as JSON wants it.
fn escape_since(start: usize, line: &mut Line<'_>) {
    if needs_escape(line.since(start)) {
        let text = line.since(start).to_vec();
        line.rewind(start);
        write_inside(&text, line);
    }
}

impl Cells<'_> {
    /// Appends a value as plain text inside a JSON string, without the quotes. False, and
    /// nothing appended, when the row has none.
    pub(crate) fn write_plain_string(&self, row: usize, line: &mut Line<'_>) -> bool {
        let start = line.at();
        let written = self.write_plain(row, line);
        escape_since(start, line);
        written
    }

    /// Appends a value as plain text: as JSON, but without the quotes around text, times and
    /// Base64. False, and nothing appended, when the row has none; a number that is not finite
    /// is none.
    fn write_plain(&self, row: usize, line: &mut Line<'_>) -> bool {
        if !self.is_valid(row) {
            return false;
        }
        match &self.values {
            Values::Date(_) | Values::Instant { .. } | Values::Clock(_) => {
                if let Time::Epoch(instant) = self.write_time(row, line) {
                    instant.write(line);
                }
                true
            }
            Values::Binary(values) => {
                write_base64(values.value(row), line);
                true
            }
            _ => match self.text(row) {
                Some(text) => {
                    line.put_bytes(text.as_bytes());
                    true
                }
                // What fails is a number that is not finite.
                None => self.write(row, line).unwrap_or(false),
            },
        }
    }

    /// True if the values are text, which may hold anything.
    fn is_text(&self) -> bool {
        matches!(self.values, Values::Text(_) | Values::Category8(..) | Values::Category16(..) | Values::Category32(..))
    }

    /// The text of a row, if the column is one of texts and the row has one.
    #[inline]
    pub(crate) fn text(&self, row: usize) -> Option<&str> {
        if !self.is_valid(row) {
            return None;
        }
        match &self.values {
            Values::Text(texts) => Some(texts.value(row)),
            Values::Category8(values, names) => names.cat_to_str(values[row].into()),
            Values::Category16(values, names) => names.cat_to_str(values[row].into()),
            Values::Category32(values, names) => names.cat_to_str(values[row]),
            _ => None,
        }
    }

    /// The integer of a row, if the column is one of integers and the row has one.
    pub(crate) fn integer(&self, row: usize) -> Option<i128> {
        if !self.is_valid(row) {
            return None;
        }
        Some(match &self.values {
            Values::Int8(values) => values[row].into(),
            Values::Int16(values) => values[row].into(),
            Values::Int32(values) => values[row].into(),
            Values::Int64(values) => values[row].into(),
            Values::UInt8(values) => values[row].into(),
            Values::UInt16(values) => values[row].into(),
            Values::UInt32(values) => values[row].into(),
            Values::UInt64(values) => values[row].into(),
            _ => return None,
        })
    }
}
