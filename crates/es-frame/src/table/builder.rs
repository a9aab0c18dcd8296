//! One column of a result while it is being filled. Rows have no value, one, or several.

use std::fmt;

use polars::prelude::{
    Column, DataType, IdxCa, IntoColumn as _, IntoSeries as _, ListChunked, NamedFrom as _, PlSmallStr, Series,
    StructChunked,
};

use super::types::ColumnType;
use crate::calendar::read_instant;
use crate::error::Error;

/// One value of a result.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Boolean(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Text(std::borrow::Cow<'a, str>),
    /// Milliseconds since 1970, or nanoseconds for a column of these.
    Instant(i64),
    /// x and y.
    Point(f64, f64),
}

/// The value does not fit the column.
#[derive(Debug, PartialEq)]
pub(super) enum Misfit {
    /// It is of another kind, or out of range.
    Kind,
    /// An instant has more digits than the column keeps.
    Digits,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kind => "does not fit its type",
            Self::Digits => "has more digits than the milliseconds of its type",
        })
    }
}

/// The values of all rows, one after the other.
enum Values {
    Boolean(Vec<bool>),
    /// Whole numbers up to 64 bits, and instants.
    Signed(Vec<i64>),
    Unsigned(Vec<u64>),
    Float(Vec<f64>),
    Text(Vec<String>),
    Points(Vec<f64>, Vec<f64>),
}

pub(super) struct ColumnBuilder {
    column_type: ColumnType,
    values: Values,
    /// The number of values of each row.
    lengths: Vec<u32>,
    /// True if some row has more than one.
    has_several: bool,
}

impl ColumnBuilder {
    pub(super) fn new(column_type: ColumnType) -> Self {
        let values = match column_type {
            ColumnType::Boolean => Values::Boolean(Vec::new()),
            ColumnType::Int8
            | ColumnType::Int16
            | ColumnType::Int32
            | ColumnType::Int64
            | ColumnType::Milliseconds
            | ColumnType::Nanoseconds => Values::Signed(Vec::new()),
            ColumnType::UInt64 => Values::Unsigned(Vec::new()),
            ColumnType::Float32 | ColumnType::Float64 => Values::Float(Vec::new()),
            ColumnType::Text => Values::Text(Vec::new()),
            ColumnType::Point { .. } => Values::Points(Vec::new(), Vec::new()),
        };
        Self { column_type, values, lengths: Vec::new(), has_several: false }
    }

    pub(super) fn rows(&self) -> usize {
        self.lengths.len()
    }

    /// Ends a row whose values were pushed.
    pub(super) fn end_row(&mut self, values: u32) {
        self.has_several |= values > 1;
        self.lengths.push(values);
    }

    /// Adds a value to the row that is being filled.
    pub(super) fn push(&mut self, value: Value<'_>) -> Result<(), Misfit> {
        match &mut self.values {
            Values::Boolean(values) => values.push(boolean(&value).ok_or(Misfit::Kind)?),
            Values::Signed(values) => values.push(match self.column_type {
                ColumnType::Milliseconds => instant(&value, 1_000)?,
                ColumnType::Nanoseconds => instant(&value, 1_000_000_000)?,
                column_type => signed(&value, column_type).ok_or(Misfit::Kind)?,
            }),
            Values::Unsigned(values) => {
                values.push(whole(&value).and_then(|number| number.try_into().ok()).ok_or(Misfit::Kind)?);
            }
            Values::Float(values) => values.push(float(&value).ok_or(Misfit::Kind)?),
            Values::Text(values) => values.push(text(value)),
            Values::Points(xs, ys) => {
                let (x, y) = point(&value).ok_or(Misfit::Kind)?;
                xs.push(x);
                ys.push(y);
            }
        }
        Ok(())
    }

    pub(super) fn finish(self, name: &str) -> Result<Column, Error> {
        let name = PlSmallStr::from_str(name);
        let rows = self.lengths.len();
        let flat = flat(self.values, self.column_type, name.clone())?;
        if !self.has_several {
            if flat.len() == rows {
                return Ok(flat.into_column());
            }
            let mut next = 0;
            let mut places: Vec<Option<u32>> = Vec::with_capacity(rows);
            for length in &self.lengths {
                places.push((*length > 0).then_some(next));
                next += length;
            }
            return Ok(taken(&flat, places)?.into_column());
        }
        let mut from = 0;
        let lists: ListChunked = self
            .lengths
            .iter()
            .map(|length| {
                let list = (*length > 0).then(|| flat.slice(from, *length as usize));
                from += i64::from(*length);
                list
            })
            .collect();
        Ok(lists.into_series().with_name(name).into_column())
    }
}

