//! Mappings from schemas, frames and JSON documents. `sample` collects the facts that only values
//! show, and `json` reduces documents to a schema, such facts, and the fields of several types.

mod json;
mod sample;
#[cfg(test)]
mod tests;

use es_core::{Mapping, Properties};
use es_values::schema::FieldNames;
use polars::prelude::{DataFrame, DataType, Field, Schema, TimeUnit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::encode::{DottedNames, check_paths};
use crate::error::{Error, ErrorKind};
use crate::precision::single_precision;
use es_values::suggestion;
use sample::Sample;

pub use json::{InferredMapping, JsonSample, MixedField, Mixture};

/// The maximum number of dimensions of a `dense_vector`.
const MOST_DIMENSIONS: usize = 4096;

/// The options for inferring a mapping, beyond the types of the columns. A field inside a struct
/// is given by its path: `legs.carrier`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MappingOptions {
    /// The meaning of dots in column names; the same as in [`crate::WriterOptions::dotted_names`].
    pub dotted_names: DottedNames,
    /// The most characters of a text that is searchable as a keyword. Longer ones stay in the
    /// document and are not found by their value.
    pub ignore_above: u32,
    /// The most characters that the longest value of a column in the sample has if the column is a
    /// keyword; with longer values it is `text`.
    pub longest_keyword: usize,
    /// Maps a text column as `date` if all of its values in the sample are ISO 8601 dates or times,
    /// in the forms that a `date` field accepts. For formats without dates, such as JSON and CSV;
    /// Elasticsearch then refuses documents with any other text.
    pub dates_in_text: bool,
    /// The lists and arrays of numbers that are vectors. An `Array(Float32, n)` always is one. The
    /// number of dimensions of a list comes from the sample.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "FieldNames")]
    pub vectors: Vec<String>,
    /// The structs, and lists of structs, that are `nested`: queries see which values belong to
    /// the same struct. All others are `object`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "FieldNames")]
    pub nested: Vec<String>,
}

impl Default for MappingOptions {
    /// Dots without a meaning, keywords of up to 8,191 characters, text beyond 1,000, no dates in
    /// text, no further vectors, nothing nested.
    ///
    /// Lucene's terms have at most 32,766 bytes, and Elasticsearch refuses a document with a longer
    /// one. A character has at most four bytes in UTF-8, so 8,191 of them always fit.
    fn default() -> Self {
        Self {
            dotted_names: DottedNames::Flat,
            ignore_above: 32_766 / 4,
            longest_keyword: 1_000,
            dates_in_text: false,
            vectors: Vec::new(),
            nested: Vec::new(),
        }
    }
}

/// Returns the mapping of documents that [`crate::DocumentWriter`] writes of frames with this
/// schema.
///
/// | Polars | Elasticsearch |
/// |---|---|
/// | `Int8`, `Int16`, `Int32`, `Int64` | `byte`, `short`, `integer`, `long` |
/// | `UInt8`, `UInt16`, `UInt32`, `UInt64` | `short`, `integer`, `long`, `unsigned_long` |
/// | `Float32` | `float`, marked as one of 32-bit floats in its `meta` |
/// | `Float64` | `double` |
/// | `Decimal`, `Int128`, `UInt128` | `double` (searches see the nearest one) |
/// | `Boolean` | `boolean` |
/// | `String`, `Categorical`, `Enum` | `keyword` with [`MappingOptions::ignore_above`] |
/// | `String` that is long in a sample | `text` with a sub-field `keyword` |
/// | `String` of dates, with [`MappingOptions::dates_in_text`] | `date` |
/// | `Time` | `keyword` |
/// | `Date`, `Datetime` in ms or µs | `date` (searches see milliseconds; `_source` has all digits) |
/// | `Datetime` in ns | `date_nanos`, or `date` if a sample has one before 1970, which `date_nanos` cannot hold |
/// | `Duration` | `long`, in the column's unit |
/// | `Binary` | `binary` |
/// | `Array(Float32, n)` | `dense_vector` of n dimensions, up to 4,096 of them, and outside lists |
/// | `List(T)`, other `Array(T, n)` | as `T` |
/// | `Struct` | `object` with its fields, or `nested` on request |
/// | `Null` | none: the column has no values |
/// | `List(Null)`: lists that are all empty | `keyword` |
///
/// Fields of whole numbers have `coerce: false`: the server refuses a fraction, which it would otherwise cut
/// off where the field is searched.
///
/// A decimal is a `double`: `_source` keeps its digits as written, as long as it is requested whole
/// (Elasticsearch reformats a filtered one). It is not a `scaled_float`, which rounds the value that
/// searches see and overflows a `long` with as few as nineteen digits.
///
/// The mark on a `float` lets [`crate::HitDecoder`] read the column back as `Float32`; see
/// [`crate::FieldSource::Auto`].
///
/// # Errors
/// [`ErrorKind::UnsupportedType`] names the column of any other type.
pub fn infer_mapping(schema: &Schema) -> Result<Mapping, Error> {
    infer_mapping_with(schema, &MappingOptions::default())
}

