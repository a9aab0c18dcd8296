//! Columns of Arrow types that Polars lacks, as types that it has.
//!
//! A column is read as the type that it is stored as where that is what it means: an extension type as
//! its storage, a UUID as its text, a tensor as a vector. Where there is none that means the same, the
//! column is refused by name. `storage_arrays` converts the values, and refuses those that would change.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use polars::prelude::TimeZone;

use super::read_error::ReadError;
use super::storage_arrays::convert;

/// The key of a field's metadata that names its extension type.
const EXTENSION: &str = "ARROW:extension:name";
const EXTENSION_METADATA: &str = "ARROW:extension:metadata";
/// The name of the canonical extension type of UUIDs.
pub(crate) const UUID: &str = "arrow.uuid";
const BOOL8: &str = "arrow.bool8";

/// The most digits of a decimal.
pub(crate) const MOST_DIGITS: u8 = 38;

/// A column that no type holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefusedColumn {
    pub(crate) name: String,
    /// The reason, as in "column p {why}".
    pub(crate) why: String,
}

/// The columns of a file that are read, and their types then.
#[derive(Clone, Debug)]
pub(crate) struct Storage {
    columns: Vec<StoredColumn>,
    schema: SchemaRef,
    refused: Vec<RefusedColumn>,
}

#[derive(Clone, Debug)]
struct StoredColumn {
    /// The place among the columns of the file.
    index: usize,
    from: FieldRef,
    to: FieldRef,
    /// True if values have to be looked at.
    is_converted: bool,
}

impl Storage {
    /// The columns of a schema.
    pub(crate) fn of(schema: &Schema) -> Self {
        let mut count: HashMap<&str, usize> = HashMap::new();
        for field in schema.fields() {
            *count.entry(field.name()).or_default() += 1;
        }
        let (mut columns, mut refused) = (Vec::new(), Vec::<RefusedColumn>::new());
        for (index, from) in schema.fields().iter().enumerate() {
            let stored = match count[from.name().as_str()] {
                1 => stored(from),
                times => Err(format!("is there {times} times: names of columns are names of fields")),
            };
            match stored {
                Ok(to) => {
                    let is_converted = is_converted(from, &to);
                    columns.push(StoredColumn { index, from: from.clone(), to, is_converted });
                }
                Err(why) if refused.iter().all(|known| known.name != *from.name()) => {
                    refused.push(RefusedColumn { name: from.name().clone(), why });
                }
                Err(_) => {}
            }
        }
        let fields: Fields = columns.iter().map(|column| column.to.clone()).collect();
        Self { columns, schema: Arc::new(Schema::new(fields)), refused }
    }

    /// Refuses columns of these names as well.
    #[must_use]
    pub(crate) fn refusing(self, more: Vec<RefusedColumn>) -> Self {
        let is_fine = |column: &StoredColumn| more.iter().all(|refused| refused.name != *column.to.name());
        let columns: Vec<StoredColumn> = self.columns.into_iter().filter(|column| is_fine(column)).collect();
        let fields: Fields = columns.iter().map(|column| column.to.clone()).collect();
        let refused = self.refused.into_iter().chain(more).collect();
        Self { columns, schema: Arc::new(Schema::new(fields)), refused }
    }

    /// The schema of all columns that are not refused.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    pub(crate) fn refused(&self) -> &[RefusedColumn] {
        &self.refused
    }

    /// The columns of these names; all without names.
    #[must_use]
    pub(crate) fn select(&self, wanted: Option<&[String]>) -> Self {
        let is_wanted = |column: &&StoredColumn| wanted.is_none_or(|names| names.contains(column.to.name()));
        let columns: Vec<StoredColumn> = self.columns.iter().filter(is_wanted).cloned().collect();
        let fields: Fields = columns.iter().map(|column| column.to.clone()).collect();
        Self { columns, schema: Arc::new(Schema::new(fields)), refused: self.refused.clone() }
    }

    /// The places of the columns in the file.
    pub(crate) fn places(&self) -> Vec<usize> {
        self.columns.iter().map(|column| column.index).collect()
    }

    /// The columns of a batch that has exactly these.
    pub(crate) fn of_selected(&self, batch: &RecordBatch) -> Result<RecordBatch, ReadError> {
        self.batch(batch, |place, _| place)
    }

    /// The columns of a batch of the whole file.
    pub(crate) fn of_whole(&self, batch: &RecordBatch) -> Result<RecordBatch, ReadError> {
        self.batch(batch, |_, column| column.index)
    }

    fn batch(
        &self,
        batch: &RecordBatch,
        place: impl Fn(usize, &StoredColumn) -> usize,
    ) -> Result<RecordBatch, ReadError> {
        let columns = self.columns.iter().enumerate().map(|(number, column)| {
            let array = batch.column(place(number, column));
            if !column.is_converted {
                return Ok(array.clone());
            }
            convert(array, &column.from, &column.to).map_err(|unfit| unfit.in_column(column.to.name()))
        });
        let columns = columns.collect::<Result<_, ReadError>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?)
    }
}

