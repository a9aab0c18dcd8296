//! One column while it is being filled, value by value.
//!
//! [`Builder::try_read`] is for what is written as it mostly is and takes nothing otherwise;
//! [`Builder::read`] is for everything else. Which values a row has, and what is done when they
//! do not fit, is decided in `cells`.

mod composite;
mod convert;
mod slots;
mod vector;

use polars::prelude::{ArrowDataType, CompatLevel};
use polars_arrow::array::Array;

pub(crate) use slots::Validity;

use super::number::narrow;
use super::scan::Scanner;
use super::shape::Shape;
use super::stop::{Misfit, Trouble};
use super::table::Table;
use super::text::unescape;
use super::window::Window;
use crate::error::Error;
use composite::{Joins, Points, Ranges};
use convert::{address, boolean, float, float32, instant, integer};
use slots::{Bits, Blobs, Numbers, Texts};
use vector::Vectors;

pub(crate) use convert::Scalar;

pub(crate) enum Builder {
    Boolean(Bits),
    Int8(Numbers<i8>),
    Int16(Numbers<i16>),
    Int32(Numbers<i32>),
    Int64(Numbers<i64>),
    UInt64(Numbers<u64>),
    Float32(Numbers<f32>),
    Float64(Numbers<f64>),
    Milliseconds(Numbers<i64>),
    Nanoseconds(Numbers<i64>),
    Text(Texts),
    Address(Texts),
    Json(Texts),
    TextOrJson(Texts),
    Binary(Blobs),
    Point(Points),
    Vector(Vectors<f32>),
    ByteVector(Vectors<i8>),
    Range(Box<Ranges>),
    Join(Box<Joins>),
    Struct(Box<Table>),
}

impl Builder {
    pub(crate) fn new(shape: &Shape, rows: usize) -> Self {
        match shape {
            Shape::Boolean => Self::Boolean(Bits::default()),
            Shape::Int8 => Self::Int8(Numbers::new(rows)),
            Shape::Int16 => Self::Int16(Numbers::new(rows)),
            Shape::Int32 => Self::Int32(Numbers::new(rows)),
            Shape::Int64 => Self::Int64(Numbers::new(rows)),
            Shape::UInt64 => Self::UInt64(Numbers::new(rows)),
            Shape::Float32 => Self::Float32(Numbers::new(rows)),
            Shape::Float64 => Self::Float64(Numbers::new(rows)),
            Shape::Milliseconds(_) => Self::Milliseconds(Numbers::new(rows)),
            Shape::Nanoseconds(_) => Self::Nanoseconds(Numbers::new(rows)),
            Shape::Text => Self::Text(Texts::new(rows)),
            Shape::Address => Self::Address(Texts::new(rows)),
            Shape::Json => Self::Json(Texts::new(rows)),
            Shape::TextOrJson => Self::TextOrJson(Texts::new(rows)),
            Shape::Binary => Self::Binary(Blobs::new(rows)),
            Shape::Point => Self::Point(Points::new(rows)),
            Shape::Vector(width) => Self::Vector(Vectors::new(*width, rows)),
            Shape::ByteVector(width) => Self::ByteVector(Vectors::new(*width, rows)),
            Shape::Range(bound) => Self::Range(Box::new(Ranges::new(bound, rows))),
            Shape::Join => Self::Join(Box::new(Joins::new(rows))),
            Shape::Struct(members) => Self::Struct(Box::new(Table::of_members(members))),
        }
    }

