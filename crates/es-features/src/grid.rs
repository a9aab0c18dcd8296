//! The times of the rows. Pure: the extent of the data is an argument.

use std::time::Duration;

use es_values::{TimePoint, TimeUnit};

use jiff::civil::{Date, Time, date};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use crate::error::{Error, ErrorKind};
use crate::options::FeatureSet;

/// Regular instants of a time zone.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Grid {
    every: Step,
    /// The zone in which days and weeks begin.
    time_zone: TimeZone,
    /// The lower limit of the first instant; by default, that is the first of the grid after the
    /// oldest document.
    start: Option<Timestamp>,
    /// The exclusive upper limit of the last instant; by default, that is the first of the grid
    /// after the newest document.
    end: Option<Timestamp>,
}

/// The step of a [`Grid`]; its numbers are not zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Elapsed time, counted from the first midnight of 1970 in the zone. Where clocks change, the
    /// local hour of the instants changes with them.
    Elapsed(Duration),
    /// Calendar days, at the first moment of the day, counted from 1970-01-01.
    Days(u32),
    /// Weeks, at the first moment of the Monday, counted from 1970-01-05.
    Weeks(u32),
}

const EPOCH: Date = date(1970, 1, 1);
/// The first Monday, in days from [`EPOCH`].
const FIRST_MONDAY: i64 = 4;

impl FeatureSet {
    /// The grid of times of the rows.
    pub(crate) fn grid(&self) -> Result<Grid, Error> {
        let time_zone = self.timezone.time_zone();
        let instant = |point: Option<TimePoint>| {
            point.map(|point| point.to_timestamp(time_zone)).transpose().map_err(|error| {
                Error::new(ErrorKind::Definition, format!("a limit of the grid is out of range: {error}"))
            })
        };
        let every = match self.every.unit() {
            TimeUnit::Day => Step::Days(self.every.count()),
            TimeUnit::Week => Step::Weeks(self.every.count()),
            _ => Step::Elapsed(self.every.to_duration()),
        };
        Ok(Grid { every, time_zone: time_zone.clone(), start: instant(self.start)?, end: instant(self.end)? })
    }
}

impl Grid {
    /// The first instant after `time`. `None` at the end of representable time.
    pub(crate) fn next_after(&self, time: Timestamp) -> Option<Timestamp> {
        match self.every.in_days() {
            None => self.elapsed(time, 1),
            Some((step, offset)) => {
                let mut day = self.step_start(time, step, offset)?;
                loop {
                    let instant = self.day_start(day)?;
                    if instant > time {
                        return Some(instant);
                    }
                    day += step;
                }
            }
        }
    }

    /// The last instant before `time`. `None` at the beginning of representable time.
    pub(crate) fn last_before(&self, time: Timestamp) -> Option<Timestamp> {
        match self.every.in_days() {
            None => {
                // The instant at or before `time` is one step before the one after it.
                let at_or_before = self.elapsed(time, 0)?;
                if at_or_before < time { Some(at_or_before) } else { self.elapsed(time, -1) }
            }
            Some((step, offset)) => {
                let mut day = self.step_start(time, step, offset)? + step;
                loop {
                    let instant = self.day_start(day)?;
                    if instant < time {
                        return Some(instant);
                    }
                    day -= step;
                }
            }
        }
    }

    /// The instants for documents with times from `oldest` to `newest`, in order.
    pub(crate) fn instants(&self, oldest: Timestamp, newest: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
        let first = match self.start {
            None => self.next_after(oldest),
            // The first one at or after the start.
            Some(start) => match start.checked_sub(1.nanosecond()) {
                Ok(before) => self.next_after(before),
                Err(_) => None,
            },
        };
        let default_last = self.next_after(newest);
        let within = move |instant: &Timestamp| match (self.end, default_last) {
            (Some(end), _) => *instant < end,
            (None, Some(last)) => *instant <= last,
            (None, None) => true,
        };
        std::iter::successors(first, |instant| self.next_after(*instant)).take_while(within)
    }

