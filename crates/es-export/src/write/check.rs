//! Which columns a format can hold, decided before a row is read.

use std::collections::HashMap;

use es_frame::DocumentWriter;
use polars::prelude::{DataFrame, DataType, Schema};

use super::avro::field_name;
use super::format::{FileOptions, Format};
use super::npy::matrix_holds;
use super::tensor::TensorColumn;
use super::tfrecord::FeatureKind;
use crate::error::{Error, ErrorKind};

impl FileOptions {
    /// Checks that the format can hold every column.
    ///
    /// # Errors
    /// [`ErrorKind::Format`] names the first column that it cannot hold, and the help says
    /// what to do; also when the format does not have its compression.
    pub fn check(&self, schema: &Schema) -> Result<(), Error> {
        self.check_compression()?;
        let format = self.format;
        if schema.is_empty() {
            return Err(Error::new(ErrorKind::Format, "there is no column to write").with_help("name some columns"));
        }
        for (name, dtype) in schema.iter() {
            if let Some(why) = format.refusal(name, dtype) {
                let message = format!("column {name} of type {dtype} does not fit in {format}: {why}");
                return Err(Error::new(ErrorKind::Format, message).with_help(format.way_out(dtype)));
            }
        }
        if format == Format::Avro {
            check_field_names(schema)?;
        }
        Ok(())
    }
}

impl Format {
    /// Why a column does not fit, if it does not.
    fn refusal(self, name: &str, dtype: &DataType) -> Option<&'static str> {
        match self {
            Self::Parquet | Self::Ipc | Self::IpcStream => None,
            Self::Csv | Self::Tsv => match dtype {
                DataType::List(_) | DataType::Array(..) => Some("a field is one value, not a list"),
                DataType::Struct(_) => Some("a field is one value, not an object"),
                DataType::Binary => Some("it is text"),
                _ => None,
            },
            Self::Ndjson | Self::Json => {
                let column = Schema::from_iter([(name.into(), dtype.clone())]);
                let frame = DataFrame::empty_with_schema(&column);
                let none: [&str; 0] = [];
                DocumentWriter::new(&frame, &none).err().map(|_| "JSON has no form for it")
            }
            Self::Avro => avro_refusal(dtype),
            Self::Npy => (!matrix_holds(dtype)).then_some("a matrix is made of numbers, booleans and vectors of them"),
            Self::Npz | Self::Safetensors => TensorColumn::of(name, dtype)
                .is_none()
                .then_some("a tensor is made of numbers, booleans or instants, or of vectors of one length"),
            Self::Tfrecord => FeatureKind::of(dtype)
                .is_none()
                .then_some("a feature is a list of 64-bit signed integers, 32-bit floats or bytes"),
        }
    }

    fn way_out(self, dtype: &DataType) -> String {
        let others = "leave it out, or choose parquet, ipc or ndjson";
        match dtype {
            DataType::UInt64 => {
                format!("make it a float with the encoding numeric, which keeps 53 bits of it; {others}")
            }
            DataType::String if self.holds_tensors() => {
                format!("encode it as codes or one-hot, {others}")
            }
            DataType::Datetime(..) if self.holds_tensors() => {
                format!("{others}; npz, safetensors and tfrecord hold instants")
            }
            _ => others.to_owned(),
        }
    }
}

fn avro_refusal(dtype: &DataType) -> Option<&'static str> {
    use DataType::{
        Array, Binary, Boolean, Date, Datetime, Float32, Float64, Int8, Int16, Int32, Int64, List, String, Struct,
        UInt8, UInt16, UInt32, UInt64,
    };
    match dtype {
        Boolean | Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | Float32 | Float64 | String | Binary
        | Datetime(..) | Date => None,
        UInt64 => Some("Avro has no unsigned integers of 64 bits"),
        List(inner) | Array(inner, _) => avro_refusal(inner),
        Struct(fields) => fields.iter().find_map(|field| avro_refusal(field.dtype())),
        _ => Some("Avro has no such type"),
    }
}

