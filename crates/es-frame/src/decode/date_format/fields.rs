//! The fields that were read of a date, and the instant that they mean.

use super::zone::Zone;
use crate::calendar::day_number;

/// The parts of a date. What is missing is the first that there is.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    pub(super) year: Option<i64>,
    pub(super) month: Option<i64>,
    pub(super) day: Option<i64>,
    pub(super) day_of_year: Option<i64>,
    /// The year that an ISO week is in.
    pub(super) week_year: Option<i64>,
    pub(super) week: Option<i64>,
    /// 1 is Monday.
    pub(super) weekday: Option<i64>,
    pub(super) hour: i64,
    /// The hour of a half of the day, 0 to 11.
    pub(super) half_hour: Option<i64>,
    pub(super) afternoon: bool,
    pub(super) minute: i64,
    pub(super) second: i64,
    pub(super) nanosecond: i64,
    pub(super) zone: Option<Zone>,
}

impl Fields {
    /// The instant in units of which so many make a second, rounded down. `None` for a date or
    /// a time of day that does not exist, and for a day of the week that is not the date's.
    pub(super) fn instant(&self, per_second: i64) -> Option<i64> {
        let days = self.days()?;
        let hour = self.half_hour.map_or(self.hour, |hour| hour + if self.afternoon { 12 } else { 0 });
        if hour > 23 || self.minute > 59 || self.second > 59 {
            return None;
        }
        let second_of_day = hour * 3_600 + self.minute * 60 + self.second;
        let seconds = match &self.zone {
            None => days.checked_mul(86_400)?.checked_add(second_of_day)?,
            Some(zone) => zone.seconds(days, second_of_day)?,
        };
        seconds.checked_mul(per_second)?.checked_add(self.nanosecond / (1_000_000_000 / per_second))
    }

    /// Days since 1970-01-01, which is also the date of a time without one.
    fn days(&self) -> Option<i64> {
        if let Some(year) = self.week_year {
            return iso_week(year, self.week.unwrap_or(1), self.weekday.unwrap_or(1));
        }
        let year = self.year.unwrap_or(1970);
        let days = match self.day_of_year {
            Some(day) => {
                let first = day_number(year, 1, 1)?;
                let days = first + day - 1;
                if day < 1 || days >= day_number(year + 1, 1, 1)? {
                    return None;
                }
                days
            }
            None => day_number(year, self.month.unwrap_or(1), self.day.unwrap_or(1))?,
        };
        // 1970-01-01 was a Thursday.
        let is_weekday = self.weekday.is_none_or(|weekday| (days + 3).rem_euclid(7) + 1 == weekday);
        is_weekday.then_some(days)
    }
}

/// The day of an ISO 8601 week: week 1 is the one with January 4 in it.
fn iso_week(year: i64, week: i64, weekday: i64) -> Option<i64> {
    let first_monday = |year: i64| {
        let fourth = day_number(year, 1, 4)?;
        Some(fourth - (fourth + 3).rem_euclid(7))
    };
    let days = first_monday(year)? + (week - 1) * 7 + weekday - 1;
    let exists = week >= 1 && (1..=7).contains(&weekday) && days < first_monday(year + 1)?;
    exists.then_some(days)
}
