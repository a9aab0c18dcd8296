//! Durations as users write them: `30s`, `5m`, `7d`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::InvalidValue;

/// The unit of a [`TimeSpan`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimeUnit {
    /// `ms`
    Millisecond,
    /// `s`
    Second,
    /// `m`
    Minute,
    /// `h`
    Hour,
    /// `d`, 24 hours when no time zone is at hand
    Day,
    /// `w`, seven days
    Week,
}

impl TimeUnit {
    const ALL: [Self; 6] = [Self::Millisecond, Self::Second, Self::Minute, Self::Hour, Self::Day, Self::Week];

    /// The suffix that users write.
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Millisecond => "ms",
            Self::Second => "s",
            Self::Minute => "m",
            Self::Hour => "h",
            Self::Day => "d",
            Self::Week => "w",
        }
    }

    /// Its length in milliseconds, a day taken as 24 hours.
    #[must_use]
    pub fn milliseconds(self) -> u64 {
        match self {
            Self::Millisecond => 1,
            Self::Second => 1_000,
            Self::Minute => 60_000,
            Self::Hour => 3_600_000,
            Self::Day => 86_400_000,
            Self::Week => 604_800_000,
        }
    }
}

/// A positive duration in one unit, such as `30s` or `7d`.
///
/// It remembers the unit it was written in, because feature names carry it:
/// `24h` and `1d` last equally long and are not equal.
///
/// ```
/// use es_values::TimeSpan;
///
/// let week: TimeSpan = "7d".parse()?;
/// assert_eq!(week.to_string(), "7d");
/// assert_eq!(week.to_duration().as_secs(), 7 * 24 * 60 * 60);
/// # Ok::<(), es_values::InvalidValue>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeSpan {
    count: u32,
    unit: TimeUnit,
}

impl TimeSpan {
    /// `count` units. `None` when `count` is zero or the span is longer than 10,000 years.
    #[must_use]
    pub fn new(count: u32, unit: TimeUnit) -> Option<Self> {
        const LONGEST_MILLISECONDS: u64 = 10_000 * 366 * 86_400_000;
        let milliseconds = u64::from(count).checked_mul(unit.milliseconds())?;
        (count > 0 && milliseconds <= LONGEST_MILLISECONDS).then_some(Self { count, unit })
    }

    /// `count` seconds, for literals.
    ///
    /// # Panics
    /// When `count` is zero; in a constant, that is an error of the compiler.
    #[must_use]
    pub const fn seconds(count: u32) -> Self {
        assert!(count > 0);
        Self { count, unit: TimeUnit::Second }
    }

    /// `count` minutes, for literals.
    ///
    /// # Panics
    /// When `count` is zero; in a constant, that is an error of the compiler.
    #[must_use]
    pub const fn minutes(count: u32) -> Self {
        assert!(count > 0);
        Self { count, unit: TimeUnit::Minute }
    }

    /// `count` days, for literals.
    ///
    /// # Panics
    /// When `count` is zero; in a constant, that is an error of the compiler.
    #[must_use]
    pub const fn days(count: u32) -> Self {
        assert!(count > 0);
        Self { count, unit: TimeUnit::Day }
    }

    /// The number of units.
    #[must_use]
    pub fn count(self) -> u32 {
        self.count
    }

    /// The unit it was written in.
    #[must_use]
    pub fn unit(self) -> TimeUnit {
        self.unit
    }

    /// Its length in milliseconds, a day taken as 24 hours.
    #[must_use]
    pub fn milliseconds(self) -> u64 {
        u64::from(self.count) * self.unit.milliseconds()
    }

    /// Its length, a day taken as 24 hours.
    #[must_use]
    pub fn to_duration(self) -> Duration {
        Duration::from_millis(self.milliseconds())
    }

    /// The same length on a calendar: days and weeks are calendar days, which a
    /// change of clocks makes 23 or 25 hours long.
    #[must_use]
    pub fn to_calendar_span(self) -> jiff::Span {
        let count = i64::from(self.count);
        let span = jiff::Span::new();
        // `new` bounds the length, and so the count of every unit, to what jiff holds.
        match self.unit {
            TimeUnit::Millisecond => span.milliseconds(count),
            TimeUnit::Second => span.seconds(count),
            TimeUnit::Minute => span.minutes(count),
            TimeUnit::Hour => span.hours(count),
            TimeUnit::Day => span.days(count),
            TimeUnit::Week => span.weeks(count),
        }
    }
}

impl fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.count, self.unit.suffix())
    }
}

impl FromStr for TimeSpan {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || {
            InvalidValue::new(
                format!("`{text}` is not a duration"),
                "write a whole number and one unit of ms, s, m, h, d or w, such as `90m` or `7d`",
            )
        };
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (count, suffix) = text.split_at(digits);
        let unit = TimeUnit::ALL.into_iter().find(|unit| unit.suffix() == suffix).ok_or_else(invalid)?;
        if !count.is_empty() && count.bytes().all(|digit| digit == b'0') {
            return Err(InvalidValue::new(
                format!("`{text}` must be greater than zero"),
                "write a positive duration, such as `1s`",
            ));
        }
        count.parse().ok().and_then(|count| Self::new(count, unit)).ok_or_else(invalid)
    }
}

impl TryFrom<String> for TimeSpan {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<TimeSpan> for String {
    fn from(span: TimeSpan) -> Self {
        span.to_string()
    }
}

impl JsonSchema for TimeSpan {
    fn schema_name() -> Cow<'static, str> {
        "TimeSpan".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "time-span",
            "pattern": "^0*[1-9][0-9]*(ms|s|m|h|d|w)$",
            "description": "A duration: a whole number and one unit of ms, s, m, h, d or w.",
            "examples": ["30s", "7d"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_printed() {
        for (text, milliseconds) in
            [("1ms", 1), ("30s", 30_000), ("5m", 300_000), ("1h", 3_600_000), ("7d", 604_800_000), ("1w", 604_800_000)]
        {
            let span: TimeSpan = text.parse().unwrap();
            assert_eq!(span.to_string(), text);
            assert_eq!(span.milliseconds(), milliseconds);
            assert_eq!(span.to_duration().as_millis(), u128::from(milliseconds));
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "7", "d", "7 d", "7D", "1h30m", "-1d", "1.5h", "1y", "7days", "9999999w", "99999999999s"] {
            assert!(text.parse::<TimeSpan>().is_err(), "{text}");
        }
        let zero = "0s".parse::<TimeSpan>().unwrap_err();
        assert_eq!(zero.message, "`0s` must be greater than zero");
    }

    #[test]
    fn every_length_has_a_calendar_span() {
        for unit in TimeUnit::ALL {
            let longest = (0..32).filter_map(|bits| TimeSpan::new(1 << bits, unit)).next_back().unwrap();
            assert!(longest.to_calendar_span().is_positive(), "{longest}");
        }
    }
}
