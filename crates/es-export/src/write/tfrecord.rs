//! TFRecord of `tf.train.Example`.
//!
//! A record is its length, the masked CRC-32C of that, its bytes, and the masked CRC-32C of
//! these ([TensorFlow's description](https://www.tensorflow.org/tutorials/load_data/tfrecord)).
//! An example is a protocol buffer of five messages
//! ([example.proto, feature.proto](https://github.com/tensorflow/tensorflow/tree/master/tensorflow/core/example)),
//! which are written here as they are: each is a list of fields with a tag and a length.

use std::path::{Path, PathBuf};

use polars::prelude::{
    BinaryChunked, ChunkExplode as _, Column, DataFrame, DataType, Float32Chunked, Int64Chunked, Schema, Series,
    StringChunked,
};

use super::FileWriter;
use super::ManifestFile;
use super::features::{Feature, FeatureDescription, NullPolicy, feature};
use super::file::OutputFile;
use super::tensor::Element;
use crate::encode::Encoders;
use crate::error::{Error, ErrorKind};

/// Bytes that are handed on at once.
const PIECE: usize = 256 * 1024;

/// A checksum as records have it, so that data with checksums in it has others.
fn masked(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Appends a record.
fn frame_record(record: &[u8], out: &mut Vec<u8>) {
    let length = (record.len() as u64).to_le_bytes();
    out.extend_from_slice(&length);
    out.extend_from_slice(&masked(&length).to_le_bytes());
    out.extend_from_slice(record);
    out.extend_from_slice(&masked(record).to_le_bytes());
}

/// The list that a feature is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    Bytes = 1,
    Float = 2,
    Int64 = 3,
}

/// The feature that a column becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FeatureKind {
    list: List,
    /// Values of a row: one, so many, or as many as there are.
    length: Length,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    One,
    Fixed(usize),
    Varying,
}

impl FeatureKind {
    pub(super) fn of(dtype: &DataType) -> Option<Self> {
        let (inner, length) = match dtype {
            DataType::List(inner) => (inner.as_ref(), Length::Varying),
            DataType::Array(inner, width) => (inner.as_ref(), Length::Fixed(*width)),
            other => (other, Length::One),
        };
        let list = match inner {
            DataType::String | DataType::Binary => List::Bytes,
            other => match Element::of(other)? {
                Element::U64 => return None,
                Element::F32 | Element::F64 => List::Float,
                _ => List::Int64,
            },
        };
        Some(Self { list, length })
    }
}

/// The values of a column, ready to be written.
enum Values {
    Texts(StringChunked),
    Bytes(BinaryChunked),
    Floats(Float32Chunked),
    Integers(Int64Chunked),
}

impl Values {
    fn new(name: &str, series: &Series) -> Result<Self, Error> {
        Ok(match series.dtype() {
            DataType::String => Self::Texts(series.str()?.clone()),
            DataType::Binary => Self::Bytes(series.binary()?.clone()),
            DataType::Float64 => {
                let wide = series.f64()?;
                let overflows = |value: &f64| value.is_finite() && (*value as f32).is_infinite();
                if let Some(value) = wide.iter().flatten().find(overflows) {
                    let message = format!("column {name} holds {value:?}, which is too large for a 32-bit float");
                    return Err(Error::new(ErrorKind::Value, message).with_help(
                        "an example has no other floats: scale it with the encoding standard, or choose npz, \
                         safetensors or parquet",
                    ));
                }
                Self::Floats(series.cast(&DataType::Float32)?.f32()?.clone())
            }
            DataType::Float32 => Self::Floats(series.f32()?.clone()),
            _ => Self::Integers(series.to_physical_repr().strict_cast(&DataType::Int64)?.i64()?.clone()),
        })
    }

    /// Appends the values of a range to the list of a feature. False where one is null that
    /// has no form.
    fn write(&self, range: std::ops::Range<usize>, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Texts(values) => {
                range.into_iter().all(|row| values.get(row).inspect(|value| field(1, value.as_bytes(), out)).is_some())
            }
            Self::Bytes(values) => {
                range.into_iter().all(|row| values.get(row).inspect(|value| field(1, value, out)).is_some())
            }
            Self::Floats(values) => {
                tag_and_length(1, range.len() * 4, out);
                for row in range {
                    out.extend_from_slice(&values.get(row).unwrap_or(f32::NAN).to_le_bytes());
                }
                true
            }
            Self::Integers(values) => {
                let mut packed = Vec::with_capacity(range.len() * 3);
                for row in range {
                    let Some(value) = values.get(row) else { return false };
                    varint(value as u64, &mut packed);
                }
                field(1, &packed, out);
                true
            }
        }
    }
}

