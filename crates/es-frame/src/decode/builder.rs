//! One column while it is being filled.

use std::fmt;

use polars::prelude::{
    BooleanChunkedBuilder, ChunkedBuilder as _, Column, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, IntoColumn as _, IntoSeries as _, PlSmallStr, PrimitiveChunkedBuilder, Series, StringChunkedBuilder,
    UInt64Type,
};

use super::plan::{ColumnType, PlannedColumn};
use crate::calendar::read_instant;
use crate::error::Error;

/// A JSON scalar as the parser hands it over.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scalar<'a> {
    Boolean(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Text(&'a str),
}

impl fmt::Display for Scalar<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => value.fmt(f),
            Self::Signed(value) => value.fmt(f),
            Self::Unsigned(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
            Self::Text(value) => write!(f, "{value:?}"),
        }
    }
}

pub(crate) enum ColumnBuilder {
    Boolean(BooleanChunkedBuilder),
    Int8(PrimitiveChunkedBuilder<Int8Type>),
    Int16(PrimitiveChunkedBuilder<Int16Type>),
    Int32(PrimitiveChunkedBuilder<Int32Type>),
    Int64(PrimitiveChunkedBuilder<Int64Type>),
    UInt64(PrimitiveChunkedBuilder<UInt64Type>),
    Float32(PrimitiveChunkedBuilder<Float32Type>),
    Float64(PrimitiveChunkedBuilder<Float64Type>),
    Instant { values: PrimitiveChunkedBuilder<Int64Type>, per_second: i64 },
    Text(StringChunkedBuilder),
}

/// The value does not fit the column.
pub(crate) struct Misfit;

impl ColumnBuilder {
    pub(crate) fn new(column: &PlannedColumn, rows: usize) -> Self {
        let name = PlSmallStr::from_str(&column.name);
        match column.column_type {
            ColumnType::Boolean => Self::Boolean(BooleanChunkedBuilder::new(name, rows)),
            ColumnType::Int8 => Self::Int8(PrimitiveChunkedBuilder::new(name, rows)),
            ColumnType::Int16 => Self::Int16(PrimitiveChunkedBuilder::new(name, rows)),
            ColumnType::Int32 => Self::Int32(PrimitiveChunkedBuilder::new(name, rows)),
            ColumnType::Int64 => Self::Int64(PrimitiveChunkedBuilder::new(name, rows)),
            ColumnType::UInt64 => Self::UInt64(PrimitiveChunkedBuilder::new(name, rows)),
            ColumnType::Float32 => Self::Float32(PrimitiveChunkedBuilder::new(name, rows)),
            ColumnType::Float64 => Self::Float64(PrimitiveChunkedBuilder::new(name, rows)),
            ColumnType::Milliseconds => {
                Self::Instant { values: PrimitiveChunkedBuilder::new(name, rows), per_second: 1_000 }
            }
            ColumnType::Nanoseconds => {
                Self::Instant { values: PrimitiveChunkedBuilder::new(name, rows), per_second: 1_000_000_000 }
            }
            ColumnType::Text | ColumnType::DocumentId | ColumnType::IndexName => {
                Self::Text(StringChunkedBuilder::new(name, rows))
            }
        }
    }

    pub(crate) fn push_null(&mut self) {
        match self {
            Self::Boolean(values) => values.append_null(),
            Self::Int8(values) => values.append_null(),
            Self::Int16(values) => values.append_null(),
            Self::Int32(values) => values.append_null(),
            Self::Int64(values) => values.append_null(),
            Self::UInt64(values) => values.append_null(),
            Self::Float32(values) => values.append_null(),
            Self::Float64(values) => values.append_null(),
            Self::Instant { values, .. } => values.append_null(),
            Self::Text(values) => values.append_null(),
        }
    }

    pub(crate) fn push(&mut self, value: Scalar<'_>) -> Result<(), Misfit> {
        match self {
            Self::Boolean(values) => values.append_value(boolean(value).ok_or(Misfit)?),
            Self::Int8(values) => values.append_value(integer(value).and_then(|n| n.try_into().ok()).ok_or(Misfit)?),
            Self::Int16(values) => values.append_value(integer(value).and_then(|n| n.try_into().ok()).ok_or(Misfit)?),
            Self::Int32(values) => values.append_value(integer(value).and_then(|n| n.try_into().ok()).ok_or(Misfit)?),
            Self::Int64(values) => values.append_value(integer(value).and_then(|n| n.try_into().ok()).ok_or(Misfit)?),
            Self::UInt64(values) => values.append_value(integer(value).and_then(|n| n.try_into().ok()).ok_or(Misfit)?),
            // The narrowing is the type's own: a `float` field keeps 32 bits.
            Self::Float32(values) => values.append_value(float(value).ok_or(Misfit)? as f32),
            Self::Float64(values) => values.append_value(float(value).ok_or(Misfit)?),
            Self::Instant { values, per_second } => values.append_value(instant(value, *per_second).ok_or(Misfit)?),
            Self::Text(values) => match value {
                Scalar::Text(text) => values.append_value(text),
                // Elasticsearch takes numbers and booleans for a keyword and keeps them as
                // they were written.
                other => values.append_value(other.to_string()),
            },
        }
        Ok(())
    }

