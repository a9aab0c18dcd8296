//! Column types of results, and the Polars types they become. Pure.

use polars::prelude::{DataType, Field, TimeUnit, TimeZone};
use serde::Deserialize;

/// The values of a column of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnType {
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
    /// Text, and JSON as it came for what has no column of its own.
    Text,
    /// A point as text (WKT) or bytes (WKB): its two coordinates, x first.
    Point {
        /// True if they are a longitude and a latitude.
        is_geographic: bool,
    },
}

impl ColumnType {
    /// The type of a column that ES|QL or SQL says is of an Elasticsearch type. Neither has more
    /// types than are told apart here; one of a later version is text, as JSON where it is none.
    pub(super) fn of(es_type: &str) -> Self {
        match es_type {
            "boolean" => Self::Boolean,
            "byte" => Self::Int8,
            "short" => Self::Int16,
            "integer" | "counter_integer" => Self::Int32,
            "long" | "counter_long" => Self::Int64,
            "unsigned_long" => Self::UInt64,
            // SQL returns the doubles that a `half_float` and a `float` are read as.
            "half_float" | "float" => Self::Float32,
            "double" | "scaled_float" | "counter_double" => Self::Float64,
            // `datetime` and `date` are SQL's names.
            "date" | "datetime" => Self::Milliseconds,
            "date_nanos" => Self::Nanoseconds,
            "geo_point" => Self::Point { is_geographic: true },
            "cartesian_point" => Self::Point { is_geographic: false },
            _ => Self::Text,
        }
    }

    pub(super) fn dtype(self) -> DataType {
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
            Self::Text => DataType::String,
            Self::Point { is_geographic } => {
                let (first, second) = Self::coordinates(is_geographic);
                let field = |name: &str| Field::new(name.into(), DataType::Float64);
                DataType::Struct(vec![field(first), field(second)])
            }
        }
    }

    /// The names of the fields of a point, in their order: latitude comes first, as in documents.
    pub(super) fn coordinates(is_geographic: bool) -> (&'static str, &'static str) {
        if is_geographic { ("lat", "lon") } else { ("x", "y") }
    }
}

/// A column as an answer declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TableColumn {
    pub(super) name: String,
    pub(super) es_type: String,
    pub(super) column_type: ColumnType,
}

/// A column in an answer's JSON.
#[derive(Deserialize)]
pub(super) struct Declared {
    name: String,
    #[serde(rename = "type")]
    es_type: String,
}

impl TableColumn {
    pub(super) fn new(name: String, es_type: String) -> Self {
        Self { name, column_type: ColumnType::of(&es_type), es_type }
    }

    /// True if the server returns null for whatever documents hold.
    pub(super) fn is_unreturned(&self) -> bool {
        matches!(self.es_type.as_str(), "unsupported" | "nested" | "object")
    }
}

impl From<Declared> for TableColumn {
    fn from(declared: Declared) -> Self {
        Self::new(declared.name, declared.es_type)
    }
}
