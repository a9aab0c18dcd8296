//! Which columns there are, what type each has, and where the server takes it from.

use es_core::{Mapping, Property};
use polars::prelude::{DataType, TimeUnit, TimeZone};
use serde_json::{Value, json};

use crate::error::{Error, ErrorKind};

/// Which fields of an index become columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnRequest {
    /// Every field of the mapping that holds values, in its order.
    All,
    /// These fields, in this order; `_id` and `_index` are known too.
    Named(Vec<String>),
}

/// Where the server takes the values from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Retrieval {
    /// All from doc values: columnar on the server, nothing else is read.
    DocValues,
    /// Some from `_source`, for which whole documents are read and cut down; the others from
    /// doc values.
    Source {
        /// The first column that doc values cannot give as it was written, and why.
        because: String,
    },
}

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ColumnType {
    Boolean,
    Int8,
    Int16,
    Int32,
    Int64,
    UInt64,
    Float32,
    Float64,
    Milliseconds,
    Nanoseconds,
    Text,
    DocumentId,
    IndexName,
}

impl ColumnType {
    pub(crate) fn dtype(self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Int8 => DataType::Int8,
            Self::Int16 => DataType::Int16,
            Self::Int32 => DataType::Int32,
            Self::Int64 => DataType::Int64,
            Self::UInt64 => DataType::UInt64,
            Self::Float32 => DataType::Float32,
            Self::Float64 => DataType::Float64,
            Self::Milliseconds => DataType::Datetime(TimeUnit::Milliseconds, Some(TimeZone::UTC)),
            Self::Nanoseconds => DataType::Datetime(TimeUnit::Nanoseconds, Some(TimeZone::UTC)),
            Self::Text | Self::DocumentId | Self::IndexName => DataType::String,
        }
    }

    fn of(field_type: &str) -> Option<Self> {
        Some(match field_type {
            "boolean" => Self::Boolean,
            "byte" => Self::Int8,
            "short" => Self::Int16,
            "integer" => Self::Int32,
            "long" => Self::Int64,
            "unsigned_long" => Self::UInt64,
            "half_float" | "float" => Self::Float32,
            "double" | "scaled_float" => Self::Float64,
            "date" => Self::Milliseconds,
            "date_nanos" => Self::Nanoseconds,
            "keyword" | "constant_keyword" | "wildcard" | "text" | "match_only_text" | "ip" | "version" => Self::Text,
            _ => return None,
        })
    }
}

/// A column that will be read.
#[derive(Clone, Debug)]
pub(crate) struct PlannedColumn {
    pub(crate) name: String,
    pub(crate) field_type: String,
    pub(crate) column_type: ColumnType,
    /// Why its values are taken from `_source`, if they are.
    pub(crate) from_source: Option<&'static str>,
}

impl PlannedColumn {
    /// How the field is asked for as a doc value. Dates come as numbers, so that no format
    /// of the mapping has to be understood.
    pub(crate) fn doc_value_request(&self) -> Option<Value> {
        match self.column_type {
            _ if self.from_source.is_some() => None,
            ColumnType::DocumentId | ColumnType::IndexName => None,
            ColumnType::Milliseconds => Some(json!({"field": self.name, "format": "epoch_millis"})),
            ColumnType::Nanoseconds => Some(json!({"field": self.name, "format": "strict_date_optional_time_nanos"})),
            _ => Some(json!({"field": self.name})),
        }
    }
}

/// Plans the columns of a request and where to take each from. Doc values win whenever they
/// give a column as it was written.
pub(crate) fn plan(mapping: &Mapping, request: &ColumnRequest) -> Result<(Vec<PlannedColumn>, Retrieval), Error> {
    let columns = match request {
        ColumnRequest::All => mapping
            .fields()
            .into_iter()
            .filter(|(_, property)| property.parameter("properties").is_none() && property.field_type() != "object")
            .map(|(path, property)| planned(mapping, path, property))
            .collect::<Result<Vec<_>, _>>()?,
        ColumnRequest::Named(names) => names.iter().map(|name| named(mapping, name)).collect::<Result<_, _>>()?,
    };
    let reason = columns.iter().find_map(|column| Some(format!("{} {}", column.name, column.from_source?)));
    let retrieval = reason.map_or(Retrieval::DocValues, |because| Retrieval::Source { because });
    Ok((columns, retrieval))
}

fn named(mapping: &Mapping, name: &str) -> Result<PlannedColumn, Error> {
    let metadata = |column_type| PlannedColumn {
        name: name.to_owned(),
        field_type: name.to_owned(),
        column_type,
        from_source: None,
    };
    match name {
        "_id" => Ok(metadata(ColumnType::DocumentId)),
        "_index" => Ok(metadata(ColumnType::IndexName)),
        _ => planned(mapping, name.to_owned(), mapping.field(name).ok_or_else(|| unknown(mapping, name))?),
    }
}

fn planned(mapping: &Mapping, name: String, property: Property<'_>) -> Result<PlannedColumn, Error> {
    let field_type = property.field_type().to_owned();
    let refused = |why: &str| {
        Error::new(ErrorKind::UnsupportedType, format!("field {name} {why}"))
            .with_help("name the columns to read, without this one")
    };
    let Some(column_type) = ColumnType::of(&field_type) else {
        return Err(refused(&format!("is of type {field_type}, which has no column type")));
    };
    if is_in_nested(mapping, &name) {
        return Err(refused("is inside a nested field, whose documents are rows of their own"));
    }
    let from_source = lacks_doc_values(property);
    if from_source.is_some() {
        let is_date = matches!(column_type, ColumnType::Milliseconds | ColumnType::Nanoseconds);
        if is_date {
            return Err(refused("is a date without doc values, and `_source` holds it in any of its formats"));
        }
        if !is_in_source(mapping, &name) {
            return Err(refused("has no doc values to read, and `_source` does not hold it"));
        }
    }
    Ok(PlannedColumn { name, field_type, column_type, from_source })
}