    /// The instant that is `steps` steps from the last one at or before `time`.
    fn elapsed(&self, time: Timestamp, steps: i128) -> Option<Timestamp> {
        let Step::Elapsed(step) = self.every else { return None };
        let step = i128::try_from(step.as_nanos()).ok().filter(|step| *step > 0)?;
        let anchor = self.day_start(0)?.as_nanosecond();
        let passed = (time.as_nanosecond() - anchor).div_euclid(step);
        Timestamp::from_nanosecond(anchor + (passed + steps) * step).ok()
    }

    /// The first day, counted from [`EPOCH`], of the step that `time` lies in; as a zone may skip a
    /// day, it may be off by one step.
    fn step_start(&self, time: Timestamp, step: i64, offset: i64) -> Option<i64> {
        let today = time.to_zoned(self.time_zone.clone()).date();
        let days = i64::from(today.since((jiff::Unit::Day, EPOCH)).ok()?.get_days());
        Some((days - offset).div_euclid(step) * step + offset)
    }

    /// The first moment of a day, which need not be midnight.
    fn day_start(&self, days_from_epoch: i64) -> Option<Timestamp> {
        let day = EPOCH.checked_add(days_from_epoch.days()).ok()?;
        let start = self.time_zone.to_zoned(day.to_datetime(Time::midnight())).ok()?;
        Some(start.timestamp())
    }
}