    pub(crate) fn finish(self, column: &PlannedColumn) -> Result<Column, Error> {
        let series: Series = match self {
            Self::Boolean(values) => values.finish().into_series(),
            Self::Int8(values) => values.finish().into_series(),
            Self::Int16(values) => values.finish().into_series(),
            Self::Int32(values) => values.finish().into_series(),
            Self::Int64(values) => values.finish().into_series(),
            Self::UInt64(values) => values.finish().into_series(),
            Self::Float32(values) => values.finish().into_series(),
            Self::Float64(values) => values.finish().into_series(),
            Self::Instant { values, .. } => values.finish().into_series().cast(&column.column_type.dtype())?,
            Self::Text(values) => values.finish().into_series(),
        };
        Ok(series.into_column())
    }
}

fn boolean(value: Scalar<'_>) -> Option<bool> {
    match value {
        Scalar::Boolean(value) => Some(value),
        // The forms that a `boolean` field takes; the empty string means false to it.
        Scalar::Text("true") => Some(true),
        Scalar::Text("false" | "") => Some(false),
        _ => None,
    }
}

fn integer(value: Scalar<'_>) -> Option<i128> {
    match value {
        Scalar::Signed(value) => Some(value.into()),
        Scalar::Unsigned(value) => Some(value.into()),
        // `coerce`, on by default, lets an integer field take "7" and 7.9, which it keeps as 7.
        Scalar::Float(value) if value.is_finite() => Some(value as i128),
        Scalar::Text(text) => text.parse().ok(),
        _ => None,
    }
}

fn float(value: Scalar<'_>) -> Option<f64> {
    match value {
        Scalar::Signed(value) => Some(value as f64),
        Scalar::Unsigned(value) => Some(value as f64),
        Scalar::Float(value) => Some(value),
        Scalar::Text(text) => text.parse().ok(),
        Scalar::Boolean(_) => None,
    }
}

/// An instant in a unit: epoch milliseconds as a number or as text, or ISO 8601.
fn instant(value: Scalar<'_>, per_second: i64) -> Option<i64> {
    let milliseconds = match value {
        Scalar::Signed(value) => value,
        Scalar::Unsigned(value) => value.try_into().ok()?,
        Scalar::Text(text) => match read_instant(text, per_second) {
            Some(instant) => return Some(instant),
            None => match text.parse() {
                Ok(milliseconds) => milliseconds,
                Err(_) => return foreign_instant(text, per_second),
            },
        },
        _ => return None,
    };
    milliseconds.checked_mul(per_second / 1_000)
}

/// ISO 8601 with an offset.
fn foreign_instant(text: &str, per_second: i64) -> Option<i64> {
    let timestamp: jiff::Timestamp = text.parse().ok()?;
    let per_unit = 1_000_000_000 / i128::from(per_second);
    timestamp.as_nanosecond().div_euclid(per_unit).try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_in_every_form() {
        let table = [
            (Scalar::Signed(-5), Some(-5)),
            (Scalar::Text("1357034400000"), Some(1_357_034_400_000)),
            (Scalar::Text("2013-01-01T10:00:00.000Z"), Some(1_357_034_400_000)),
            (Scalar::Text("2013-01-01T05:00:00-05:00"), Some(1_357_034_400_000)),
            (Scalar::Text("soon"), None),
            (Scalar::Boolean(true), None),
        ];
        for (value, expected) in table {
            assert_eq!(instant(value, 1_000), expected, "{value}");
        }
        assert_eq!(instant(Scalar::Signed(1), 1_000_000_000), Some(1_000_000));
    }

    #[test]
    fn integers_that_do_not_fit_are_misfits() {
        let column =
            |column_type| PlannedColumn { name: "n".into(), field_type: String::new(), column_type, from_source: None };
        let fits = |column_type, value| ColumnBuilder::new(&column(column_type), 1).push(value).is_ok();
        assert!(fits(ColumnType::Int8, Scalar::Signed(-128)));
        assert!(!fits(ColumnType::Int8, Scalar::Signed(128)));
        assert!(fits(ColumnType::UInt64, Scalar::Unsigned(u64::MAX)));
        assert!(!fits(ColumnType::UInt64, Scalar::Signed(-1)));
        assert!(!fits(ColumnType::Int64, Scalar::Text("x")));
        assert!(fits(ColumnType::Int32, Scalar::Text("7")));
    }
}
