//! Parquet, a row group at a time.

use std::sync::PoisonError;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use polars::io::parquet::write::{BatchedWriter, KeyValueMetadata, get_encodings};
use polars::io::prelude::{ParquetCompression, ParquetWriter, StatisticsOptions};
use polars::prelude::{CompatLevel, DataFrame, DataType, PolarsError, Schema};
use polars_parquet::parquet::error::ParquetError;
use polars_parquet::write::{
    CompressedPage, CompressionOptions, Compressor, DynIter, DynStreamingIterator, FallibleStreamingIterator as _,
    FileWriter as ParquetFile, Page, ZstdLevel, array_to_columns,
};

use super::batched::{BatchedFile, Batches};
use super::file::{NewFile, SharedFile};
use super::format::{Compression, ParquetOptions};
use super::gather::{Gather, aligned};
use super::ipc::schema_message;
use super::vectors::Vectors;
use crate::error::Error;

/// The level of Zstandard. The third one, its own default, takes almost twice the time of
/// the second to make files smaller by a few percent: time that a server beside it is short of.
const ZSTD_LEVEL: i32 = 2;

/// Row groups.
pub(super) struct RowGroups {
    writer: BatchedWriter<SharedFile>,
    /// `true` if there may be columns that are written here and not by Polars.
    has_vectors: bool,
    /// A group without rows, until there is another: some readers want one to find the schema in.
    empty: Option<DataFrame>,
}

/// Begins a Parquet file.
pub(super) fn create(
    file: &NewFile<'_>,
    schema: &Schema,
    compression: Compression,
    options: &ParquetOptions,
) -> Result<BatchedFile<RowGroups>, Error> {
    let waiting = Gather::new(schema, options.row_group_rows, options.row_group_bytes);
    BatchedFile::create(file, waiting, |file| {
        let statistics = if options.statistics { StatisticsOptions::full() } else { StatisticsOptions::empty() };
        let writer = ParquetWriter::new(file)
            .with_compression(parquet_compression(compression))
            .with_statistics(statistics)
            // Groups are made here, and none is to be cut in two.
            .with_row_group_size(Some(usize::MAX))
            .with_key_value_metadata(Some(arrow_schema(schema)?))
            .batched(schema)?;
        let has_vectors = schema.iter_values().any(|dtype| matches!(dtype, DataType::Array(..)));
        Ok(RowGroups { writer, has_vectors, empty: Some(DataFrame::empty_with_schema(schema)) })
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

fn parquet_compression(compression: Compression) -> ParquetCompression {
    match compression {
        Compression::Zstd => ParquetCompression::Zstd(ZstdLevel::try_new(ZSTD_LEVEL).ok()),
        Compression::Snappy => ParquetCompression::Snappy,
        Compression::Lz4 => ParquetCompression::Lz4Raw,
        Compression::Deflate | Compression::Gzip => ParquetCompression::Gzip(None),
        Compression::Uncompressed => ParquetCompression::Uncompressed,
    }
}

type Pages = DynStreamingIterator<'static, CompressedPage, PolarsError>;

/// The pages of each leaf of the columns, which are encoded and compressed as they are taken.
fn columns(file: &ParquetFile<SharedFile>, group: &DataFrame) -> Result<Vec<Pages>, PolarsError> {
    let (schema, options) = (file.parquet_schema(), file.options());
    let encodings = get_encodings(file.schema());
    let mut leaves = schema.columns();
    let mut columns = Vec::with_capacity(leaves.len());
    for ((column, dtype), encodings) in group.columns().iter().zip(schema.fields()).zip(encodings.iter()) {
        let (here, after) = leaves.split_at(encodings.len());
        leaves = after;
        let series = column.as_materialized_series();
        if let Some(leaf) = here.first()
            && let Some(vectors) = Vectors::of(series, &leaf.descriptor)
        {
            let compression = vectors.compression(options.compression)?;
            columns.push(pages(vectors.map(Ok), compression));
            continue;
        }
        let array = series.rechunk().to_arrow(0, CompatLevel::newest());
        let encoded = array_to_columns(array, dtype.clone(), options, encodings)?;
        columns.extend(encoded.into_iter().map(|leaf| pages(leaf, options.compression)));
    }
    Ok(columns)
}

fn pages(
    encoded: impl Iterator<Item = Result<Page, PolarsError>> + Send + Sync + 'static,
    compression: CompressionOptions,
) -> Pages {
    let encoded = encoded.map(|page| page.map_err(ParquetError::from));
    DynStreamingIterator::new(Compressor::new(encoded, compression, Vec::new()).map_err(PolarsError::from))
}

impl Batches for RowGroups {
    fn write(&mut self, group: DataFrame) -> Result<(), Error> {
        self.empty = None;
        if !self.has_vectors {
            return Ok(self.writer.write_batch(&aligned(group))?);
        }
        let mut file = self.writer.get_writer().lock().unwrap_or_else(PoisonError::into_inner);
        let columns = columns(&file, &group)?;
        Ok(file.write(group.height() as u64, DynIter::new(columns.into_iter().map(Ok)))?)
    }

    fn finish(mut self) -> Result<(), Error> {
        if let Some(empty) = self.empty.take() {
            self.writer.write_batch(&empty)?;
        }
        self.writer.finish()?;
        Ok(())
    }
}
