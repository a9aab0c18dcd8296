//! The division of an asset by time, as the pipeline file says it, and the rules that its types do
//! not express.

use es_values::{TimePoint, TimeZoneName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MAX_PARTITIONS, boundary_before, count_exceeds};
use crate::key_path::KeyPath;
use crate::validate::Report;

/// The division of rows by their time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Partitions {
    /// The length of a partition.
    pub every: Every,
    /// The start of the first partition.
    pub start: TimePoint,
    /// The end of the last partition, which it does not hold; without it, the partition
    /// of the present moment is the last.
    pub end: Option<TimePoint>,
    /// The time zone whose calendar and clock divide the partitions.
    #[serde(default)]
    pub timezone: TimeZoneName,
    /// The treatment of rows whose time is in no partition.
    #[serde(default)]
    pub outside: Outside,
}

/// The length of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Every {
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A week of ISO 8601, which starts on Monday.
    Week,
    /// A month.
    Month,
    /// A year.
    Year,
}

impl Every {
    /// The length with its article, such as `an hour`.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::Hour => "an hour",
            Self::Day => "a day",
            Self::Week => "a week",
            Self::Month => "a month",
            Self::Year => "a year",
        }
    }
}

/// The treatment of rows whose time is in no partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outside {
    /// They are an error.
    #[default]
    Error,
    /// They are left out, and counted.
    Skip,
}

impl Partitions {
    /// Returns whether a partition of each with the same key is the same stretch of time.
    #[must_use]
    pub fn divide_like(&self, other: &Self) -> bool {
        self.every == other.every && self.timezone == other.timezone
    }

    /// Reports boundaries that are in the wrong order or inside a partition, and partitions that
    /// are too many. `path` is the place of the partitions in the file.
    pub fn validate(&self, path: &KeyPath, report: &mut Report<'_>) {
        let zone = self.timezone.time_zone();
        let ends_before_it_starts = report.interval(Some(self.start), self.end, zone, path, ("start", "end"));
        let mut aligned = true;
        for (key, point) in [("start", Some(self.start)), ("end", self.end)] {
            let Some(point) = point else { continue };
            if let Some(boundary) = boundary_before(self, point) {
                aligned = false;
                report.invalid(
                    &path.key(key),
                    format!("`{point}` is inside {}", self.every.noun()),
                    format!("partitions begin and end with one: write `{boundary}` or the one after"),
                );
            }
        }
        if let Some(end) = self.end.filter(|_| aligned && !ends_before_it_starts)
            && count_exceeds(self, end, MAX_PARTITIONS)
        {
            report.invalid(
                &path.key("every"),
                format!("these are more than {MAX_PARTITIONS} partitions"),
                "each is an index of its own: choose longer partitions or a shorter range",
            );
        }
    }
}
