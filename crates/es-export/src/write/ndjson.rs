//! One JSON document a line.

use std::path::Path;

use es_frame::{DocumentWriter, NonFinite, WriterOptions};
use polars::prelude::DataFrame;

use super::FileWriter;
use super::ManifestFile;
use super::file::OutputFile;
use super::gather::aligned;
use crate::error::{Error, ErrorKind};

/// Bytes that are handed on at once.
const PIECE: usize = 256 * 1024;

/// Writes the rows of a frame as lines, a piece at a time. NaN and infinities, which JSON has
/// no numbers for, fail: left out, they would come back as nulls. Of the file or stream, which
/// the errors name, there were so many rows `before`.
pub(super) fn write_lines(
    frame: &DataFrame,
    (before, name): (u64, &str),
    mut write: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let frame = aligned(frame.clone());
    let options = WriterOptions { non_finite: NonFinite::Reject, ..WriterOptions::default() };
    let writer = DocumentWriter::with_options(&frame, &options)?;
    let mut lines = Vec::with_capacity(PIECE + PIECE / 8);
    for row in 0..writer.rows() {
        writer.write_document(row, &mut lines).map_err(|source| {
            let message = format!("row {} of {name}: {}", before + row as u64 + 1, source.message());
            Error::new(ErrorKind::Value, message)
                .with_help("leave such rows out, or choose a format that has such values, as parquet and ipc do")
                .with_source(source)
        })?;
        lines.push(b'\n');
        if lines.len() >= PIECE {
            write(&lines)?;
            lines.clear();
        }
    }
    write(&lines)
}

/// A file of JSON lines.
pub(super) struct NdjsonFile {
    file: OutputFile,
    rows: u64,
}

impl NdjsonFile {
    pub(super) fn create(folder: &Path, name: &str) -> Result<Self, Error> {
        Ok(Self { file: OutputFile::create(folder, name)?, rows: 0 })
    }
}

impl FileWriter for NdjsonFile {
    fn push(&mut self, frame: &DataFrame) -> Result<(), Error> {
        write_lines(frame, (self.rows, self.file.name()), |lines| self.file.write(lines))?;
        self.rows += frame.height() as u64;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<ManifestFile, Error> {
        self.file.finish(self.rows)
    }
}