/// Like [`infer_mapping`], with options.
///
/// The server compares vectors by their cosine unless the mapping says otherwise, and then
/// refuses those of length zero.
///
/// # Errors
/// [`ErrorKind::UnsupportedType`] for a type without a counterpart in Elasticsearch, for names that
/// are both a value and an object with [`DottedNames::Objects`], and for a field that cannot be the
/// vector or the nested field that the options name; [`ErrorKind::UnknownColumn`] for an option
/// that names no field.
pub fn infer_mapping_with(schema: &Schema, options: &MappingOptions) -> Result<Mapping, Error> {
    Inference { options, sample: Sample::default() }.mapping(schema)
}

/// Like [`infer_mapping_with`], from representative rows: their values show which texts are long,
/// how many numbers a vector has, and if instants fit `date_nanos`.
///
/// # Errors
/// As [`infer_mapping_with`], and for a list that is to be a vector and varies in length.
pub fn infer_mapping_of(sample: &DataFrame, options: &MappingOptions) -> Result<Mapping, Error> {
    Inference { options, sample: Sample::of(sample, options)? }.mapping(sample.schema())
}

/// Like [`infer_mapping_of`], from representative JSON documents.
///
/// | JSON | Elasticsearch |
/// |---|---|
/// | whole numbers | `long`; `unsigned_long` if some are above its range and none is negative |
/// | other numbers, beside whole numbers or not | `double` |
/// | whole numbers that none of these holds exactly together | `keyword` |
/// | booleans | `boolean` |
/// | strings | `keyword`, `text` or `date`, as [`infer_mapping`] maps a `String` |
/// | values of several of these types | `keyword` |
/// | arrays | as their elements |
/// | geometries of GeoJSON | `geo_shape` |
/// | other objects | `object`, or `nested` on request |
/// | objects and values in one field | that which is more frequent; the server refuses the other |
/// | only nulls and empty arrays | none |
///
/// Unlike the dynamic mapping of Elasticsearch, it maps a number with a fraction to `double`,
/// which loses no digits, and decides after all documents, not after the first one. Dots in names
/// stand for objects. A [`JsonSample`] tells which fields have values of several types.
///
/// ```
/// use es_frame::{MappingOptions, infer_mapping_of_json};
/// use serde_json::json;
///
/// let documents = [json!({"value": 1, "at": "2013-01-31T06:00:00Z"}), json!({"value": 0.5})];
/// let options = MappingOptions { dates_in_text: true, ..MappingOptions::default() };
/// let mapping = infer_mapping_of_json(&documents, &options)?;
/// assert_eq!(mapping.properties["value"], json!({"type": "double"}));
/// assert_eq!(mapping.properties["at"], json!({"type": "date"}));
/// # Ok::<(), es_frame::Error>(())
/// ```
///
/// # Errors
/// As [`infer_mapping_of`], and [`ErrorKind::Row`] for a document that is not an object.
pub fn infer_mapping_of_json(sample: &[Value], options: &MappingOptions) -> Result<Mapping, Error> {
    let mut documents = JsonSample::new(options.clone());
    for document in sample {
        documents.add(document)?;
    }
    Ok(documents.finish()?.mapping)
}