/// Appends a base-128 integer, low bits first.
fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends the start of a field of so many bytes.
fn tag_and_length(number: u8, length: usize, out: &mut Vec<u8>) {
    out.push(number << 3 | 2);
    varint(length as u64, out);
}

/// Appends a field of bytes or of a message.
fn field(number: u8, bytes: &[u8], out: &mut Vec<u8>) {
    tag_and_length(number, bytes.len(), out);
    out.extend_from_slice(bytes);
}

/// A column of a frame, with the place of each row among its values.
struct Cells {
    values: Values,
    /// The start and end of the values of each row; none where the row is null.
    ranges: Vec<Option<std::ops::Range<usize>>>,
}

impl Cells {
    fn new(column: &Column, kind: FeatureKind) -> Result<Self, Error> {
        let series = column.as_materialized_series().rechunk();
        let name = column.name();
        let is_there = series.is_not_null();
        let is_there = is_there.iter().map(|there| there == Some(true));
        Ok(match kind.length {
            Length::One => {
                let ranges = is_there.enumerate().map(|(row, there)| there.then_some(row..row + 1)).collect();
                Self { values: Values::new(name, &series)?, ranges }
            }
            Length::Fixed(width) => {
                let inner = series.array()?.get_inner();
                let range = |(row, there): (usize, bool)| there.then_some(row * width..(row + 1) * width);
                Self { values: Values::new(name, &inner)?, ranges: is_there.enumerate().map(range).collect() }
            }
            Length::Varying => {
                let lists = series.list()?;
                // The offsets of a slice are places among the values of the whole.
                let offsets = lists.offsets()?;
                let (start, end) = (*offsets.first(), *offsets.last());
                let inner = lists.get_inner().slice(start, (end - start) as usize);
                let bounds = offsets.windows(2).map(|pair| (pair[0] - start) as usize..(pair[1] - start) as usize);
                let ranges = bounds.zip(is_there).map(|(range, there)| there.then_some(range)).collect();
                Self { values: Values::new(name, &inner)?, ranges }
            }
        })
    }
}

pub(super) struct TfRecordFile {
    folder: PathBuf,
    name: String,
    file: OutputFile,
    kinds: Vec<FeatureKind>,
    features: Vec<Feature>,
    rows: u64,
}

impl TfRecordFile {
    pub(super) fn create(
        folder: &Path,
        name: &str,
        schema: &Schema,
        encoders: Option<&Encoders>,
    ) -> Result<Self, Error> {
        let kinds = schema.iter_values().filter_map(FeatureKind::of).collect();
        let features = schema.iter_names().map(|name| feature(name, schema, encoders)).collect();
        let file = OutputFile::create(folder, name)?;
        Ok(Self { folder: folder.to_owned(), name: name.to_owned(), file, kinds, features, rows: 0 })
    }
}

/// Appends the examples of a frame, a piece at a time.
fn write_examples(
    frame: &DataFrame,
    kinds: &[FeatureKind],
    nulls: &mut [u64],
    mut write: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let cells = frame.columns().iter().zip(kinds).map(|(column, kind)| Cells::new(column, *kind));
    let cells = cells.collect::<Result<Vec<_>, _>>()?;
    let (mut list, mut value, mut entry) = (Vec::new(), Vec::new(), Vec::new());
    let (mut features, mut example, mut out) = (Vec::new(), Vec::new(), Vec::with_capacity(PIECE + PIECE / 8));
    for row in 0..frame.height() {
        features.clear();
        for (place, (cells, column)) in cells.iter().zip(frame.columns()).enumerate() {
            let Some(range) = cells.ranges[row].clone() else {
                nulls[place] += 1;
                continue;
            };
            for buffer in [&mut list, &mut value, &mut entry] {
                buffer.clear();
            }
            if !cells.values.write(range, &mut list) {
                let message = format!("column {} holds a list with a null in it", column.name());
                return Err(Error::new(ErrorKind::Value, message)
                    .with_help("an example has no form for it: leave the column out, or choose parquet"));
            }
            field(kinds[place].list as u8, &list, &mut value);
            field(1, column.name().as_bytes(), &mut entry);
            field(2, &value, &mut entry);
            field(1, &entry, &mut features);
        }
        example.clear();
        field(1, &features, &mut example);
        frame_record(&example, &mut out);
        if out.len() >= PIECE {
            write(&out)?;
            out.clear();
        }
    }
    write(&out)
}

