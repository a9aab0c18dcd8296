//! Patterns of dates: compiled once, read often.

use super::fields::Fields;
use super::zone::{Zone, offset};

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Pattern {
    items: Vec<Item>,
}

#[derive(Debug)]
enum Item {
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

/// What a number is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
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

impl Pattern {
    /// A pattern of `names`.
    pub(super) fn built_in(text: &'static str) -> Self {
        let items = compile(text, true);
        debug_assert!(items.is_ok(), "{text}: {items:?}");
        Self { items: items.unwrap_or_default() }
    }

    /// A pattern of Java.
    ///
    /// # Errors
    /// What in it is not read here.
    pub(super) fn java(text: &str, is_english: bool) -> Result<Self, String> {
        let items = compile(text, false)?;
        let flat = flat(&items);
        if !is_english && flat.iter().any(|item| matches!(item, Item::Month { .. } | Item::Weekday { .. } | Item::Half))
        {
            return Err("its names of months or days are not in English".to_owned());
        }
        let has = |part: Part| {
            flat.iter().any(|item| match item {
                Item::Number { part: found, .. } | Item::Year { part: found, .. } => *found == part,
                Item::ShortYear => part == Part::Year,
                Item::Month { .. } => part == Part::Month,
                _ => false,
            })
        };
        let has_half = flat.iter().any(|item| matches!(item, Item::Half));
        let is_half_hour = has(Part::HalfHour) || has(Part::ClockHalfHour);
        if has_half != is_half_hour {
            return Err("an hour from 1 to 12 and its half of the day need each other".to_owned());
        }
        let has_time =
            is_half_hour || has(Part::Hour) || has(Part::ClockHour) || has(Part::Minute) || has(Part::Second);
        if has(Part::Year) && !has(Part::Month) && !has(Part::DayOfYear) && (has_time || has(Part::Day)) {
            return Err("it has a year and no month".to_owned());
        }
        if !has(Part::Year) && (has(Part::Month) || has(Part::Day) || has(Part::DayOfYear)) {
            return Err("it has a day or month and no year".to_owned());
        }
        if has(Part::Month) && !has(Part::Day) && has_time {
            return Err("it has a month and a time and no day".to_owned());
        }
        if (has(Part::Second) && !has(Part::Minute))
            || (has(Part::Minute) && !has(Part::Hour) && !has(Part::ClockHour) && !is_half_hour)
        {
            return Err("it has minutes or seconds without hours".to_owned());
        }
        Ok(Self { items })
    }

    /// The instant of a text, in units of which so many make a second.
    pub(super) fn read(&self, text: &str, per_second: i64) -> Option<i64> {
        let mut fields = Fields::default();
        let rest = read_all(&self.items, text, &mut fields)?;
        if !rest.is_empty() {
            return None;
        }
        fields.instant(per_second)
    }
}

fn flat(items: &[Item]) -> Vec<&Item> {
    items
        .iter()
        .flat_map(|item| match item {
            Item::Optional(inner) => flat(inner),
            other => vec![other],
        })
        .collect()
}

/// Compiles a pattern. The letters of `names` are known with `built_in` alone.
fn compile(text: &str, built_in: bool) -> Result<Vec<Item>, String> {
    // Items of the pattern, and of each optional part that is open.
    let mut open: Vec<Vec<Item>> = vec![Vec::new()];
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let push = |open: &mut Vec<Vec<Item>>, item: Item| {
            if let Some(items) = open.last_mut() {
                items.push(item);
            }
        };
        match letter {
            '\'' => {
                // Two quotes are one, in a quoted text and outside.
                if letters.next_if_eq(&'\'').is_some() {
                    push(&mut open, Item::Literal('\''));
                    continue;
                }
                loop {
                    match letters.next() {
                        None => return Err("a quote has no end".to_owned()),
                        Some('\'') if letters.next_if_eq(&'\'').is_none() => break,
                        Some(quoted) => push(&mut open, Item::Literal(quoted)),
                    }
                }
            }
            '[' => open.push(Vec::new()),
            ']' => {
                let inner = open.pop().filter(|_| !open.is_empty()).ok_or("a bracket closes nothing")?;
                push(&mut open, Item::Optional(inner));
            }
            '#' | '{' | '}' => return Err(format!("{letter:?} is reserved")),
            '@' if built_in => push(&mut open, Item::Zone),
            letter if letter.is_ascii_alphabetic() => {
                let mut count = 1;
                while letters.next_if_eq(&letter).is_some() {
                    count += 1;
                }
                push(&mut open, item(letter, count, built_in)?);
            }
            other => push(&mut open, Item::Literal(other)),
        }
    }
    // Java closes what is left open.
    while let Some(inner) = open.pop() {
        match open.last_mut() {
            Some(items) => items.push(Item::Optional(inner)),
            None => {
                let mut items = inner;
                reserve(&mut items);
                return Ok(items);
            }
        }
    }
    Ok(Vec::new())
}

