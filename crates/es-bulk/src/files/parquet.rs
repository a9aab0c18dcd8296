//! Parquet files, a few pages of each column at a time: a row group may be of any size.

use std::fs::File;
use std::sync::Arc;

use arrow_schema::{DataType as ArrowType, Field, FieldRef, Schema as ArrowSchema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::ParquetMetaData;
use polars::prelude::SchemaRef;

use super::bridge::{Bridge, Parts, polars_schema};
use super::options::ReadOptions;
use super::piece::Piece;
use super::place::FilePlace;
use super::read_error::ReadError;
use super::table_format::TableFormat;

/// The approximate number of bytes and the maximum number of rows that are decoded at once. Values may
/// turn out to be larger than the footer suggests, and some rows larger than others.
const STEP_BYTES: u64 = 2 << 20;
const STEP_ROWS: u64 = 8192;

pub(crate) struct Reader {
    file: File,
    metadata: ArrowReaderMetadata,
    schema: SchemaRef,
    columns: Vec<usize>,
    step_bytes: u64,
    step_rows: u64,
    rows: u64,
    next: u64,
    batches: Option<ParquetRecordBatchReader>,
    /// The rest of the batch that was read last.
    parts: Parts,
    bridge: Bridge,
}

impl Reader {
    pub(crate) fn open(file: File, options: &ReadOptions) -> Result<Self, ReadError> {
        let metadata = metadata(&file)?;
        let schema = polars_schema(metadata.schema())?;
        let columns = projection(metadata.schema(), options.columns.as_deref());
        let rows = u64::try_from(metadata.metadata().file_metadata().num_rows()).unwrap_or(0);
        Ok(Self {
            file,
            metadata,
            schema,
            columns,
            step_bytes: STEP_BYTES.min(options.piece_bytes as u64 / 4),
            step_rows: STEP_ROWS.min(options.piece_rows.max(1) as u64),
            rows,
            next: 0,
            batches: None,
            parts: Parts::new(options),
            bridge: Bridge::default(),
        })
    }

    /// Decodes from the next row on.
    fn start(&self) -> Result<ParquetRecordBatchReader, ReadError> {
        let groups = self.metadata.metadata().row_groups();
        let (mut first, mut skipped) = (0, self.next);
        // Whole row groups before that row are skipped.
        while let Some(rows) = groups.get(first).map(|group| u64::try_from(group.num_rows()).unwrap_or(0)) {
            if skipped < rows {
                break;
            }
            skipped -= rows;
            first += 1;
        }
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), self.columns.iter().copied());
        let step = rows_of(self.metadata.metadata(), &mask, self.step_bytes).min(self.step_rows);
        let file = self.file.try_clone()?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone())
            .with_projection(mask)
            .with_row_groups((first..groups.len()).collect())
            .with_offset(usize::try_from(skipped).unwrap_or(usize::MAX))
            .with_batch_size(usize::try_from(step).unwrap_or(usize::MAX));
        Ok(builder.build()?)
    }
}

impl TableFormat for Reader {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn rows(&self) -> Option<u64> {
        Some(self.rows)
    }

    fn place(&self) -> FilePlace {
        FilePlace { rows: self.next, bytes: None }
    }

    fn seek(&mut self, place: FilePlace) -> Result<(), ReadError> {
        if place.rows > self.rows {
            return Err(ReadError::Position(format!("it has {} rows, not {}", self.rows, place.rows)));
        }
        (self.next, self.batches) = (place.rows, None);
        self.parts.clear();
        Ok(())
    }

    fn next_piece(&mut self) -> Result<Option<Piece>, ReadError> {
        if self.next >= self.rows {
            return Ok(None);
        }
        let mut batches = match self.batches.take() {
            Some(batches) => batches,
            None => self.start()?,
        };
        self.parts.fill(&mut batches)?;
        let Some(batch) = self.parts.next() else {
            return Err(ReadError::content(format!("it has fewer rows than the {} in its footer", self.rows)));
        };
        let place = self.place();
        self.next += batch.num_rows() as u64;
        self.batches = Some(batches);
        Ok(Some(Piece { frame: self.bridge.frame(&batch)?, place, refused: Vec::new() }))
    }
}

/// Reads the footer. Texts are read as plain texts where the file asks for dictionaries or views, which
/// would keep the texts of whole pages with each row.
fn metadata(file: &File) -> Result<ArrowReaderMetadata, ReadError> {
    let found = ArrowReaderMetadata::load(file, ArrowReaderOptions::new())?;
    let schema = found.schema();
    let fields: Vec<FieldRef> = schema.fields().iter().map(plain_field).collect();
    if fields.iter().eq(schema.fields().iter()) {
        return Ok(found);
    }
    let plain = ArrowSchema::new_with_metadata(fields, schema.metadata().clone());
    let options = ArrowReaderOptions::new().with_schema(Arc::new(plain));
    Ok(ArrowReaderMetadata::try_new(found.metadata().clone(), options)?)
}

fn plain_field(field: &FieldRef) -> FieldRef {
    let plain = plain_type(field.data_type());
    if plain == *field.data_type() {
        return field.clone();
    }
    // The metadata of the field would turn it into a categorical again.
    Arc::new(Field::new(field.name(), plain, field.is_nullable()))
}

fn plain_type(of: &ArrowType) -> ArrowType {
    match of {
        ArrowType::Utf8View => ArrowType::LargeUtf8,
        ArrowType::BinaryView => ArrowType::LargeBinary,
        ArrowType::Dictionary(_, values) => plain_type(values),
        ArrowType::List(item) => ArrowType::List(plain_field(item)),
        ArrowType::LargeList(item) => ArrowType::LargeList(plain_field(item)),
        ArrowType::FixedSizeList(item, width) => ArrowType::FixedSizeList(plain_field(item), *width),
        ArrowType::Struct(fields) => ArrowType::Struct(fields.iter().map(plain_field).collect()),
        ArrowType::Map(entries, sorted) => ArrowType::Map(plain_field(entries), *sorted),
        other => other.clone(),
    }
}

/// The numbers of the wanted columns. Without any, the first column, so that rows can be counted.
fn projection(schema: &ArrowSchema, wanted: Option<&[String]>) -> Vec<usize> {
    let is_wanted = |field: &FieldRef| wanted.is_none_or(|names| names.contains(field.name()));
    let mut columns: Vec<usize> =
        schema.fields().iter().enumerate().filter(|(_, field)| is_wanted(field)).map(|(at, _)| at).collect();
    if columns.is_empty() && !schema.fields().is_empty() {
        columns.push(0);
    }
    columns
}

/// The number of rows with this many bytes. The sizes in the footer are those of encoded values; the
/// real sizes are known only after decoding.
fn rows_of(metadata: &ParquetMetaData, mask: &ProjectionMask, bytes: u64) -> u64 {
    let row_bytes = metadata.row_groups().iter().map(|group| {
        let columns = group.columns().iter().enumerate().filter(|(leaf, _)| mask.leaf_included(*leaf));
        let bytes: u64 = columns.map(|(_, column)| u64::try_from(column.uncompressed_size()).unwrap_or(0)).sum();
        bytes / u64::try_from(group.num_rows()).unwrap_or(0).max(1)
    });
    (bytes / row_bytes.max().unwrap_or(0).max(1)).max(1)
}
