//! Points in time as users write them: a date, a date and time, or an instant.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::InvalidValue;

/// A point in time: `2013-01-31`, `2013-01-31T06:00` or `2013-01-31T06:00:00Z`.
///
/// The first two are read on the clock of the time zone that belongs to them, the
/// last one names its instant itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum TimePoint {
    /// Midnight at the start of a day.
    Date(civil::Date),
    /// A reading of calendar and clock.
    Civil(civil::DateTime),
    /// An instant, written with its offset from UTC.
    Instant(Timestamp),
}

impl TimePoint {
    /// The instant, in `zone` unless the text named an offset. A reading that the
    /// clock skips is moved forward by the length of the gap; of one that it shows
    /// twice, the first is meant.
    ///
    /// # Errors
    /// When the instant is outside the years -9999 to 9999.
    pub fn to_timestamp(self, zone: &TimeZone) -> Result<Timestamp, jiff::Error> {
        match self {
            Self::Date(date) => zone.to_timestamp(date.to_datetime(civil::Time::midnight())),
            Self::Civil(reading) => zone.to_timestamp(reading),
            Self::Instant(instant) => Ok(instant),
        }
    }

    /// The reading of calendar and clock in `zone`.
    #[must_use]
    pub fn to_civil(self, zone: &TimeZone) -> civil::DateTime {
        match self {
            Self::Date(date) => date.to_datetime(civil::Time::midnight()),
            Self::Civil(reading) => reading,
            Self::Instant(instant) => zone.to_datetime(instant),
        }
    }
}

impl fmt::Display for TimePoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Date(date) => date.fmt(f),
            Self::Civil(reading) => reading.fmt(f),
            Self::Instant(instant) => instant.fmt(f),
        }
    }
}

impl FromStr for TimePoint {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if has_date_shape(text) {
            return text.parse().map(Self::Date).map_err(|_| no_such_date(text));
        }
        let invalid = || {
            InvalidValue::new(
                format!("`{text}` is not a date or time"),
                "write a date such as `2013-01-31`, a time such as `2013-01-31T06:00` or an instant such as `2013-01-31T06:00:00Z`",
            )
        };
        let date = text.get(..10).filter(|date| has_date_shape(date));
        let (Some(date), Some('T' | ' ')) = (date, text.chars().nth(10)) else {
            return Err(invalid());
        };
        if date.parse::<civil::Date>().is_err() {
            return Err(no_such_date(date));
        }
        // jiff reads hours without minutes, which are easily taken for something else.
        if text.as_bytes().get(13) != Some(&b':') {
            return Err(invalid());
        }
        if let Ok(instant) = text.parse() {
            return Ok(Self::Instant(instant));
        }
        // jiff ignores an annotation such as `[Europe/Paris]` in a civil time.
        if text.contains('[') {
            return Err(invalid());
        }
        text.parse().map(Self::Civil).map_err(|_| invalid())
    }
}

fn has_date_shape(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(position, byte)| match position {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

fn no_such_date(text: &str) -> InvalidValue {
    // `has_date_shape` holds, so the month's length can be looked up by its digits.
    let year = text.get(..4).and_then(|digits| digits.parse().ok());
    let month = text.get(5..7).and_then(|digits| digits.parse().ok());
    let month_start = year.zip(month).and_then(|(year, month)| civil::Date::new(year, month, 1).ok());
    let help = match month_start {
        Some(start) => format!("{} has {} days", start.strftime("%B %Y"), start.days_in_month()),
        None => "write a date as year, month and day, such as `2013-01-31`".to_owned(),
    };
    InvalidValue::new(format!("there is no date `{text}`"), help)
}

impl TryFrom<String> for TimePoint {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<TimePoint> for String {
    fn from(point: TimePoint) -> Self {
        point.to_string()
    }
}

impl JsonSchema for TimePoint {
    fn schema_name() -> Cow<'static, str> {
        "TimePoint".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "time-point",
            "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?$",
            "description": "A date, a date and time in the time zone of its section, or an instant with its offset from UTC.",
            "examples": ["2013-01-31", "2013-01-31T06:00", "2013-01-31T06:00:00Z"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_times_and_instants_are_read() {
        let zone = TimeZone::get("America/New_York").unwrap();
        let cases = [
            ("2013-01-01", "2013-01-01T05:00:00Z"),
            ("2013-07-01", "2013-07-01T04:00:00Z"),
            ("2013-01-01T06:30", "2013-01-01T11:30:00Z"),
            ("2013-01-01 06:30:15", "2013-01-01T11:30:15Z"),
            ("2013-01-01T06:30:00Z", "2013-01-01T06:30:00Z"),
            ("2013-01-01T06:30:00+02:00", "2013-01-01T04:30:00Z"),
            ("2012-02-29", "2012-02-29T05:00:00Z"),
        ];
        for (text, expected) in cases {
            let point: TimePoint = text.parse().unwrap();
            assert_eq!(point.to_timestamp(&zone).unwrap().to_string(), expected);
            assert_eq!(point.to_string().parse::<TimePoint>().unwrap(), point);
        }
    }

    #[test]
    fn dates_that_do_not_exist_say_how_long_the_month_is() {
        let error = "2013-02-30".parse::<TimePoint>().unwrap_err();
        assert_eq!(error.message, "there is no date `2013-02-30`");
        assert_eq!(error.help.as_deref(), Some("February 2013 has 28 days"));
        let error = "2013-13-01T00:00".parse::<TimePoint>().unwrap_err();
        assert_eq!(error.message, "there is no date `2013-13-01`");
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "2013",
            "2013-01",
            "01/02/2013",
            "2013-1-1",
            "yesterday",
            "2013-01-01T25:00",
            "2013-01-01T06:00[Europe/Paris]",
            "2013-01-01x",
            "2013-01-01T05",
            "2013-01-é1T00:00",
        ] {
            assert!(text.parse::<TimePoint>().is_err(), "{text}");
        }
    }
}
