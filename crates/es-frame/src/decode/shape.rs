//! The type of a column, as far as reading its values goes.

use std::sync::Arc;

use polars::prelude::{DataType, Field, TimeUnit, TimeZone};

use super::date_format::Formats;
use super::options::Policy;

/// The type of one value of a column.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    Boolean,
    Int8,
    Int16,
    Int32,
    Int64,
    UInt64,
    Float32,
    Float64,
    /// Milliseconds since 1970-01-01T00:00:00Z.
    Milliseconds(Arc<Formats>),
    /// Nanoseconds since 1970-01-01T00:00:00Z.
    Nanoseconds(Arc<Formats>),
    Text,
    /// An IP address, in the form that Elasticsearch writes.
    Address,
    /// The JSON of a value as it came, whatever it is.
    Json,
    /// A text as it is, anything else as its JSON: shapes as WKT or GeoJSON.
    TextOrJson,
    /// Bytes, written in Base64.
    Binary,
    /// A point on the globe, as a struct of `lat` and `lon`.
    Point,
    /// A vector of 32-bit floats, in one of its forms.
    Vector(usize),
    /// A vector of signed bytes; the number of its bytes.
    ByteVector(usize),
    /// The bounds of a range, as they were written.
    Range(Box<Shape>),
    /// The name of a relation, and the parent's id.
    Join,
    /// An object with members.
    Struct(Arc<[Member]>),
}

/// A member of a struct.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// Its path in the object.
    pub(crate) name: String,
    /// Its path in the document, for messages.
    pub(crate) path: String,
    /// Its Elasticsearch type, for messages.
    pub(crate) field_type: String,
    pub(crate) shape: Shape,
    pub(crate) policy: Policy,
}

/// The members of a range, in their order.
pub(crate) const BOUNDS: [&str; 4] = ["gte", "gt", "lte", "lt"];

impl Shape {
    /// The type of a column of it.
    pub(crate) fn dtype(&self) -> DataType {
        let fields = |names: &[&str], dtype: &DataType| {
            DataType::Struct(names.iter().map(|name| Field::new((*name).into(), dtype.clone())).collect())
        };
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Int8 => DataType::Int8,
            Self::Int16 => DataType::Int16,
            Self::Int32 => DataType::Int32,
            Self::Int64 => DataType::Int64,
            Self::UInt64 => DataType::UInt64,
            Self::Float32 => DataType::Float32,
            Self::Float64 => DataType::Float64,
            Self::Milliseconds(_) => DataType::Datetime(TimeUnit::Milliseconds, Some(TimeZone::UTC)),
            Self::Nanoseconds(_) => DataType::Datetime(TimeUnit::Nanoseconds, Some(TimeZone::UTC)),
            Self::Text | Self::Address | Self::Json | Self::TextOrJson => DataType::String,
            Self::Binary => DataType::Binary,
            Self::Point => fields(&["lat", "lon"], &DataType::Float64),
            Self::Vector(width) => DataType::Array(Box::new(DataType::Float32), *width),
            Self::ByteVector(width) => DataType::Array(Box::new(DataType::Int8), *width),
            Self::Range(bound) => fields(&BOUNDS, &bound.dtype()),
            Self::Join => fields(&["name", "parent"], &DataType::String),
            Self::Struct(members) => DataType::Struct(
                members.iter().map(|member| Field::new(member.name.as_str().into(), member.dtype())).collect(),
            ),
        }
    }

    /// True if a `null` in an array is a value.
    pub(crate) fn takes_null(&self) -> bool {
        matches!(self, Self::Milliseconds(formats) | Self::Nanoseconds(formats) if formats.take_null())
    }

    /// True for numbers, of which an empty text is none: a field that coerces texts takes `""` for null.
    pub(crate) fn is_number(&self) -> bool {
        use Shape::{Float32, Float64, Int8, Int16, Int32, Int64, UInt64};
        matches!(self, Int8 | Int16 | Int32 | Int64 | UInt64 | Float32 | Float64)
    }

    /// True if a value is taken whole, be it an array.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self, Self::Json | Self::Vector(_) | Self::ByteVector(_))
    }
}

impl Member {
    fn dtype(&self) -> DataType {
        listed(&self.shape, self.policy, &self.field_type)
    }
}

/// True if a column holds a list for each document.
pub(crate) fn is_list(shape: &Shape, policy: Policy, field_type: &str) -> bool {
    use super::options::Values;
    match policy.values {
        _ if shape.is_whole() => false,
        Values::List => true,
        // A nested field is there for documents that have several objects.
        Values::One => matches!(field_type, "nested" | "_ignored"),
        Values::First | Values::Last => false,
    }
}

/// The type of a column with a policy.
pub(crate) fn listed(shape: &Shape, policy: Policy, field_type: &str) -> DataType {
    let dtype = shape.dtype();
    if is_list(shape, policy, field_type) { DataType::List(Box::new(dtype)) } else { dtype }
}
