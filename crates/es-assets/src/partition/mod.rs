//! Partitions: the half-open stretches of time that divide an asset.
//!
//! Boundaries are readings of the calendar and clock of a time zone, so that a day is
//! 23 or 25 hours long when the clocks change. Partitions tile their range: every
//! instant in it is in exactly one.

mod definition;

use std::fmt;

use jiff::civil::{Date, DateTime, ISOWeekDate, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Span, Timestamp};
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};
use es_values::TimePoint;
use es_values::nearest;

pub use definition::{Every, Outside, Partitions};

/// More partitions than this are refused: each is an index of its own.
const MAX_PARTITIONS: usize = 10_000;

/// The name of a partition: `2013`, `2013-01`, `2013-W05`, `2013-01-01` or
/// `2013-01-01T05`.
///
/// An hour that the clock shows twice is told apart by its offset from UTC:
/// `2013-11-03T01-0400` and `2013-11-03T01-0500`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PartitionKey(String);

impl PartitionKey {
    /// The key with this text, as read back from where it was stored.
    #[must_use]
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text of the key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key as part of an index name, which must be lower case: `2013-w05`.
    #[must_use]
    pub fn index_name_part(&self) -> String {
        self.0.to_lowercase()
    }
}

impl fmt::Display for PartitionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A stretch of time, `[start, end)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Its name.
    pub key: PartitionKey,
    /// Its first instant.
    pub start: Timestamp,
    /// The first instant after it.
    pub end: Timestamp,
}

impl Partition {
    /// Returns whether `instant` is in it.
    #[must_use]
    pub fn contains(&self, instant: Timestamp) -> bool {
        self.start <= instant && instant < self.end
    }
}

/// The partition of `partitions` that holds `instant`. They must be in order, as
/// [`Partitions::declared`] gives them.
#[must_use]
pub fn partition_of(partitions: &[Partition], instant: Timestamp) -> Option<&Partition> {
    let after = partitions.partition_point(|partition| partition.start <= instant);
    partitions.get(after.checked_sub(1)?).filter(|partition| partition.contains(instant))
}

/// Which partitions of an asset are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum PartitionFilter {
    /// All of them.
    #[default]
    All,
    /// The one of this key.
    One(PartitionKey),
    /// Those that hold a moment from `from` on and before `to`.
    Range {
        /// The first moment.
        from: Option<TimePoint>,
        /// The moment after the last.
        to: Option<TimePoint>,
    },
}

impl PartitionFilter {
    /// The partitions that hold a moment from `from` on and before `to`; each is a date, a
    /// time, or the key of a partition, which stands for its start.
    ///
    /// # Errors
    /// When a text is none of these.
    pub fn range(from: Option<&str>, to: Option<&str>) -> Result<Self, Error> {
        let bound = |text: Option<&str>| text.map(bound).transpose();
        Ok(Self::Range { from: bound(from)?, to: bound(to)? })
    }

    /// The partitions of `partitions` that are meant, at the present moment `now`.
    ///
    /// # Errors
    /// When there are none that are meant, or too many.
    pub fn select(&self, partitions: &Partitions, now: Timestamp) -> Result<Vec<Partition>, Error> {
        let declared = partitions.declared(now)?;
        let extent = |declared: &[Partition]| match (declared.first(), declared.last()) {
            (Some(first), Some(last)) => format!("the partitions are `{}` to `{}`", first.key, last.key),
            _ => "there are no partitions yet".to_owned(),
        };
        match self {
            Self::All => Ok(declared),
            Self::One(key) => match declared.iter().find(|partition| partition.key == *key) {
                Some(partition) => Ok(vec![partition.clone()]),
                None => {
                    let keys = declared.iter().map(|partition| partition.key.as_str());
                    // `2013-5` lacks a zero, while `2014-05` is not a typo of a month of 2013.
                    let near = nearest(key.as_str(), keys).filter(|near| near.len() == key.0.len() + 1);
                    let help = match near {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => extent(&declared),
                    };
                    Err(Error::new(ErrorKind::UnknownPartition, format!("there is no partition `{key}`"), help))
                }
            },
            Self::Range { from, to } => {
                let zone = partitions.timezone.time_zone();
                let instant = |point: Option<TimePoint>| {
                    point.map(|point| point.to_timestamp(zone)).transpose().map_err(|error| out_of_range(&error))
                };
                let (from, to) = (instant(*from)?, instant(*to)?);
                let help = extent(&declared);
                let is_meant = |partition: &Partition| {
                    from.is_none_or(|from| partition.end > from) && to.is_none_or(|to| partition.start < to)
                };
                let meant: Vec<Partition> = declared.into_iter().filter(is_meant).collect();
                if meant.is_empty() {
                    return Err(Error::new(ErrorKind::UnknownPartition, "there is no partition in this range", help));
                }
                Ok(meant)
            }
        }
    }
}

fn out_of_range(error: &jiff::Error) -> Error {
    Error::new(
        ErrorKind::PartitionRange,
        format!("the partitions reach beyond the calendar: {error}"),
        "choose dates between the years 1 and 9999",
    )
}

/// The moment that `text`, a time or the key of a partition, stands for.
fn bound(text: &str) -> Result<TimePoint, Error> {
    let number = |range: std::ops::Range<usize>| text.get(range).and_then(|digits| digits.parse::<i16>().ok());
    let year = number(0..4).filter(|_| text.bytes().take(4).all(|byte| byte.is_ascii_digit()));
    let key = match (text.len(), year) {
        (4, Some(year)) => Date::new(year, 1, 1).ok(),
        (7, Some(year)) if text.as_bytes()[4] == b'-' => {
            number(5..7).and_then(|month| Date::new(year, i8::try_from(month).ok()?, 1).ok())
        }
        (8, Some(year)) if text.get(4..6) == Some("-W") => {
            let week = number(6..8).and_then(|week| i8::try_from(week).ok());
            week.and_then(|week| Some(ISOWeekDate::new(year, week, Weekday::Monday).ok()?.date()))
        }
        _ => None,
    };
    if let Some(date) = key {
        return Ok(TimePoint::Date(date));
    }
    let hour = (text.len() == 13).then(|| format!("{text}:00"));
    let point: Result<TimePoint, _> = hour.as_deref().unwrap_or(text).parse();
    point.map_err(|error| {
        Error::new(
            ErrorKind::Syntax,
            format!("`{text}` is neither a time nor a partition"),
            error.help.unwrap_or_default(),
        )
    })
}

impl Partitions {
    /// The partitions from `start` to `end`, or to the one of the present moment `now`
    /// where there is no `end`.
    ///
    /// # Errors
    /// When they are more than ten thousand or reach beyond the calendar.
    pub fn declared(&self, now: Timestamp) -> Result<Vec<Partition>, Error> {
        let zone = self.timezone.time_zone();
        let end = match self.end {
            Some(end) => end.to_timestamp(zone).map_err(|error| out_of_range(&error))?,
            // The end is not in the range, and the partition that holds `now` is.
            None => now.saturating_add(SignedDuration::from_nanos(1)).unwrap_or(Timestamp::MAX),
        };
        let partitions = tiles(self, end, MAX_PARTITIONS + 1).map_err(|error| out_of_range(&error))?;
        if partitions.len() > MAX_PARTITIONS {
            return Err(Error::new(
                ErrorKind::PartitionRange,
                format!("there are more than {MAX_PARTITIONS} partitions"),
                "each is an index of its own: choose longer partitions or a later start",
            ));
        }
        Ok(partitions)
    }
}

/// Returns whether there are more than `limit` partitions before `end`.
fn count_exceeds(partitions: &Partitions, end: TimePoint, limit: usize) -> bool {
    end.to_timestamp(partitions.timezone.time_zone())
        .and_then(|end| tiles(partitions, end, limit + 1))
        .is_ok_and(|tiles| tiles.len() > limit)
}

/// The start of the partition that `point` is inside of; `None` when `point` is itself
/// the beginning of a partition.
fn boundary_before(partitions: &Partitions, point: TimePoint) -> Option<TimePoint> {
    let zone = partitions.timezone.time_zone();
    let reading = point.to_civil(zone);
    if partitions.every == Every::Hour {
        let hour = reading.date().at(reading.hour(), 0, 0, 0);
        return (hour != reading).then_some(TimePoint::Civil(hour));
    }
    let boundary = TimePoint::Date(first_day(partitions.every, reading.date()));
    // They are compared as instants, because midnight may be a reading that the clock skips.
    let is_boundary = boundary.to_timestamp(zone).ok() == point.to_timestamp(zone).ok();
    (!is_boundary).then_some(boundary)
}

/// The first day of the day, week, month or year that `date` is in.
fn first_day(every: Every, date: Date) -> Date {
    match every {
        Every::Hour | Every::Day => date,
        Every::Week => {
            let monday = date.iso_week_date();
            ISOWeekDate::new(monday.year(), monday.week(), Weekday::Monday).map_or(date, ISOWeekDate::date)
        }
        Every::Month => date.first_of_month(),
        Every::Year => date.first_of_year(),
    }
}

/// The partitions that begin before `end`, at most `limit`.
fn tiles(partitions: &Partitions, end: Timestamp, limit: usize) -> Result<Vec<Partition>, jiff::Error> {
    let zone = partitions.timezone.time_zone();
    let start = partitions.start;
    match partitions.every {
        Every::Hour => hours(start.to_timestamp(zone)?, end, zone, limit),
        every => days(every, start.to_civil(zone).date(), end, zone, limit),
    }
}

fn days(
    every: Every,
    first: Date,
    end: Timestamp,
    zone: &TimeZone,
    limit: usize,
) -> Result<Vec<Partition>, jiff::Error> {
    let step = match every {
        Every::Hour | Every::Day => Span::new().days(1),
        Every::Week => Span::new().weeks(1),
        Every::Month => Span::new().months(1),
        Every::Year => Span::new().years(1),
    };
    let midnight = |date: Date| zone.to_timestamp(date.to_datetime(Time::midnight()));
    let mut partitions = Vec::new();
    let mut date = first_day(every, first);
    let mut start = midnight(date)?;
    while start < end && partitions.len() < limit {
        let next_date = date.checked_add(step)?;
        let next = midnight(next_date)?;
        // A zone that moves across the date line skips whole days.
        if start < next {
            partitions.push(Partition { key: day_key(every, date), start, end: next });
        }
        (date, start) = (next_date, next);
    }
    Ok(partitions)
}

fn day_key(every: Every, date: Date) -> PartitionKey {
    PartitionKey(match every {
        Every::Hour | Every::Day => date.to_string(),
        Every::Week => {
            let week = date.iso_week_date();
            format!("{:04}-W{:02}", week.year(), week.week())
        }
        Every::Month => date.strftime("%Y-%m").to_string(),
        Every::Year => date.strftime("%Y").to_string(),
    })
}

/// Hours of the clock. A partition also ends where the clock is put forward or back, so
/// that all its instants show the same hour at the same offset.
fn hours(first: Timestamp, end: Timestamp, zone: &TimeZone, limit: usize) -> Result<Vec<Partition>, jiff::Error> {
    let mut partitions = Vec::new();
    let mut start = first;
    while start < end && partitions.len() < limit {
        let offset = zone.to_offset(start);
        let reading = offset.to_datetime(start);
        let hour = reading.date().at(reading.hour(), 0, 0, 0);
        let full_hour = hour.checked_add(Span::new().hours(1)).and_then(|next| offset.to_timestamp(next))?;
        let change = zone
            .following(start)
            .take_while(|change| change.timestamp() < full_hour)
            .find(|change| change.offset() != offset)
            .map(|change| change.timestamp());
        let next = change.unwrap_or(full_hour);
        partitions.push(Partition { key: hour_key(hour, start, zone), start, end: next });
        start = next;
    }
    Ok(partitions)
}

fn hour_key(hour: DateTime, start: Timestamp, zone: &TimeZone) -> PartitionKey {
    let key = hour.strftime("%Y-%m-%dT%H").to_string();
    let offset = zone.to_offset(start);
    // The clock may repeat the whole hour or a part of it, and then its end.
    let end_of_hour = hour.date().at(hour.hour(), 59, 59, 0);
    let is_repeated = [hour, end_of_hour]
        .into_iter()
        .any(|reading| matches!(zone.to_ambiguous_timestamp(reading).offset(), AmbiguousOffset::Fold { .. }));
    if is_repeated {
        let seconds = offset.seconds();
        let sign = if seconds < 0 { '-' } else { '+' };
        let minutes = seconds.abs() / 60;
        return PartitionKey(format!("{key}{sign}{:02}{:02}", minutes / 60, minutes % 60));
    }
    PartitionKey(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn partitions(every: &str, start: &str, end: Option<&str>, zone: &str) -> Partitions {
        serde_json::from_value(json!({ "every": every, "start": start, "end": end, "timezone": zone })).unwrap()
    }

    fn keys(partitions: &[Partition]) -> Vec<&str> {
        partitions.iter().map(|partition| partition.key.as_str()).collect()
    }

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn keys_name_their_stretch() {
        let cases: [(&str, &str, &str, &[&str]); 6] = [
            ("year", "2012-01-01", "2014-01-01", &["2012", "2013"]),
            ("month", "2013-11-01", "2014-02-01", &["2013-11", "2013-12", "2014-01"]),
            ("week", "2012-12-31", "2013-01-14", &["2013-W01", "2013-W02"]),
            ("day", "2013-02-27", "2013-03-02", &["2013-02-27", "2013-02-28", "2013-03-01"]),
            ("hour", "2013-01-01T22:00", "2013-01-02", &["2013-01-01T22", "2013-01-01T23"]),
            ("week", "2020-12-28", "2021-01-11", &["2020-W53", "2021-W01"]),
        ];
        for (every, start, end, expected) in cases {
            let declared = partitions(every, start, Some(end), "America/New_York").declared(NOW).unwrap();
            assert_eq!(keys(&declared), expected, "{every}");
        }
    }

    #[test]
    fn days_and_hours_follow_the_clock() {
        let zone = "America/New_York";
        let lengths = |every: &str, start: &str, end: &str, zone: &str| -> Vec<(String, i64)> {
            let declared = partitions(every, start, Some(end), zone).declared(NOW).unwrap();
            declared
                .into_iter()
                .map(|partition| (partition.key.0, partition.end.duration_since(partition.start).as_mins()))
                .collect()
        };
        let expected = [("2013-03-09", 1440), ("2013-03-10", 1380), ("2013-03-11", 1440)];
        assert_eq!(lengths("day", "2013-03-09", "2013-03-12", zone), expected.map(|(key, m)| (key.to_owned(), m)));

        let expected = [("2013-03-10T01", 60), ("2013-03-10T03", 60)];
        assert_eq!(
            lengths("hour", "2013-03-10T01:00", "2013-03-10T04:00", zone),
            expected.map(|(key, m)| (key.to_owned(), m))
        );
        let expected =
            [("2013-11-03T00", 60), ("2013-11-03T01-0400", 60), ("2013-11-03T01-0500", 60), ("2013-11-03T02", 60)];
        assert_eq!(
            lengths("hour", "2013-11-03T00:00", "2013-11-03T03:00", zone),
            expected.map(|(key, m)| (key.to_owned(), m))
        );
        // The clock of Lord Howe Island moves by half an hour.
        let expected = [("2013-04-07T01+1100", 60), ("2013-04-07T01+1030", 30), ("2013-04-07T02", 60)];
        assert_eq!(
            lengths("hour", "2013-04-07T01:00", "2013-04-07T03:00", "Australia/Lord_Howe"),
            expected.map(|(key, m)| (key.to_owned(), m))
        );
        // Samoa moved across the date line and had no 30 December 2011.
        let expected = [("2011-12-29", 1440), ("2011-12-31", 1440)];
        assert_eq!(
            lengths("day", "2011-12-29", "2012-01-01", "Pacific/Apia"),
            expected.map(|(key, m)| (key.to_owned(), m))
        );
    }

    #[test]
    fn without_an_end_the_present_partition_is_the_last() {
        let open = partitions("month", "2013-01-01", None, "UTC");
        let at = |now: &str| open.declared(now.parse().unwrap()).unwrap();
        assert_eq!(keys(&at("2013-02-28T23:59:59Z")), ["2013-01", "2013-02"]);
        assert_eq!(keys(&at("2013-03-01T00:00:00Z")), ["2013-01", "2013-02", "2013-03"]);
        assert!(at("2012-12-31T00:00:00Z").is_empty());
        let hours = partitions("hour", "1970-01-01", None, "UTC");
        let error = hours.declared("2013-01-01T00:00:00Z".parse().unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PartitionRange);
    }

    #[test]
    fn filters_choose() {
        let year = partitions("month", "2013-01-01", Some("2014-01-01"), "America/New_York");
        let range = |from, to| PartitionFilter::range(from, to).unwrap().select(&year, NOW);
        let cases: [(Option<&str>, Option<&str>, &[&str]); 6] = [
            (Some("2013-06"), Some("2013-08"), &["2013-06", "2013-07"]),
            (Some("2013-06-15"), Some("2013-07-01"), &["2013-06"]),
            (Some("2013-11"), None, &["2013-11", "2013-12"]),
            (None, Some("2013-W02"), &["2013-01"]),
            (Some("2013-12-31T23"), Some("2014"), &["2013-12"]),
            (Some("2014-01-01T04:59:59Z"), None, &["2013-12"]),
        ];
        for (from, to, expected) in cases {
            assert_eq!(keys(&range(from, to).unwrap()), expected, "{from:?} {to:?}");
        }
        let error = range(Some("2014-01"), None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnknownPartition);
        assert_eq!(error.help(), Some("the partitions are `2013-01` to `2013-12`"));

        let one = |key: &str| PartitionFilter::One(PartitionKey::from_text(key)).select(&year, NOW);
        assert_eq!(keys(&one("2013-05").unwrap()), ["2013-05"]);
        assert_eq!(one("2013-5").unwrap_err().help(), Some("did you mean `2013-05`?"));
        assert_eq!(one("2014-05").unwrap_err().to_string(), "there is no partition `2014-05`");
        for text in ["", "june", "2013-13", "2013-W54", "2013-06-31"] {
            assert_eq!(PartitionFilter::range(Some(text), None).unwrap_err().kind(), ErrorKind::Syntax, "{text}");
        }
    }

    #[test]
    fn boundaries_are_recognized() {
        let cases = [
            ("month", "2013-01-15", Some("2013-01-01")),
            ("month", "2013-01-01T00:00", None),
            ("month", "2013-01-01T05:00:00Z", None),
            ("month", "2013-01-01T00:00:00Z", Some("2012-12-01")),
            ("week", "2013-01-01", Some("2012-12-31")),
            ("year", "2013-02-01", Some("2013-01-01")),
            ("day", "2013-02-01T06:00", Some("2013-02-01")),
            ("hour", "2013-02-01T06:30", Some("2013-02-01T06:00:00")),
            ("hour", "2013-11-03T06:00:00Z", None),
        ];
        for (every, point, expected) in cases {
            let partitions = partitions(every, "2000-01-01", None, "America/New_York");
            let boundary = boundary_before(&partitions, point.parse().unwrap());
            assert_eq!(boundary.map(|boundary| boundary.to_string()).as_deref(), expected, "{every} {point}");
        }
    }

    /// Zones whose clocks change at midnight, by half an hour, across the date line, or
    /// from one minute past midnight back into the day before.
    const ZONES: [&str; 8] = [
        "UTC",
        "America/New_York",
        "America/Sao_Paulo",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "America/St_Johns",
        "America/Havana",
        "Asia/Kathmandu",
    ];

    proptest! {
        #[test]
        fn partitions_tile_their_range(
            zone in prop::sample::select(&ZONES[..]),
            every in prop::sample::select(&["hour", "day", "week", "month", "year"][..]),
            day in 0i32..16_000,
            length in 1i64..40,
            inside in 0.0..1.0f64,
        ) {
            let first = Date::new(1975, 1, 1).unwrap().checked_add(Span::new().days(day)).unwrap();
            let mut partitions = partitions(every, "1970-01-01", None, zone);
            let start = first_day(partitions.every, first);
            partitions.start = TimePoint::Date(start);
            let end = match partitions.every {
                Every::Hour | Every::Day => start + Span::new().days(length.min(20)),
                Every::Week => start + Span::new().weeks(length),
                Every::Month => start + Span::new().months(length),
                Every::Year => start + Span::new().years(length.min(10)),
            };
            partitions.end = Some(TimePoint::Date(end));
            let declared = partitions.declared(NOW).unwrap();
            let zone = partitions.timezone.time_zone();
            let (from, to) = (
                partitions.start.to_timestamp(zone).unwrap(),
                TimePoint::Date(end).to_timestamp(zone).unwrap(),
            );
            prop_assume!(from < to);
            prop_assert_eq!(declared.first().unwrap().start, from);
            prop_assert_eq!(declared.last().unwrap().end, to);
            for pair in declared.windows(2) {
                prop_assert_eq!(pair[0].end, pair[1].start);
            }
            let mut names = keys(&declared);
            names.sort_unstable();
            names.dedup();
            prop_assert_eq!(names.len(), declared.len());
            for partition in &declared {
                prop_assert!(partition.start < partition.end);
            }
            let seconds = to.duration_since(from).as_secs_f64() * inside;
            let instant = from + SignedDuration::from_secs_f64(seconds);
            let holders = declared.iter().filter(|partition| partition.contains(instant)).count();
            prop_assert_eq!(holders, 1);
            prop_assert!(partition_of(&declared, instant).unwrap().contains(instant));
            prop_assert_eq!(partition_of(&declared, to), None);
            prop_assert_eq!(partition_of(&declared, from - SignedDuration::from_nanos(1)), None);
        }
    }
}
