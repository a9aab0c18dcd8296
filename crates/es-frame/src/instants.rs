//! The instants of a time column, whatever its type.

use polars::prelude::{Column, DataType, TimeUnit};

use crate::calendar::read_instant;
use crate::error::{Error, ErrorKind};

/// The instants of a column in milliseconds since 1970-01-01T00:00:00Z, rounded down, as
/// Elasticsearch keeps a `date`.
///
/// A `Datetime` without a time zone counts as UTC, a `Date` as its first moment in UTC, an
/// integer as epoch milliseconds, and text is read as ISO 8601.
///
/// # Errors
/// [`ErrorKind::UnsupportedType`] for a column of another type, and [`ErrorKind::Value`]
/// naming the row when a text is no instant.
pub fn instants(column: &Column) -> Result<Vec<Option<i64>>, Error> {
    match column.dtype() {
        DataType::Datetime(unit, _) => {
            let per_millisecond = match unit {
                TimeUnit::Milliseconds => 1,
                TimeUnit::Microseconds => 1_000,
                TimeUnit::Nanoseconds => 1_000_000,
            };
            let values = column.datetime()?.physical();
            Ok(values.iter().map(|value| value.map(|value| value.div_euclid(per_millisecond))).collect())
        }
        DataType::Date => {
            let days = column.date()?.physical();
            Ok(days.iter().map(|day| day.map(|day| i64::from(day) * 86_400_000)).collect())
        }
        dtype if dtype.is_integer() => {
            let values = column.strict_cast(&DataType::Int64).map_err(|_| {
                let what = format!("column {} holds an integer beyond 64 bits, which is not a time", column.name());
                Error::new(ErrorKind::Value, what).with_help("write times as epoch milliseconds")
            })?;
            Ok(values.i64()?.iter().collect())
        }
        DataType::String => column
            .str()?
            .iter()
            .enumerate()
            .map(|(row, text)| text.map(|text| read(column.name(), row, text)).transpose())
            .collect(),
        other => Err(Error::new(
            ErrorKind::UnsupportedType,
            format!("column {} is of type {other}, which holds no times", column.name()),
        )
        .with_help("name a column of dates, of epoch milliseconds or of ISO 8601 text")),
    }
}

fn read(name: &str, row: usize, text: &str) -> Result<i64, Error> {
    if let Some(instant) = read_instant(text, 1_000) {
        return Ok(instant);
    }
    if let Ok(timestamp) = text.parse::<jiff::Timestamp>() {
        return Ok(milliseconds(timestamp));
    }
    // Without an offset it counts as UTC, as the server takes it.
    if let Ok(Ok(zoned)) = text.parse::<jiff::civil::DateTime>().map(|civil| civil.to_zoned(jiff::tz::TimeZone::UTC)) {
        return Ok(milliseconds(zoned.timestamp()));
    }
    Err(Error::new(ErrorKind::Value, format!("row {row} of column {name} holds {text:?}, which is not a time"))
        .with_help("write times as 2013-01-31T06:00:00Z"))
}

/// Rounded down, before 1970 too. The milliseconds of jiff's years have fewer than 64 bits.
fn milliseconds(timestamp: jiff::Timestamp) -> i64 {
    i64::try_from(timestamp.as_nanosecond().div_euclid(1_000_000)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::{IntoColumn as _, NamedFrom as _, Series};

    #[test]
    fn instants_are_read_from_every_type() {
        let numbers = Series::new("t".into(), [Some(1_500_000_i64), None, Some(-1)]);
        let of = |dtype: &DataType| instants(&numbers.cast(dtype).unwrap().into_column()).unwrap();
        assert_eq!(of(&DataType::Datetime(TimeUnit::Milliseconds, None)), [Some(1_500_000), None, Some(-1)]);
        assert_eq!(of(&DataType::Datetime(TimeUnit::Microseconds, None)), [Some(1_500), None, Some(-1)]);
        assert_eq!(of(&DataType::Int64), [Some(1_500_000), None, Some(-1)]);
        let days = Series::new("t".into(), [Some(1_i32), None]).cast(&DataType::Date).unwrap();
        assert_eq!(instants(&days.into_column()).unwrap(), [Some(86_400_000), None]);
        let texts = ["1970-01-01T00:00:01Z", "1970-01-01T01:00:01+01:00", "1970-01-01 00:00:01", "1970-01-02"];
        let texts = Series::new("t".into(), texts).into_column();
        assert_eq!(instants(&texts).unwrap(), [Some(1000), Some(1000), Some(1000), Some(86_400_000)]);
    }

    #[test]
    fn what_does_not_fit_is_refused_and_what_is_finer_is_rounded_down() {
        let beyond = Series::new("t".into(), [Some(u64::MAX), None]).into_column();
        let error = instants(&beyond).unwrap_err();
        assert_eq!(error.to_string(), "column t holds an integer beyond 64 bits, which is not a time");
        let texts = ["1969-12-31T23:59:59.9995+00:00", "9999-12-31T23:59:59.9999999Z", "1969-12-31 23:59:59.9995"];
        let texts = Series::new("t".into(), texts).into_column();
        assert_eq!(instants(&texts).unwrap(), [Some(-1), Some(253_402_300_799_999), Some(-1)]);
    }

    #[test]
    fn what_is_no_time_is_named() {
        let error = instants(&Series::new("t".into(), ["1970-01-01", "soon"]).into_column()).unwrap_err();
        assert_eq!(error.to_string(), "row 1 of column t holds \"soon\", which is not a time");
        let error = instants(&Series::new("t".into(), [1.5]).into_column()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnsupportedType);
    }
}
