//! Each Elasticsearch type as a column, and its doc values.

use std::sync::Arc;

use es_core::Property;
use serde_json::Value;

use crate::decode::date_format::{DATE, DATE_NANOS, Formats};
use crate::decode::options::{Policy, StoredSource, Values};
use crate::decode::shape::Shape;
use crate::precision::{is_of_several_types, is_single_precision};

/// A field as a column.
pub(super) struct FieldType {
    /// The type of a value in `_source`, or why it cannot be read from there.
    pub(super) source: Result<Shape, String>,
    /// The type of a doc value, or why there is none.
    pub(super) doc: Result<Shape, &'static str>,
    /// Why doc values are not what was written, if they are not.
    pub(super) lossy: Option<&'static str>,
    /// The format to ask for doc values in.
    pub(super) doc_format: Option<&'static str>,
}

const TEXT: &str = "is text, which has no doc values";
const ROUNDED: &str = "keeps rounded doc values";
const SINGLE: &str = "is float, and its documents may hold numbers with more digits than its doc values";
const SEVERAL: &str = "has several types in the indices that are read";
const FORMATS: &str = "the indices that are read write it in several formats";
const COERCED: &str = "is coerced, and its documents may hold fractions that its doc values lack";
const IGNORE_ABOVE: &str = "has `ignore_above`, which keeps long values out of doc values";
const IGNORE_MALFORMED: &str = "has `ignore_malformed`, which keeps malformed values out of doc values";
const SCRIPT: &str = "is computed by a script, so `_source` does not hold it";
const NONE: &str = "is of a type without doc values";

/// The column of a field type. A type that is not known here becomes text, with the JSON
/// of what is none, so that nothing is lost.
pub(super) fn field_type(name: &str, property: Option<Property<'_>>) -> FieldType {
    let found = of_one_type(name, property);
    if !property.is_some_and(is_of_several_types) {
        return found;
    }
    match name {
        // Doc values are the instants themselves.
        "date" | "date_nanos" => FieldType { source: Err(FORMATS.to_owned()), ..found },
        _ => FieldType { lossy: found.lossy.or(Some(SEVERAL)), ..found },
    }
}

fn of_one_type(name: &str, property: Option<Property<'_>>) -> FieldType {
    let both = |shape: Shape| FieldType { source: Ok(shape.clone()), doc: Ok(shape), lossy: None, doc_format: None };
    let source = |shape: Shape, why| FieldType { source: Ok(shape), doc: Err(why), lossy: None, doc_format: None };
    let doc = |shape: Shape| FieldType {
        source: Err("`_source` does not hold it".to_owned()),
        doc: Ok(shape),
        lossy: None,
        doc_format: None,
    };
    let rounded = |shape: Shape| FieldType { lossy: Some(ROUNDED), ..both(shape) };
    match name {
        "boolean" => both(Shape::Boolean),
        "byte" => both(Shape::Int8),
        "short" => both(Shape::Int16),
        "integer" => both(Shape::Int32),
        "long" => both(Shape::Int64),
        "unsigned_long" => both(Shape::UInt64),
        "float" if property.is_some_and(is_single_precision) => both(Shape::Float32),
        "float" => FieldType { doc: Ok(Shape::Float32), lossy: Some(SINGLE), ..both(Shape::Float64) },
        "double" => both(Shape::Float64),
        "half_float" => FieldType { doc: Ok(Shape::Float32), ..rounded(Shape::Float64) },
        "scaled_float" => rounded(Shape::Float64),
        "date" | "date_nanos" => date(name, property),
        "keyword" | "constant_keyword" | "wildcard" | "version" | "counted_keyword" => both(Shape::Text),
        "ip" => both(Shape::Address),
        "text" | "match_only_text" | "search_as_you_type" | "annotated_text" | "pattern_text" => {
            source(Shape::Text, TEXT)
        }
        "icu_collation_keyword" => source(Shape::Text, "has doc values that are sort keys"),
        "binary" => both(Shape::Binary),
        "geo_point" => rounded(Shape::Point),
        "token_count" => doc(Shape::Int32),
        "murmur3" => doc(Shape::Int64),
        "rank_feature" => source(Shape::Float64, NONE),
        "dense_vector" => vector(property),
        "join" => source(Shape::Join, "is a relation, of which doc values have the name alone"),
        "integer_range" => source(Shape::Range(Box::new(Shape::Int32)), NONE),
        "long_range" => source(Shape::Range(Box::new(Shape::Int64)), NONE),
        "float_range" => source(Shape::Range(Box::new(Shape::Float64)), NONE),
        "double_range" => source(Shape::Range(Box::new(Shape::Float64)), NONE),
        // A bound may leave out parts that the server then fills in, the upper one upwards.
        "date_range" => source(Shape::Range(Box::new(Shape::Text)), NONE),
        "ip_range" => source(Shape::Range(Box::new(Shape::Address)), NONE),
        "flattened" => source(Shape::Json, "is flattened, and doc values do not tell its keys"),
        "rank_features"
        | "sparse_vector"
        | "rank_vectors"
        | "percolator"
        | "histogram"
        | "exponential_histogram"
        | "aggregate_metric_double" => source(Shape::Json, NONE),
        _ => source(Shape::TextOrJson, NONE),
    }
}