/// Whether some object on the way to a field is `nested`.
fn is_in_nested(mapping: &Mapping, path: &str) -> bool {
    let parents = path.match_indices('.').map(|(at, _)| &path[..at]);
    parents.filter_map(|parent| mapping.field(parent)).any(|parent| parent.field_type() == "nested")
}

/// Whether documents hold a field under its own path: sub-fields and what others are copied
/// to are made by the index.
fn is_in_source(mapping: &Mapping, path: &str) -> bool {
    let fields = mapping.fields();
    let copies_here = |target: &Value| match target {
        Value::Array(targets) => targets.iter().any(|target| target.as_str() == Some(path)),
        target => target.as_str() == Some(path),
    };
    fields.iter().any(|(name, _)| name == path)
        && !fields.iter().any(|(_, property)| property.parameter("copy_to").is_some_and(copies_here))
}

fn unknown(mapping: &Mapping, name: &str) -> Error {
    let known: Vec<String> = mapping.fields().into_iter().map(|(path, _)| path).collect();
    Error::new(ErrorKind::UnknownColumn, format!("the index has no field {name}"))
        .with_help(format!("its fields are {}", known.join(", ")))
}

/// Why doc values cannot give a field as it was written, if they cannot.
fn lacks_doc_values(property: Property<'_>) -> Option<&'static str> {
    match property.field_type() {
        "text" | "match_only_text" => return Some("is text, which has no doc values"),
        "half_float" | "scaled_float" => return Some("keeps rounded doc values"),
        _ => {}
    }
    if property.parameter("doc_values").is_some_and(|value| value == &json!(false) || value == &json!("false")) {
        return Some("has doc values switched off");
    }
    if property.parameter("ignore_above").is_some() {
        return Some("has `ignore_above`, which keeps long values out of doc values");
    }
    if property.parameter("normalizer").is_some() {
        return Some("has a normalizer, which changes its doc values");
    }
    if property.parameter("ignore_malformed").is_some_and(|value| value == &json!(true) || value == &json!("true")) {
        return Some("has `ignore_malformed`, which keeps malformed values out of doc values");
    }
    if property.parameter("null_value").is_some() {
        return Some("has a `null_value`, which stands in for nulls in doc values");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(properties: Value) -> Mapping {
        serde_json::from_value(json!({"properties": properties})).unwrap()
    }

    #[test]
    fn doc_values_win_when_they_lose_nothing() {
        let table = [
            (json!({"type": "keyword"}), None),
            (json!({"type": "keyword", "fields": {"t": {"type": "text"}}}), None),
            (json!({"type": "text"}), Some("f is text, which has no doc values")),
            (json!({"type": "keyword", "doc_values": false}), Some("f has doc values switched off")),
            (
                json!({"type": "keyword", "ignore_above": 256}),
                Some("f has `ignore_above`, which keeps long values out of doc values"),
            ),
            (json!({"type": "half_float"}), Some("f keeps rounded doc values")),
        ];
        for (property, because) in table {
            let (_, retrieval) = plan(&mapping(json!({"f": property})), &ColumnRequest::All).unwrap();
            let expected =
                because.map_or(Retrieval::DocValues, |because| Retrieval::Source { because: because.to_owned() });
            assert_eq!(retrieval, expected);
        }
    }

    #[test]
    fn what_neither_place_can_give_is_refused() {
        let index = mapping(json!({
            "n": {"type": "nested", "properties": {"x": {"type": "long"}}},
            "s": {"type": "keyword", "copy_to": "all", "fields": {"t": {"type": "text"}, "k": {"type": "keyword"}}},
            "all": {"type": "text"}, "d": {"type": "date", "doc_values": false}
        }));
        for (name, why) in [
            ("n.x", "inside a nested field"),
            ("s.t", "`_source` does not hold it"),
            ("all", "`_source` does not hold it"),
            ("d", "a date without doc values"),
        ] {
            let error = plan(&index, &ColumnRequest::Named(vec![name.into()])).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnsupportedType);
            assert!(error.to_string().contains(why), "{error}");
        }
        plan(&index, &ColumnRequest::Named(vec!["s.k".into(), "s".into()])).unwrap();
    }

    #[test]
    fn each_column_has_a_place_of_its_own() {
        let index = mapping(json!({"t": {"type": "text"}, "d": {"type": "date", "format": "epoch_second"}}));
        let (columns, _) = plan(&index, &ColumnRequest::All).unwrap();
        let asked: Vec<_> = columns.iter().map(PlannedColumn::doc_value_request).collect();
        assert_eq!(asked, [None, Some(json!({"field": "d", "format": "epoch_millis"}))]);
    }

    #[test]
    fn objects_become_their_leaves_and_unknown_names_are_told() {
        let nested = mapping(json!({"o": {"properties": {"x": {"type": "long"}}}, "d": {"type": "date"}}));
        let (columns, _) = plan(&nested, &ColumnRequest::All).unwrap();
        assert_eq!(columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), ["o.x", "d"]);
        let error = plan(&nested, &ColumnRequest::Named(vec!["dd".into()])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnknownColumn);
        assert_eq!(error.help(), Some("its fields are o, o.x, d"));
        let shape = mapping(json!({"g": {"type": "geo_shape"}}));
        assert_eq!(plan(&shape, &ColumnRequest::All).unwrap_err().kind(), ErrorKind::UnsupportedType);
    }
}
