//! When an asset should be brought up to date: cron expressions and hours of the day.
//! These are shapes only; obeying them is the daemon's work.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use jiff::civil::Time;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use es_values::InvalidValue;

/// A cron expression of five fields: minute, hour, day of month, month, day of week.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cron {
    text: String,
    schedule: croner::Cron,
}

impl Cron {
    /// The first moment after `moment` that the expression names, on the clock of
    /// `moment`'s time zone. `None` when there is none, as for `0 0 30 2 *`.
    #[must_use]
    pub fn next_after(&self, moment: &jiff::Zoned) -> Option<jiff::Zoned> {
        self.schedule.find_next_occurrence(moment, false).ok()
    }

    /// The expression as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Cron {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = |reason: &str| {
            InvalidValue::new(
                format!("`{text}` is not a cron expression{reason}"),
                "write minute, hour, day of month, month and day of week, such as `0 2 * * *` for every day at two",
            )
        };
        let fields = text.split_whitespace().count();
        if fields != 5 {
            return Err(invalid(&format!(": it has {fields} fields, not five")));
        }
        let schedule = text.parse().map_err(|_| invalid(""))?;
        Ok(Self { text: text.to_owned(), schedule })
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for Cron {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Cron> for String {
    fn from(cron: Cron) -> Self {
        cron.text
    }
}

impl JsonSchema for Cron {
    fn schema_name() -> Cow<'static, str> {
        "Cron".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "cron",
            "pattern": "^\\s*\\S+(\\s+\\S+){4}\\s*$",
            "description": "A cron expression: minute, hour, day of month, month, day of week.",
            "examples": ["0 2 * * *"],
        })
    }
}

/// A range of the day, such as `01:00-05:00`; the end is not in it. A range whose end
/// is before its start goes past midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DailyWindow {
    from: Time,
    to: Time,
}

impl DailyWindow {
    /// Returns whether a clock that shows `time` is inside.
    #[must_use]
    pub fn contains(self, time: Time) -> bool {
        if self.from < self.to { self.from <= time && time < self.to } else { self.from <= time || time < self.to }
    }
}

impl fmt::Display for DailyWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clock = "%H:%M";
        write!(f, "{}-{}", self.from.strftime(clock), self.to.strftime(clock))
    }
}

impl FromStr for DailyWindow {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let time = |text: &str| {
            let digits = |range| {
                text.get(range)
                    .filter(|digits: &&str| digits.bytes().all(|byte| byte.is_ascii_digit()))
                    .and_then(|digits| digits.parse().ok())
            };
            let is_clock = text.len() == 5 && text.as_bytes().get(2) == Some(&b':');
            let (hour, minute) = digits(0..2).zip(digits(3..5)).filter(|_| is_clock)?;
            Time::new(hour, minute, 0, 0).ok()
        };
        text.split_once('-')
            .and_then(|(from, to)| time(from.trim()).zip(time(to.trim())))
            .filter(|(from, to)| from != to)
            .map(|(from, to)| Self { from, to })
            .ok_or_else(|| {
                InvalidValue::new(
                    format!("`{text}` is not a range of the day"),
                    "write two times of 24 hours that differ, such as `01:00-05:00`",
                )
            })
    }
}

impl TryFrom<String> for DailyWindow {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<DailyWindow> for String {
    fn from(window: DailyWindow) -> Self {
        window.to_string()
    }
}

impl JsonSchema for DailyWindow {
    fn schema_name() -> Cow<'static, str> {
        "DailyWindow".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "daily-window",
            "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]\\s*-\\s*([01][0-9]|2[0-3]):[0-5][0-9]$",
            "description": "A range of the day on a clock of 24 hours; the end is not in it.",
            "examples": ["01:00-05:00", "22:00-04:00"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cron_expressions_know_their_next_moment() {
        let cron: Cron = "0 2 * * *".parse().unwrap();
        let evening: jiff::Zoned = "2013-03-09T20:00[America/New_York]".parse().unwrap();
        // The clocks skip from two to three that night.
        let next = cron.next_after(&evening).unwrap();
        assert_eq!(next.to_string(), "2013-03-10T03:00:00-04:00[America/New_York]");
        let next = cron.next_after(&next).unwrap();
        assert_eq!(next.to_string(), "2013-03-11T02:00:00-04:00[America/New_York]");
    }

    #[test]
    fn other_cron_texts_are_refused() {
        for text in ["", "2 am", "61 2 * * *", "0 2 * * * *", "0 2 * * mo", "@daily"] {
            assert!(text.parse::<Cron>().is_err(), "{text}");
        }
    }

    #[test]
    fn windows_hold_their_start_and_not_their_end() {
        let night: DailyWindow = "22:00-04:00".parse().unwrap();
        for (clock, inside) in [("21:59", false), ("22:00", true), ("03:59", true), ("04:00", false)] {
            assert_eq!(night.contains(clock.parse().unwrap()), inside, "{clock}");
        }
        assert_eq!(night.to_string(), "22:00-04:00");
        for text in ["", "01:00", "1-5", "01:00-01:00", "25:00-01:00", "01:00-é5:00"] {
            assert!(text.parse::<DailyWindow>().is_err(), "{text}");
        }
    }
}