struct Inference<'a> {
    options: &'a MappingOptions,
    sample: Sample,
}

/// The position of a field, as far as its type depends on it.
#[derive(Clone, Copy)]
struct Place<'a> {
    path: &'a str,
    /// True if a document may have several values of it, so that it cannot be a vector.
    in_list: bool,
}

impl Inference<'_> {
    fn mapping(&self, schema: &Schema) -> Result<Mapping, Error> {
        for name in self.options.vectors.iter().chain(&self.options.nested) {
            if !schema.iter().any(|(column, dtype)| is_at(name, column, dtype)) {
                let known = schema.iter_names().map(|name| name.as_str());
                return Err(Error::new(ErrorKind::UnknownColumn, format!("there is no field {name}"))
                    .with_help(suggestion(name, "columns", known)));
            }
        }
        if self.options.dotted_names == DottedNames::Objects {
            check_paths(&schema.iter_names().map(|name| name.as_str()).collect::<Vec<_>>())?;
        }
        let mut properties = Properties::new();
        for (name, dtype) in schema.iter() {
            let Some(definition) = self.definition(Place { path: name, in_list: false }, dtype)? else { continue };
            match self.options.dotted_names {
                DottedNames::Flat => drop(properties.insert(name.to_string(), definition)),
                DottedNames::Objects => insert(&mut properties, name, definition),
            }
        }
        Ok(Mapping::new(properties))
    }

    fn definition(&self, place: Place<'_>, dtype: &DataType) -> Result<Option<Value>, Error> {
        let path = place.path;
        let named = |names: &[String]| names.iter().any(|name| name == path);
        if named(&self.options.vectors) {
            return self.vector(place, dtype).map(Some);
        }
        let structs = matches!(innermost(dtype), DataType::Struct(_));
        if named(&self.options.nested) && !structs {
            return Err(unfit(path, "nested", dtype, "only structs and lists of structs are"));
        }
        let field_type = match dtype {
            DataType::Null => return Ok(None),
            DataType::Boolean => "boolean",
            DataType::Int8 => return Ok(Some(whole("byte"))),
            DataType::Int16 | DataType::UInt8 => return Ok(Some(whole("short"))),
            DataType::Int32 | DataType::UInt16 => return Ok(Some(whole("integer"))),
            DataType::Int64 | DataType::UInt32 | DataType::Duration(_) => return Ok(Some(whole("long"))),
            DataType::UInt64 => "unsigned_long",
            DataType::Float32 => return Ok(Some(single_precision())),
            DataType::Float64 | DataType::Decimal(..) | DataType::Int128 | DataType::UInt128 => "double",
            DataType::String if self.sample.has_long_text(path) => {
                return Ok(Some(json!({"type": "text", "fields": {"keyword": self.keyword()}})));
            }
            DataType::String if self.sample.has_dates(path) => "date",
            DataType::String | DataType::Categorical(..) | DataType::Enum(..) => return Ok(Some(self.keyword())),
            DataType::Time => "keyword",
            DataType::Datetime(TimeUnit::Nanoseconds, _) if !self.sample.has_early_instant(path) => "date_nanos",
            DataType::Date | DataType::Datetime(..) => "date",
            DataType::Binary => "binary",
            DataType::Array(inner, dims)
                if **inner == DataType::Float32 && !place.in_list && (1..=MOST_DIMENSIONS).contains(dims) =>
            {
                return Ok(Some(dense_vector(*dims)));
            }
            // Lists that are all empty have values for no field, and a strict index refuses them without one.
            DataType::List(_) | DataType::Array(..) if *innermost(dtype) == DataType::Null => {
                return Ok(Some(self.keyword()));
            }
            DataType::List(inner) | DataType::Array(inner, _) => {
                return self.definition(Place { in_list: true, ..place }, inner);
            }
            DataType::Struct(_) if self.sample.has_shapes(path) => "geo_shape",
            DataType::Struct(fields) => return self.object(place, fields, named(&self.options.nested)).map(Some),
            other => {
                return Err(Error::new(
                    ErrorKind::UnsupportedType,
                    format!("column {path} has the type {other}, which has no counterpart in Elasticsearch"),
                )
                .with_help("cast the column to a number, a string or a date before it is indexed"));
            }
        };
        Ok(Some(json!({"type": field_type})))
    }

    fn keyword(&self) -> Value {
        json!({"type": "keyword", "ignore_above": self.options.ignore_above})
    }

    fn object(&self, place: Place<'_>, fields: &[Field], nested: bool) -> Result<Value, Error> {
        let mut properties = Properties::new();
        for field in fields {
            let path = format!("{}.{}", place.path, field.name());
            // Each nested object is a document of its own, which may have a vector.
            let place = Place { path: &path, in_list: place.in_list && !nested };
            if let Some(inner) = self.definition(place, field.dtype())? {
                properties.insert(field.name().to_string(), inner);
            }
        }
        Ok(if nested { json!({"type": "nested", "properties": properties}) } else { json!({"properties": properties}) })
    }

    /// The definition of a field that the options name as a vector.
    fn vector(&self, place: Place<'_>, dtype: &DataType) -> Result<Value, Error> {
        let path = place.path;
        if place.in_list {
            return Err(unfit(path, "a vector", dtype, "a document has one of each vector, outside lists"));
        }
        let dims = match dtype {
            DataType::Array(inner, dims) if inner.is_primitive_numeric() => *dims,
            DataType::List(inner) if inner.is_primitive_numeric() => self.sample.dimensions(path)?,
            _ => return Err(unfit(path, "a vector", dtype, "only lists and arrays of numbers are")),
        };
        if !(1..=MOST_DIMENSIONS).contains(&dims) {
            return Err(Error::new(
                ErrorKind::UnsupportedType,
                format!("column {path} cannot be a vector of {dims} dimensions"),
            )
            .with_help(format!("vectors have from 1 to {MOST_DIMENSIONS} dimensions")));
        }
        Ok(dense_vector(dims))
    }
}

