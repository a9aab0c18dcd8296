//! Patterns of dates: compiled once, read often.
//!
//! `compile` makes the pieces of a pattern's text, and `piece` reads a date by them. Here it is
//! checked that what a pattern reads is an instant.

mod compile;
mod piece;

use super::fields::Fields;
use compile::compile;
use piece::{Item, Part};

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Pattern {
    items: Vec<Item>,
}

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
    /// The part of it that is not read here.
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
        let rest = piece::read_all(&self.items, text, &mut fields)?;
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
