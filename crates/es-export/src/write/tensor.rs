//! Columns as tensors: elements of one type, little endian, row after row.

use polars::prelude::{ChunkedArray, Column, DataType, PolarsNumericType, Series, TimeUnit};

use crate::error::{Error, ErrorKind};

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    Bool,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F32,
    F64,
    /// Units since 1970 in UTC, as 64-bit integers.
    Instant(TimeUnit),
}

impl Element {
    pub(super) fn of(dtype: &DataType) -> Option<Self> {
        Some(match dtype {
            DataType::Boolean => Self::Bool,
            DataType::Int8 => Self::I8,
            DataType::Int16 => Self::I16,
            DataType::Int32 => Self::I32,
            DataType::Int64 => Self::I64,
            DataType::UInt8 => Self::U8,
            DataType::UInt16 => Self::U16,
            DataType::UInt32 => Self::U32,
            DataType::UInt64 => Self::U64,
            DataType::Float32 => Self::F32,
            DataType::Float64 => Self::F64,
            DataType::Datetime(unit, _) => Self::Instant(*unit),
            _ => return None,
        })
    }

    pub(super) fn dtype(self) -> DataType {
        match self {
            Self::Bool => DataType::Boolean,
            Self::I8 => DataType::Int8,
            Self::I16 => DataType::Int16,
            Self::I32 => DataType::Int32,
            Self::I64 => DataType::Int64,
            Self::U8 => DataType::UInt8,
            Self::U16 => DataType::UInt16,
            Self::U32 => DataType::UInt32,
            Self::U64 => DataType::UInt64,
            Self::F32 => DataType::Float32,
            Self::F64 => DataType::Float64,
            Self::Instant(unit) => DataType::Datetime(unit, None),
        }
    }

    /// Bytes of an element.
    pub(super) fn size(self) -> usize {
        match self {
            Self::Bool | Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 | Self::Instant(_) => 8,
        }
    }

    /// The name that NumPy, PyTorch and TensorFlow have for it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::I8 => "int8",
            Self::I16 => "int16",
            Self::I32 => "int32",
            Self::I64 | Self::Instant(_) => "int64",
            Self::U8 => "uint8",
            Self::U16 => "uint16",
            Self::U32 => "uint32",
            Self::U64 => "uint64",
            Self::F32 => "float32",
            Self::F64 => "float64",
        }
    }

    /// The unit of an instant.
    pub(super) fn unit(self) -> Option<&'static str> {
        match self {
            Self::Instant(TimeUnit::Milliseconds) => Some("ms"),
            Self::Instant(TimeUnit::Microseconds) => Some("us"),
            Self::Instant(TimeUnit::Nanoseconds) => Some("ns"),
            _ => None,
        }
    }

    pub(super) fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F64)
    }
}

/// The form of a null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NullForm {
    /// NaN for floats, "not a time" for instants; others fail.
    NotATime,
    /// NaN for floats; others fail.
    NotANumber,
}

/// A column that becomes a tensor of rows, or of rows × width.
#[derive(Clone, Debug)]
pub(super) struct TensorColumn {
    pub(super) name: String,
    pub(super) element: Element,
    /// The width of a vector.
    pub(super) width: Option<usize>,
    /// The number of elements that were null.
    pub(super) nulls: u64,
}

impl TensorColumn {
    pub(super) fn of(name: &str, dtype: &DataType) -> Option<Self> {
        let (element, width) = match dtype {
            // A vector of no elements has no bytes to find it by.
            DataType::Array(_, 0) => return None,
            DataType::Array(inner, width) => (Element::of(inner)?, Some(*width)),
            other => (Element::of(other)?, None),
        };
        Some(Self { name: name.to_owned(), element, width, nulls: 0 })
    }

    /// The shape of so many rows.
    pub(super) fn shape(&self, rows: u64) -> Vec<u64> {
        std::iter::once(rows).chain(self.width.map(|width| width as u64)).collect()
    }

