//! The fields that JSON documents stand for, and the facts about their values.

mod found;

use std::collections::HashMap;
use std::fmt;

use es_core::Mapping;
use polars::prelude::Schema;
use serde_json::{Map, Value};

use super::sample::{Sample, is_date};
use super::{Inference, MappingOptions};
use crate::error::{Error, ErrorKind};
use found::{Fields, Found};

/// Representative JSON documents, from which a mapping is inferred. They are added one by one, so that
/// they need not all be in memory.
///
/// ```
/// use es_frame::{JsonSample, MappingOptions};
/// use serde_json::json;
///
/// let mut sample = JsonSample::new(MappingOptions::default());
/// sample.add(&json!({"title": "Slam", "price": 1234567.89}))?;
/// sample.add(&json!({"title": 300, "price": 2}))?;
/// let inferred = sample.finish()?;
/// assert_eq!(inferred.mapping.properties["price"], json!({"type": "double"}));
/// assert_eq!(inferred.mixed[0].to_string(), "title holds numbers and texts, and is mapped as keyword");
/// # Ok::<(), es_frame::Error>(())
/// ```
#[derive(Debug)]
pub struct JsonSample {
    options: MappingOptions,
    documents: usize,
    fields: Fields,
    sample: Sample,
    /// Paths with texts: true if all values are dates.
    dates: HashMap<String, bool>,
}

/// A mapping, with the fields whose values do not agree on a type.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InferredMapping {
    /// The mapping.
    pub mapping: Mapping,
    /// These fields, in the order of the documents.
    pub mixed: Vec<MixedField>,
}

/// A field whose values have several types, and the type that it is mapped as nevertheless.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MixedField {
    /// The path of the field.
    pub path: String,
    /// The types of its values.
    pub mixture: Mixture,
}

/// Types that no type of Elasticsearch holds together, or that only a `keyword` does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mixture {
    /// Values of several types, as a keyword.
    Keyword(Vec<&'static str>),
    /// Integers that no numeric type holds exactly together with the others, as a keyword.
    Integers,
    /// Objects and values. Documents with the rarer of the two are refused by the server.
    ObjectsAndValues {
        /// The number of objects in the sample.
        objects: u64,
        /// The number of other values.
        values: u64,
    },
}

impl MixedField {
    /// True if documents of the sample are refused with this mapping.
    pub fn refuses_documents(&self) -> bool {
        matches!(self.mixture, Mixture::ObjectsAndValues { .. })
    }
}

impl fmt::Display for MixedField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match &self.mixture {
            Mixture::Keyword(types) => write!(f, "{path} holds {}, and is mapped as keyword", types.join(" and ")),
            Mixture::Integers => {
                write!(f, "{path} holds integers that no numeric type holds exactly, and is mapped as keyword")
            }
            Mixture::ObjectsAndValues { objects, values } => {
                let (kept, refused) =
                    if objects >= values { ("an object", "a value") } else { ("a value", "an object") };
                write!(
                    f,
                    "{path} is an object {objects} times and a value {values} times in the first documents: it is \
                     mapped as {kept}, and documents in which it is {refused} are rejected"
                )
            }
        }
    }
}

impl JsonSample {
    /// A sample without documents.
    pub fn new(options: MappingOptions) -> Self {
        Self { options, documents: 0, fields: Fields::new(), sample: Sample::default(), dates: HashMap::new() }
    }

    /// Adds a document.
    ///
    /// # Errors
    /// [`ErrorKind::Row`] when it is not an object.
    pub fn add(&mut self, document: &Value) -> Result<(), Error> {
        let Value::Object(members) = document else {
            let (number, found) = (self.documents, noun(document));
            let message = format!("document {number} is {found}, and documents are JSON objects");
            return Err(Error::new(ErrorKind::Row, message).with_help("pass the objects that will be indexed"));
        };
        let mut reader = Reader { options: &self.options, sample: &mut self.sample, dates: &mut self.dates };
        reader.members("", members, &mut self.fields);
        self.documents += 1;
        Ok(())
    }

    /// The mapping that the documents imply.
    ///
    /// # Errors
    /// As [`infer_mapping_of`](super::infer_mapping_of).
    pub fn finish(mut self) -> Result<InferredMapping, Error> {
        for (path, _) in self.dates.into_iter().filter(|(_, are_dates)| *are_dates) {
            self.sample.add_dates(path);
        }
        let mut mixed = Vec::new();
        let mut schema = Schema::default();
        for (name, found) in self.fields {
            let dtype = found.dtype(&name, &mut mixed, &mut self.sample);
            schema.insert(name.into(), dtype);
        }
        let inference = Inference { options: &self.options, sample: self.sample };
        Ok(InferredMapping { mapping: inference.mapping(&schema)?, mixed })
    }
}

struct Reader<'a> {
    options: &'a MappingOptions,
    sample: &'a mut Sample,
    dates: &'a mut HashMap<String, bool>,
}

impl Reader<'_> {
    fn members(&mut self, path: &str, members: &Map<String, Value>, fields: &mut Fields) {
        for (name, value) in members {
            self.member(path, name, value, fields);
        }
    }

    /// A member of an object. Dots in its name stand for objects, as the server takes them.
    fn member(&mut self, path: &str, name: &str, value: &Value, fields: &mut Fields) {
        let (first, rest) = name.split_once('.').map_or((name, None), |(first, rest)| (first, Some(rest)));
        if first.trim().is_empty() {
            // No field has such a name: the server refuses the document.
            return;
        }
        let path = if path.is_empty() { first.to_owned() } else { format!("{path}.{first}") };
        let found = fields.entry(first.to_owned()).or_default();
        match rest {
            Some(rest) => {
                found.objects += 1;
                self.member(&path, rest, value, &mut found.fields);
            }
            None => self.value(&path, value, found),
        }
    }

    fn value(&mut self, path: &str, value: &Value, found: &mut Found) {
        if self.options.dates_in_text && !matches!(value, Value::Null | Value::Array(_) | Value::Object(_)) {
            let is_date = value.as_str().is_some_and(is_date);
            self.dates.entry(path.to_owned()).and_modify(|all| *all &= is_date).or_insert(is_date);
        }
        match value {
            Value::Null => {}
            Value::Array(items) => {
                if self.options.vectors.iter().any(|name| name == path) {
                    self.sample.add_lengths(path, [items.len()]);
                }
                found.is_list = true;
                items.iter().for_each(|item| self.value(path, item, found));
            }
            Value::Object(members) => {
                found.objects += 1;
                found.shapes += u64::from(is_geometry(members));
                self.members(path, members, &mut found.fields);
            }
            Value::String(text) => {
                self.sample.add_text(path, text, self.options);
                found.add_text();
            }
            Value::Bool(_) => found.add_boolean(),
            Value::Number(number) => found.add_number(number),
        }
    }
}

/// True for a geometry of GeoJSON (RFC 7946, section 3.1).
fn is_geometry(members: &Map<String, Value>) -> bool {
    let content = match members.get("type").and_then(Value::as_str) {
        Some("Point" | "LineString" | "Polygon" | "MultiPoint" | "MultiLineString" | "MultiPolygon") => "coordinates",
        Some("GeometryCollection") => "geometries",
        _ => return false,
    };
    members.get(content).is_some_and(Value::is_array)
}

fn noun(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests;
