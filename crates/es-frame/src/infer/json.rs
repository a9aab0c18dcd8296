//! The columns that JSON documents stand for, and the facts about their values.

use std::collections::HashMap;

use indexmap::IndexMap;
use polars::prelude::{DataType, Field, Schema};
use serde_json::{Map, Number, Value};

use super::MappingOptions;
use super::sample::{Sample, is_date};
use crate::error::{Error, ErrorKind};

/// The schema of documents, and the facts about their values.
pub(super) fn schema_of(documents: &[Value], options: &MappingOptions) -> Result<(Schema, Sample), Error> {
    let mut reader = Reader { options, document: 0, sample: Sample::default(), dates: HashMap::new() };
    let mut fields = Fields::new();
    for (place, document) in documents.iter().enumerate() {
        reader.document = place;
        let Value::Object(members) = document else {
            let message = format!("document {place} is {}, and documents are JSON objects", noun(document));
            return Err(Error::new(ErrorKind::Row, message).with_help("pass the objects that will be indexed"));
        };
        reader.members("", members, &mut fields)?;
    }
    for (path, _) in reader.dates.into_iter().filter(|(_, are_dates)| *are_dates) {
        reader.sample.add_dates(path);
    }
    let schema = fields.into_iter().map(|(name, found)| (name.into(), found.dtype())).collect();
    Ok((schema, reader.sample))
}

type Fields = IndexMap<String, Found>;

/// The values of a field so far.
#[derive(Default)]
struct Found {
    kind: Kind,
    is_list: bool,
}

/// The narrowest type of all values of a field.
#[derive(Default)]
enum Kind {
    #[default]
    Null,
    Boolean,
    Integer {
        /// A value is below 0.
        is_negative: bool,
        /// A value is above the largest `i64`.
        is_large: bool,
    },
    Float,
    Text,
    Object(Fields),
}

impl Found {
    fn dtype(self) -> DataType {
        let dtype = match self.kind {
            Kind::Null => return DataType::Null,
            Kind::Boolean => DataType::Boolean,
            Kind::Integer { is_large: false, .. } => DataType::Int64,
            Kind::Integer { is_negative: false, .. } => DataType::UInt64,
            Kind::Integer { .. } | Kind::Float => DataType::Float64,
            Kind::Text => DataType::String,
            Kind::Object(fields) => {
                let fields = fields.into_iter().map(|(name, found)| Field::new(name.into(), found.dtype()));
                DataType::Struct(fields.collect())
            }
        };
        if self.is_list { DataType::List(Box::new(dtype)) } else { dtype }
    }
}

struct Reader<'a> {
    options: &'a MappingOptions,
    document: usize,
    sample: Sample,
    /// Paths with texts: true if all values are dates.
    dates: HashMap<String, bool>,
}

impl Reader<'_> {
    fn members(&mut self, path: &str, members: &Map<String, Value>, fields: &mut Fields) -> Result<(), Error> {
        for (name, value) in members {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            self.value(&path, value, fields.entry(name.clone()).or_default())?;
        }
        Ok(())
    }

    fn value(&mut self, path: &str, value: &Value, found: &mut Found) -> Result<(), Error> {
        if let Value::Array(items) = value {
            if self.options.vectors.iter().any(|name| name == path) {
                self.sample.add_lengths(path, [items.len()]);
            }
            found.is_list = true;
            return items.iter().try_for_each(|item| self.value(path, item, found));
        }
        if value.is_null() {
            return Ok(());
        }
        let is_object = matches!(found.kind, Kind::Object(_));
        if !matches!(found.kind, Kind::Null) && is_object != value.is_object() {
            let (document, before) = (self.document, if is_object { "an object" } else { "a value" });
            return Err(Error::new(
                ErrorKind::UnsupportedType,
                format!("field {path} is {} in document {document}, and {before} before", noun(value)),
            )
            .with_help("a field of Elasticsearch holds either objects or values: rename one of the two"));
        }
        if let Value::String(text) = value {
            self.sample.add_text(path, text, self.options);
        }
        if self.options.dates_in_text && !is_object {
            let is_date = value.as_str().is_some_and(is_date);
            self.dates.entry(path.to_owned()).and_modify(|all| *all &= is_date).or_insert(is_date);
        }
        let before = std::mem::take(&mut found.kind);
        found.kind = match (before, value) {
            (Kind::Null, Value::Object(_)) => Kind::Object(Fields::new()),
            (before, Value::Number(number)) => before.with(number),
            (Kind::Null | Kind::Boolean, Value::Bool(_)) => Kind::Boolean,
            (before @ Kind::Object(_), _) => before,
            // A keyword takes numbers and booleans as well.
            _ => Kind::Text,
        };
        match (&mut found.kind, value) {
            (Kind::Object(fields), Value::Object(members)) => self.members(path, members, fields),
            _ => Ok(()),
        }
    }
}