impl FileWriter for TfRecordFile {
    fn push(&mut self, frame: &DataFrame) -> Result<(), Error> {
        let mut nulls = vec![0; self.kinds.len()];
        write_examples(frame, &self.kinds, &mut nulls, |bytes| self.file.write(bytes))?;
        for (feature, nulls) in self.features.iter_mut().zip(nulls) {
            feature.nulls += nulls;
        }
        self.rows += frame.height() as u64;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<ManifestFile, Error> {
        let Self { folder, name, file, kinds, mut features, rows } = *self;
        for (feature, kind) in features.iter_mut().zip(&kinds) {
            feature.dtype = match kind.list {
                List::Bytes => "bytes",
                List::Float => "float32",
                List::Int64 => "int64",
            }
            .to_owned();
            feature.shape = match kind.length {
                Length::One => Some(vec![]),
                Length::Fixed(width) => Some(vec![width as u64]),
                Length::Varying => None,
            };
            feature.null_policy = NullPolicy::LeftOut;
        }
        FeatureDescription::new("tfrecord", &name, rows, features).write(&folder, file.finish(rows)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::*;

    #[test]
    fn checksums_are_the_known_ones() {
        // RFC 3720, section B.4, for the checksum; the mask is TensorFlow's.
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(masked(&[0; 32]), 0x8a91_36aa_u32.rotate_right(15).wrapping_add(0xa282_ead8));
        let mut out = Vec::new();
        frame_record(b"foo", &mut out);
        // tf.io.TFRecordWriter.write(b"foo"), TensorFlow 2.21.
        assert_eq!(hex::encode(&out), "0300000000000000b099490e666f6f618abefe");
    }

    fn example(frame: &DataFrame) -> Vec<u8> {
        let kinds: Vec<_> = frame.columns().iter().map(|column| FeatureKind::of(column.dtype()).unwrap()).collect();
        let mut out = Vec::new();
        let mut nulls = vec![0; kinds.len()];
        let write = |bytes: &[u8]| {
            out.extend_from_slice(bytes);
            Ok(())
        };
        write_examples(frame, &kinds, &mut nulls, write).unwrap();
        let length = u64::from_le_bytes(out[..8].try_into().unwrap()) as usize;
        out[12..12 + length].to_vec()
    }

    #[test]
    fn examples_are_the_messages_of_the_protocol() {
        // Feature "n" with one integer, and nothing for the null.
        let frame = df!("n" => [-1_i64], "x" => [None::<f64>]).unwrap();
        let list = [&[0x0a, 10][..], &[0xff; 9], &[1]].concat();
        let value = [&[0x1a, 12][..], &list].concat();
        let entry = [&[0x0a, 1, b'n', 0x12, 14][..], &value].concat();
        let features = [&[0x0a, 19][..], &entry].concat();
        assert_eq!(example(&frame), [&[0x0a, 21][..], &features].concat());
        let frame = df!("x" => [1.5_f64]).unwrap();
        let expected = [0x0a, 15, 0x0a, 13, 0x0a, 1, b'x', 0x12, 8, 0x12, 6, 0x0a, 4, 0, 0, 0xc0, 0x3f];
        assert_eq!(example(&frame), expected);
    }

    #[test]
    fn lists_keep_their_places_in_a_slice() {
        let mut builder = ListStringChunkedBuilder::new("t".into(), 4, 8);
        builder.append_values_iter(["a", "b"].into_iter());
        builder.append_null();
        builder.append_values_iter(["c"].into_iter());
        builder.append_values_iter([""; 0].into_iter());
        let frame = DataFrame::new(4, vec![builder.finish().into_column()]).unwrap();
        let entry = |values: &[u8]| {
            let value = [&[0x0a, values.len() as u8][..], values].concat();
            let entry = [&[0x0a, 1, b't', 0x12, value.len() as u8][..], &value].concat();
            let features = [&[0x0a, entry.len() as u8][..], &entry].concat();
            [&[0x0a, features.len() as u8][..], &features].concat()
        };
        assert_eq!(example(&frame.slice(0, 1)), entry(&[0x0a, 1, b'a', 0x0a, 1, b'b']));
        assert_eq!(example(&frame.slice(1, 1)), [0x0a, 0]);
        assert_eq!(example(&frame.slice(2, 1)), entry(&[0x0a, 1, b'c']));
        assert_eq!(example(&frame.slice(3, 1)), entry(&[]));
    }

    #[test]
    fn floats_that_are_too_large_are_refused() {
        let frame = df!("x" => [1e300_f64]).unwrap();
        let kind = FeatureKind::of(&DataType::Float64).unwrap();
        let error = write_examples(&frame, &[kind], &mut [0], |_| Ok(())).unwrap_err();
        assert_eq!(error.to_string(), "column x holds 1e300, which is too large for a 32-bit float");
    }
}
