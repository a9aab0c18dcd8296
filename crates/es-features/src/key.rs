//! Values of entity fields: their types, and their form in requests and answers.

use polars::prelude::{DataType, TimeUnit, TimeZone};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// The type of an entity field, as Elasticsearch groups by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyType {
    Text,
    Int8,
    Int16,
    Int32,
    Int64,
    UInt64,
    Float32,
    Float64,
    Boolean,
    /// Milliseconds since 1970; of a field with nanoseconds, the milliseconds.
    Date,
}

/// One value of an entity field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum KeyValue {
    Text(String),
    Integer(i64),
    Unsigned(u64),
    Float(f64),
    Boolean(bool),
}

impl KeyType {
    /// The type of the groups of a field of an Elasticsearch type, if documents can be grouped by it.
    pub(crate) fn from_field_type(field_type: &str) -> Option<Self> {
        Some(match field_type {
            "keyword" | "constant_keyword" | "wildcard" | "flattened" | "ip" | "version" => Self::Text,
            "byte" => Self::Int8,
            "short" => Self::Int16,
            "integer" => Self::Int32,
            "long" => Self::Int64,
            "unsigned_long" => Self::UInt64,
            "half_float" | "float" => Self::Float32,
            "double" | "scaled_float" => Self::Float64,
            "boolean" => Self::Boolean,
            "date" | "date_nanos" => Self::Date,
            _ => return None,
        })
    }

    pub(crate) fn data_type(self) -> DataType {
        match self {
            Self::Text => DataType::String,
            Self::Int8 => DataType::Int8,
            Self::Int16 => DataType::Int16,
            Self::Int32 => DataType::Int32,
            Self::Int64 => DataType::Int64,
            Self::UInt64 => DataType::UInt64,
            Self::Float32 => DataType::Float32,
            Self::Float64 => DataType::Float64,
            Self::Boolean => DataType::Boolean,
            Self::Date => time_type(),
        }
    }

    /// The type of the field in the index of the rows, which stores values as they were grouped:
    /// whole values without normalizers, dates in milliseconds.
    pub(crate) fn field_type(self, source_type: &str) -> &str {
        match (self, source_type) {
            (Self::Text, "ip" | "version") => source_type,
            (Self::Text, _) => "keyword",
            (Self::Float64, _) => "double",
            (Self::Date, _) => "date",
            _ => source_type,
        }
    }

    /// Reads a value of a bucket's key.
    pub(crate) fn read(self, json: &RawValue) -> Option<KeyValue> {
        let text = json.get();
        match self {
            Self::Text => serde_json::from_str(text).ok().map(KeyValue::Text),
            Self::Int8 | Self::Int16 | Self::Int32 | Self::Int64 | Self::Date => {
                text.parse().ok().map(KeyValue::Integer)
            }
            Self::UInt64 => text.parse().ok().map(KeyValue::Unsigned),
            // `str::parse` gives the nearest number, so a page begins exactly where the previous
            // one ended; a fast parser may be off by one digit.
            Self::Float32 | Self::Float64 => text.parse().ok().map(KeyValue::Float),
            Self::Boolean => text.parse().ok().map(KeyValue::Boolean),
        }
    }
}

impl KeyValue {
    /// The value as the start of the next page.
    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Integer(number) => json!(number),
            Self::Unsigned(number) => json!(number),
            Self::Float(number) => json!(number),
            Self::Boolean(value) => json!(value),
        }
    }
}

/// The type of times in frames.
pub(crate) fn time_type() -> DataType {
    DataType::Datetime(TimeUnit::Milliseconds, Some(TimeZone::UTC))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_sent_back_as_they_were_read() {
        for (field_type, json) in [
            ("keyword", r#""a\"b\né""#),
            ("ip", r#""::1""#),
            ("byte", "-7"),
            ("long", "9007199254740993"),
            ("unsigned_long", "18446744073709551615"),
            ("double", "0.30000000000000004"),
            ("double", "2.2250738585072014e-308"),
            ("float", "0.10000000149011612"),
            ("boolean", "true"),
            ("date", "1356998400123"),
        ] {
            let raw = RawValue::from_string(json.to_owned()).unwrap();
            let value = KeyType::from_field_type(field_type).unwrap().read(&raw).unwrap();
            assert_eq!(value.to_json().to_string(), json, "{field_type}");
        }
    }

    #[test]
    fn a_value_of_another_type_is_not_read() {
        for (field_type, json) in [("keyword", "1"), ("long", "1.5"), ("long", "null"), ("boolean", "\"true\"")] {
            let raw = RawValue::from_string(json.to_owned()).unwrap();
            assert_eq!(KeyType::from_field_type(field_type).unwrap().read(&raw), None, "{field_type}");
        }
        assert_eq!(KeyType::from_field_type("text"), None);
    }
}
