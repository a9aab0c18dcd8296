//! Parquet, a row group at a time.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use polars::io::parquet::write::{BatchedWriter, KeyValueMetadata};
use polars::io::prelude::{ParquetCompression, ParquetWriter, StatisticsOptions};
use polars::prelude::{DataFrame, Schema};

use super::FileWriter;
use super::file::{OutputFile, SharedFile};
use super::format::{Compression, ParquetOptions};
use super::gather::Gather;
use super::ipc::IpcStream;
use crate::error::Error;
use crate::manifest::ManifestFile;

pub(super) struct ParquetFile {
    file: OutputFile,
    writer: BatchedWriter<SharedFile>,
    waiting: Gather,
    rows: u64,
}

impl ParquetFile {
    pub(super) fn create(folder: &Path, name: &str, schema: &Schema, options: &ParquetOptions) -> Result<Self, Error> {
        let file = OutputFile::create(folder, name)?;
        let statistics = if options.statistics { StatisticsOptions::full() } else { StatisticsOptions::empty() };
        let writer = ParquetWriter::new(file.writer())
            .with_compression(compression(options.compression))
            .with_statistics(statistics)
            // Groups are made here, and none is to be cut in two.
            .with_row_group_size(Some(usize::MAX))
            .with_key_value_metadata(Some(arrow_schema(schema)?))
            .batched(schema)?;
        let waiting = Gather::new(schema, options.row_group_rows, options.row_group_bytes);
        Ok(Self { file, writer, waiting, rows: 0 })
    }
}

/// The Arrow schema that the file's columns are to be read as. The one of Polars has types that
/// are newer than many readers: pandas fails on lists of its texts.
///
/// The value is the first message of an Arrow stream, [as the implementations of Arrow agreed
/// on](https://arrow.apache.org/docs/format/Columnar.html#encapsulated-message-format).
fn arrow_schema(schema: &Schema) -> Result<KeyValueMetadata, Error> {
    let mut message = Vec::new();
    IpcStream::start(&mut message, schema, Compression::Uncompressed)?;
    Ok(KeyValueMetadata::from_static(vec![("ARROW:schema".to_owned(), BASE64.encode(message))]))
}

fn compression(compression: Compression) -> ParquetCompression {
    match compression {
        Compression::Zstd => ParquetCompression::Zstd(None),
        Compression::Snappy => ParquetCompression::Snappy,
        Compression::Lz4 => ParquetCompression::Lz4Raw,
        Compression::Deflate => ParquetCompression::Gzip(None),
        Compression::Uncompressed => ParquetCompression::Uncompressed,
    }
}

impl FileWriter for ParquetFile {
    fn push(&mut self, frame: &DataFrame) -> Result<(), Error> {
        self.rows += frame.height() as u64;
        let Self { file, writer, waiting, .. } = self;
        waiting.push(frame, |group| writer.write_batch(&group).map_err(|error| file.failure(error)))
    }

    fn held_bytes(&self) -> usize {
        self.waiting.bytes()
    }

    fn release(&mut self) -> Result<(), Error> {
        let group = self.waiting.take();
        if group.height() == 0 {
            return Ok(());
        }
        self.writer.write_batch(&group).map_err(|error| self.file.failure(error))
    }

    fn finish(mut self: Box<Self>) -> Result<ManifestFile, Error> {
        self.release()?;
        if self.rows == 0 {
            // Some readers want a row group to find the schema in.
            let none = self.waiting.take();
            self.writer.write_batch(&none).map_err(|error| self.file.failure(error))?;
        }
        self.writer.finish().map_err(|error| self.file.failure(error))?;
        self.file.finish(self.rows)
    }
}
