//! The values of a column in the making, and where there are none.

use polars::prelude::ArrowDataType;
use polars_arrow::array::{Array, BooleanArray, MutableBinaryViewArray, PrimitiveArray, View};
use polars_arrow::bitmap::{Bitmap, MutableBitmap};
use polars_arrow::types::NativeType;

use crate::decode::scan::Scanner;
use crate::error::Error;

/// Which values there are. Only the gaps are kept, so that a value costs nothing.
#[derive(Default)]
pub(crate) struct Validity {
    /// Runs of nulls: where each begins, and how many there are.
    gaps: Vec<(usize, usize)>,
}

impl Validity {
    /// Notes nulls after `length` others.
    pub(crate) fn push_nulls(&mut self, length: usize, nulls: usize) {
        match self.gaps.last_mut() {
            Some((start, run)) if *start + *run == length => *run += nulls,
            _ => self.gaps.push((length, nulls)),
        }
    }

    /// The bits of `length` values; nothing if all are there.
    pub(crate) fn finish(self, length: usize) -> Option<Bitmap> {
        if self.gaps.iter().all(|(_, run)| *run == 0) {
            return None;
        }
        let mut bits = MutableBitmap::with_capacity(length);
        for (start, run) in self.gaps {
            bits.extend_constant(start - bits.len(), true);
            bits.extend_constant(run, false);
        }
        bits.extend_constant(length - bits.len(), true);
        Some(bits.freeze())
    }
}

/// Values of a fixed width.
pub(crate) struct Numbers<T> {
    values: Vec<T>,
    validity: Validity,
}

impl<T: NativeType> Numbers<T> {
    pub(crate) fn new(rows: usize) -> Self {
        Self { values: Vec::with_capacity(rows), validity: Validity::default() }
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    #[inline(always)]
    pub(crate) fn push(&mut self, value: T) {
        self.values.push(value);
    }

    pub(crate) fn push_nulls(&mut self, nulls: usize) {
        self.validity.push_nulls(self.values.len(), nulls);
        self.values.resize(self.values.len() + nulls, T::default());
    }

    pub(crate) fn finish(self, dtype: ArrowDataType) -> Result<Box<dyn Array>, Error> {
        let validity = self.validity.finish(self.values.len());
        Ok(PrimitiveArray::try_new(dtype, self.values.into(), validity)?.boxed())
    }
}

/// Truth values.
#[derive(Default)]
pub(crate) struct Bits {
    values: MutableBitmap,
    validity: Validity,
}

impl Bits {
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    #[inline(always)]
    pub(crate) fn push(&mut self, value: bool) {
        self.values.push(value);
    }

    pub(crate) fn push_nulls(&mut self, nulls: usize) {
        self.validity.push_nulls(self.values.len(), nulls);
        self.values.extend_constant(nulls, false);
    }

    pub(crate) fn finish(self) -> Result<Box<dyn Array>, Error> {
        let validity = self.validity.finish(self.values.len());
        Ok(BooleanArray::try_new(ArrowDataType::Boolean, self.values.freeze(), validity)?.boxed())
    }
}

/// Texts.
pub(crate) struct Texts {
    values: MutableBinaryViewArray<str>,
    validity: Validity,
    /// The buffer for texts with escapes.
    unescaped: Vec<u8>,
}

impl Texts {
    pub(crate) fn new(rows: usize) -> Self {
        Self {
            values: MutableBinaryViewArray::with_capacity(rows),
            validity: Validity::default(),
            unescaped: Vec::new(),
        }
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    #[inline(always)]
    pub(crate) fn push(&mut self, value: &str) {
        self.values.push_value_ignore_validity(value);
    }

    /// Appends a text of at most twelve bytes that is the beginning of a window of sixteen.
    #[inline(always)]
    pub(crate) fn push_window(&mut self, window: u128, length: usize) {
        let bits = window & !(u128::MAX << (8 * length as u32));
        // A short text stands in its view, after its length.
        let view = View {
            length: length as u32,
            prefix: bits as u32,
            buffer_idx: (bits >> 32) as u32,
            offset: (bits >> 64) as u32,
        };
        self.values.push_view(view, &[]);
    }

    /// Takes a text with escapes from where the scanner is, behind its quote. `None`, and
    /// nothing appended, if it is no text, or ends near the end of the answer.
    pub(crate) fn take_escaped(&mut self, scanner: &mut Scanner<'_>) -> Option<()> {
        self.unescaped.clear();
        scanner.take_unescaped(&mut self.unescaped)?;
        let text = simdutf8::basic::from_utf8(&self.unescaped).ok()?;
        self.values.push_value_ignore_validity(text);
        Some(())
    }

    pub(crate) fn push_nulls(&mut self, nulls: usize) {
        self.validity.push_nulls(self.values.len(), nulls);
        (0..nulls).for_each(|_| self.values.push_value_ignore_validity(""));
    }

    pub(crate) fn finish(self) -> Box<dyn Array> {
        let validity = self.validity.finish(self.values.len());
        self.values.freeze().with_validity(validity).boxed()
    }
}

/// Bytes.
pub(crate) struct Blobs {
    values: MutableBinaryViewArray<[u8]>,
}

impl Blobs {
    pub(crate) fn new(rows: usize) -> Self {
        Self { values: MutableBinaryViewArray::with_capacity(rows) }
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    pub(crate) fn push(&mut self, value: &[u8]) {
        self.values.push_value(value);
    }

    pub(crate) fn push_nulls(&mut self, nulls: usize) {
        self.values.extend_null(nulls);
    }

    pub(crate) fn finish(self) -> Box<dyn Array> {
        self.values.freeze().boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_noted_is_null_and_the_rest_is_there(rows in prop::collection::vec((any::<bool>(), 0..9_usize), 0..40)) {
            let mut validity = Validity::default();
            let mut expected = Vec::new();
            for (is_null, count) in rows {
                if is_null {
                    validity.push_nulls(expected.len(), count);
                }
                expected.extend(std::iter::repeat_n(!is_null, count));
            }
            let bits = validity.finish(expected.len());
            prop_assert_eq!(bits.is_none(), expected.iter().all(|there| *there));
            if let Some(bits) = bits {
                prop_assert_eq!(bits.iter().collect::<Vec<_>>(), expected);
            }
        }
    }
}
