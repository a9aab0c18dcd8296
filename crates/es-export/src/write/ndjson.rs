//! One JSON document a line.

use std::path::Path;

use es_frame::{DocumentWriter, NonFinite, WriterOptions};
use polars::prelude::DataFrame;

use super::FileWriter;
use super::file::OutputFile;
use super::gather::aligned;
use crate::error::Error;
use crate::manifest::ManifestFile;

/// Bytes that are handed on at once.
const PIECE: usize = 256 * 1024;

/// Writes the rows of a frame as lines, a piece at a time. NaN and infinities, which JSON has
/// no numbers for, fail: left out, they would come back as nulls.
pub(super) fn write_lines(frame: &DataFrame, mut write: impl FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
    let frame = aligned(frame.clone());
    let options = WriterOptions { non_finite: NonFinite::Reject, ..WriterOptions::default() };
    let writer = DocumentWriter::with_options(&frame, &options)?;
    let mut lines = Vec::with_capacity(PIECE + PIECE / 8);
    for row in 0..writer.rows() {
        writer.write_document(row, &mut lines)?;
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
        self.rows += frame.height() as u64;
        write_lines(frame, |lines| self.file.write(lines))
    }

    fn finish(self: Box<Self>) -> Result<ManifestFile, Error> {
        self.file.finish(self.rows)
    }
}
