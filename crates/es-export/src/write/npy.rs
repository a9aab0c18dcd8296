//! A NumPy array: a matrix of rows × columns.
//!
//! The layout is that of [NEP 1](https://numpy.org/neps/nep-0001-npy-format.html), version
//! 1.0: a magic text, the length of the header, a Python literal, and the elements. The
//! number of rows is written over the header at the end.

use std::path::{Path, PathBuf};

use polars::prelude::{Column, DataFrame, DataType, Schema, TimeUnit};

use super::FileWriter;
use super::ManifestFile;
use super::features::{Feature, FeatureDescription, NullPolicy, feature};
use super::file::PatchedFile;
use super::tensor::{Element, NullForm, TensorColumn};
use crate::encode::Encoders;
use crate::error::{Error, ErrorKind};

/// Bytes of every header: room for any shape of two dimensions, and a multiple of 64.
pub(super) const HEADER: usize = 128;
/// Rows that are put together at once.
const PIECE_ROWS: usize = 4_096;
/// Integers up to here, either way, are exact as 64-bit floats.
const EXACT: i64 = 1 << 53;

/// NumPy's name of an element type.
fn descr(element: Element) -> &'static str {
    match element {
        Element::Bool => "|b1",
        Element::I8 => "|i1",
        Element::I16 => "<i2",
        Element::I32 => "<i4",
        Element::I64 => "<i8",
        Element::U8 => "|u1",
        Element::U16 => "<u2",
        Element::U32 => "<u4",
        Element::U64 => "<u8",
        Element::F32 => "<f4",
        Element::F64 => "<f8",
        Element::Instant(TimeUnit::Milliseconds) => "<M8[ms]",
        Element::Instant(TimeUnit::Microseconds) => "<M8[us]",
        Element::Instant(TimeUnit::Nanoseconds) => "<M8[ns]",
    }
}

/// The header of an array.
pub(super) fn header(element: Element, shape: &[u64]) -> Vec<u8> {
    let sides: Vec<_> = shape.iter().map(u64::to_string).collect();
    // A tuple of one has a comma behind it.
    let shape = if sides.len() == 1 { format!("({},)", sides[0]) } else { format!("({})", sides.join(", ")) };
    let text = format!("{{'descr': '{}', 'fortran_order': False, 'shape': {shape}, }}", descr(element));
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend_from_slice(&((HEADER - 10) as u16).to_le_bytes());
    header.extend_from_slice(text.as_bytes());
    header.resize(HEADER - 1, b' ');
    header.push(b'\n');
    header
}

/// Returns `true` if a column can be a part of a matrix.
pub(super) fn matrix_holds(dtype: &DataType) -> bool {
    TensorColumn::of("", dtype).is_some_and(|column| !matches!(column.element, Element::Instant(_) | Element::U64))
}

/// The type of a matrix of such columns.
fn matrix_element(columns: &[TensorColumn]) -> Element {
    let all = |fits: fn(Element) -> bool| columns.iter().all(|column| fits(column.element));
    if all(|element| !element.is_float()) {
        Element::I64
    } else if all(|element| element == Element::F32 || element.size() <= 2) {
        // Floats of 32 bits hold integers of 16.
        Element::F32
    } else {
        Element::F64
    }
}

pub(super) struct NpyFile {
    folder: PathBuf,
    file: PatchedFile,
    element: Element,
    columns: Vec<TensorColumn>,
    features: Vec<Feature>,
    /// Elements of a row.
    width: usize,
    rows: u64,
}

impl NpyFile {
    pub(super) fn create(
        folder: &Path,
        name: &str,
        schema: &Schema,
        encoders: Option<&Encoders>,
    ) -> Result<Self, Error> {
        let columns: Vec<_> = schema.iter().filter_map(|(name, dtype)| TensorColumn::of(name, dtype)).collect();
        let element = matrix_element(&columns);
        let width = columns.iter().map(TensorColumn::elements).sum();
        let features = columns.iter().map(|column| feature(&column.name, schema, encoders)).collect();
        // As they are in the matrix.
        let columns = columns.into_iter().map(|column| TensorColumn { element, ..column }).collect();
        let mut file = PatchedFile::create(folder, name)?;
        file.write(&header(element, &[0, width as u64]))?;
        Ok(Self { folder: folder.to_owned(), file, element, columns, features, width, rows: 0 })
    }

