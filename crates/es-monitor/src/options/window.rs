//! The windows of a monitor, and how they become instants.

use es_values::{TimePoint, TimeSpan, TimeZoneName};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};
use crate::interval::Interval;

/// A window between two points in time; the end is exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReferenceWindow {
    /// The start.
    pub from: TimePoint,
    /// The exclusive end.
    pub to: TimePoint,
}

/// The window that is compared with the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, deny_unknown_fields)]
pub enum CurrentWindow {
    /// A window between two points in time; the end is exclusive.
    Between {
        /// The start.
        from: TimePoint,
        /// The exclusive end.
        to: TimePoint,
    },
    /// The last stretch of elapsed time: 30 days are 720 hours.
    Last {
        /// The length of the window.
        last: TimeSpan,
        /// The end of the window.
        #[serde(default)]
        until: Until,
    },
}

/// The end of a window that covers the last stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// The time of the evaluation.
    #[default]
    Now,
    /// The newest document that the monitor selects, which is in the window; the time of the
    /// evaluation where there is none.
    Latest,
}

impl ReferenceWindow {
    /// Resolves the window to instants of a time zone.
    pub(crate) fn resolve(self, zone: &TimeZoneName) -> Result<Interval, Error> {
        between(self.from, self.to, zone)
    }
}

impl CurrentWindow {
    /// Returns true when the newest document must be known to resolve the window.
    pub(crate) fn needs_latest(self) -> bool {
        matches!(self, Self::Last { until: Until::Latest, .. })
    }

    /// Resolves the window to instants, given the time of the evaluation and of the newest
    /// document.
    pub(crate) fn resolve(
        self,
        zone: &TimeZoneName,
        now: Timestamp,
        latest: Option<Timestamp>,
    ) -> Result<Interval, Error> {
        match self {
            Self::Between { from, to } => between(from, to, zone),
            Self::Last { last, until } => {
                let to = match (until, latest) {
                    // Times of documents have milliseconds; the next one is the first after them.
                    (Until::Latest, Some(latest)) => latest.checked_add(SignedDuration::from_millis(1)),
                    _ => Ok(now),
                };
                let outside = || {
                    Error::new(ErrorKind::Definition, format!("the current window, the last {last}, is out of range"))
                        .with_help("choose a shorter window")
                };
                let to = to.map_err(|_| outside())?;
                let length = SignedDuration::try_from(last.to_duration()).map_err(|_| outside())?;
                Ok(Interval { from: to.checked_sub(length).map_err(|_| outside())?, to })
            }
        }
    }
}

impl From<ReferenceWindow> for CurrentWindow {
    fn from(window: ReferenceWindow) -> Self {
        Self::Between { from: window.from, to: window.to }
    }
}

fn between(from: TimePoint, to: TimePoint, zone: &TimeZoneName) -> Result<Interval, Error> {
    let instant = |point: TimePoint| {
        point.to_timestamp(zone.time_zone()).map_err(|error| {
            Error::new(ErrorKind::Definition, format!("the time {point} of a window is out of range: {error}"))
        })
    };
    Ok(Interval { from: instant(from)?, to: instant(to)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn point(text: &str) -> TimePoint {
        text.parse().unwrap()
    }

    #[test]
    fn windows_become_half_open_intervals() {
        let (now, latest) = ("2013-12-01T00:00:00Z".parse().unwrap(), "2013-11-03T07:30:00.250Z".parse().unwrap());
        let (utc, zone) = (TimeZoneName::default(), "America/New_York".parse().unwrap());
        let between = |from: &str, to: &str| CurrentWindow::Between { from: point(from), to: point(to) };
        let last = |until| CurrentWindow::Last { last: "24h".parse().unwrap(), until };
        let table = [
            (between("2013-06-01", "2013-07-01"), &utc, Some(latest), "2013-06-01T00:00:00Z to 2013-07-01T00:00:00Z"),
            (between("2013-03-10", "2013-03-11"), &zone, None, "2013-03-10T05:00:00Z to 2013-03-11T04:00:00Z"),
            (last(Until::Now), &zone, Some(latest), "2013-11-30T00:00:00Z to 2013-12-01T00:00:00Z"),
            (last(Until::Latest), &utc, Some(latest), "2013-11-02T07:30:00.251Z to 2013-11-03T07:30:00.251Z"),
            (last(Until::Latest), &utc, None, "2013-11-30T00:00:00Z to 2013-12-01T00:00:00Z"),
        ];
        for (window, zone, latest, expected) in table {
            assert_eq!(window.resolve(zone, now, latest).unwrap().to_string(), expected, "{window:?}");
        }
        let june = ReferenceWindow { from: point("2013-06-01"), to: point("2013-07-01") };
        assert_eq!(june.resolve(&utc).unwrap().to_string(), "2013-06-01T00:00:00Z to 2013-07-01T00:00:00Z");
        assert_eq!(CurrentWindow::from(june), between("2013-06-01", "2013-07-01"));
    }

    #[test]
    fn a_window_before_the_first_year_is_out_of_range() {
        let endless = CurrentWindow::Last { last: "510000w".parse().unwrap(), until: Until::Now };
        let error = endless.resolve(&TimeZoneName::default(), Timestamp::MIN, None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Definition);
        assert_eq!(error.to_string(), "the current window, the last 510000w, is out of range");
    }

    #[test]
    fn a_window_ends_now_unless_it_says_otherwise() {
        let window: CurrentWindow = serde_json::from_value(json!({"last": "30d"})).unwrap();
        assert_eq!(window, CurrentWindow::Last { last: "30d".parse().unwrap(), until: Until::Now });
        let window: CurrentWindow = serde_json::from_value(json!({"last": "30d", "until": "latest"})).unwrap();
        assert!(window.needs_latest());
        assert!(serde_json::from_value::<CurrentWindow>(json!({"last": "30d", "to": "2013-01-01"})).is_err());
    }
}