impl Step {
    /// The step in days, and the day from which they count.
    fn in_days(self) -> Option<(i64, i64)> {
        match self {
            Self::Elapsed(_) => None,
            Self::Days(days) => Some((i64::from(days), 0)),
            Self::Weeks(weeks) => Some((i64::from(weeks) * 7, FIRST_MONDAY)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The grid of a feature set with this step and time zone.
    fn grid_of(every: &str, zone: &str) -> Grid {
        let mut set = FeatureSet::new(["e"], "t", every.parse().unwrap());
        set.timezone = zone.parse().unwrap();
        set.grid().unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn texts(grid: &Grid, oldest: &str, newest: &str) -> Vec<String> {
        grid.instants(at(oldest), at(newest)).map(|instant| instant.to_string()).collect()
    }

    #[test]
    fn the_default_extent_runs_from_the_first_instant_after_the_oldest_to_that_after_the_newest() {
        let grid = grid_of("1d", "UTC");
        assert_eq!(
            texts(&grid, "2013-01-01T10:00:00Z", "2013-01-02T23:59:59Z"),
            ["2013-01-02T00:00:00Z", "2013-01-03T00:00:00Z"]
        );
        // A document at a grid instant is not in the window that ends there.
        assert_eq!(texts(&grid, "2013-01-01T00:00:00Z", "2013-01-01T00:00:00Z"), ["2013-01-02T00:00:00Z"]);
    }

    #[test]
    fn start_is_included_and_end_is_not() {
        let mut grid = grid_of("1d", "UTC");
        grid.start = Some(at("2013-01-05T00:00:00Z"));
        grid.end = Some(at("2013-01-07T00:00:00Z"));
        let expected = ["2013-01-05T00:00:00Z", "2013-01-06T00:00:00Z"];
        assert_eq!(texts(&grid, "2013-01-01T10:00:00Z", "2013-12-01T00:00:00Z"), expected);
        grid.start = Some(at("2013-01-04T00:00:01Z"));
        grid.end = Some(at("2013-01-06T00:00:00.001Z"));
        assert_eq!(texts(&grid, "2013-01-01T10:00:00Z", "2013-12-01T00:00:00Z"), expected);
    }

    #[test]
    fn days_begin_where_the_zone_says_when_clocks_change() {
        let grid = grid_of("1d", "America/New_York");
        // 2013-03-10 has 23 hours, 2013-11-03 has 25.
        assert_eq!(
            texts(&grid, "2013-03-09T12:00:00Z", "2013-03-10T12:00:00Z"),
            ["2013-03-10T05:00:00Z", "2013-03-11T04:00:00Z"]
        );
        assert_eq!(
            texts(&grid, "2013-11-02T12:00:00Z", "2013-11-03T12:00:00Z"),
            ["2013-11-03T04:00:00Z", "2013-11-04T05:00:00Z"]
        );
        // Clocks went from 00:00 to 01:00, so the day began at 01:00 (-02:00).
        let grid = grid_of("1d", "America/Sao_Paulo");
        assert_eq!(texts(&grid, "2018-11-03T12:00:00Z", "2018-11-03T12:00:00Z"), ["2018-11-04T03:00:00Z"]);
        // Samoa had no 2011-12-30.
        let grid = grid_of("1d", "Pacific/Apia");
        assert_eq!(
            texts(&grid, "2011-12-29T00:00:00Z", "2011-12-30T11:00:00Z"),
            ["2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"]
        );
    }

    #[test]
    fn hours_are_elapsed_and_count_from_the_zones_midnight() {
        let grid = grid_of("6h", "America/New_York");
        assert_eq!(
            texts(&grid, "2013-03-10T04:59:59Z", "2013-03-10T12:00:00Z"),
            ["2013-03-10T05:00:00Z", "2013-03-10T11:00:00Z", "2013-03-10T17:00:00Z"]
        );
        let grid = grid_of("60m", "Asia/Kolkata");
        assert_eq!(texts(&grid, "2013-03-10T04:59:59Z", "2013-03-10T04:59:59Z"), ["2013-03-10T05:30:00Z"]);
    }

    #[test]
    fn weeks_begin_on_monday() {
        let grid = grid_of("1w", "Europe/Berlin");
        assert_eq!(
            texts(&grid, "2013-03-27T00:00:00Z", "2013-04-01T00:00:00Z"),
            ["2013-03-31T22:00:00Z", "2013-04-07T22:00:00Z"]
        );
    }

    #[test]
    fn the_ends_of_time_are_not_instants() {
        let grid = grid_of("1d", "UTC");
        assert_eq!(grid.next_after(Timestamp::MAX), None);
        assert_eq!(grid.last_before(Timestamp::MIN), None);
        assert_eq!(grid.instants(Timestamp::MAX, Timestamp::MAX).count(), 0);
    }

    fn any_grid() -> impl Strategy<Value = Grid> {
        let zones = ["UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia"];
        let steps = prop_oneof![
            (1_u32..5_000).prop_map(|minutes| format!("{minutes}m")),
            (1_u32..40).prop_map(|days| format!("{days}d")),
            (1_u32..6).prop_map(|weeks| format!("{weeks}w")),
        ];
        (steps, prop::sample::select(zones.to_vec())).prop_map(|(step, name)| grid_of(&step, name))
    }

    proptest! {
        #[test]
        fn each_instant_lies_between_its_neighbours(grid in any_grid(), second in -2_000_000_000_i64..4_000_000_000) {
            let time = Timestamp::from_second(second).unwrap();
            let next = grid.next_after(time).unwrap();
            let before = grid.last_before(time).unwrap();
            prop_assert!(before < time && time < next);
            // Nothing lies between: the neighbour of a neighbour is the neighbour itself.
            prop_assert_eq!(grid.last_before(grid.next_after(next).unwrap()).unwrap(), next);
            let at_or_after = grid.next_after(before).unwrap();
            prop_assert!(at_or_after == next || at_or_after == time);
        }

        #[test]
        fn days_are_local_midnights_and_steps_are_even(grid in any_grid(), second in 0_i64..4_000_000_000) {
            let next = grid.next_after(Timestamp::from_second(second).unwrap()).unwrap();
            let after = grid.next_after(next).unwrap();
            let local = next.to_zoned(grid.time_zone.clone());
            match grid.every {
                Step::Elapsed(step) => prop_assert_eq!(next.duration_until(after).unsigned_abs(), step),
                Step::Days(_) | Step::Weeks(_) => prop_assert_eq!(&local.start_of_day().unwrap(), &local),
            }
            if matches!(grid.every, Step::Weeks(_)) {
                prop_assert_eq!(local.weekday(), jiff::civil::Weekday::Monday);
            }
        }
    }
}
