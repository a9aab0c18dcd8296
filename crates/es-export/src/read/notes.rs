//! Remarks on the values of columns, for the manifest and for those who plan an export.

use es_core::{Mapping, Version};
use es_frame::HitDecoder;

use super::indices::Indices;

/// From this version on, indices keep vectors out of `_source` by default, and the server returns the
/// ones that it searches.
const LEAVES_VECTORS_OUT: Version = Version { major: 9, minor: 2, patch: 0 };

/// The remarks on the columns of a search.
pub(super) fn of(decoder: &HitDecoder, indices: &Indices, version: Version) -> Vec<String> {
    let left_out: Vec<&str> = decoder.left_out_of_source().collect();
    let mut notes = Vec::new();
    if !left_out.is_empty() {
        notes.push(format!("`_source` leaves out {}: read from doc values or stored fields", left_out.join(", ")));
    }
    if version >= LEAVES_VECTORS_OUT && !indices.keep_vectors {
        let is_normalized = |name: &str| is_normalized(&indices.mapping, name);
        let vectors: Vec<&str> =
            decoder.field_types().map(|(name, _)| name).filter(|name| is_normalized(name)).collect();
        if !vectors.is_empty() {
            notes.push(format!(
                "vectors of cosine similarity may differ in the last bit from what was indexed: {}; \
                 they are exact in an index with `index.mapping.exclude_source_vectors: false`",
                vectors.join(", ")
            ));
        }
    }
    notes
}

/// Returns `true` for a vector of which the server keeps the direction and the length, instead of the
/// numbers.
fn is_normalized(mapping: &Mapping, name: &str) -> bool {
    mapping.field(name).is_some_and(|field| {
        let is = |parameter: &str, value: &str| field.parameter(parameter).is_some_and(|found| found == value);
        let is_indexed = !field.parameter("index").is_some_and(|index| *index == false || *index == "false");
        let is_float = field.parameter("element_type").is_none() || is("element_type", "float");
        let is_cosine = field.parameter("similarity").is_none() || is("similarity", "cosine");
        field.field_type() == "dense_vector" && is_indexed && is_float && is_cosine
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn vectors_that_the_server_normalizes_are_told() {
        let table = [
            (json!({"type": "dense_vector"}), true),
            (json!({"type": "dense_vector", "similarity": "cosine"}), true),
            (json!({"type": "dense_vector", "similarity": "l2_norm"}), false),
            (json!({"type": "dense_vector", "index": false}), false),
            (json!({"type": "dense_vector", "element_type": "byte"}), false),
            (json!({"type": "float"}), false),
        ];
        for (property, expected) in table {
            let mapping = serde_json::from_value(json!({"properties": {"v": property}})).unwrap();
            assert_eq!(is_normalized(&mapping, "v"), expected, "{property}");
        }
    }
}
