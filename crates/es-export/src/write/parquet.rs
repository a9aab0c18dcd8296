//! Parquet, a row group at a time.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use polars::io::parquet::write::{BatchedWriter, KeyValueMetadata};
use polars::io::prelude::{ParquetCompression, ParquetWriter, StatisticsOptions};
use polars::prelude::{DataFrame, Schema};
use polars_parquet::write::ZstdLevel;

use super::batched::{BatchedFile, Batches};
use super::file::SharedFile;
use super::format::{Compression, ParquetOptions};
use super::gather::Gather;
use super::ipc::schema_message;
use crate::error::Error;

/// How hard Zstandard tries. The third level, its own default, takes almost twice the time of
/// the second to make files smaller by a few percent: time that a server beside it is short of.
const ZSTD_LEVEL: i32 = 2;

/// Row groups.
pub(super) struct RowGroups {
    writer: BatchedWriter<SharedFile>,
    /// A group without rows, until there is another: some readers want one to find the schema in.
    empty: Option<DataFrame>,
}

/// Begins a Parquet file.
pub(super) fn create(
    folder: &Path,
    name: &str,
    schema: &Schema,
    options: &ParquetOptions,
) -> Result<BatchedFile<RowGroups>, Error> {
    let waiting = Gather::new(schema, options.row_group_rows, options.row_group_bytes);
    BatchedFile::create(folder, name, waiting, |file| {
        let statistics = if options.statistics { StatisticsOptions::full() } else { StatisticsOptions::empty() };
        let writer = ParquetWriter::new(file)
            .with_compression(compression(options.compression))
            .with_statistics(statistics)
            // Groups are made here, and none is to be cut in two.
            .with_row_group_size(Some(usize::MAX))
            .with_key_value_metadata(Some(arrow_schema(schema)?))
            .batched(schema)?;
        Ok(RowGroups { writer, empty: Some(DataFrame::empty_with_schema(schema)) })
    })
}

/// The Arrow schema that the file's columns are to be read as. The one of Polars has types that
/// are newer than many readers: pandas fails on lists of its texts.
///
/// The value is the first message of an Arrow stream, [as the implementations of Arrow agreed
/// on](https://arrow.apache.org/docs/format/Columnar.html#encapsulated-message-format).
fn arrow_schema(schema: &Schema) -> Result<KeyValueMetadata, Error> {
    let message = BASE64.encode(schema_message(schema)?);
    Ok(KeyValueMetadata::from_static(vec![("ARROW:schema".to_owned(), message)]))
}

fn compression(compression: Compression) -> ParquetCompression {
    match compression {
        Compression::Zstd => ParquetCompression::Zstd(ZstdLevel::try_new(ZSTD_LEVEL).ok()),
        Compression::Snappy => ParquetCompression::Snappy,
        Compression::Lz4 => ParquetCompression::Lz4Raw,
        Compression::Deflate => ParquetCompression::Gzip(None),
        Compression::Uncompressed => ParquetCompression::Uncompressed,
    }
}

impl Batches for RowGroups {
    fn write(&mut self, group: &DataFrame) -> Result<(), Error> {
        self.empty = None;
        Ok(self.writer.write_batch(group)?)
    }

    fn finish(mut self) -> Result<(), Error> {
        if let Some(empty) = self.empty.take() {
            self.writer.write_batch(&empty)?;
        }
        self.writer.finish()?;
        Ok(())
    }
}
