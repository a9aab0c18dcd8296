//! One Parquet file, written a row group at a time and hashed on the way.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use polars::io::parquet::write::BatchedWriter;
use polars::io::prelude::{ParquetCompression, ParquetWriter, StatisticsOptions};
use polars::prelude::{DataFrame, PolarsError, Schema};
use sha2::{Digest as _, Sha256};

use crate::error::Error;
use crate::manifest::ManifestFile;

/// A Parquet file being written.
pub(crate) struct PartWriter {
    path: PathBuf,
    name: String,
    writer: BatchedWriter<SharedFile>,
    file: Arc<Mutex<HashingFile>>,
    waiting: DataFrame,
    row_group_rows: usize,
    rows: u64,
}

impl PartWriter {
    pub(crate) fn create(
        folder: &Path,
        name: String,
        schema: &Schema,
        compression: ParquetCompression,
        row_group_rows: usize,
    ) -> Result<Self, Error> {
        let path = folder.join(&name);
        let file = path
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| File::create(&path))
            .map_err(|source| Error::writing(&path, source))?;
        let file = HashingFile { file: BufWriter::new(file), hash: Sha256::new(), bytes: 0, failure: None };
        let file = Arc::new(Mutex::new(file));
        let writer = ParquetWriter::new(SharedFile(file.clone()))
            .with_compression(compression)
            .with_statistics(StatisticsOptions::full())
            .with_row_group_size(Some(row_group_rows))
            .batched(schema)?;
        let waiting = DataFrame::empty_with_schema(schema);
        Ok(Self { path, name, writer, file, waiting, row_group_rows, rows: 0 })
    }

    /// Adds rows; whole row groups are written at once.
    pub(crate) fn push(&mut self, frame: &DataFrame) -> Result<(), Error> {
        self.rows += frame.height() as u64;
        self.waiting.vstack_mut(frame)?;
        while self.waiting.height() >= self.row_group_rows {
            let (group, rest) = self.waiting.split_at(self.row_group_rows as i64);
            self.waiting = rest;
            self.write(group)?;
        }
        Ok(())
    }

    fn write(&mut self, mut group: DataFrame) -> Result<(), Error> {
        group.rechunk_mut();
        self.writer.write_batch(&group).map_err(|error| self.failure(error))
    }

    /// Polars turns a failure of the file into text; what the file itself noted says more.
    fn failure(&self, error: PolarsError) -> Error {
        match self.file.lock().unwrap_or_else(PoisonError::into_inner).failure.take() {
            Some(source) => Error::writing(&self.path, source),
            None => error.into(),
        }
    }

    /// Writes what is left and the footer, and puts the file on disk.
    pub(crate) fn finish(mut self) -> Result<ManifestFile, Error> {
        if self.waiting.height() > 0 || self.rows == 0 {
            let group = std::mem::take(&mut self.waiting);
            self.write(group)?;
        }
        self.writer.finish().map_err(|error| self.failure(error))?;
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.file
            .flush()
            .and_then(|()| file.file.get_ref().sync_all())
            .map_err(|source| Error::writing(&self.path, source))?;
        let sha256 = hex::encode(file.hash.clone().finalize());
        Ok(ManifestFile { path: self.name.clone(), rows: self.rows, bytes: file.bytes, sha256 })
    }
}

/// A file whose bytes are hashed and counted as they are written.
struct HashingFile {
    file: BufWriter<File>,
    hash: Sha256,
    bytes: u64,
    /// Why the file could not be written, if it could not.
    failure: Option<io::Error>,
}

/// The writer's end of the file: Polars keeps it, and gives it back to nobody.
struct SharedFile(Arc<Mutex<HashingFile>>);

impl Write for SharedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}

impl HashingFile {
    fn noted<T>(&mut self, outcome: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &outcome {
            let copy = match error.raw_os_error() {
                Some(code) => io::Error::from_raw_os_error(code),
                None => io::Error::new(error.kind(), error.to_string()),
            };
            self.failure = Some(copy);
        }
        outcome
    }
}

impl Write for HashingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes);
        let written = self.noted(written)?;
        self.hash.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.file.flush();
        self.noted(flushed)
    }
}