/// A field as it is handed on.
fn stored(field: &FieldRef) -> Result<FieldRef, String> {
    let to = stored_type(field)?;
    let is_extension = field.metadata().contains_key(EXTENSION);
    if to == *field.data_type() && !is_extension {
        return Ok(field.clone());
    }
    let mut metadata = field.metadata().clone();
    metadata.retain(|key, _| key != EXTENSION && key != EXTENSION_METADATA);
    Ok(Arc::new(Field::new(field.name(), to, field.is_nullable()).with_metadata(metadata)))
}

fn stored_type(field: &Field) -> Result<DataType, String> {
    match (field.metadata().get(EXTENSION).map(String::as_str), field.data_type()) {
        (Some(UUID), DataType::FixedSizeBinary(16)) => return Ok(DataType::Utf8),
        (Some(BOOL8), DataType::Int8) => return Ok(DataType::Boolean),
        (Some("pandas.period"), _) => {
            return Err("holds periods of pandas, whose numbers mean nothing without their frequency".to_owned());
        }
        (Some(name @ ("arrow.parquet.variant" | "parquet.variant")), _) => {
            return Err(format!("is of the type {name}, which no document has"));
        }
        _ => {}
    }
    Ok(match field.data_type() {
        DataType::Float16 => DataType::Float32,
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => {
            if u8::try_from(*scale).is_ok_and(|scale| scale <= MOST_DIGITS) {
                DataType::Decimal128((*precision).min(MOST_DIGITS), *scale)
            } else {
                return Err(format!("holds decimals of the scale {scale}, and only those from 0 to 38 are read"));
            }
        }
        // Polars would multiply them without a look at what fits.
        DataType::Timestamp(TimeUnit::Second, zone) => {
            DataType::Timestamp(TimeUnit::Millisecond, known_zone(zone.as_ref()))
        }
        DataType::Timestamp(unit, zone) => DataType::Timestamp(*unit, known_zone(zone.as_ref())),
        DataType::Duration(TimeUnit::Second) => DataType::Duration(TimeUnit::Millisecond),
        DataType::Interval(unit) => {
            return Err(format!("holds intervals ({unit:?}), for which Elasticsearch has no type"));
        }
        DataType::Union(..) => return Err("holds values of several types (a union)".to_owned()),
        DataType::List(item) => DataType::List(stored(item)?),
        DataType::LargeList(item) | DataType::ListView(item) | DataType::LargeListView(item) => {
            DataType::LargeList(stored(item)?)
        }
        DataType::FixedSizeList(item, width) => DataType::FixedSizeList(stored(item)?, *width),
        DataType::Struct(fields) => DataType::Struct(stored_fields(fields)?),
        DataType::Map(entries, sorted) => DataType::Map(stored(entries)?, *sorted),
        DataType::Dictionary(key, value) => {
            let is_text = matches!(**value, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
            if is_text && !matches!(**key, DataType::Int64 | DataType::UInt64) {
                field.data_type().clone()
            } else {
                stored_type(&Field::new(field.name(), (**value).clone(), true))?
            }
        }
        DataType::RunEndEncoded(_, values) => stored_type(values)?,
        other => other.clone(),
    })
}

fn stored_fields(fields: &Fields) -> Result<Fields, String> {
    for (place, field) in fields.iter().enumerate() {
        if fields.iter().take(place).any(|other| other.name() == field.name()) {
            return Err(format!("has two members of the name {}", field.name()));
        }
    }
    let within = |field: &FieldRef| stored(field).map_err(|why| format!("has a member {} that {why}", field.name()));
    fields.iter().map(within).collect()
}

/// A zone that Polars knows. Instants are in UTC whatever their zone, and documents have none.
fn known_zone(zone: Option<&Arc<str>>) -> Option<Arc<str>> {
    let is_known = |zone: &Arc<str>| TimeZone::opt_try_new(Some(&**zone)).is_ok();
    zone.map(|zone| if is_known(zone) { zone.clone() } else { "UTC".into() })
}

/// True if the values of a field have to be looked at: they change their type, or may be too large.
fn is_converted(from: &Field, to: &Field) -> bool {
    from != to || has_times(from.data_type())
}

/// True for times of day, which Polars multiplies, and what holds them.
fn has_times(of: &DataType) -> bool {
    match of {
        DataType::Time32(_) | DataType::Time64(_) => true,
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            has_times(item.data_type())
        }
        DataType::Struct(fields) => fields.iter().any(|field| has_times(field.data_type())),
        DataType::Map(entries, _) => has_times(entries.data_type()),
        _ => false,
    }
}
