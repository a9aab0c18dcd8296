//! The spans of time that are compared, and how they are resolved to instants.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::{Error, ErrorKind};

/// A span of time as a monitor names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// From an instant, up to and not including another.
    Between {
        /// The first instant that belongs to it.
        from: Timestamp,
        /// The first instant after it.
        to: Timestamp,
    },
    /// The last stretch of elapsed time: 30 days are 720 hours.
    Last {
        /// How long it is.
        duration: SignedDuration,
        /// Where it ends.
        until: Until,
    },
}

/// Where a [`Window::Last`] ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// With the newest document that the monitor's query matches, which belongs to it.
    /// Where there is none: now.
    Latest,
    /// When the evaluation starts.
    Now,
}

/// A window as instants: `from` belongs to it, `to` does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    /// The first instant that belongs to it.
    pub from: Timestamp,
    /// The first instant after it.
    pub to: Timestamp,
}

impl Window {
    /// Whether the newest document must be known to resolve it.
    pub(crate) fn needs_latest(&self) -> bool {
        matches!(self, Self::Last { until: Until::Latest, .. })
    }

    /// The instants, given the time of the evaluation and of the newest document.
    pub(crate) fn resolve(&self, now: Timestamp, latest: Option<Timestamp>) -> Result<Interval, Error> {
        match *self {
            Self::Between { from, to } => Ok(Interval { from, to }),
            Self::Last { duration, until } => {
                let to = match (until, latest) {
                    // Times of documents have milliseconds; the next one is the first after them.
                    (Until::Latest, Some(latest)) => latest.checked_add(SignedDuration::from_millis(1)),
                    _ => Ok(now),
                };
                let outside = |_| Error::new(ErrorKind::Spec, format!("the window of {duration:#} is out of range"));
                let to = to.map_err(outside)?;
                Ok(Interval { from: to.checked_sub(duration).map_err(outside)?, to })
            }
        }
    }
}

impl Interval {
    /// Whether an instant belongs to both.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.from < other.to && other.from < self.to
    }

    /// The query for the documents whose time lies in it and that `query` matches.
    pub(crate) fn query(&self, time_field: &str, query: Option<&Value>) -> Value {
        let within = json!({"range": {time_field: {
            "gte": self.from.to_string(), "lt": self.to.to_string(), "format": "strict_date_optional_time_nanos",
        }}});
        let filters: Vec<Value> = [within].into_iter().chain(query.cloned()).collect();
        json!({"bool": {"filter": filters}})
    }
}

impl std::fmt::Display for Interval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} to {}", self.from, self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instant(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn windows_become_half_open_intervals() {
        let (now, latest) = (instant("2013-12-01T00:00:00Z"), instant("2013-11-03T07:30:00.250Z"));
        let between = Window::Between { from: instant("2013-06-01T00:00:00Z"), to: instant("2013-07-01T00:00:00Z") };
        let last = |until| Window::Last { duration: SignedDuration::from_hours(24), until };
        let table = [
            (between, Some(latest), "2013-06-01T00:00:00Z to 2013-07-01T00:00:00Z"),
            (last(Until::Now), Some(latest), "2013-11-30T00:00:00Z to 2013-12-01T00:00:00Z"),
            (last(Until::Latest), Some(latest), "2013-11-02T07:30:00.251Z to 2013-11-03T07:30:00.251Z"),
            (last(Until::Latest), None, "2013-11-30T00:00:00Z to 2013-12-01T00:00:00Z"),
        ];
        for (window, latest, expected) in table {
            assert_eq!(window.resolve(now, latest).unwrap().to_string(), expected, "{window:?}");
        }
        let endless = Window::Last { duration: SignedDuration::MAX, until: Until::Now };
        assert_eq!(endless.resolve(now, None).unwrap_err().kind(), ErrorKind::Spec);
    }

    #[test]
    fn touching_windows_do_not_overlap() {
        let days = |from: &str, to: &str| Interval { from: instant(from), to: instant(to) };
        let june = days("2013-06-01T00:00:00Z", "2013-07-01T00:00:00Z");
        let july = days("2013-07-01T00:00:00Z", "2013-08-01T00:00:00Z");
        assert!(!june.overlaps(&july) && !july.overlaps(&june));
        assert!(june.overlaps(&days("2013-06-30T23:59:59Z", "2013-07-02T00:00:00Z")));
    }

    #[test]
    fn the_query_keeps_the_end_out_and_the_users_query_in() {
        let interval = Interval { from: instant("2013-06-01T00:00:00Z"), to: instant("2013-07-01T00:00:00Z") };
        let found = interval.query("time_hour", Some(&json!({"term": {"origin": "JFK"}})));
        let expected = json!({"bool": {"filter": [
            {"range": {"time_hour": {"gte": "2013-06-01T00:00:00Z", "lt": "2013-07-01T00:00:00Z",
                "format": "strict_date_optional_time_nanos"}}},
            {"term": {"origin": "JFK"}},
        ]}});
        assert_eq!(found, expected);
    }
}
