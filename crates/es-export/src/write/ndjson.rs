//! JSON documents: one a line, alone or as the elements of an array.

use es_frame::{DocumentWriter, NonFinite, WriterOptions};
use polars::prelude::DataFrame;

use super::FileWriter;
use super::ManifestFile;
use super::file::{NewFile, OutputFile};
use super::format::Compression;
use super::gather::aligned;
use crate::error::{Error, ErrorKind};

/// Bytes that are handed on at once.
const PIECE: usize = 256 * 1024;

/// The form of the lines together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lines {
    /// Each is a document.
    Ndjson,
    /// They make up an array.
    Array,
}

impl Lines {
    /// The text before a document, when there were so many before it.
    fn before(self, row: u64) -> &'static [u8] {
        match (self, row) {
            (Self::Ndjson, _) => b"",
            (Self::Array, 0) => b"[\n",
            (Self::Array, _) => b",\n",
        }
    }

    fn after(self) -> &'static [u8] {
        match self {
            Self::Ndjson => b"\n",
            Self::Array => b"",
        }
    }

    /// The text at the end of so many documents.
    pub(super) fn end(self, rows: u64) -> &'static [u8] {
        match (self, rows) {
            (Self::Ndjson, _) => b"",
            (Self::Array, 0) => b"[]\n",
            (Self::Array, _) => b"\n]\n",
        }
    }
}

/// Writes the rows of a frame as lines, a piece at a time. NaN and infinities, which JSON has
/// no numbers for, fail: left out, they would come back as nulls. Of the file or stream, which
/// the errors name, there were so many rows `before`.
pub(super) fn write_lines(
    frame: &DataFrame,
    form: Lines,
    (before, name): (u64, &str),
    mut write: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let frame = aligned(frame.clone());
    let options = WriterOptions { non_finite: NonFinite::Reject, ..WriterOptions::default() };
    let writer = DocumentWriter::with_options(&frame, &options)?;
    let mut lines = Vec::with_capacity(PIECE + PIECE / 8);
    for row in 0..writer.rows() {
        lines.extend_from_slice(form.before(before + row as u64));
        writer.write_document(row, &mut lines).map_err(|source| {
            let message = format!("row {} of {name}: {}", before + row as u64 + 1, source.message());
            Error::new(ErrorKind::Value, message)
                .with_help("leave such rows out, or choose a format that has such values, as parquet and ipc do")
                .with_source(source)
        })?;
        lines.extend_from_slice(form.after());
        if lines.len() >= PIECE {
            write(&lines)?;
            lines.clear();
        }
    }
    write(&lines)
}

/// A file of JSON documents.
pub(super) struct JsonFile {
    file: OutputFile,
    form: Lines,
    rows: u64,
}

impl JsonFile {
    pub(super) fn create(file: &NewFile<'_>, form: Lines, compression: Compression) -> Result<Self, Error> {
        Ok(Self { file: OutputFile::open_compressed(file, compression)?, form, rows: 0 })
    }
}

impl FileWriter for JsonFile {
    fn push(&mut self, frame: &DataFrame) -> Result<(), Error> {
        write_lines(frame, self.form, (self.rows, self.file.name()), |lines| self.file.write(lines))?;
        self.rows += frame.height() as u64;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<ManifestFile, Error> {
        self.file.write(self.form.end(self.rows))?;
        self.file.finish(self.rows)
    }
}
