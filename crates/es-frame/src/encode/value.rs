//! The form in which a value is written.

use base64_simd::{AsOut as _, STANDARD as BASE64};
use polars::prelude::CategoricalMapping;
use polars_arrow::array::Utf8ViewArray;
use polars_arrow::bitmap::Bitmap;

use super::cells::{Cells, Values};
use super::digits::{ROOM, write_signed, write_unsigned};
use super::line::Line;
use super::options::NonFinite;
use super::text::{write_inline, write_string};
use crate::calendar::{clock_text, date_text, instant_text};

/// Why a row cannot be written.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// Boxed, as this passes through every level of a value.
    inner: Box<RefusedValue>,
}

#[derive(Debug)]
struct RefusedValue {
    path: Vec<String>,
    value: &'static str,
}

impl Refusal {
    #[cold]
    fn new(value: &'static str) -> Self {
        Self { inner: Box::new(RefusedValue { path: Vec::new(), value }) }
    }

    /// The same, in a member of this name.
    #[cold]
    pub(crate) fn inside(mut self, name: impl Into<String>) -> Self {
        self.inner.path.insert(0, name.into());
        self
    }

    pub(crate) fn value(&self) -> &'static str {
        self.inner.value
    }

    /// The column's name, with the names of the members inside it.
    pub(crate) fn column(&self) -> String {
        self.inner.path.join(".")
    }
}

