//! Dates in every format that a mapping can declare.
//!
//! A format is an alternative of built-in names and Java patterns, joined by `||`; a text is
//! read by the first alternative that takes all of it, as the server does. `names` says what
//! the built-in names mean, `pattern` compiles patterns and reads by them, `fields` puts an
//! instant together. A format that could be read otherwise than the server reads it is refused
//! when it is compiled, so that no instant is ever a guess.
//!
//! Source: the `format` parameter in the reference of Elasticsearch, and the patterns of
//! `java.time.format.DateTimeFormatter`.

mod epoch;
mod fields;
mod names;
mod pattern;
mod zone;

use super::window::Window;
use crate::calendar::{day_number, read_instant};
use pattern::Pattern;

/// The format of a `date` field unless its mapping says otherwise.
pub(crate) const DATE: &str = "strict_date_optional_time||epoch_millis";
/// The format of a `date_nanos` field unless its mapping says otherwise.
pub(crate) const DATE_NANOS: &str = "strict_date_optional_time_nanos||epoch_millis";

/// The formats of a field, in the order in which they are tried.
#[derive(Debug)]
pub(crate) struct Formats {
    alternatives: Vec<Format>,
    first: First,
}

#[derive(Debug)]
enum Format {
    /// ISO 8601 with all that can be left out; `2013-01-01T00:00:00.000Z` is one.
    Iso(Pattern),
    Pattern(Pattern),
    /// A number of units since 1970-01-01T00:00:00Z, of which so many make a second.
    Epoch(i64),
    /// The JSON `null`, for the last instant that a field can hold.
    NullIsLast,
}

/// The usual forms of texts, for which there is a quick way.
#[derive(Clone, Copy, Debug, PartialEq)]
enum First {
    Iso,
    Epoch(i64),
    Other,
}

impl Formats {
    /// The formats that a mapping declares. `locale` is the field's, if it declares one.
    ///
    /// # Errors
    /// The part of the format that is not read here, and why.
    pub(crate) fn parse(declared: &str, locale: Option<&str>) -> Result<Self, String> {
        let is_english = locale.is_none_or(|locale| {
            let language = locale.split(['_', '-']).next().unwrap_or_default();
            language.is_empty() || language.eq_ignore_ascii_case("en") || language.eq_ignore_ascii_case("root")
        });
        // Formats of indices that Elasticsearch 6 made begin with the version of Java.
        let declared = declared.strip_prefix('8').unwrap_or(declared);
        let alternatives = declared
            .split("||")
            .map(|one| {
                let refused = |why: String| format!("the format {one:?} is not read here: {why}");
                match one {
                    "epoch_millis" => Ok(Format::Epoch(1_000)),
                    "epoch_second" => Ok(Format::Epoch(1)),
                    _ => match names::built_in(one) {
                        Some(names::BuiltIn::Iso(text)) => Ok(Format::Iso(Pattern::built_in(text))),
                        Some(names::BuiltIn::Pattern(text)) => Ok(Format::Pattern(Pattern::built_in(text))),
                        Some(names::BuiltIn::Refused(why)) => Err(refused(why.to_owned())),
                        None => Pattern::java(one, is_english).map(Format::Pattern).map_err(refused),
                    },
                }
            })
            .collect::<Result<Vec<_>, _>>()?;
        let first = match alternatives.first() {
            Some(Format::Iso(_)) => First::Iso,
            Some(Format::Epoch(unit)) => First::Epoch(*unit),
            _ => First::Other,
        };
        Ok(Self { alternatives, first })
    }

    /// The format that doc values are asked for in: epoch milliseconds with any fraction.
    ///
    /// The last instant comes as `null`, since the server takes the number that it is kept as for
    /// that of a document without a value, as it is in `sort`. What has no value is no doc value,
    /// and the first instant cannot be indexed, so that `null` is nothing else.
    pub(crate) fn doc_values() -> Self {
        Self { alternatives: vec![Format::Epoch(1_000), Format::NullIsLast], first: First::Epoch(1_000) }
    }

