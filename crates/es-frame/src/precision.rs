//! The precision of the numbers that a `float` field's documents hold.
//!
//! Elasticsearch's dynamic mapping makes every number with a fraction a `float`, whatever its
//! digits: `{"value": 0.3333333333333333}` is indexed as 0.33333334, while the document keeps what
//! was sent. The type of a field therefore does not say that its documents hold 32-bit floats.
//! A mapping inferred from a `Float32` column does, by an entry in the field's
//! [`meta`](https://www.elastic.co/docs/reference/elasticsearch/mapping-reference/mapping-field-meta),
//! which dynamic mapping never writes.

use es_core::Property;
use serde_json::{Map, Value, json};

/// The key of the entry in `meta`; Elasticsearch allows 20 characters.
const KEY: &str = "value_type";
const SINGLE: &str = "float32";
/// The entry of a field that several indices map in different ways. No mapping on a server has it.
const SEVERAL: &str = "several";

/// The definition of a field whose documents hold 32-bit floats.
pub(crate) fn single_precision() -> Value {
    json!({"type": "float", "meta": {KEY: SINGLE}})
}

/// True if the mapping says that the field's documents hold 32-bit floats.
pub(crate) fn is_single_precision(property: Property<'_>) -> bool {
    is_marked(property, SINGLE)
}

/// True if the indices that are read together map the field in several ways.
pub(crate) fn is_of_several_types(property: Property<'_>) -> bool {
    is_marked(property, SEVERAL)
}

fn is_marked(property: Property<'_>, mark: &str) -> bool {
    property.parameter("meta").and_then(|meta| meta.get(KEY)).is_some_and(|value| value == mark)
}

/// Removes what the definition of a field says of its documents.
pub(crate) fn unmark(definition: &mut Map<String, Value>) {
    if let Some(meta) = definition.get_mut("meta").and_then(Value::as_object_mut) {
        meta.shift_remove(KEY);
    }
}

/// Notes that indices map the field in several ways.
pub(crate) fn mark_several(definition: &mut Map<String, Value>) {
    definition.insert("meta".to_owned(), json!({KEY: SEVERAL}));
}