impl Cells<'_> {
    /// Appends the value of a row that has one as JSON. False, and nothing appended, when
    /// there is no form for it and it counts as null.
    #[inline]
    pub(crate) fn write(&self, row: usize, line: &mut Line<'_>) -> Result<bool, Refusal> {
        match &self.values {
            Values::Text(texts) => write_text(texts, row, line),
            Values::Int8(values) => signed(values[row].into(), line),
            Values::Int16(values) => signed(values[row].into(), line),
            Values::Int32(values) => signed(values[row].into(), line),
            Values::Int64(values) => signed(values[row], line),
            Values::UInt8(values) => unsigned(values[row].into(), line),
            Values::UInt16(values) => unsigned(values[row].into(), line),
            Values::UInt32(values) => unsigned(values[row].into(), line),
            Values::UInt64(values) => unsigned(values[row], line),
            Values::Float32(values) => {
                let value = values[row];
                if !value.is_finite() {
                    return self.write_non_finite(value.into(), line);
                }
                write_float(value, line);
            }
            Values::Float64(values) => {
                let value = values[row];
                if !value.is_finite() {
                    return self.write_non_finite(value, line);
                }
                write_float(value, line);
            }
            Values::Boolean(values) => {
                let text = if values.get_bit(row) { (b"true\0", 4) } else { (b"false", 5) };
                line.put_prefix(text.0, text.1);
            }
            Values::Date(_) | Values::Instant { .. } | Values::Clock(_) => {
                let before = line.at();
                line.put(b'"');
                match self.write_time(row, line) {
                    Time::Text => line.put(b'"'),
                    Time::Epoch(instant) => {
                        line.rewind(before);
                        // Elasticsearch 9.4 takes the number after a fraction in a date for that fraction, where
                        // its field has `coerce: false`; text it reads as it stands.
                        let quote: &[u8] = if instant.has_fraction() { b"\"" } else { b"" };
                        line.put_bytes(quote);
                        instant.write(line);
                        line.put_bytes(quote);
                    }
                }
            }
            _ => return self.write_other(row, line),
        }
        Ok(true)
    }

    /// Writes the types that are rarer, or take longer anyway.
    #[inline(never)]
    fn write_other(&self, row: usize, line: &mut Line<'_>) -> Result<bool, Refusal> {
        match &self.values {
            Values::Category8(values, names) => write_category(values[row].into(), names, line),
            Values::Category16(values, names) => write_category(values[row].into(), names, line),
            Values::Category32(values, names) => write_category(values[row], names, line),
            Values::Int128(values) => line.put_bytes(itoa::Buffer::new().format(values[row]).as_bytes()),
            Values::UInt128(values) => line.put_bytes(itoa::Buffer::new().format(values[row]).as_bytes()),
            Values::Decimal { units, scale } => write_decimal(units[row], *scale, line),
            Values::Binary(values) => {
                line.put(b'"');
                write_base64(values.value(row), line);
                line.put(b'"');
            }
            Values::List { offsets, child } => {
                // Offsets never are negative and never fall.
                return child.write_range(offsets[row] as usize, offsets[row + 1] as usize, line);
            }
            Values::Array { width, child } => return child.write_range(row * width, (row + 1) * width, line),
            Values::Vector { width, child } => {
                let (from, to) = (row * width, (row + 1) * width);
                if !child.write_vector(from, to, line) {
                    return child.write_range(from, to, line);
                }
            }
            Values::Struct(members) => {
                if !members.write(row, line)? {
                    line.put_bytes(b"{}");
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Appends rows as a JSON array. A null stays, as its place counts.
    fn write_range(&self, from: usize, to: usize, line: &mut Line<'_>) -> Result<bool, Refusal> {
        let start = line.at();
        match &self.values {
            Values::Float32(values) if self.all_finite(from, to) => write_floats(&values[from..to], line),
            Values::Float64(values) if self.all_finite(from, to) => write_floats(&values[from..to], line),
            _ => self.write_each(from, to, line)?,
        }
        if line.at() == start {
            line.put_bytes(b"[]");
        } else {
            line.set(start, b'[');
            line.put(b']');
        }
        Ok(true)
    }

    /// Appends rows, a comma before each.
    fn write_each(&self, from: usize, to: usize, line: &mut Line<'_>) -> Result<(), Refusal> {
        for row in from..to {
            line.put(b',');
            if !self.is_valid(row) || !self.write(row, line)? {
                line.put_bytes(b"null");
            }
        }
        Ok(())
    }

    /// True if rows are floats that are numbers, all of them.
    fn all_finite(&self, from: usize, to: usize) -> bool {
        let is_valid = |validity: &Bitmap| validity.null_count_range(from, to - from) == 0;
        self.validity.is_none_or(is_valid)
            && match &self.values {
                // Without an early end, so that several are looked at in one instruction.
                Values::Float32(values) => values[from..to].iter().fold(true, |all, value| all & value.is_finite()),
                Values::Float64(values) => values[from..to].iter().fold(true, |all, value| all & value.is_finite()),
                _ => false,
            }
    }

    /// Appends the Base64 of the big-endian bytes of 32-bit floats, as a `dense_vector` takes
    /// it. False, and nothing appended, when one of them is null or not finite.
    fn write_vector(&self, from: usize, to: usize, line: &mut Line<'_>) -> bool {
        /// Floats encoded at once: their bytes must divide by 3, so that no padding is in between.
        const PIECE: usize = 96;
        let Values::Float32(values) = &self.values else { return false };
        if !self.all_finite(from, to) {
            return false;
        }
        line.put(b'"');
        let mut bytes = [0; PIECE * 4];
        for piece in values[from..to].chunks(PIECE) {
            for (value, bytes) in piece.iter().zip(bytes.as_chunks_mut::<4>().0) {
                *bytes = value.to_be_bytes();
            }
            write_base64(&bytes[..piece.len() * 4], line);
        }
        line.put(b'"');
        true
    }

    /// Appends a date or time without quotes.
    #[inline(always)]
    pub(crate) fn write_time(&self, row: usize, line: &mut Line<'_>) -> Time {
        match &self.values {
            Values::Date(days) => {
                let day = i64::from(days[row]);
                let Some(text) = date_text(day) else {
                    return Time::Epoch(Epoch { value: day * 86_400, per_second: 1 });
                };
                line.put_prefix(&text, text.len());
            }
            Values::Instant { values, per_second } => {
                let value = values[row];
                let Some((text, length)) = instant_text(value, *per_second) else {
                    return Time::Epoch(Epoch { value, per_second: *per_second });
                };
                line.put_prefix(&text, length);
            }
            Values::Clock(values) => {
                // Polars makes nulls of times outside of a day.
                let text = clock_text(values[row].rem_euclid(86_400_000_000_000));
                line.put_prefix(&text, text.len());
            }
            _ => {}
        }
        Time::Text
    }

    #[cold]
    fn write_non_finite(&self, value: f64, line: &mut Line<'_>) -> Result<bool, Refusal> {
        let name = if value.is_nan() {
            "NaN"
        } else if value > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        };
        match self.non_finite {
            NonFinite::Null => Ok(false),
            NonFinite::Reject => Err(Refusal::new(name)),
            NonFinite::String => {
                write_string(name.as_bytes(), line);
                Ok(true)
            }
        }
    }
}

/// The form of a date or time.
pub(crate) enum Time {
    Text,
    /// Not yet: its year has not four digits. Every `date` field takes epoch milliseconds.
    Epoch(Epoch),
}

/// An instant that is written as epoch milliseconds, with a fraction where it has one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Epoch {
    value: i64,
    /// The number of units in a second.
    per_second: i64,
}

impl Epoch {
    fn has_fraction(self) -> bool {
        self.per_second > 1_000 && self.value % (self.per_second / 1_000) != 0
    }

    #[cold]
    pub(crate) fn write(self, line: &mut Line<'_>) {
        // A unit is a second, or a thousandth, a millionth or a thousand-millionth of one.
        let (whole, fraction) = match self.per_second {
            1 => (u128::from(self.value.unsigned_abs()) * 1_000, 0),
            per_second => {
                let per_millisecond = u128::from(per_second.unsigned_abs() / 1_000);
                let magnitude = u128::from(self.value.unsigned_abs());
                (magnitude / per_millisecond, magnitude % per_millisecond * 1_000_000 / per_millisecond)
            }
        };
        let mut text = format!("{}{whole}", if self.value < 0 { "-" } else { "" });
        if fraction > 0 {
            text.push_str(format!(".{fraction:06}").trim_end_matches('0'));
        }
        line.put_bytes(text.as_bytes());
    }
}

#[inline(always)]
pub(crate) fn signed(number: i64, line: &mut Line<'_>) {
    let length = write_signed(number, line.window::<ROOM>());
    line.advance(length);
}

/// The whole number that a float is, if it has up to 21 bits, and is not zero, whose sign counts.
/// Columns of whole numbers with nulls often come as floats.
#[inline(always)]
fn whole(value: f64) -> Option<i64> {
    // Few others have zeros in the lower half of their bits, so that they are told by that alone.
    if value.to_bits() as u32 != 0 {
        return None;
    }
    let number = value as i64;
    (number as f64 == value && number != 0 && number.unsigned_abs() < 1 << 21).then_some(number)
}

/// Appends a float that is finite.
#[inline(always)]
fn write_float<F: zmij::Float + Into<f64> + Copy>(value: F, line: &mut Line<'_>) {
    match whole(value.into()) {
        Some(number) => {
            signed(number, line);
            line.put_prefix(b".0", 2);
        }
        None => write_shortest(value, line),
    }
}

/// Appends a float that is finite with the fewest digits that make it out.
#[inline(always)]
fn write_shortest(value: impl zmij::Float, line: &mut Line<'_>) {
    line.put_short(zmij::Buffer::new().format_finite(value).as_bytes());
}

#[inline(always)]
fn unsigned(number: u64, line: &mut Line<'_>) {
    let length = write_unsigned(number, line.window::<ROOM>(), 0);
    line.advance(length);
}

#[inline(always)]
fn write_text(texts: &Utf8ViewArray, row: usize, line: &mut Line<'_>) {
    let view = texts.views()[row];
    // Short texts stand in the view itself, after their length.
    if !view.is_inline() || !write_inline(view.as_u128() >> 32, view.length as usize, line) {
        write_string(texts.value(row).as_bytes(), line);
    }
}

fn write_category(category: u32, names: &CategoricalMapping, line: &mut Line<'_>) {
    // A column holds no category that its mapping lacks.
    write_string(names.cat_to_str(category).unwrap_or_default().as_bytes(), line);
}

/// Appends a decimal with all digits of its scale: 5 units of scale 2 are `0.05`.
fn write_decimal(units: i128, scale: usize, line: &mut Line<'_>) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(units.unsigned_abs()).as_bytes();
    if units < 0 {
        line.put(b'-');
    }
    let (whole, fraction) = digits.split_at(digits.len().saturating_sub(scale));
    line.put_bytes(if whole.is_empty() { b"0" } else { whole });
    if scale > 0 {
        line.put(b'.');
        line.slice(scale - fraction.len()).fill(b'0');
        line.advance(scale - fraction.len());
        line.put_bytes(fraction);
    }
}

/// Appends floats that are finite, a comma before each: vectors have hundreds of them.
fn write_floats<F: zmij::Float + Copy>(values: &[F], line: &mut Line<'_>) {
    for value in values {
        line.put(b',');
        write_shortest(*value, line);
    }
}

pub(crate) fn write_base64(bytes: &[u8], line: &mut Line<'_>) {
    let written = BASE64.encode(bytes, line.slice(BASE64.encoded_length(bytes.len())).as_out()).len();
    line.advance(written);
}