impl FieldType {
    /// The type of a field by what its index stores of documents.
    pub(super) fn stored(self, name: &str, property: Property<'_>, policy: Policy, stored: StoredSource) -> Self {
        if property.parameter("script").is_some() {
            return Self { source: Err(SCRIPT.to_owned()), lossy: None, ..self };
        }
        // A synthetic source has the numbers of doc values, unless the field or, for arrays, the
        // index keeps them as they were sent.
        let is_rebuilt = stored == StoredSource::Synthetic
            && policy.values == Values::One
            && property.parameter("synthetic_source_keep").is_none();
        match (name, self.doc) {
            ("float" | "half_float", Ok(shape)) if is_rebuilt => {
                Self { source: Ok(shape.clone()), doc: Ok(shape), lossy: None, ..self }
            }
            ("byte" | "short" | "integer" | "long", Ok(shape)) if stored == StoredSource::Kept && coerces(property) => {
                Self { doc: Ok(shape), lossy: Some(COERCED), ..self }
            }
            // Integers, instants and texts of all of these types are in doc values as they are.
            (_, doc) if stored == StoredSource::Disabled && self.lossy == Some(SEVERAL) && name != "double" => {
                Self { doc, lossy: None, ..self }
            }
            // There is nothing beyond the doc values, and the column's type says their precision.
            ("float", doc) if stored == StoredSource::Disabled => Self { doc, lossy: None, ..self },
            (_, doc) => Self { doc, ..self },
        }
    }
}

/// True unless an integer field refuses fractions.
fn coerces(property: Property<'_>) -> bool {
    property.parameter("coerce").is_none_or(|coerce| *coerce != false && *coerce != "false")
}

fn date(name: &str, property: Option<Property<'_>>) -> FieldType {
    let text = |parameter| property.and_then(|property| property.parameter(parameter)).and_then(Value::as_str);
    let (default, shape): (_, fn(Arc<Formats>) -> Shape) =
        if name == "date" { (DATE, Shape::Milliseconds) } else { (DATE_NANOS, Shape::Nanoseconds) };
    let formats = Formats::parse(text("format").unwrap_or(default), text("locale"));
    FieldType {
        source: formats.map(|formats| shape(Arc::new(formats))),
        doc: Ok(shape(Arc::new(Formats::doc_values()))),
        lossy: None,
        // Doc values come as numbers with all their digits, so that no format has to be read.
        doc_format: Some("epoch_millis"),
    }
}

fn vector(property: Option<Property<'_>>) -> FieldType {
    let parameter = |name| property.and_then(|property| property.parameter(name));
    let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
    let dims = parameter("dims").and_then(number).and_then(|dims| usize::try_from(dims).ok());
    let shape = match (parameter("element_type").and_then(Value::as_str), dims) {
        // The width comes with the first document, so there is none yet.
        (_, None) => Shape::Json,
        (Some("byte"), Some(dims)) => Shape::ByteVector(dims),
        (Some("bit"), Some(dims)) => Shape::ByteVector(dims / 8),
        (_, Some(dims)) => Shape::Vector(dims),
    };
    FieldType {
        source: Ok(shape),
        doc: Err("is a vector, which has no doc values to read"),
        lossy: None,
        doc_format: None,
    }
}

/// True if documents list the values that doc values lack for a reason, so that none is missed.
pub(super) fn is_listed(lossy: &str) -> bool {
    matches!(lossy, IGNORE_ABOVE | IGNORE_MALFORMED)
}

/// True if a type is left out of `_source` from 9.2 on unless it is asked for.
pub(super) fn is_vector(name: &str) -> bool {
    matches!(name, "dense_vector" | "sparse_vector" | "rank_vectors" | "semantic_text")
}

/// Why doc values of a field are not there or not all that was written, by its parameters.
pub(super) fn by_parameters(name: &str, property: Property<'_>) -> (Option<&'static str>, Option<&'static str>) {
    let is = |parameter: &str, wanted: bool| {
        let text = if wanted { "true" } else { "false" };
        property.parameter(parameter).is_some_and(|value| *value == wanted || *value == text)
    };
    if is("doc_values", false) || (name == "binary" && !is("doc_values", true)) {
        return (Some("has doc values switched off"), None);
    }
    let lossy = if property.parameter("normalizer").is_some() {
        Some("has a normalizer, which changes its doc values")
    } else if property.parameter("null_value").is_some() {
        Some("has a `null_value`, which stands in for nulls in doc values")
    } else if property.parameter("ignore_above").is_some() {
        Some(IGNORE_ABOVE)
    } else if is("ignore_malformed", true) {
        Some(IGNORE_MALFORMED)
    } else {
        None
    };
    (None, lossy)
}
