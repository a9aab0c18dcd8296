//! Safetensors, one tensor a column.
//!
//! The layout is that of [its description](https://github.com/huggingface/safetensors#format):
//! the length of the header, a JSON object of types, shapes and places, and the elements. The
//! columns are kept aside until their length is known, as the library wants them in memory.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::ManifestFile;
use super::features::Feature;
use super::file::OutputFile;
use super::tensor::{Element, NullForm, TensorColumn};
use super::tensor_file::{Layout, Tensors};
use crate::error::Error;

/// The format's name of an element type.
fn dtype(element: Element) -> &'static str {
    match element {
        Element::Bool => "BOOL",
        Element::I8 => "I8",
        Element::I16 => "I16",
        Element::I32 => "I32",
        Element::I64 | Element::Instant(_) => "I64",
        Element::U8 => "U8",
        Element::U16 => "U16",
        Element::U32 => "U32",
        Element::U64 => "U64",
        Element::F32 => "F32",
        Element::F64 => "F64",
    }
}

/// The places of the tensors: the wide elements first, so that all are aligned.
fn order(columns: &[TensorColumn]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..columns.len()).collect();
    places.sort_by_key(|place| std::cmp::Reverse(columns[*place].element.size()));
    places
}

/// The header: its length, and the object, filled up so that the elements are aligned.
fn header(columns: &[TensorColumn], rows: u64, features: &str) -> Vec<u8> {
    let mut object = Map::new();
    object.insert("__metadata__".to_owned(), json!({"features": features}));
    let mut at = 0;
    for place in order(columns) {
        let column = &columns[place];
        let end = at + rows * (column.elements() * column.element.size()) as u64;
        let shape = column.shape(rows);
        let tensor = json!({"dtype": dtype(column.element), "shape": shape, "data_offsets": [at, end]});
        object.insert(column.name.clone(), tensor);
        at = end;
    }
    let mut text = Value::Object(object).to_string().into_bytes();
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut header = (text.len() as u64).to_le_bytes().to_vec();
    header.append(&mut text);
    header
}

/// The file.
pub(super) struct Safetensors(OutputFile);

impl Layout for Safetensors {
    const FORMAT: &'static str = "safetensors";
    const NULLS: NullForm = NullForm::NotANumber;

    fn begin(folder: &Path, name: &str) -> Result<Self, Error> {
        Ok(Self(OutputFile::create(folder, name)?))
    }

    fn finish(self, tensors: &mut Tensors, features: &[Feature]) -> Result<ManifestFile, Error> {
        let Self(file) = self;
        let text = serde_json::to_string(features)
            .map_err(|source| Error::writing(file.path(), std::io::Error::other(source)))?;
        file.write(&header(&tensors.columns, tensors.rows, &text))?;
        for place in order(&tensors.columns) {
            tensors.spool.read(place, |bytes| file.write(bytes))?;
        }
        file.finish(tensors.rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::DataType;

    #[test]
    fn the_header_is_as_its_description_says() {
        let column = |name, dtype: DataType| TensorColumn::of(name, &dtype).unwrap();
        let columns = [
            column("b", DataType::Boolean),
            column("v", DataType::Array(Box::new(DataType::Float32), 2)),
            column("n", DataType::Int64),
        ];
        let header = header(&columns, 3, "[]");
        let text = "{\"__metadata__\":{\"features\":\"[]\"},\
                    \"n\":{\"dtype\":\"I64\",\"shape\":[3],\"data_offsets\":[0,24]},\
                    \"v\":{\"dtype\":\"F32\",\"shape\":[3,2],\"data_offsets\":[24,48]},\
                    \"b\":{\"dtype\":\"BOOL\",\"shape\":[3],\"data_offsets\":[48,51]}}";
        let length = text.len().next_multiple_of(8);
        assert_eq!(header[..8], (length as u64).to_le_bytes());
        assert_eq!(std::str::from_utf8(&header[8..]).unwrap(), format!("{text:length$}"));
        // The library itself finds the tensors.
        let mut file = header;
        file.resize(file.len() + 51, 0);
        let read = safetensors::SafeTensors::deserialize(&file).unwrap();
        assert_eq!(read.tensor("v").unwrap().shape(), [3, 2]);
        assert_eq!(read.tensor("n").unwrap().dtype(), safetensors::Dtype::I64);
    }
}