/// The item of a letter that stands `count` times.
fn item(letter: char, count: usize, built_in: bool) -> Result<Item, String> {
    let refused = || Err(format!("it has {} in it", letter.to_string().repeat(count)));
    let number = |part, most| match count {
        1 => Ok(Item::Number { part, least: 1, most, reserved: 0 }),
        count if count == most => Ok(Item::Number { part, least: most, most, reserved: 0 }),
        _ => refused(),
    };
    match (letter, count) {
        ('u' | 'y', 2) => Ok(Item::ShortYear),
        ('u' | 'y', 1) => Ok(Item::Number { part: Part::Year, least: 1, most: 9, reserved: 0 }),
        ('u' | 'y', 4..=9) => Ok(Item::Year { part: Part::Year, digits: count, reserved: 0 }),
        ('M' | 'L', 1 | 2) => number(Part::Month, 2),
        ('M' | 'L', 3 | 4) => Ok(Item::Month { full: count == 4 }),
        ('d', _) => number(Part::Day, 2),
        ('D', 1 | 3) => number(Part::DayOfYear, 3),
        ('H', _) => number(Part::Hour, 2),
        ('k', _) => number(Part::ClockHour, 2),
        ('K', _) => number(Part::HalfHour, 2),
        ('h', _) => number(Part::ClockHalfHour, 2),
        ('m', _) => number(Part::Minute, 2),
        ('s', _) => number(Part::Second, 2),
        ('S', 1..=9) => Ok(Item::Fraction { least: count, most: count }),
        ('a', 1) => Ok(Item::Half),
        ('E', 1..=4) => Ok(Item::Weekday { full: count == 4 }),
        ('X' | 'x', 1..=5) | ('Z', 1..=3 | 5) => Ok(Item::Offset),
        ('V', 2) => Ok(Item::Zone),
        ('F', 1) if built_in => Ok(Item::Fraction { least: 1, most: 9 }),
        ('j', 1) if built_in => Ok(Item::Year { part: Part::WeekYear, digits: 4, reserved: 0 }),
        ('w', 1) if built_in => Ok(Item::Number { part: Part::Week, least: 1, most: 2, reserved: 0 }),
        ('i', 1) if built_in => Ok(Item::Number { part: Part::Weekday, least: 1, most: 1, reserved: 0 }),
        _ => refused(),
    }
}

/// Leaves numbers that stand right behind one of any width the digits that they need.
fn reserve(items: &mut [Item]) {
    let mut behind = 0;
    for item in items.iter_mut().rev() {
        match item {
            Item::Number { least, most, reserved, .. } => {
                if least == most {
                    behind += *least;
                } else {
                    *reserved = behind;
                    behind = 0;
                }
            }
            Item::Year { reserved, .. } => {
                *reserved = behind;
                behind = 0;
            }
            Item::Fraction { least, most } if least == most => behind += *least,
            Item::Optional(inner) => {
                reserve(inner);
                behind = 0;
            }
            _ => behind = 0,
        }
    }
}

fn read_all<'t>(items: &[Item], mut text: &'t str, fields: &mut Fields) -> Option<&'t str> {
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