    /// The number of values, nulls among them.
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Boolean(values) => values.len(),
            Self::Int8(values) => values.len(),
            Self::Int16(values) => values.len(),
            Self::Int32(values) => values.len(),
            Self::Int64(values) | Self::Milliseconds(values) | Self::Nanoseconds(values) => values.len(),
            Self::UInt64(values) => values.len(),
            Self::Float32(values) => values.len(),
            Self::Float64(values) => values.len(),
            Self::Text(values) | Self::Address(values) | Self::Json(values) | Self::TextOrJson(values) => values.len(),
            Self::Binary(values) => values.len(),
            Self::Point(values) => values.len(),
            Self::Vector(values) => values.len(),
            Self::ByteVector(values) => values.len(),
            Self::Range(values) => values.len(),
            Self::Join(values) => values.len(),
            Self::Struct(table) => table.rows(),
        }
    }

    #[inline(never)]
    pub(crate) fn push_nulls(&mut self, nulls: usize) {
        match self {
            Self::Boolean(values) => values.push_nulls(nulls),
            Self::Int8(values) => values.push_nulls(nulls),
            Self::Int16(values) => values.push_nulls(nulls),
            Self::Int32(values) => values.push_nulls(nulls),
            Self::Int64(values) | Self::Milliseconds(values) | Self::Nanoseconds(values) => values.push_nulls(nulls),
            Self::UInt64(values) => values.push_nulls(nulls),
            Self::Float32(values) => values.push_nulls(nulls),
            Self::Float64(values) => values.push_nulls(nulls),
            Self::Text(values) | Self::Address(values) | Self::Json(values) | Self::TextOrJson(values) => {
                values.push_nulls(nulls);
            }
            Self::Binary(values) => values.push_nulls(nulls),
            Self::Point(values) => values.push_nulls(nulls),
            Self::Vector(values) => values.push_nulls(nulls),
            Self::ByteVector(values) => values.push_nulls(nulls),
            Self::Range(values) => values.push_nulls(nulls),
            Self::Join(values) => values.push_nulls(nulls),
            Self::Struct(table) => table.push_nulls(nulls),
        }
    }

    /// Takes a value that is written as it mostly is, and begins with the window. False, and
    /// nothing taken, otherwise.
    #[inline(always)]
    pub(crate) fn try_read(&mut self, shape: &Shape, window: Window<'_>, scanner: &mut Scanner<'_>) -> bool {
        let taken = match self {
            Self::Int8(values) => put(short(window), |value| values.push(value)),
            Self::Int16(values) => put(short(window), |value| values.push(value)),
            Self::Int32(values) => put(short(window), |value| values.push(value)),
            Self::Int64(values) => put(window.integer(0), |value| values.push(value)),
            Self::UInt64(values) => put(short(window), |value| values.push(value)),
            Self::Float64(values) => put(window.float(), |value| values.push(value)),
            Self::Float32(values) => {
                let read = window.float().and_then(|(value, length)| Some((narrow(value)?, length)));
                put(read, |value| values.push(value))
            }
            Self::Boolean(values) => put(short_boolean(window), |value| values.push(value)),
            Self::Text(values) => return try_text(values, window, scanner),
            Self::Milliseconds(values) => match shape {
                Shape::Milliseconds(formats) => put(formats.try_read::<1_000>(window), |value| values.push(value)),
                _ => None,
            },
            Self::Nanoseconds(values) => match shape {
                Shape::Nanoseconds(formats) => {
                    put(formats.try_read::<1_000_000_000>(window), |value| values.push(value))
                }
                _ => None,
            },
            _ => None,
        };
        scanner.at += taken.unwrap_or(0);
        taken.is_some()
    }

    /// Takes a value that is not null, nor an array unless the shape takes those.
    ///
    /// # Errors
    /// [`Trouble::Misfit`], with the position anywhere and nothing appended.
    pub(crate) fn read(&mut self, shape: &Shape, scanner: &mut Scanner<'_>) -> Result<(), Trouble> {
        match self {
            Self::Json(values) => values.push(scanner.raw()?),
            Self::TextOrJson(values) if scanner.peek() != Some(b'"') => values.push(scanner.raw()?),
            Self::Point(values) => values.read(scanner)?,
            Self::Vector(values) => values.read(scanner)?,
            Self::ByteVector(values) => values.read(scanner)?,
            Self::Range(values) => values.read(shape, scanner)?,
            Self::Join(values) => values.read(scanner)?,
            Self::Struct(table) => {
                if scanner.peek() != Some(b'{') {
                    return Err(Trouble::Misfit);
                }
                table.read_row(scanner)?;
            }
            _ => match scanner.peek() {
                Some(b'"') => {
                    let text = unescape(scanner.quoted()?).ok_or(Misfit)?;
                    self.push(shape, Scalar::Text(&text))?;
                }
                Some(b'{' | b'[') => return Err(Trouble::Misfit),
                _ => match scanner.plain()? {
                    "true" => self.push(shape, Scalar::Boolean(true))?,
                    "false" => self.push(shape, Scalar::Boolean(false))?,
                    number => self.push(shape, Scalar::Number(number))?,
                },
            },
        }
        Ok(())
    }

    /// Appends a scalar.
    pub(crate) fn push(&mut self, shape: &Shape, value: Scalar<'_>) -> Result<(), Misfit> {
        match self {
            Self::Boolean(values) => values.push(boolean(value).ok_or(Misfit)?),
            Self::Int8(values) => values.push(fitting(value)?),
            Self::Int16(values) => values.push(fitting(value)?),
            Self::Int32(values) => values.push(fitting(value)?),
            Self::Int64(values) => values.push(fitting(value)?),
            Self::UInt64(values) => values.push(fitting(value)?),
            Self::Float32(values) => values.push(float32(value).ok_or(Misfit)?),
            Self::Float64(values) => values.push(float(value).ok_or(Misfit)?),
            Self::Milliseconds(values) | Self::Nanoseconds(values) => {
                values.push(instant(value, shape).ok_or(Misfit)?);
            }
            Self::Address(values) => match value {
                Scalar::Text(text) => values.push(&address(text).ok_or(Misfit)?),
                _ => return Err(Misfit),
            },
            // Elasticsearch takes numbers and booleans for a keyword and keeps them as they
            // were written.
            Self::Text(values) | Self::TextOrJson(values) | Self::Json(values) => match value {
                Scalar::Text(text) | Scalar::Number(text) => values.push(text),
                other => values.push(&other.to_string()),
            },
            Self::Binary(values) => match value {
                Scalar::Text(text) => values.push(&vector::base64(text).ok_or(Misfit)?),
                _ => return Err(Misfit),
            },
            _ => return Err(Misfit),
        }
        Ok(())
    }

    /// The values as an array of the shape's type.
    pub(crate) fn finish(self, shape: &Shape) -> Result<Box<dyn Array>, Error> {
        let dtype = || shape.dtype().to_arrow(CompatLevel::newest());
        Ok(match self {
            Self::Boolean(values) => values.finish()?,
            Self::Int8(values) => values.finish(dtype())?,
            Self::Int16(values) => values.finish(dtype())?,
            Self::Int32(values) => values.finish(dtype())?,
            Self::Int64(values) | Self::Milliseconds(values) | Self::Nanoseconds(values) => values.finish(dtype())?,
            Self::UInt64(values) => values.finish(dtype())?,
            Self::Float32(values) => values.finish(dtype())?,
            Self::Float64(values) => values.finish(dtype())?,
            Self::Text(values) | Self::Address(values) | Self::Json(values) | Self::TextOrJson(values) => {
                values.finish()
            }
            Self::Binary(values) => values.finish(),
            Self::Point(values) => values.finish(dtype())?,
            Self::Vector(values) => values.finish(dtype(), ArrowDataType::Float32)?,
            Self::ByteVector(values) => values.finish(dtype(), ArrowDataType::Int8)?,
            Self::Range(values) => values.finish(shape, dtype())?,
            Self::Join(values) => values.finish(dtype())?,
            Self::Struct(table) => table.finish_struct(dtype())?,
        })
    }

    /// The objects of a struct.
    pub(crate) fn as_table(&mut self) -> Option<&mut Table> {
        match self {
            Self::Struct(table) => Some(table),
            _ => None,
        }
    }
}

