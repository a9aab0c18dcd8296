//! Vectors, in the forms that `dense_vector` fields have: an array of numbers, Base64 of
//! big-endian 32-bit floats, and for bytes and bits also Base64 or hexadecimal digits.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use base64::engine::general_purpose::URL_SAFE as BASE64_URL;
use polars::prelude::ArrowDataType;
use polars_arrow::array::{Array, FixedSizeListArray, PrimitiveArray};
use polars_arrow::types::NativeType;

use super::Validity;
use crate::decode::number::{float32, narrow, whole};
use crate::decode::scan::Scanner;
use crate::decode::stop::{Misfit, Trouble};
use crate::decode::text::unescape;
use crate::error::Error;

/// Vectors of one width.
pub(crate) struct Vectors<T> {
    width: usize,
    rows: usize,
    values: Vec<T>,
    validity: Validity,
}

/// A number of a vector.
pub(crate) trait Coordinate: NativeType {
    fn read_short(scanner: &mut Scanner<'_>) -> Option<Self>;
    fn of(number: &str) -> Option<Self>;
    /// Appends what a text stands for.
    fn unpack(text: &str, width: usize, into: &mut Vec<Self>) -> Option<()>;
}

impl Coordinate for f32 {
    #[inline(always)]
    fn read_short(scanner: &mut Scanner<'_>) -> Option<Self> {
        scanner.short_float().and_then(narrow)
    }

    fn of(number: &str) -> Option<Self> {
        float32(number)
    }

    fn unpack(text: &str, _: usize, into: &mut Vec<Self>) -> Option<()> {
        let bytes = BASE64.decode(text).ok()?;
        let (chunks, rest) = bytes.as_chunks::<4>();
        into.extend(chunks.iter().map(|chunk| Self::from_be_bytes(*chunk)));
        rest.is_empty().then_some(())
    }
}

impl Coordinate for i8 {
    #[inline(always)]
    fn read_short(scanner: &mut Scanner<'_>) -> Option<Self> {
        scanner.short_integer().and_then(|value| value.try_into().ok())
    }

    fn of(number: &str) -> Option<Self> {
        let value = whole(number)?;
        // 1.5 is no byte, and the server refuses it.
        let is_whole = number.parse::<f64>().is_ok_and(|number| number == value as f64);
        value.try_into().ok().filter(|_| is_whole)
    }

    fn unpack(text: &str, width: usize, into: &mut Vec<Self>) -> Option<()> {
        let bytes = if text.len() == 2 * width && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
            let (pairs, _) = text.as_bytes().as_chunks::<2>();
            pairs.iter().map(|[high, low]| Some(digit(*high)? * 16 + digit(*low)?)).collect::<Option<Vec<u8>>>()?
        } else {
            BASE64.decode(text).ok()?
        };
        into.extend(bytes.into_iter().map(u8::cast_signed));
        Some(())
    }
}

impl<T: Coordinate> Vectors<T> {
    pub(crate) fn new(width: usize, rows: usize) -> Self {
        Self { width, rows: 0, values: Vec::with_capacity(rows.saturating_mul(width)), validity: Validity::default() }
    }

    pub(crate) fn len(&self) -> usize {
        self.rows
    }

    pub(crate) fn push_nulls(&mut self, nulls: usize) {
        self.validity.push_nulls(self.rows, nulls);
        self.rows += nulls;
        self.values.resize(self.rows * self.width, T::default());
    }

    /// Takes one vector.
    pub(crate) fn read(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Trouble> {
        let before = self.values.len();
        let read = match scanner.peek() {
            Some(b'[') => self.read_numbers(scanner),
            Some(b'"') => {
                let text = scanner.quoted()?;
                let unpacked = unescape(text).and_then(|text| T::unpack(&text, self.width, &mut self.values));
                unpacked.ok_or(Trouble::Misfit)
            }
            _ => Err(Trouble::Misfit),
        };
        if read.is_err() || self.values.len() - before != self.width {
            self.values.truncate(before);
            return read.and(Err(Trouble::Misfit));
        }
        self.rows += 1;
        Ok(())
    }

    fn read_numbers(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Trouble> {
        if !scanner.enter(b'[', b']', "a vector is missing")? {
            return Ok(());
        }
        // `fields` puts a vector in Base64, or a whole array, into an array of its own.
        if matches!(scanner.peek(), Some(b'"' | b'[')) {
            match scanner.byte() {
                Some(b'[') => self.read_numbers(scanner)?,
                _ => {
                    let text = unescape(scanner.quoted()?).ok_or(Misfit)?;
                    T::unpack(&text, self.width, &mut self.values).ok_or(Misfit)?;
                }
            }
            return if scanner.goes_on(b']')? { Err(Trouble::Misfit) } else { Ok(()) };
        }
        loop {
            let before = scanner.at;
            if let Some(value) = T::read_short(scanner) {
                self.values.push(value);
            } else {
                scanner.at = before;
                if matches!(scanner.peek(), Some(b'"' | b'[' | b'{')) {
                    return Err(Trouble::Misfit);
                }
                self.values.push(T::of(scanner.plain()?).ok_or(Misfit)?);
            }
            if !scanner.goes_on(b']')? {
                return Ok(());
            }
        }
    }

    pub(crate) fn finish(self, dtype: ArrowDataType, item: ArrowDataType) -> Result<Box<dyn Array>, Error> {
        let values = PrimitiveArray::try_new(item, self.values.into(), None)?.boxed();
        Ok(FixedSizeListArray::try_new(dtype, self.rows, values, self.validity.finish(self.rows))?.boxed())
    }
}

/// The bytes of a `binary` field.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text).or_else(|_| BASE64_URL.decode(text)).ok()
}