    /// True if a `null` in an array is an instant.
    pub(crate) fn take_null(&self) -> bool {
        self.alternatives.iter().any(|format| matches!(format, Format::NullIsLast))
    }

    /// The instant of a text, in units of which so many make a second, rounded down.
    pub(crate) fn read(&self, text: &str, per_second: i64) -> Option<i64> {
        self.alternatives.iter().find_map(|format| match format {
            Format::Iso(pattern) => match read_instant(text, per_second) {
                Some(instant) => Some(instant),
                None => pattern.read(text, per_second),
            },
            Format::Pattern(pattern) => pattern.read(text, per_second),
            Format::Epoch(unit) => epoch::read(text, *unit, per_second),
            Format::NullIsLast => (text == "null").then_some(i64::MAX),
        })
    }

    /// A JSON text or number that is an instant as it is mostly written, and its length.
    #[inline(always)]
    pub(crate) fn try_read<const PER_SECOND: i64>(&self, window: Window<'_>) -> Option<(i64, usize)> {
        match self.first {
            First::Iso => iso::<PER_SECOND>(window),
            First::Epoch(1_000) => epoch_millis::<PER_SECOND>(window),
            _ => None,
        }
    }
}

/// `1356998400000`, or a text of such digits.
#[inline(always)]
fn epoch_millis<const PER_SECOND: i64>(window: Window<'_>) -> Option<(i64, usize)> {
    let (number, length) = match window.byte(0) {
        b'"' => {
            let (number, end) = window.integer(1)?;
            (number, (window.byte(end) == b'"').then_some(end + 1)?)
        }
        _ => window.integer(0)?,
    };
    Some((number.checked_mul(PER_SECOND / 1_000)?, length))
}

/// `"2013-01-01T05:00:00Z"` or `"2013-01-01T05:00:00.000Z"`.
#[inline(always)]
fn iso<const PER_SECOND: i64>(window: Window<'_>) -> Option<(i64, usize)> {
    if window.byte(0) != b'"' {
        return None;
    }
    let month = pairs(window.eight(1), *b"0000-00-")?;
    let minute = pairs(window.eight(9), *b"00T00:00")?;
    let tail = window.eight(17);
    let (second, fraction, end) = match pairs(tail, *b":00.000Z") {
        // The last digit of the fraction is in a pair with nothing.
        Some(second) => (second, pair(second, 4) * 10 + pair(second, 6) / 10, 25),
        None => (pairs(tail & 0xffff_ffff, [b':', b'0', b'0', b'Z', 0, 0, 0, 0])?, 0, 21),
    };
    let (hour, minute, second, day) = (pair(minute, 3), pair(minute, 6), pair(second, 1), pair(minute, 0));
    if hour > 23 || minute > 59 || second > 59 || window.byte(end) != b'"' {
        return None;
    }
    let days = day_number(pair(month, 0) * 100 + pair(month, 2), pair(month, 5), day)?;
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second;
    Some((seconds.checked_mul(PER_SECOND)?.checked_add(fraction * (PER_SECOND / 1_000))?, end + 1))
}

/// The digits that stand where a template has zeros, each with the one behind it as a number of
/// two digits; the other bytes must be as they are in the template.
#[inline(always)]
fn pairs(chunk: u64, template: [u8; 8]) -> Option<u64> {
    let places = template.map(|byte| if byte == b'0' { 0x0f } else { 0 });
    // What is left of digits is below 16, and nothing is left of the others.
    let digits = chunk ^ u64::from_le_bytes(template);
    if digits & !u64::from_le_bytes(places) != 0 || (digits + 0x0606_0606_0606_0606) & 0xf0f0_f0f0_f0f0_f0f0 != 0 {
        return None;
    }
    // Ninety-nine at most in each byte, so that none overflows into the next.
    Some(digits * 10 + (digits >> 8))
}

/// The pair that begins at a byte.
#[inline(always)]
fn pair(pairs: u64, byte: u32) -> i64 {
    (pairs >> (8 * byte) & 0xff).cast_signed()
}

#[cfg(test)]
mod tests;