impl Kind {
    fn with(self, number: &Number) -> Self {
        let (negative, large) = match self {
            Self::Null => (false, false),
            Self::Integer { is_negative, is_large } => (is_negative, is_large),
            Self::Float => return Self::Float,
            _ => return Self::Text,
        };
        match (number.as_i64(), number.as_u64()) {
            (Some(integer), _) => Self::Integer { is_negative: negative || integer < 0, is_large: large },
            (None, Some(_)) => Self::Integer { is_negative: negative, is_large: true },
            (None, None) => Self::Float,
        }
    }
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
mod tests {
    use serde_json::json;

    use super::super::infer_mapping_of_json;
    use super::*;

    fn inferred(documents: Value, options: &MappingOptions) -> Value {
        let Value::Array(documents) = documents else { unreachable!("documents are an array") };
        Value::Object(infer_mapping_of_json(&documents, options).unwrap().properties)
    }

    #[test]
    fn each_json_type_has_a_field_type() {
        let documents = json!([
            {"i": 1, "f": 1, "u": 1, "w": -1, "b": true, "s": "a", "m": 1, "n": null, "l": [], "o": {"x": [1, 2]}},
            {"f": 0.5, "u": u64::MAX, "w": u64::MAX, "b": false, "m": "one", "l": [1, [2.5]], "o": {"y": "é"}},
            {"a.b": 1, "o": [{"x": 3}, {"z": {}}], "c": [true, 1]},
        ]);
        let keyword = json!({"type": "keyword", "ignore_above": 8191});
        assert_eq!(
            inferred(documents, &MappingOptions::default()),
            json!({
                "i": {"type": "long", "coerce": false}, "f": {"type": "double"}, "u": {"type": "unsigned_long"},
                "w": {"type": "double"}, "b": {"type": "boolean"}, "s": keyword, "m": keyword,
                "l": {"type": "double"},
                "o": {"properties": {"x": {"type": "long", "coerce": false}, "y": keyword, "z": {"properties": {}}}},
                "a.b": {"type": "long", "coerce": false}, "c": keyword,
            })
        );
        assert_eq!(inferred(json!([]), &MappingOptions::default()), json!({}));
    }

    #[test]
    fn options_apply_as_to_frames() {
        let documents = json!([
            {"t": "2013-01-31", "mixed": "2013-01-31", "long": "longer than a date", "v": [1, 2], "a.b": 1, "legs": [{"n": 1}]},
            {"t": null, "mixed": 5, "v": [0.5, 1.5]},
        ]);
        let options = MappingOptions {
            dates_in_text: true,
            longest_keyword: 10,
            vectors: vec!["v".into()],
            nested: vec!["legs".into()],
            dotted_names: crate::DottedNames::Objects,
            ..MappingOptions::default()
        };
        let found = inferred(documents, &options);
        assert_eq!(found["t"], json!({"type": "date"}));
        assert_eq!(found["mixed"]["type"], "keyword", "a number is not a date in text");
        assert_eq!(found["long"]["type"], "text");
        assert_eq!(found["v"], json!({"type": "dense_vector", "dims": 2}));
        assert_eq!(found["a"], json!({"properties": {"b": {"type": "long", "coerce": false}}}));
        assert_eq!(found["legs"], json!({"type": "nested", "properties": {"n": {"type": "long", "coerce": false}}}));
    }

    #[test]
    fn documents_that_share_no_mapping_are_refused() {
        let refused = |documents: &[Value], options: &MappingOptions| {
            let error = infer_mapping_of_json(documents, options).unwrap_err();
            assert!(error.help().is_some(), "{error}");
            (error.kind(), error.to_string())
        };
        let options = MappingOptions::default();
        assert_eq!(
            refused(&[json!({"a": {"b": 1}}), json!({"a": 2})], &options),
            (ErrorKind::UnsupportedType, "field a is a number in document 1, and an object before".to_owned())
        );
        assert_eq!(
            refused(&[json!({"a": [2, {"b": 1}]})], &options).1,
            "field a is an object in document 0, and a value before"
        );
        assert_eq!(
            refused(&[json!([1])], &options),
            (ErrorKind::Row, "document 0 is an array, and documents are JSON objects".to_owned())
        );
        let vectors = MappingOptions { vectors: vec!["v".into()], ..options };
        assert_eq!(
            refused(&[json!({"v": [1, 2]}), json!({"v": [1, 2, 3]})], &vectors).1,
            "column v cannot be a vector, as it has lists of 2 and of 3 numbers"
        );
    }
}