    /// Elements of a row.
    pub(super) fn elements(&self) -> usize {
        self.width.unwrap_or(1)
    }

    /// Appends the elements of a column of this type.
    pub(super) fn append(&mut self, column: &Column, nulls: NullForm, out: &mut Vec<u8>) -> Result<(), Error> {
        let series = column.as_materialized_series().rechunk();
        let null = self.null_bytes(nulls);
        let Some(width) = self.width else {
            self.nulls += self.append_flat(&series, null.as_deref(), out)?;
            return Ok(());
        };
        let vectors = series.array()?;
        let start = out.len();
        let inner = vectors.get_inner();
        self.nulls += self.append_flat(&inner, null.as_deref(), out)?;
        if vectors.null_count() > 0 {
            // The elements of a vector that is null are anything.
            let null = null.ok_or_else(|| self.refused())?;
            let stride = width * self.element.size();
            for (row, is_null) in vectors.is_null().iter().enumerate() {
                if is_null == Some(true) {
                    let at = start + row * stride;
                    for element in out[at..at + stride].chunks_exact_mut(null.len()) {
                        element.copy_from_slice(&null);
                    }
                    let counted = inner.slice((row * width) as i64, width).null_count();
                    self.nulls += (width - counted) as u64;
                }
            }
        }
        Ok(())
    }

    fn null_bytes(&self, nulls: NullForm) -> Option<Vec<u8>> {
        match (self.element, nulls) {
            (Element::F32, _) => Some(f32::NAN.to_le_bytes().to_vec()),
            (Element::F64, _) => Some(f64::NAN.to_le_bytes().to_vec()),
            (Element::Instant(_), NullForm::NotATime) => Some(i64::MIN.to_le_bytes().to_vec()),
            _ => None,
        }
    }

    fn append_flat(&self, series: &Series, null: Option<&[u8]>, out: &mut Vec<u8>) -> Result<u64, Error> {
        let put = match self.element {
            Element::Bool => {
                let mut nulls = 0;
                for value in series.bool()?.iter() {
                    match value {
                        Some(value) => out.push(value.into()),
                        None => nulls += 1,
                    }
                }
                if nulls == 0 { Some(0) } else { None }
            }
            Element::I8 => put(series.i8()?, i8::to_le_bytes, null, out),
            Element::I16 => put(series.i16()?, i16::to_le_bytes, null, out),
            Element::I32 => put(series.i32()?, i32::to_le_bytes, null, out),
            Element::I64 => put(series.i64()?, i64::to_le_bytes, null, out),
            Element::U8 => put(series.u8()?, u8::to_le_bytes, null, out),
            Element::U16 => put(series.u16()?, u16::to_le_bytes, null, out),
            Element::U32 => put(series.u32()?, u32::to_le_bytes, null, out),
            Element::U64 => put(series.u64()?, u64::to_le_bytes, null, out),
            Element::F32 => put(series.f32()?, f32::to_le_bytes, null, out),
            Element::F64 => put(series.f64()?, f64::to_le_bytes, null, out),
            Element::Instant(_) => put(series.to_physical_repr().i64()?, i64::to_le_bytes, null, out),
        };
        put.ok_or_else(|| self.refused())
    }

    #[cold]
    fn refused(&self) -> Error {
        let Self { name, element, .. } = self;
        let way_out = match element {
            Element::Instant(_) => "leave such rows or the column out, or choose parquet or npz",
            _ => {
                "make it a float, in which a null is NaN, with the encoding numeric; leave such rows or the column \
                 out; or choose parquet"
            }
        };
        Error::new(
            ErrorKind::Value,
            format!("column {name} holds a null, which a tensor of {} has no form for", element.name()),
        )
        .with_help(way_out)
    }
}