/// Two columns whose names are one once Avro's rules are applied.
fn check_field_names(schema: &Schema) -> Result<(), Error> {
    let mut known = HashMap::new();
    for name in schema.iter_names() {
        let field = field_name(name);
        if let Some(other) = known.insert(field.clone(), name) {
            let message = format!("columns {other} and {name} would both be called {field} in avro");
            return Err(
                Error::new(ErrorKind::Format, message).with_help("leave one out, or choose parquet, ipc or ndjson")
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::{Field, TimeUnit, TimeZone};

    /// Every type that the decoder gives, and the formats that hold it, as letters: all hold
    /// Parquet and both Arrow formats; c CSV and TSV, j NDJSON and JSON, a Avro, m npy, z npz, s safetensors,
    /// t TFRecord.
    fn table() -> Vec<(DataType, &'static str)> {
        let instant = |unit| DataType::Datetime(unit, Some(TimeZone::UTC));
        let list = |inner| DataType::List(Box::new(inner));
        let array = |inner| DataType::Array(Box::new(inner), 3);
        vec![
            (DataType::Boolean, "cjamzst"),
            (DataType::Int8, "cjamzst"),
            (DataType::Int16, "cjamzst"),
            (DataType::Int32, "cjamzst"),
            (DataType::Int64, "cjamzst"),
            (DataType::UInt8, "cjamzst"),
            (DataType::UInt16, "cjamzst"),
            (DataType::UInt32, "cjamzst"),
            (DataType::UInt64, "cjzs"),
            (DataType::Float32, "cjamzst"),
            (DataType::Float64, "cjamzst"),
            (instant(TimeUnit::Milliseconds), "cjazst"),
            (instant(TimeUnit::Nanoseconds), "cjazst"),
            (DataType::String, "cjat"),
            (DataType::Binary, "jat"),
            (list(DataType::Int64), "jat"),
            (list(DataType::String), "jat"),
            (list(list(DataType::Int64)), "ja"),
            (array(DataType::Float32), "jamzst"),
            (array(DataType::UInt8), "jamzst"),
            (DataType::Struct(vec![Field::new("x".into(), DataType::Int64)]), "ja"),
            (DataType::Struct(vec![Field::new("x".into(), DataType::UInt64)]), "j"),
        ]
    }

    #[test]
    fn every_type_fits_or_is_refused_by_name() {
        let letters = [
            ("parquet", None),
            ("ipc", None),
            ("ipc-stream", None),
            ("csv", Some('c')),
            ("tsv", Some('c')),
            ("ndjson", Some('j')),
            ("json", Some('j')),
            ("avro", Some('a')),
            ("npy", Some('m')),
            ("npz", Some('z')),
            ("safetensors", Some('s')),
            ("tfrecord", Some('t')),
        ];
        assert_eq!(letters.map(|(name, _)| name), Format::ALL.map(Format::as_str));
        for (dtype, holders) in table() {
            let schema = Schema::from_iter([("tags.a".into(), dtype.clone())]);
            for (name, letter) in letters {
                let outcome = FileOptions::from(name.parse::<Format>().unwrap()).check(&schema);
                if letter.is_none_or(|letter| holders.contains(letter)) {
                    assert!(outcome.is_ok(), "{name} {dtype} {outcome:?}");
                    continue;
                }
                let error = outcome.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Format);
                let start = format!("column tags.a of type {dtype} does not fit in {name}: ");
                assert!(error.to_string().starts_with(&start), "{error}");
                assert!(error.help().unwrap().contains("leave it out"), "{:?}", error.help());
            }
        }
    }

    #[test]
    fn texts_for_tensors_are_to_be_encoded() {
        let schema = Schema::from_iter([("carrier".into(), DataType::String)]);
        let error = FileOptions::from(Format::Npz).check(&schema).unwrap_err();
        assert_eq!(
            error.help(),
            Some(
                "encode it as codes or one-hot, leave it out, or choose \
                 parquet, ipc or ndjson"
            )
        );
    }

    #[test]
    fn names_that_avro_cannot_tell_apart_are_refused() {
        let schema = Schema::from_iter([("a.b".into(), DataType::Int64), ("a_b".into(), DataType::Int64)]);
        let error = FileOptions::from(Format::Avro).check(&schema).unwrap_err();
        assert_eq!(error.to_string(), "columns a.b and a_b would both be called a_b in avro");
        let error = FileOptions::from(Format::Csv).check(&Schema::default()).unwrap_err();
        assert_eq!(error.to_string(), "there is no column to write");
    }
}
