//! Files that are written in batches of rows: row groups, record batches, blocks.
//!
//! This module gathers rows into batches, and adds the cause that the file recorded to an error.
//! Each format writes its own batches.

use polars::prelude::DataFrame;

use super::FileWriter;
use super::ManifestFile;
use super::file::{NewFile, OutputFile, SharedFile};
use super::gather::Gather;
use crate::error::Error;

/// Writes batches in a format.
pub(super) trait Batches: Send {
    /// Writes a batch, of which the columns may be in several pieces.
    fn write(&mut self, batch: DataFrame) -> Result<(), Error>;

    /// Writes what comes after the last batch.
    fn finish(self) -> Result<(), Error>;
}

/// A file that gathers rows to batches.
pub(super) struct BatchedFile<B> {
    file: OutputFile,
    batches: B,
    waiting: Gather,
    rows: u64,
}

impl<B: Batches> BatchedFile<B> {
    /// Begins a file; `begin` gets the end to write to.
    pub(super) fn create(
        file: &NewFile<'_>,
        waiting: Gather,
        begin: impl FnOnce(SharedFile) -> Result<B, Error>,
    ) -> Result<Self, Error> {
        let file = OutputFile::open(file)?;
        let batches = begin(file.writer()).map_err(|error| file.failure(error))?;
        Ok(Self { file, batches, waiting, rows: 0 })
    }
}

impl<B: Batches> FileWriter for BatchedFile<B> {
    fn push(&mut self, frame: &DataFrame) -> Result<(), Error> {
        self.rows += frame.height() as u64;
        let Self { file, batches, waiting, .. } = self;
        waiting.push(frame, |batch| batches.write(batch).map_err(|error| file.failure(error)))
    }

    fn held_bytes(&self) -> usize {
        self.waiting.bytes()
    }

    fn release(&mut self) -> Result<(), Error> {
        let batch = self.waiting.take();
        if batch.height() == 0 {
            return Ok(());
        }
        self.batches.write(batch).map_err(|error| self.file.failure(error))
    }

    fn finish(mut self: Box<Self>) -> Result<ManifestFile, Error> {
        self.release()?;
        let Self { file, batches, rows, .. } = *self;
        batches.finish().map_err(|error| file.failure(error))?;
        file.finish(rows)
    }
}