/// The values at these places, and nulls.
fn taken(flat: &Series, places: Vec<Option<u32>>) -> Result<Series, Error> {
    let places: IdxCa = places.into_iter().collect();
    Ok(flat.take(&places)?)
}

fn flat(values: Values, column_type: ColumnType, name: PlSmallStr) -> Result<Series, Error> {
    let series = match values {
        Values::Boolean(values) => Series::new(name, values),
        Values::Signed(values) => Series::new(name, values),
        Values::Unsigned(values) => Series::new(name, values),
        Values::Float(values) => Series::new(name, values),
        Values::Text(values) => Series::new(name, values),
        Values::Points(xs, ys) => {
            let is_geographic = column_type == ColumnType::Point { is_geographic: true };
            let (first, second) = ColumnType::coordinates(is_geographic);
            let (one, other) = if is_geographic { (ys, xs) } else { (xs, ys) };
            let fields = [Series::new(first.into(), one), Series::new(second.into(), other)];
            return Ok(StructChunked::from_series(name, fields[0].len(), fields.iter())?.into_series());
        }
    };
    let dtype = column_type.dtype();
    match (&dtype, series.dtype()) {
        (wanted, found) if *wanted == *found => Ok(series),
        // Every value was checked against the range of its type; only doubles are rounded, to the
        // 32 bits that their type has.
        (DataType::Float32, _) => Ok(series.cast(&dtype)?),
        _ => Ok(series.strict_cast(&dtype)?),
    }
}

fn boolean(value: &Value<'_>) -> Option<bool> {
    match value {
        Value::Boolean(value) => Some(*value),
        _ => None,
    }
}

fn whole(value: &Value<'_>) -> Option<i128> {
    match value {
        Value::Signed(value) => Some((*value).into()),
        Value::Unsigned(value) => Some((*value).into()),
        // A whole number that was computed may come with a fraction of zero.
        Value::Float(value) if value.trunc() == *value && value.abs() < 1e18 => Some(*value as i128),
        _ => None,
    }
}

fn signed(value: &Value<'_>, column_type: ColumnType) -> Option<i64> {
    let number = i64::try_from(whole(value)?).ok()?;
    let fits = match column_type {
        ColumnType::Int8 => i8::try_from(number).is_ok(),
        ColumnType::Int16 => i16::try_from(number).is_ok(),
        ColumnType::Int32 => i32::try_from(number).is_ok(),
        _ => true,
    };
    fits.then_some(number)
}

