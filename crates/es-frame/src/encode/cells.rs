//! One column, ready to be written cell by cell.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use polars::prelude::{AnyValue, Column, DataType, Series, TimeUnit};
use polars_arrow::array::{Array as _, BinaryViewArray, BooleanArray, PrimitiveArray, Utf8ViewArray};
use polars_arrow::types::NativeType;

use super::text::escape;
use crate::calendar::{write_clock, write_date, write_instant};
use crate::error::{Error, ErrorKind};
use crate::id::push_escaped;

/// How many of a unit make a second.
fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Milliseconds => 1_000,
        TimeUnit::Microseconds => 1_000_000,
        TimeUnit::Nanoseconds => 1_000_000_000,
    }
}

/// The values of a column by its physical type. Everything that is not a plain value goes
/// through [`AnyValue`], which is slower.
pub(crate) enum Cells<'a> {
    Null,
    Boolean(&'a BooleanArray),
    Int8(&'a PrimitiveArray<i8>),
    Int16(&'a PrimitiveArray<i16>),
    Int32(&'a PrimitiveArray<i32>),
    Int64(&'a PrimitiveArray<i64>),
    UInt8(&'a PrimitiveArray<u8>),
    UInt16(&'a PrimitiveArray<u16>),
    UInt32(&'a PrimitiveArray<u32>),
    UInt64(&'a PrimitiveArray<u64>),
    Float32(&'a PrimitiveArray<f32>),
    Float64(&'a PrimitiveArray<f64>),
    Text(&'a Utf8ViewArray),
    Binary(&'a BinaryViewArray),
    Date(&'a PrimitiveArray<i32>),
    Instant { values: &'a PrimitiveArray<i64>, per_second: i64 },
    TimeOfDay(&'a PrimitiveArray<i64>),
    Other(&'a Series),
}

impl<'a> Cells<'a> {
    pub(crate) fn new(column: &'a Column) -> Result<Self, Error> {
        let series = column.as_materialized_series();
        if series.n_chunks() > 1 {
            return Err(Error::new(ErrorKind::Polars, format!("column {} is not contiguous", series.name()))
                .with_help("call rechunk_mut on the frame first"));
        }
        Ok(match series.dtype() {
            DataType::Null => Self::Null,
            DataType::Boolean => Self::Boolean(series.bool()?.downcast_as_array()),
            DataType::Int8 => Self::Int8(series.i8()?.downcast_as_array()),
            DataType::Int16 => Self::Int16(series.i16()?.downcast_as_array()),
            DataType::Int32 => Self::Int32(series.i32()?.downcast_as_array()),
            DataType::Int64 => Self::Int64(series.i64()?.downcast_as_array()),
            DataType::UInt8 => Self::UInt8(series.u8()?.downcast_as_array()),
            DataType::UInt16 => Self::UInt16(series.u16()?.downcast_as_array()),
            DataType::UInt32 => Self::UInt32(series.u32()?.downcast_as_array()),
            DataType::UInt64 => Self::UInt64(series.u64()?.downcast_as_array()),
            DataType::Float32 => Self::Float32(series.f32()?.downcast_as_array()),
            DataType::Float64 => Self::Float64(series.f64()?.downcast_as_array()),
            DataType::String => Self::Text(series.str()?.downcast_as_array()),
            DataType::Binary => Self::Binary(series.binary()?.downcast_as_array()),
            DataType::Date => Self::Date(series.date()?.physical().downcast_as_array()),
            DataType::Datetime(unit, _) => Self::Instant {
                values: series.datetime()?.physical().downcast_as_array(),
                per_second: per_second(*unit),
            },
            DataType::Duration(_) => Self::Int64(series.duration()?.physical().downcast_as_array()),
            DataType::Time => Self::TimeOfDay(series.time()?.physical().downcast_as_array()),
            DataType::Categorical(..)
            | DataType::Enum(..)
            | DataType::List(_)
            | DataType::Array(..)
            | DataType::Struct(_) => Self::Other(series),
            other => return Err(unsupported(series.name(), other)),
        })
    }

    /// Appends a cell as JSON. False, and nothing appended, when it has no value.
    pub(crate) fn write(&self, row: usize, out: &mut Vec<u8>) -> Result<bool, Error> {
        match self {
            Self::Text(values) => {
                if values.is_null(row) {
                    return Ok(false);
                }
                write_string(values.value(row).as_bytes(), out);
                Ok(true)
            }
            Self::Binary(values) => {
                if values.is_null(row) {
                    return Ok(false);
                }
                write_string(BASE64.encode(values.value(row)).as_bytes(), out);
                Ok(true)
            }
            Self::Date(_) | Self::Instant { .. } | Self::TimeOfDay(_) => {
                let before = out.len();
                out.push(b'"');
                match self.write_time(row, out) {
                    Time::Text => out.push(b'"'),
                    Time::Number(milliseconds) => {
                        out.truncate(before);
                        write_integer(milliseconds, out);
                    }
                    Time::Missing => {
                        out.truncate(before);
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Self::Other(series) => match series.get(row)? {
                AnyValue::Null => Ok(false),
                value => write_any(series.name(), &value, out).map(|()| true),
            },
            _ => Ok(self.write_number(row, out)),
        }
    }

    /// Appends a cell as plain text for an id. False, and nothing appended, when it has no
    /// value.
    pub(crate) fn write_plain(&self, row: usize, out: &mut Vec<u8>) -> Result<bool, Error> {
        match self {
            Self::Text(values) => {
                if values.is_null(row) {
                    return Ok(false);
                }
                push_escaped(values.value(row), out);
                Ok(true)
            }
            Self::Date(_) | Self::Instant { .. } | Self::TimeOfDay(_) => match self.write_time(row, out) {
                Time::Text => Ok(true),
                Time::Number(milliseconds) => {
                    write_integer(milliseconds, out);
                    Ok(true)
                }
                Time::Missing => Ok(false),
            },
            _ => self.write(row, out),
        }
    }

    fn write_number(&self, row: usize, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Boolean(values) if values.is_valid(row) => {
                out.extend_from_slice(if values.value(row) { b"true" } else { b"false" });
                true
            }
            Self::Int8(values) => write_some(values, row, out),
            Self::Int16(values) => write_some(values, row, out),
            Self::Int32(values) => write_some(values, row, out),
            Self::Int64(values) => write_some(values, row, out),
            Self::UInt8(values) => write_some(values, row, out),
            Self::UInt16(values) => write_some(values, row, out),
            Self::UInt32(values) => write_some(values, row, out),
            Self::UInt64(values) => write_some(values, row, out),
            Self::Float32(values) if values.is_valid(row) => write_float(values.value(row), out),
            Self::Float64(values) if values.is_valid(row) => write_float(values.value(row), out),
            _ => false,
        }
    }

    /// Appends a date or time without quotes.
    fn write_time(&self, row: usize, out: &mut Vec<u8>) -> Time {
        match self {
            Self::Date(days) if days.is_valid(row) => {
                let day = i64::from(days.value(row));
                if write_date(day, out) { Time::Text } else { Time::Number(day * 86_400_000) }
            }
            Self::Instant { values, per_second } if values.is_valid(row) => {
                let value = values.value(row);
                if write_instant(value, *per_second, out) {
                    Time::Text
                } else {
                    Time::Number(value.div_euclid(*per_second / 1_000))
                }
            }
            Self::TimeOfDay(nanoseconds) if nanoseconds.is_valid(row) => {
                let value = nanoseconds.value(row);
                write_clock(value / 1_000_000_000, out);
                out.extend_from_slice(format!(".{:09}", value % 1_000_000_000).as_bytes());
                Time::Text
            }
            _ => Time::Missing,
        }
    }
}

/// How a date or time was written.
enum Time {
    Text,
    /// Its year has not four digits: epoch milliseconds, which every `date` field takes.
    Number(i64),
    Missing,
}

fn write_some<T: NativeType + itoa::Integer>(values: &PrimitiveArray<T>, row: usize, out: &mut Vec<u8>) -> bool {
    let valid = values.is_valid(row);
    if valid {
        write_integer(values.value(row), out);
    }
    valid
}

fn write_integer(value: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn write_float<F: zmij::Float + Into<f64>>(value: F, out: &mut Vec<u8>) -> bool {
    let wide: f64 = value.into();
    if !wide.is_finite() {
        return false;
    }
    out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
    true
}

fn write_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    escape(text, out);
    out.push(b'"');
}

/// Appends a nested or categorical value. A null inside a list stays, as its place counts;
/// a null field of a struct is left out.
fn write_any(name: &str, value: &AnyValue<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
    match value {
        AnyValue::Categorical(..) | AnyValue::CategoricalOwned(..) | AnyValue::Enum(..) | AnyValue::EnumOwned(..) => {
            write_string(value.str_value().as_bytes(), out);
            Ok(())
        }
        AnyValue::List(series) | AnyValue::Array(series, _) => {
            let column = Column::from(series.rechunk());
            let cells = Cells::new(&column)?;
            out.push(b'[');
            for row in 0..series.len() {
                if row > 0 {
                    out.push(b',');
                }
                if !cells.write(row, out)? {
                    out.extend_from_slice(b"null");
                }
            }
            out.push(b']');
            Ok(())
        }
        AnyValue::Struct(..) | AnyValue::StructOwned(..) => {
            let AnyValue::StructOwned(owned) = value.clone().into_static() else {
                return Err(unsupported(name, &value.dtype()));
            };
            let (values, fields) = &*owned;
            out.push(b'{');
            let start = out.len();
            for (field, value) in fields.iter().zip(values) {
                let column =
                    Column::from(Series::from_any_values(field.name().clone(), std::slice::from_ref(value), true)?);
                let before = out.len();
                if before > start {
                    out.push(b',');
                }
                write_string(field.name().as_bytes(), out);
                out.push(b':');
                if !Cells::new(&column)?.write(0, out)? {
                    out.truncate(before);
                }
            }
            out.push(b'}');
            Ok(())
        }
        other => Err(unsupported(name, &other.dtype())),
    }
}

fn unsupported(name: &str, dtype: &DataType) -> Error {
    Error::new(ErrorKind::UnsupportedType, format!("column {name} has the type {dtype}, which JSON has no form for"))
        .with_help("cast the column to a number, a string or a date before it is indexed")
}
