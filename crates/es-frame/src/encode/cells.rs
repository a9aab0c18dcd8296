//! The values of one column, or of one level of a nested column, by their physical type.
//!
//! The type of a column is looked at once; the form of a value is in `value`. Nested
//! columns hold the cells of their children: a list is a range of rows of its child.

use std::sync::Arc;

use polars::prelude::{CategoricalMapping, Column, DataType, TimeUnit};
use polars_arrow::array::{
    Array, BinaryViewArray, BooleanArray, FixedSizeListArray, ListArray, PrimitiveArray, StructArray, Utf8ViewArray,
};
use polars_arrow::bitmap::Bitmap;
use polars_arrow::types::NativeType;

use super::members::Members;
use super::options::{NonFinite, VectorForm};
use crate::error::{Error, ErrorKind};

/// The choices that the writing of a value depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    pub(crate) non_finite: NonFinite,
    pub(crate) vectors: VectorForm,
}

/// A column, ready to be written cell by cell.
pub(crate) struct Cells<'a> {
    /// Which rows have a value; `None` if all have one.
    pub(crate) validity: Option<&'a Bitmap>,
    pub(crate) values: Values<'a>,
    pub(crate) non_finite: NonFinite,
}

pub(crate) enum Values<'a> {
    Null,
    Boolean(&'a Bitmap),
    Int8(&'a [i8]),
    Int16(&'a [i16]),
    Int32(&'a [i32]),
    Int64(&'a [i64]),
    Int128(&'a [i128]),
    UInt8(&'a [u8]),
    UInt16(&'a [u16]),
    UInt32(&'a [u32]),
    UInt64(&'a [u64]),
    UInt128(&'a [u128]),
    Float32(&'a [f32]),
    Float64(&'a [f64]),
    /// Integers that count units of 10^-scale.
    Decimal {
        units: &'a [i128],
        scale: usize,
    },
    Text(&'a Utf8ViewArray),
    Binary(&'a BinaryViewArray),
    Category8(&'a [u8], &'a Arc<CategoricalMapping>),
    Category16(&'a [u16], &'a Arc<CategoricalMapping>),
    Category32(&'a [u32], &'a Arc<CategoricalMapping>),
    /// Days since 1970-01-01.
    Date(&'a [i32]),
    /// Since 1970-01-01T00:00:00Z, in a unit of which so many make a second.
    Instant {
        values: &'a [i64],
        per_second: i64,
    },
    /// Nanoseconds since midnight.
    Clock(&'a [i64]),
    /// Row `n` is the rows from `offsets[n]` to `offsets[n + 1]` of the child.
    List {
        offsets: &'a [i64],
        child: Box<Cells<'a>>,
    },
    /// Row `n` is the rows from `n * width` to `(n + 1) * width` of the child.
    Array {
        width: usize,
        child: Box<Cells<'a>>,
    },
    /// As `Array`, to be written in Base64.
    Vector {
        width: usize,
        child: Box<Cells<'a>>,
    },
    Struct(Members<'a>),
}

impl<'a> Cells<'a> {
    pub(crate) fn new(column: &'a Column, style: Style) -> Result<Self, Error> {
        let series = column.as_materialized_series();
        match series.chunks().as_slice() {
            [] => Ok(Self { validity: None, values: Values::Null, non_finite: style.non_finite }),
            [chunk] => Self::of(series.name(), series.dtype(), chunk.as_ref(), style),
            _ => Err(Error::new(ErrorKind::Polars, format!("column {} is not contiguous", series.name()))
                .with_help("call rechunk_mut on the frame first")),
        }
    }

    /// The cells of an array that holds values of a type. Children have the path of their
    /// column and their own name as their name.
    fn of(name: &str, dtype: &'a DataType, array: &'a dyn Array, style: Style) -> Result<Self, Error> {
        let values = match dtype {
            DataType::Null => Values::Null,
            DataType::Boolean => Values::Boolean(physical::<BooleanArray>(name, array)?.values()),
            DataType::Int8 => Values::Int8(numbers(name, array)?),
            DataType::Int16 => Values::Int16(numbers(name, array)?),
            DataType::Int32 => Values::Int32(numbers(name, array)?),
            DataType::Int64 | DataType::Duration(_) => Values::Int64(numbers(name, array)?),
            DataType::Int128 => Values::Int128(numbers(name, array)?),
            DataType::UInt8 => Values::UInt8(numbers(name, array)?),
            DataType::UInt16 => Values::UInt16(numbers(name, array)?),
            DataType::UInt32 => Values::UInt32(numbers(name, array)?),
            DataType::UInt64 => Values::UInt64(numbers(name, array)?),
            DataType::UInt128 => Values::UInt128(numbers(name, array)?),
            DataType::Float32 => Values::Float32(numbers(name, array)?),
            DataType::Float64 => Values::Float64(numbers(name, array)?),
            DataType::Decimal(_, scale) => Values::Decimal { units: numbers(name, array)?, scale: *scale },
            DataType::String => Values::Text(physical(name, array)?),
            DataType::Binary => Values::Binary(physical(name, array)?),
            DataType::Categorical(_, mapping) | DataType::Enum(_, mapping) => categories(name, array, mapping)?,
            DataType::Date => Values::Date(numbers(name, array)?),
            DataType::Datetime(unit, _) => {
                Values::Instant { values: numbers(name, array)?, per_second: per_second(*unit) }
            }
            DataType::Time => Values::Clock(numbers(name, array)?),
            DataType::List(inner) => {
                let list: &ListArray<i64> = physical(name, array)?;
                let child = Self::of(name, inner, list.values().as_ref(), style.in_list())?;
                Values::List { offsets: list.offsets().as_slice(), child: Box::new(child) }
            }
            DataType::Array(inner, width) => {
                let list: &FixedSizeListArray = physical(name, array)?;
                let child = Box::new(Self::of(name, inner, list.values().as_ref(), style.in_list())?);
                if **inner == DataType::Float32 && style.vectors == VectorForm::Base64 {
                    Values::Vector { width: *width, child }
                } else {
                    Values::Array { width: *width, child }
                }
            }
            DataType::Struct(fields) => {
                let children = physical::<StructArray>(name, array)?.values();
                let members = fields.iter().zip(children).map(|(field, child)| {
                    let path = format!("{name}.{}", field.name());
                    Ok((field.name().as_str(), Self::of(&path, field.dtype(), child.as_ref(), style)?))
                });
                Values::Struct(Members::flat(members.collect::<Result<_, Error>>()?))
            }
            other => return Err(unsupported(name, other)),
        };
        let validity = array.validity().filter(|validity| validity.unset_bits() > 0);
        Ok(Self { validity, values, non_finite: style.non_finite })
    }

    /// True if a row has a value.
    #[inline(always)]
    pub(crate) fn is_valid(&self, row: usize) -> bool {
        match self.validity {
            None => true,
            Some(validity) => validity.get_bit(row),
        }
    }

    /// About how many bytes a value takes, for the room that a line is begun with.
    pub(crate) fn typical_size(&self) -> usize {
        match &self.values {
            Values::Null => 0,
            Values::Boolean(_) | Values::Int8(_) | Values::UInt8(_) | Values::Int16(_) | Values::UInt16(_) => 6,
            Values::Int32(_) | Values::UInt32(_) | Values::Date(_) => 12,
            Values::Int64(_) | Values::UInt64(_) => 20,
            Values::Float32(_) => 16,
            Values::Float64(_) => 24,
            Values::Text(texts) => typical_text(texts.total_bytes_len(), texts.len()),
            Values::Binary(bytes) => 2 * typical_text(bytes.total_bytes_len(), bytes.len()),
            Values::List { offsets, child } => {
                let values = offsets.last().zip(offsets.first()).map_or(0, |(last, first)| last - first);
                let rows = offsets.len().saturating_sub(1).max(1);
                8 + (child.typical_size() + 1) * (usize::try_from(values).unwrap_or_default() / rows + 1)
            }
            Values::Array { width, child } => 8 + (child.typical_size() + 1) * width,
            Values::Vector { width, .. } => 16 + 6 * width,
            Values::Struct(members) => members.typical_size(),
            Values::Int128(_) | Values::UInt128(_) | Values::Decimal { .. } => 48,
            _ => 32,
        }
    }
}

impl Style {
    /// The style inside a list, where an array is not the vector of its document.
    fn in_list(self) -> Self {
        Self { vectors: VectorForm::Numbers, ..self }
    }
}

/// The number of units in a second.
fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Milliseconds => 1_000,
        TimeUnit::Microseconds => 1_000_000,
        TimeUnit::Nanoseconds => 1_000_000_000,
    }
}

fn typical_text(bytes: usize, rows: usize) -> usize {
    // Room for quotes, and for one window beyond.
    32 + bytes / rows.max(1)
}

fn physical<'a, A: Array>(name: &str, array: &'a dyn Array) -> Result<&'a A, Error> {
    array.as_any().downcast_ref().ok_or_else(|| {
        Error::new(ErrorKind::Polars, format!("column {name} is not laid out in memory as its type says"))
    })
}

fn numbers<'a, T: NativeType>(name: &str, array: &'a dyn Array) -> Result<&'a [T], Error> {
    Ok(physical::<PrimitiveArray<T>>(name, array)?.values().as_slice())
}

/// The numbers of the categories are as wide as there may be many.
fn categories<'a>(name: &str, array: &'a dyn Array, mapping: &'a Arc<CategoricalMapping>) -> Result<Values<'a>, Error> {
    if let Ok(numbers) = numbers(name, array) {
        return Ok(Values::Category32(numbers, mapping));
    }
    if let Ok(numbers) = numbers(name, array) {
        return Ok(Values::Category16(numbers, mapping));
    }
    Ok(Values::Category8(numbers(name, array)?, mapping))
}

fn unsupported(name: &str, dtype: &DataType) -> Error {
    Error::new(ErrorKind::UnsupportedType, format!("column {name} has the type {dtype}, which JSON has no form for"))
        .with_help("cast the column to a number, a string or a date before it is indexed")
}