/// A field of whole numbers, which refuses a fraction instead of cutting it off.
fn whole(field_type: &str) -> Value {
    json!({"type": field_type, "coerce": false})
}

fn dense_vector(dims: usize) -> Value {
    json!({"type": "dense_vector", "dims": dims})
}

fn unfit(path: &str, role: &str, dtype: &DataType, help: &str) -> Error {
    Error::new(ErrorKind::UnsupportedType, format!("column {path} of the type {dtype} cannot be {role}"))
        .with_help(help)
}

/// The type inside all lists and arrays.
fn innermost(dtype: &DataType) -> &DataType {
    match dtype {
        DataType::List(inner) | DataType::Array(inner, _) => innermost(inner),
        other => other,
    }
}

/// True if a path is that of a field, or of one inside it.
fn is_at(path: &str, name: &str, dtype: &DataType) -> bool {
    let Some(rest) = path.strip_prefix(name) else { return false };
    match (rest.strip_prefix('.'), innermost(dtype)) {
        (Some(rest), DataType::Struct(fields)) => fields.iter().any(|field| is_at(rest, field.name(), field.dtype())),
        _ => rest.is_empty(),
    }
}

/// Adds a field under a path of objects.
fn insert(properties: &mut Properties, path: &str, definition: Value) {
    let Some((name, rest)) = path.split_once('.') else {
        properties.insert(path.to_owned(), definition);
        return;
    };
    let object = properties.entry(name).or_insert_with(|| json!({"properties": {}}));
    // Names that are both a field and an object are refused by `check_paths`.
    if let Some(inner) = object.get_mut("properties").and_then(Value::as_object_mut) {
        insert(inner, rest, definition);
    }
}
