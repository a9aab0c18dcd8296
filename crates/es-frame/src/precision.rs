//! The precision of the numbers that a `float` field's documents hold.
//!
//! Elasticsearch's dynamic mapping makes every number with a fraction a `float`, whatever its
//! digits: `{"value": 0.3333333333333333}` is indexed as 0.33333334, while the document keeps what
//! was sent. The type of a field therefore does not say that its documents hold 32-bit floats.
//! A mapping inferred from a `Float32` column does, by an entry in the field's
//! [`meta`](https://www.elastic.co/docs/reference/elasticsearch/mapping-reference/mapping-field-meta),
//! which dynamic mapping never writes.

use std::collections::HashSet;

use es_core::{Mapping, Properties, Property};
use serde_json::{Value, json};

/// The key of the entry in `meta`; Elasticsearch allows 20 characters.
const KEY: &str = "value_type";
const SINGLE: &str = "float32";

/// The definition of a field whose documents hold 32-bit floats.
pub(crate) fn single_precision() -> Value {
    json!({"type": "float", "meta": {KEY: SINGLE}})
}

/// True if the mapping says that the field's documents hold 32-bit floats.
pub(crate) fn is_single_precision(property: Property<'_>) -> bool {
    property.parameter("meta").and_then(|meta| meta.get(KEY)).is_some_and(|value| value == SINGLE)
}

/// The mapping of several indices that are read together: all of their fields, with the parameters
/// of the later ones over those of the earlier ones.
///
/// A field counts as one of 32-bit floats (see [`crate::FieldSource::Auto`]) only if every index
/// that has the field says so. [`Mapping::overridden_by`] alone would let one index speak for all.
///
/// ```
/// use es_core::Mapping;
/// use es_frame::{HitDecoder, ColumnRequest, common_mapping, infer_mapping};
/// use polars::prelude::*;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let ours = infer_mapping(df!("value" => [0.5_f32])?.schema())?;
/// let dynamic: Mapping = serde_json::from_str(r#"{"properties": {"value": {"type": "float"}}}"#)?;
/// let dtype = |mapping: &Mapping| Ok::<_, es_frame::Error>(
///     HitDecoder::new(mapping, &ColumnRequest::All)?.schema().get("value").cloned()
/// );
/// assert_eq!(dtype(&ours)?, Some(DataType::Float32));
/// assert_eq!(dtype(&common_mapping([&ours, &dynamic]))?, Some(DataType::Float64));
/// # Ok(())
/// # }
/// ```
pub fn common_mapping<'a>(mappings: impl IntoIterator<Item = &'a Mapping>) -> Mapping {
    let mut unmarked = HashSet::new();
    let mut common = Mapping::default();
    for mapping in mappings {
        let fields = mapping.fields().into_iter();
        unmarked.extend(fields.filter(|(_, field)| !is_single_precision(*field)).map(|(path, _)| path));
        common = common.overridden_by(mapping);
    }
    unmark("", &mut common.properties, &unmarked);
    common
}

/// Removes the marker of fields by their paths.
fn unmark(prefix: &str, properties: &mut Properties, paths: &HashSet<String>) {
    for (name, definition) in properties {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        let Some(definition) = definition.as_object_mut() else { continue };
        if paths.contains(&path)
            && let Some(meta) = definition.get_mut("meta").and_then(Value::as_object_mut)
        {
            meta.shift_remove(KEY);
        }
        for children in ["properties", "fields"] {
            if let Some(children) = definition.get_mut(children).and_then(Value::as_object_mut) {
                unmark(&path, children, paths);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(properties: Value) -> Mapping {
        serde_json::from_value(json!({"properties": properties})).unwrap()
    }

    #[test]
    fn every_index_must_say_that_a_field_is_single() {
        let single = mapping(json!({"o": {"properties": {"x": single_precision()}}, "y": single_precision()}));
        let unsure = mapping(json!({"o": {"properties": {"x": {"type": "float"}}}, "z": {"type": "long"}}));
        for mappings in [[&single, &unsure], [&unsure, &single]] {
            let common = common_mapping(mappings);
            assert!(!is_single_precision(common.field("o.x").unwrap()));
            assert!(is_single_precision(common.field("y").unwrap()), "the other index has no such field");
            assert_eq!(common.field("z").unwrap().field_type(), "long");
        }
        assert_eq!(common_mapping([&single, &single]), single);
    }
}
