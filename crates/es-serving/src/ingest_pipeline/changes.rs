//! The differences between a document before and after a pipeline.

use serde::Serialize;
use serde_json::{Map, Value};

/// A field that a pipeline changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum FieldChange {
    /// It is new.
    Added {
        /// The path, such as `origin.city`. A name that has a dot itself is in quotes.
        field: String,
        /// Its value.
        value: Value,
    },
    /// It has another value.
    Changed {
        /// The path.
        field: String,
        /// The value in the sample.
        before: Value,
        /// The value that is written.
        after: Value,
    },
    /// It is gone.
    Removed {
        /// The path.
        field: String,
        /// The value in the sample.
        value: Value,
    },
}

/// The differences between two documents: objects field by field, lists and other values as a whole.
pub(super) fn between(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    compare("", before, after, &mut changes);
    changes
}

/// The difference of one field.
pub(super) fn of_field(field: &str, before: Option<&Value>, after: Option<&Value>) -> Option<FieldChange> {
    let field = field.to_owned();
    match (before.cloned(), after.cloned()) {
        (None, Some(value)) => Some(FieldChange::Added { field, value }),
        (Some(value), None) => Some(FieldChange::Removed { field, value }),
        (Some(before), Some(after)) if before != after => Some(FieldChange::Changed { field, before, after }),
        _ => None,
    }
}

fn compare(path: &str, before: &Map<String, Value>, after: &Map<String, Value>, changes: &mut Vec<FieldChange>) {
    for (name, old) in before {
        let path = beneath(path, name);
        match (old, after.get(name)) {
            (Value::Object(old), Some(Value::Object(new))) => compare(&path, old, new, changes),
            (Value::Object(old), None) if !old.is_empty() => compare(&path, old, &Map::new(), changes),
            (old, new) => changes.extend(of_field(&path, Some(old), new)),
        }
    }
    for (name, new) in after.iter().filter(|(name, _)| !before.contains_key(*name)) {
        let path = beneath(path, name);
        match new {
            Value::Object(new) if !new.is_empty() => compare(&path, &Map::new(), new, changes),
            new => changes.extend(of_field(&path, None, Some(new))),
        }
    }
}

fn beneath(path: &str, name: &str) -> String {
    let name = if name.contains('.') { format!("\"{name}\"") } else { name.to_owned() };
    if path.is_empty() { name } else { format!("{path}.{name}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_difference_is_named_with_its_values() {
        let table = [
            (json!({"a": 1}), json!({"a": 1}), json!([])),
            (json!({"a": 1, "b": {"c": [1], "d": 2}}), json!({"b": {"d": 2, "c": [1]}, "a": 1}), json!([])),
            (
                json!({"a": 1}),
                json!({"a": 1.0}),
                json!([{"change": "changed", "field": "a", "before": 1, "after": 1.0}]),
            ),
            (
                json!({"a": {"b": 1, "c": "x"}, "z": null}),
                json!({"a": {"b": 2, "d": true}}),
                json!([
                    {"change": "changed", "field": "a.b", "before": 1, "after": 2},
                    {"change": "removed", "field": "a.c", "value": "x"},
                    {"change": "added", "field": "a.d", "value": true},
                    {"change": "removed", "field": "z", "value": null},
                ]),
            ),
            (
                json!({"a.b": 1}),
                json!({"a": {"b": 1}}),
                json!([
                    {"change": "removed", "field": "\"a.b\"", "value": 1},
                    {"change": "added", "field": "a.b", "value": 1},
                ]),
            ),
            (json!({"a": {}}), json!({}), json!([{"change": "removed", "field": "a", "value": {}}])),
            (
                json!({"a": {"b": 1}}),
                json!({"a": 1}),
                json!([{"change": "changed", "field": "a", "before": {"b": 1}, "after": 1}]),
            ),
            (
                json!({"a": [1, 2]}),
                json!({"a": [2, 1]}),
                json!([{"change": "changed", "field": "a", "before": [1, 2], "after": [2, 1]}]),
            ),
        ];
        for (before, after, expected) in table {
            let (Value::Object(before), Value::Object(after)) = (before, after) else { panic!() };
            assert_eq!(json!(between(&before, &after)), expected);
        }
    }
}
