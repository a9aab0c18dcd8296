//! The pieces of a compiled pattern, and how each reads the beginning of a text.

use super::super::fields::Fields;
use super::super::zone::{Zone, offset};

/// A piece of a pattern.
#[derive(Debug)]
pub(super) enum Item {
    Literal(char),
    Number {
        part: Part,
        least: usize,
        most: usize,
        /// Digits that belong to the numbers right behind it.
        reserved: usize,
    },
    /// A year of at least so many digits; more of them only after a sign.
    Year {
        part: Part,
        digits: usize,
        reserved: usize,
    },
    /// The last two digits of a year from 2000 to 2099.
    ShortYear,
    /// A fraction of a second.
    Fraction {
        least: usize,
        most: usize,
    },
    Month {
        full: bool,
    },
    Weekday {
        full: bool,
    },
    Half,
    /// An offset, with what stands for none.
    Offset,
    /// An offset or the name of a region.
    Zone,
    /// All of it, or nothing of it.
    Optional(Vec<Item>),
}

/// The meaning of a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Part {
    Year,
    Month,
    Day,
    DayOfYear,
    WeekYear,
    Week,
    Weekday,
    Hour,
    /// From 1 to 24.
    ClockHour,
    /// From 0 to 11.
    HalfHour,
    /// From 1 to 12.
    ClockHalfHour,
    Minute,
    Second,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// Reads the pieces one after another; the rest of the text is what they leave.
pub(super) fn read_all<'t>(items: &[Item], mut text: &'t str, fields: &mut Fields) -> Option<&'t str> {
    for item in items {
        text = read_item(item, text, fields)?;
    }
    Some(text)
}

fn read_item<'t>(item: &Item, text: &'t str, fields: &mut Fields) -> Option<&'t str> {
    match item {
        Item::Literal(literal) => text.strip_prefix(*literal),
        Item::Optional(inner) => {
            let before = fields.clone();
            Some(read_all(inner, text, fields).unwrap_or_else(|| {
                *fields = before;
                text
            }))
        }
        Item::Number { part, least, most, reserved } => {
            let (negative, digits) = match text.strip_prefix('-') {
                Some(rest) if *part == Part::Year => (true, rest),
                _ => (false, text),
            };
            let (value, rest) = number(digits, *least, *most, *reserved)?;
            set(fields, *part, if negative { -value } else { value })?;
            Some(rest)
        }
        Item::Year { part, digits, reserved } => {
            let (sign, rest) = match text.as_bytes().first()? {
                b'+' => (1, &text[1..]),
                b'-' => (-1, &text[1..]),
                _ => (0, text),
            };
            // Without a sign there are no more digits than that.
            let (least, most) = match sign {
                0 => (*digits, *digits),
                1 => (*digits + 1, 10),
                _ => (*digits, 10),
            };
            let (value, rest) = number(rest, least, most, *reserved)?;
            if sign == 0 && *reserved == 0 && rest.starts_with(|c: char| c.is_ascii_digit()) {
                return None;
            }
            set(fields, *part, if sign == -1 { -value } else { value })?;
            Some(rest)
        }
        Item::ShortYear => {
            let (value, rest) = number(text, 2, 2, 0)?;
            set(fields, Part::Year, 2000 + value)?;
            Some(rest)
        }
        Item::Fraction { least, most } => {
            let (value, rest) = number(text, *least, *most, 0)?;
            let digits = text.len() - rest.len();
            fields.nanosecond = value * 10_i64.pow(9 - digits as u32);
            Some(rest)
        }
        Item::Month { full } => {
            let (place, rest) = name(text, &MONTHS, *full)?;
            fields.month = Some(place);
            Some(rest)
        }
        Item::Weekday { full } => {
            let (place, rest) = name(text, &WEEKDAYS, *full)?;
            fields.weekday = Some(place);
            Some(rest)
        }
        Item::Half => {
            fields.afternoon = text.starts_with("PM");
            text.strip_prefix("AM").or_else(|| text.strip_prefix("PM"))
        }
        Item::Offset => {
            let (zone, length) = offset(text)?;
            fields.zone = Some(zone);
            Some(&text[length..])
        }
        Item::Zone => {
            let (zone, length) = Zone::read(text)?;
            fields.zone = Some(zone);
            Some(&text[length..])
        }
    }
}

fn set(fields: &mut Fields, part: Part, value: i64) -> Option<()> {
    let within = |least: i64, most: i64| (least..=most).contains(&value).then_some(value);
    match part {
        Part::Year => fields.year = Some(value),
        Part::WeekYear => fields.week_year = Some(value),
        Part::Month => fields.month = Some(within(1, 12)?),
        Part::Day => fields.day = Some(within(1, 31)?),
        Part::DayOfYear => fields.day_of_year = Some(within(1, 366)?),
        Part::Week => fields.week = Some(within(1, 53)?),
        Part::Weekday => fields.weekday = Some(within(1, 7)?),
        Part::Hour => fields.hour = within(0, 23)?,
        Part::ClockHour => fields.hour = within(1, 24)? % 24,
        Part::HalfHour => fields.half_hour = Some(within(0, 11)?),
        Part::ClockHalfHour => fields.half_hour = Some(within(1, 12)? % 12),
        Part::Minute => fields.minute = within(0, 59)?,
        Part::Second => fields.second = within(0, 59)?,
    }
    Some(())
}

/// A number at the beginning of a text, as long as may be.
fn number(text: &str, least: usize, most: usize, reserved: usize) -> Option<(i64, &str)> {
    let run = text.bytes().take_while(u8::is_ascii_digit).count();
    let length = run.saturating_sub(reserved).min(most);
    if length < least {
        return None;
    }
    Some((text[..length].parse().ok()?, &text[length..]))
}

/// A name at the beginning of a text, or its first three letters, and its place from 1.
fn name<'t>(text: &'t str, names: &[&str], full: bool) -> Option<(i64, &'t str)> {
    names.iter().enumerate().find_map(|(place, name)| {
        let name = if full { name } else { &name[..3] };
        text.strip_prefix(name).map(|rest| (place as i64 + 1, rest))
    })
}