fn float(value: &Value<'_>) -> Option<f64> {
    match value {
        Value::Float(value) => Some(*value),
        Value::Signed(value) => Some(*value as f64),
        Value::Unsigned(value) => Some(*value as f64),
        // JSON has no numbers for these.
        Value::Text(text) => match &**text {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

fn text(value: Value<'_>) -> String {
    match value {
        Value::Text(text) => text.into_owned(),
        Value::Boolean(value) => value.to_string(),
        Value::Signed(value) | Value::Instant(value) => value.to_string(),
        Value::Unsigned(value) => value.to_string(),
        Value::Float(value) => value.to_string(),
        Value::Point(x, y) => format!("POINT ({x} {y})"),
    }
}

/// An instant in a unit, from ISO 8601 or as it is.
fn instant(value: &Value<'_>, per_second: i64) -> Result<i64, Misfit> {
    let text = match value {
        Value::Instant(value) => return Ok(*value),
        Value::Text(text) => text,
        _ => return Err(Misfit::Kind),
    };
    if per_second == 1_000 && has_more_digits(text) {
        return Err(Misfit::Digits);
    }
    if let Some(instant) = read_instant(text, per_second) {
        return Ok(instant);
    }
    let timestamp: jiff::Timestamp = text.parse().map_err(|_| Misfit::Kind)?;
    let per_unit = 1_000_000_000 / i128::from(per_second);
    timestamp.as_nanosecond().div_euclid(per_unit).try_into().map_err(|_| Misfit::Kind)
}

/// True if a fraction of a second has digits after the third that count.
fn has_more_digits(text: &str) -> bool {
    let Some((_, fraction)) = text.split_once('.') else { return false };
    fraction.bytes().take_while(u8::is_ascii_digit).skip(3).any(|digit| digit != b'0')
}

/// A point from `POINT (x y)`.
fn point(value: &Value<'_>) -> Option<(f64, f64)> {
    let text = match value {
        Value::Point(x, y) => return Some((*x, *y)),
        Value::Text(text) => text,
        _ => return None,
    };
    let inside = text.strip_prefix("POINT")?.trim_start().strip_prefix('(')?.strip_suffix(')')?;
    let mut numbers = inside.split_ascii_whitespace();
    let (x, y) = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
    numbers.next().is_none().then_some((x, y))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value<'_> {
        Value::Text(text.into())
    }

    #[test]
    fn values_fit_or_are_misfits() {
        use ColumnType::{Boolean, Float64, Int8, Int64, Milliseconds, Nanoseconds, Point, UInt64};
        let geographic = Point { is_geographic: true };
        let table = [
            (Boolean, Value::Boolean(true), Ok(())),
            (Boolean, text("true"), Err(Misfit::Kind)),
            (Int8, Value::Signed(-128), Ok(())),
            (Int8, Value::Signed(128), Err(Misfit::Kind)),
            (Int64, Value::Float(7.0), Ok(())),
            (Int64, Value::Float(7.5), Err(Misfit::Kind)),
            (Int64, Value::Unsigned(u64::MAX), Err(Misfit::Kind)),
            (UInt64, Value::Unsigned(u64::MAX), Ok(())),
            (UInt64, Value::Signed(-1), Err(Misfit::Kind)),
            (Float64, text("NaN"), Ok(())),
            (Float64, text("7"), Err(Misfit::Kind)),
            (Milliseconds, text("2024-01-01T09:00:00.000+09:00"), Ok(())),
            (Milliseconds, text("2024-01-01T00:00:00.001000Z"), Ok(())),
            (Milliseconds, text("2024-01-01T00:00:00.0010001Z"), Err(Misfit::Digits)),
            (Nanoseconds, text("2024-01-01T00:00:00.0010001Z"), Ok(())),
            (Nanoseconds, text("2924-01-01T00:00:00Z"), Err(Misfit::Kind)),
            (Milliseconds, text("soon"), Err(Misfit::Kind)),
            (geographic, text("POINT (1.0 -2.5E-7)"), Ok(())),
            (geographic, text("POINT (1.0 2 3)"), Err(Misfit::Kind)),
            (geographic, text("LINESTRING (1 2, 3 4)"), Err(Misfit::Kind)),
        ];
        for (column_type, value, expected) in table {
            assert_eq!(ColumnBuilder::new(column_type).push(value.clone()), expected, "{column_type:?} {value:?}");
        }
    }

    #[test]
    fn rows_have_none_one_or_several_values() {
        let mut builder = ColumnBuilder::new(ColumnType::Int8);
        for length in [0, 1, 0, 1] {
            for _ in 0..length {
                builder.push(Value::Signed(5)).unwrap();
            }
            builder.end_row(length);
        }
        let column = builder.finish("n").unwrap();
        assert_eq!((column.dtype(), column.null_count(), column.len()), (&DataType::Int8, 2, 4));
        for column_type in [ColumnType::Nanoseconds, ColumnType::Point { is_geographic: true }, ColumnType::Text] {
            let value = match column_type {
                ColumnType::Point { .. } => Value::Point(1.0, 2.0),
                ColumnType::Text => text("x"),
                _ => Value::Instant(5),
            };
            let mut builder = ColumnBuilder::new(column_type);
            for length in [0, 2, 1] {
                for _ in 0..length {
                    builder.push(value.clone()).unwrap();
                }
                builder.end_row(length);
            }
            let column = builder.finish("n").unwrap();
            assert_eq!(column.dtype(), &DataType::List(Box::new(column_type.dtype())));
            assert_eq!((column.null_count(), column.len()), (1, 3));
        }
    }
}
