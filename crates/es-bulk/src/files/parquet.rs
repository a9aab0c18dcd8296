//! Parquet files, a few pages of each column at a time: a row group may be of any size.

use std::fs::File;
use std::sync::Arc;

use arrow_schema::{DataType as ArrowType, Field, FieldRef, Schema as ArrowSchema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::{ConvertedType, LogicalType, Type as PhysicalType};
use parquet::file::metadata::ParquetMetaData;
use parquet::schema::types::{SchemaDescriptor, Type as ParquetType};
use polars::prelude::SchemaRef;

use super::bridge::{Bridge, Parts, polars_schema};
use super::int96::Int96Columns;
use super::options::ReadOptions;
use super::piece::Piece;
use super::place::FilePlace;
use super::read_error::ReadError;
use super::storage::{RefusedColumn, Storage, UUID};
use super::table_format::TableFormat;

/// The approximate number of bytes and the maximum number of rows that are decoded at once. Values may
/// turn out to be larger than the footer suggests, and some rows larger than others.
const STEP_BYTES: u64 = 2 << 20;
const STEP_ROWS: u64 = 8192;

pub(crate) struct Reader {
    file: File,
    metadata: ArrowReaderMetadata,
    schema: SchemaRef,
    /// All columns that can be read, and those that are.
    storage: Storage,
    selected: Storage,
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
        let (metadata, storage) = metadata(&file)?;
        let schema = polars_schema(storage.schema())?;
        let selected = selection(&storage, options);
        let rows = rows(metadata.metadata())?;
        Ok(Self {
            file,
            metadata,
            schema,
            storage,
            selected,
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
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), self.selected.places());
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

    fn refused(&self) -> &[RefusedColumn] {
        self.storage.refused()
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
        let selected = &self.selected;
        self.parts.fill(&mut batches.by_ref().map(|batch| selected.of_selected(&batch?)))?;
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
fn metadata(file: &File) -> Result<(ArrowReaderMetadata, Storage), ReadError> {
    let (found, refused) = load(file)?;
    let int96 = Int96Columns::scan(file, found.metadata())?;
    let schema = found.schema();
    let mut leaf = 0;
    let fields: Vec<FieldRef> =
        schema.fields().iter().map(|field| plain_field(&int96.with_units(field, &mut leaf))).collect();
    let read = if fields.iter().eq(schema.fields().iter()) {
        found
    } else {
        let plain = ArrowSchema::new_with_metadata(fields, schema.metadata().clone());
        let options = ArrowReaderOptions::new().with_schema(Arc::new(plain));
        ArrowReaderMetadata::try_new(found.metadata().clone(), options)?
    };
    let storage = Storage::of(&with_logical_types(read.schema(), read.parquet_schema()));
    let more = refused.into_iter().chain(int96.refused(read.metadata())).collect();
    Ok((read, storage.refusing(more)))
}

/// The footer with the schema of Arrow that it has. One that is not understood is passed over, and then
/// columns whose type only it knows are refused: Polars writes integers of 128 bits as 16 bytes.
fn load(file: &File) -> Result<(ArrowReaderMetadata, Vec<RefusedColumn>), ReadError> {
    let strict = match ArrowReaderMetadata::load(file, ArrowReaderOptions::new()) {
        Ok(found) => return Ok((found, Vec::new())),
        Err(error) => error,
    };
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let Ok(found) = ArrowReaderMetadata::load(file, options) else { return Err(strict.into()) };
    let columns = found.schema().fields().iter().zip(found.parquet_schema().root_schema().get_fields());
    let refused = columns.filter(|(_, column)| has_bytes_alone(column)).map(|(field, _)| RefusedColumn {
        name: field.name().clone(),
        why: format!("may hold integers of 128 bits, whose type is not understood ({strict})"),
    });
    let refused = refused.collect();
    Ok((found, refused))
}

/// True for a column with bytes of a fixed number that Parquet has no type for.
fn has_bytes_alone(column: &ParquetType) -> bool {
    if column.is_group() {
        return column.get_fields().iter().any(|field| has_bytes_alone(field));
    }
    let info = column.get_basic_info();
    column.get_physical_type() == PhysicalType::FIXED_LEN_BYTE_ARRAY
        && info.logical_type_ref().is_none()
        && info.converted_type() == ConvertedType::NONE
}

/// The number of rows, by the footer and by the row groups.
fn rows(metadata: &ParquetMetaData) -> Result<u64, ReadError> {
    let said = metadata.file_metadata().num_rows();
    let found: i64 = metadata.row_groups().iter().map(|group| group.num_rows()).sum();
    match u64::try_from(said) {
        Ok(rows) if said == found => Ok(rows),
        _ => Err(ReadError::content(format!("its footer says {said} rows, and its row groups have {found}"))),
    }
}

/// The schema with what Parquet itself says of columns: which of them are UUIDs.
fn with_logical_types(schema: &ArrowSchema, parquet: &SchemaDescriptor) -> ArrowSchema {
    let columns = schema.fields().iter().zip(parquet.root_schema().get_fields());
    let fields: Vec<FieldRef> = columns.map(|(field, column)| with_logical_type(field, column)).collect();
    ArrowSchema::new_with_metadata(fields, schema.metadata().clone())
}

fn with_logical_type(field: &FieldRef, column: &ParquetType) -> FieldRef {
    // Lists and maps have groups around their items.
    let inside = |item: &FieldRef| {
        let mut inner = column;
        while inner.is_group() && inner.get_fields().len() == 1 && !matches!(item.data_type(), ArrowType::Struct(_)) {
            inner = &inner.get_fields()[0];
        }
        with_logical_type(item, inner)
    };
    let of = match field.data_type() {
        ArrowType::FixedSizeBinary(16)
            if !column.is_group() && matches!(column.get_basic_info().logical_type_ref(), Some(LogicalType::Uuid)) =>
        {
            let mut metadata = field.metadata().clone();
            metadata.insert("ARROW:extension:name".to_owned(), UUID.to_owned());
            return Arc::new(field.as_ref().clone().with_metadata(metadata));
        }
        ArrowType::List(item) => ArrowType::List(inside(item)),
        ArrowType::LargeList(item) => ArrowType::LargeList(inside(item)),
        ArrowType::Struct(fields) if column.is_group() && column.get_fields().len() == fields.len() => {
            let members = fields.iter().zip(column.get_fields());
            ArrowType::Struct(members.map(|(field, column)| with_logical_type(field, column)).collect())
        }
        _ => return field.clone(),
    };
    Arc::new(field.as_ref().clone().with_data_type(of))
}

fn plain_field(field: &FieldRef) -> FieldRef {
    let plain = plain_type(field.data_type());
    if plain == *field.data_type() {
        return field.clone();
    }
    if !matches!(field.data_type(), ArrowType::Dictionary(..)) {
        return Arc::new(field.as_ref().clone().with_data_type(plain));
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

/// The wanted columns. Without any, the first column, so that rows can be counted.
fn selection(storage: &Storage, options: &ReadOptions) -> Storage {
    let names: Vec<String> = storage.schema().fields().iter().map(|field| field.name().clone()).collect();
    let is_wanted = |name: &String| options.columns.as_ref().is_none_or(|wanted| wanted.contains(name));
    let mut wanted: Vec<String> =
        names.iter().filter(|name| is_wanted(name) && !options.leave_out.contains(name)).cloned().collect();
    if wanted.is_empty() {
        wanted.extend(names.first().cloned());
    }
    storage.select(Some(&wanted))
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