    fn push_piece(&mut self, frame: &DataFrame) -> Result<(), Error> {
        let size = self.element.size();
        let stride = self.width * size;
        let mut rows = vec![0; frame.height() * stride];
        let mut values = Vec::new();
        let mut at = 0;
        for (tensor, column) in self.columns.iter_mut().zip(frame.columns()) {
            let column = as_element(column, self.element, tensor)?;
            values.clear();
            tensor.append(&column, NullForm::NotANumber, &mut values)?;
            let bytes = tensor.elements() * size;
            for (row, value) in rows.chunks_exact_mut(stride).zip(values.chunks_exact(bytes)) {
                row[at..at + bytes].copy_from_slice(value);
            }
            at += bytes;
        }
        self.rows += frame.height() as u64;
        self.file.write(&rows)
    }
}

/// The column with the elements of the matrix.
fn as_element(column: &Column, element: Element, tensor: &TensorColumn) -> Result<Column, Error> {
    let is_wide = |dtype: &DataType| matches!(dtype.leaf_dtype(), DataType::Int64);
    if element == Element::F64 && is_wide(column.dtype()) {
        let series = column.as_materialized_series();
        let inner = if tensor.width.is_some() { series.array()?.get_inner() } else { series.clone() };
        let too_large = |value: &i64| !(-EXACT..=EXACT).contains(value);
        if let Some(value) = inner.i64()?.iter().flatten().find(too_large) {
            let name = &tensor.name;
            let message = format!("column {name} holds {value}, which a matrix of float64 cannot hold exactly");
            return Err(Error::new(ErrorKind::Value, message)
                .with_help("leave the column out, or choose npz, safetensors or parquet"));
        }
    }
    let dtype = match tensor.width {
        Some(width) => DataType::Array(Box::new(element.dtype()), width),
        None => element.dtype(),
    };
    Ok(column.strict_cast(&dtype)?)
}

impl FileWriter for NpyFile {
    fn push(&mut self, frame: &DataFrame) -> Result<(), Error> {
        let starts = (0..frame.height()).step_by(PIECE_ROWS);
        starts.into_iter().try_for_each(|start| self.push_piece(&frame.slice(start as i64, PIECE_ROWS)))
    }

    fn finish(mut self: Box<Self>) -> Result<ManifestFile, Error> {
        self.file.patch_start(&header(self.element, &[self.rows, self.width as u64]))?;
        let mut at = 0;
        for (tensor, feature) in self.columns.iter().zip(&mut self.features) {
            feature.dtype = self.element.name().to_owned();
            feature.shape = Some(tensor.shape(0)[1..].to_vec());
            feature.matrix_column = Some(at);
            feature.null_policy = if self.element.is_float() { NullPolicy::Nan } else { NullPolicy::Refused };
            feature.nulls = tensor.nulls;
            at += tensor.elements() as u64;
        }
        let Self { folder, file, features, rows, .. } = *self;
        let description = FeatureDescription::new("npy", file.name(), rows, features);
        description.write(&folder, file.finish(rows)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_as_numpy_writes_them() {
        // NumPy 2.4: np.save of np.zeros((3, 2)) and of np.zeros(7, "<M8[ms]").
        let mut expected =
            b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2), }".to_vec();
        expected.resize(127, b' ');
        expected.push(b'\n');
        assert_eq!(header(Element::F64, &[3, 2]), expected);
        let one = header(Element::Instant(TimeUnit::Milliseconds), &[7]);
        assert!(one[10..].starts_with(b"{'descr': '<M8[ms]', 'fortran_order': False, 'shape': (7,), } "));
        assert_eq!(header(Element::F64, &[u64::MAX, u64::MAX]).len(), HEADER);
    }

    #[test]
    fn the_matrix_is_of_the_narrowest_type_that_holds_its_columns() {
        let element = |dtypes: &[DataType]| {
            let columns: Vec<_> = dtypes.iter().map(|dtype| TensorColumn::of("c", dtype).unwrap()).collect();
            matrix_element(&columns)
        };
        use DataType::{Array, Boolean, Float32, Float64, Int8, Int64, UInt16};
        assert_eq!(element(&[Boolean, Int64, UInt16]), Element::I64);
        assert_eq!(element(&[Float32, Int8, UInt16, Boolean]), Element::F32);
        assert_eq!(element(&[Array(Box::new(Float32), 4)]), Element::F32);
        assert_eq!(element(&[Float32, Int64]), Element::F64);
        assert_eq!(element(&[Float64, Float32]), Element::F64);
    }
}
