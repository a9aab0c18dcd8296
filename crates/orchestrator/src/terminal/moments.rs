//! Points in time as a person writes them, in the time zone of the pipeline.

use es_assets::Pipeline;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::screen::Screen;
use super::text::Tone;

/// The time zone in which points in time are shown.
#[derive(Clone, Debug)]
pub struct Clock {
    zone: TimeZone,
}

impl Clock {
    /// The time zone of a pipeline's partitions, if they have one in common, or else that of the
    /// machine.
    pub fn of(pipeline: &Pipeline) -> Self {
        let names = pipeline.graph().order();
        let partitions = names.iter().filter_map(|name| pipeline.asset(name)?.partitions());
        let zones: Vec<TimeZone> = partitions.map(|partitions| partitions.timezone.time_zone().clone()).collect();
        Self { zone: common(&zones).unwrap_or_else(TimeZone::system) }
    }

    /// The name of the time zone.
    pub fn name(&self) -> String {
        match self.zone.iana_name() {
            Some(name) => name.to_owned(),
            // A machine without a named zone has an offset, which changes through the year.
            None => self.zone.to_offset(Timestamp::now()).to_string(),
        }
    }

    /// The day, hour and minute: 2013-06-30 14:05.
    pub fn minute(&self, moment: Timestamp) -> String {
        self.zone.to_datetime(moment).strftime("%Y-%m-%d %H:%M").to_string()
    }

    /// The day, with the time unless it is the beginning of the day.
    pub fn day(&self, moment: Timestamp) -> String {
        let text = self.zone.to_datetime(moment).strftime("%Y-%m-%d %H:%M:%S").to_string();
        for zeros in [" 00:00:00", ":00"] {
            if let Some(short) = text.strip_suffix(zeros) {
                return short.to_owned();
            }
        }
        text
    }
}

/// The line that says once which time zone the times above it are in.
pub fn zone_line(clock: &Clock, screen: &Screen) -> String {
    format!("{}\n", Tone::Dim.paint(&format!("times in {}", clock.name()), screen.colour))
}

/// The one zone of a list. UTC is what partitions have that name none, so another one goes first.
fn common(zones: &[TimeZone]) -> Option<TimeZone> {
    let mut named: Vec<&TimeZone> = zones.iter().filter(|zone| **zone != TimeZone::UTC).collect();
    named.dedup();
    match (&named[..], zones.first()) {
        ([], utc) => utc.cloned(),
        ([one], _) => Some((*one).clone()),
        _ => None,
    }
}

#[cfg(test)]
impl Clock {
    /// A clock in a named zone.
    pub(crate) fn in_zone(name: &str) -> Self {
        Self { zone: TimeZone::get(name).unwrap() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    #[test]
    fn the_zone_is_the_one_that_is_named() {
        let (utc, york, berlin) = (TimeZone::UTC, zone("America/New_York"), zone("Europe/Berlin"));
        assert_eq!(common(&[]), None);
        assert_eq!(common(&[utc.clone(), utc.clone()]), Some(utc.clone()));
        assert_eq!(common(&[utc.clone(), york.clone(), york.clone()]), Some(york.clone()));
        assert_eq!(common(&[york, berlin]), None);
    }

    #[test]
    fn a_moment_is_that_of_the_clock_on_the_wall() {
        let clock = Clock::in_zone("America/New_York");
        let table = [
            ("2013-07-01T04:00:00Z", "2013-07-01 00:00", "2013-07-01"),
            ("2013-07-01T04:05:00Z", "2013-07-01 00:05", "2013-07-01 00:05"),
            ("2013-12-31T23:59:30Z", "2013-12-31 18:59", "2013-12-31 18:59:30"),
        ];
        for (moment, minute, day) in table {
            let moment: Timestamp = moment.parse().unwrap();
            assert_eq!((clock.minute(moment).as_str(), clock.day(moment).as_str()), (minute, day));
        }
        assert_eq!(clock.name(), "America/New_York");
    }
}
