//! Vectors, in the forms that `dense_vector` fields have: an array of numbers, Base64 of
//! big-endian 32-bit floats, and for bytes and bits also Base64 or hexadecimal digits.

use base64_simd::{AsOut as _, STANDARD as BASE64, URL_SAFE as BASE64_URL, forgiving_decode_to_vec};
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
    /// The bytes of the vector that was read last, if it was a text.
    bytes: Vec<u8>,
}

/// A number of a vector.
pub(crate) trait Coordinate: NativeType {
    fn read_short(scanner: &mut Scanner<'_>) -> Option<Self>;
    fn of(number: &str) -> Option<Self>;
    /// The bytes that a text stands for.
    fn bytes<'a>(text: &str, width: usize, room: &'a mut Vec<u8>) -> Option<&'a [u8]>;
    /// Appends the numbers that bytes are.
    fn unpack(bytes: &[u8], into: &mut Vec<Self>) -> Option<()>;
}

impl Coordinate for f32 {
    #[inline(always)]
    fn read_short(scanner: &mut Scanner<'_>) -> Option<Self> {
        scanner.short_float().and_then(narrow)
    }

    fn of(number: &str) -> Option<Self> {
        float32(number)
    }

    fn bytes<'a>(text: &str, _: usize, room: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        decoded(text, room)
    }

    fn unpack(bytes: &[u8], into: &mut Vec<Self>) -> Option<()> {
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
        whole(number)?.try_into().ok()
    }

    fn bytes<'a>(text: &str, width: usize, room: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        if text.len() != 2 * width || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return decoded(text, room);
        }
        let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
        let (pairs, _) = text.as_bytes().as_chunks::<2>();
        *room = pairs.iter().map(|[high, low]| Some(digit(*high)? * 16 + digit(*low)?)).collect::<Option<_>>()?;
        Some(room)
    }

    fn unpack(bytes: &[u8], into: &mut Vec<Self>) -> Option<()> {
        into.extend(bytes.iter().map(|byte| byte.cast_signed()));
        Some(())
    }
}

/// The bytes of a text of Base64.
fn decoded<'a>(text: &str, room: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    room.resize(BASE64.estimated_decoded_length(text.len()), 0);
    BASE64.decode(text.as_bytes(), room.as_out()).ok().map(|bytes| &*bytes)
}

impl<T: Coordinate> Vectors<T> {
    pub(crate) fn new(width: usize, rows: usize) -> Self {
        let values = Vec::with_capacity(rows.saturating_mul(width));
        Self { width, rows: 0, values, validity: Validity::default(), bytes: Vec::new() }
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
            Some(b'"') => self.read_text(scanner),
            _ => Err(Trouble::Misfit),
        };
        if read.is_err() || self.values.len() - before != self.width {
            self.values.truncate(before);
            return read.and(Err(Trouble::Misfit));
        }
        self.rows += 1;
        Ok(())
    }

    fn read_text(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Trouble> {
        let text = unescape(scanner.quoted()?).ok_or(Misfit)?;
        let bytes = T::bytes(&text, self.width, &mut self.bytes).ok_or(Misfit)?;
        Ok(T::unpack(bytes, &mut self.values).ok_or(Misfit)?)
    }

    fn read_numbers(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Trouble> {
        if !scanner.enter(b'[', b']', "a vector is missing")? {
            return Ok(());
        }
        // `fields` puts a vector in Base64, or a whole array, into an array of its own.
        if matches!(scanner.peek(), Some(b'"' | b'[')) {
            match scanner.byte() {
                Some(b'[') => self.read_numbers(scanner)?,
                _ => self.read_text(scanner)?,
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

/// The bytes of a `binary` field. The server takes texts with line breaks, and with bits that are
/// no part of a byte, and keeps them as they came.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    forgiving_decode_to_vec(text.as_bytes()).or_else(|_| BASE64_URL.decode_to_vec(text)).ok()
}