/// Appends a value that was read, and returns its length in the answer.
#[inline(always)]
fn put<T>(read: Option<(T, usize)>, push: impl FnOnce(T)) -> Option<usize> {
    let (value, length) = read?;
    push(value);
    Some(length)
}

#[inline(always)]
fn short<T: TryFrom<i64>>(window: Window<'_>) -> Option<(T, usize)> {
    window.integer(0).and_then(|(value, length)| Some((value.try_into().ok()?, length)))
}

fn fitting<T: TryFrom<i128>>(value: Scalar<'_>) -> Result<T, Misfit> {
    integer(value).and_then(|value| value.try_into().ok()).ok_or(Misfit)
}

/// Takes a text. False, and nothing taken, for what is none.
#[inline(always)]
fn try_text(values: &mut Texts, window: Window<'_>, scanner: &mut Scanner<'_>) -> bool {
    if window.byte(0) != b'"' {
        return false;
    }
    match window.quote_or_escape(1) {
        Some(end @ ..=13) if window.byte(end) == b'"' => {
            values.push_window(window.sixteen(1), end - 1);
            scanner.at += end + 1;
            true
        }
        found => try_long_text(values, found, scanner),
    }
}

/// As [`try_text`], for any text; `found` is where its first quote or escape is, if it is near.
fn try_long_text(values: &mut Texts, found: Option<usize>, scanner: &mut Scanner<'_>) -> bool {
    let before = scanner.at;
    let taken = match found {
        Some(end) => Some(before + end),
        None => scanner.quote_or_escape(before + 1),
    };
    let taken = taken.and_then(|end| {
        scanner.at = before + 1;
        if scanner.bytes[end] != b'"' {
            return values.take_escaped(scanner);
        }
        values.push(scanner.text.get(before + 1..end)?);
        scanner.at = end + 1;
        Some(())
    });
    if taken.is_none() {
        scanner.at = before;
    }
    taken.is_some()
}

#[inline(always)]
fn short_boolean(window: Window<'_>) -> Option<(bool, usize)> {
    let chunk = window.eight(0);
    if chunk as u32 == u32::from_le_bytes(*b"true") {
        return Some((true, 4));
    }
    (chunk & 0xff_ffff_ffff == u64::from_le_bytes(*b"false\0\0\0")).then_some((false, 5))
}
