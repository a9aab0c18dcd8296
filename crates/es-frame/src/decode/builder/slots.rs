//! The values of a column in the making, with a bitmap of nulls from the first null on.

use polars::prelude::ArrowDataType;
use polars_arrow::array::{Array, BooleanArray, MutableBinaryViewArray, PrimitiveArray, View};
use polars_arrow::bitmap::{Bitmap, MutableBitmap};
use polars_arrow::types::NativeType;

use crate::error::Error;

/// Which values there are; nothing as long as all are.
#[derive(Default)]
pub(crate) struct Validity {
    bits: Option<MutableBitmap>,
}

impl Validity {
    /// Notes a value.
    #[inline(always)]
    pub(crate) fn push_value(&mut self) {
        if let Some(bits) = &mut self.bits {
            bits.push(true);
        }
    }

    /// Notes nulls after `length` others.
    pub(crate) fn push_nulls(&mut self, length: usize, nulls: usize) {
        self.bits.get_or_insert_with(|| MutableBitmap::from_len_set(length)).extend_constant(nulls, false);
    }

    pub(crate) fn finish(self) -> Option<Bitmap> {
        self.bits.map(MutableBitmap::freeze)
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
        self.validity.push_value();
    }

    pub(crate) fn push_nulls(&mut self, nulls: usize) {
        self.validity.push_nulls(self.values.len(), nulls);
        self.values.resize(self.values.len() + nulls, T::default());
    }

    pub(crate) fn finish(self, dtype: ArrowDataType) -> Result<Box<dyn Array>, Error> {
        Ok(PrimitiveArray::try_new(dtype, self.values.into(), self.validity.finish())?.boxed())
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
        self.validity.push_value();
    }

    pub(crate) fn push_nulls(&mut self, nulls: usize) {
        self.validity.push_nulls(self.values.len(), nulls);
        self.values.extend_constant(nulls, false);
    }

    pub(crate) fn finish(self) -> Result<Box<dyn Array>, Error> {
        let values = self.values.freeze();
        Ok(BooleanArray::try_new(ArrowDataType::Boolean, values, self.validity.finish())?.boxed())
    }
}

/// Texts.
pub(crate) struct Texts {
    values: MutableBinaryViewArray<str>,
}

impl Texts {
    pub(crate) fn new(rows: usize) -> Self {
        Self { values: MutableBinaryViewArray::with_capacity(rows) }
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    #[inline(always)]
    pub(crate) fn push(&mut self, value: &str) {
        self.values.push_value(value);
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

    pub(crate) fn push_nulls(&mut self, nulls: usize) {
        self.values.extend_null(nulls);
    }

    pub(crate) fn finish(self) -> Box<dyn Array> {
        self.values.freeze().boxed()
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