/// Appends values, and counts the nulls; nothing when there is a null and no form for it.
fn put<T: PolarsNumericType, const N: usize>(
    values: &ChunkedArray<T>,
    bytes: impl Fn(T::Native) -> [u8; N],
    null: Option<&[u8]>,
    out: &mut Vec<u8>,
) -> Option<u64> {
    out.reserve(values.len() * N);
    if values.null_count() == 0 {
        for value in values.into_no_null_iter() {
            out.extend_from_slice(&bytes(value));
        }
        return Some(0);
    }
    let null = null?;
    for value in values.iter() {
        match value {
            Some(value) => out.extend_from_slice(&bytes(value)),
            None => out.extend_from_slice(null),
        }
    }
    Some(values.null_count() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::*;

    fn bytes(series: Series, nulls: NullForm) -> Result<(Vec<u8>, u64), Error> {
        let column = series.into_column();
        let mut tensor = TensorColumn::of("c", column.dtype()).unwrap();
        let mut out = Vec::new();
        tensor.append(&column, nulls, &mut out)?;
        Ok((out, tensor.nulls))
    }

    fn le<const N: usize>(values: impl IntoIterator<Item = [u8; N]>) -> Vec<u8> {
        values.into_iter().flatten().collect()
    }

    #[test]
    fn values_are_little_endian_and_nulls_have_their_form() {
        let (found, nulls) = bytes(Series::new("c".into(), [Some(1.5_f32), None]), NullForm::NotANumber).unwrap();
        assert_eq!((found, nulls), (le([1.5_f32.to_le_bytes(), f32::NAN.to_le_bytes()]), 1));
        let (found, _) = bytes(Series::new("c".into(), [true, false]), NullForm::NotANumber).unwrap();
        assert_eq!(found, [1, 0]);
        let (found, _) = bytes(Series::new("c".into(), [u64::MAX, 1]), NullForm::NotANumber).unwrap();
        assert_eq!(found, le([u64::MAX.to_le_bytes(), 1_u64.to_le_bytes()]));
        let instants = Series::new("c".into(), [Some(5_i64), None]);
        let instants = instants.cast(&DataType::Datetime(TimeUnit::Milliseconds, None)).unwrap();
        let (found, _) = bytes(instants.clone(), NullForm::NotATime).unwrap();
        assert_eq!(found, le([5_i64.to_le_bytes(), i64::MIN.to_le_bytes()]));
        assert_eq!(bytes(instants, NullForm::NotANumber).unwrap_err().kind(), ErrorKind::Value);
    }

    #[test]
    fn integers_and_booleans_have_no_null() {
        for series in [Series::new("c".into(), [Some(1_i32), None]), Series::new("c".into(), [None, Some(true)])] {
            let error = bytes(series, NullForm::NotATime).unwrap_err();
            assert!(error.to_string().starts_with("column c holds a null, which a tensor of "), "{error}");
            assert!(error.help().unwrap().contains("the encoding numeric"));
        }
    }

    #[test]
    fn vectors_are_rows_and_a_null_one_is_all_nan() {
        let mut builder = ListPrimitiveChunkedBuilder::<Float32Type>::new("c".into(), 3, 6, DataType::Float32);
        builder.append_slice(&[1.0, 2.0]);
        builder.append_null();
        builder.append_slice(&[5.0, 6.0]);
        let vectors = builder.finish().into_series();
        let vectors = vectors.cast(&DataType::Array(Box::new(DataType::Float32), 2)).unwrap();
        let (found, nulls) = bytes(vectors.clone(), NullForm::NotANumber).unwrap();
        let nan = f32::NAN;
        assert_eq!(found, le([1.0, 2.0, nan, nan, 5.0, 6.0].map(f32::to_le_bytes)));
        assert_eq!(nulls, 2);
        // A slice begins where it begins.
        let (found, _) = bytes(vectors.slice(2, 1), NullForm::NotANumber).unwrap();
        assert_eq!(found, le([5.0, 6.0].map(f32::to_le_bytes)));
    }
}
