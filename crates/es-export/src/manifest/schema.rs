//! The JSON Schema of manifests as they are written.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform as _};
use serde_json::Value;

use super::Manifest;

impl Manifest {
    /// The JSON Schema of manifests of layout 2, for readers in any language. Fields that it does
    /// not know are allowed, as some may be added.
    ///
    /// ```
    /// let schema = es_export::Manifest::schema();
    /// assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    /// assert_eq!(schema["properties"]["rows"]["type"], "integer");
    /// ```
    #[must_use]
    pub fn schema() -> Value {
        let settings = SchemaSettings::draft2020_12().for_serialize();
        let mut schema = settings.into_generator().into_root_schema_for::<Self>();
        RecursiveTransform(without_links).transform(&mut schema);
        schema.insert("title".to_owned(), "Manifest of an export".into());
        schema.into()
    }
}

/// Descriptions come from the documentation of the types, whose links lead nowhere here.
fn without_links(schema: &mut Schema) {
    if let Some(Value::String(description)) = schema.get_mut("description") {
        *description = description.replace("[`", "`").replace("`]", "`");
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;

    fn manifest() -> Value {
        json!({
            "manifest_version": 2, "created": "2026-11-20T10:00:00.123Z",
            "versions": {"es_export": "0.1.0", "polars": "0.55.2"},
            "source": {
                "cluster_uuid": "u", "elasticsearch": "9.4.3", "read_by": "point_in_time", "index": "a",
                "query": {"match_all": {}}, "opened_at": "2026-11-20T10:00:00Z", "slices": 3, "matched": 3,
                "sample": {"share": 0.5, "seed": 7}
            },
            "rows": 3, "resumed": 0, "format": {"name": "parquet", "compression": "zstd"},
            "columns": [{"name": "k", "elasticsearch": "keyword", "polars": "str", "arrow": "Utf8View"}],
            "partition_by": [],
            "split": {"by": "hash", "hash": "xxh3_64", "key": ["k"], "seed": 7, "parts": {"train": 0.8, "test": 0.2}},
            "proof": null,
            "parts": [{"name": "train", "rows": 3, "keys": {"rows": 3, "sum": "0".repeat(32)}, "files": [
                {"path": "train/part-00000.parquet", "rows": 3, "bytes": 9, "sha256": "a".repeat(64)}
            ]}],
            "encoders": {"version": 1, "rows": 3, "columns": [
                {"column": "k", "encoding": "codes", "vocabulary": ["a"], "nulls": 0}, {"column": "n", "encoding": "none"}
            ]},
            "notes": null
        })
    }

    /// Asserts that a value has all members of an older one, unchanged.
    fn assert_extends(new: &Value, old: &Value, path: &str) {
        match (new, old) {
            (Value::Object(new), Value::Object(old)) => {
                for (key, old) in old {
                    let path = format!("{path}/{key}");
                    assert_extends(new.get(key).unwrap_or_else(|| panic!("{path} is missing")), old, &path);
                }
            }
            _ => assert_eq!(new, old, "{path}"),
        }
    }

    #[test]
    fn the_documented_schema_is_only_extended() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/manifest.schema.json");
        // The package alone comes without the documentation of the workspace.
        let Ok(text) = std::fs::read_to_string(path) else { return };
        assert_extends(&Manifest::schema(), &serde_json::from_str(&text).unwrap(), "");
    }

    #[test]
    fn a_missing_member_or_one_of_another_type_is_refused() {
        let schema = Manifest::schema();
        jsonschema::meta::validate(&schema).unwrap();
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        let good = manifest();
        serde_json::from_value::<Manifest>(good.clone()).unwrap();
        assert!(validator.is_valid(&good), "{:?}", validator.iter_errors(&good).collect::<Vec<_>>());
        let mut more = good.clone();
        more["added_later"] = json!(1);
        assert!(validator.is_valid(&more));
        let damages = [
            ("/manifest_version", json!(3)),
            ("/rows", json!(-1)),
            ("/created", json!(7)),
            ("/source/read_by", json!("guess")),
            ("/columns/0/name", json!(null)),
            ("/split/by", json!("moon")),
            ("/split/parts/train", json!("most")),
            ("/parts/0/keys/sum", json!("0")),
            ("/parts/0/files/0/sha256", json!("a")),
            ("/parts/0/files/0", json!({})),
            ("/encoders/columns/0/encoding", json!("magic")),
        ];
        for (place, value) in damages {
            let mut damaged = good.clone();
            *damaged.pointer_mut(place).unwrap() = value;
            assert!(!validator.is_valid(&damaged), "{place}");
        }
        for name in good.as_object().unwrap().keys() {
            let mut without = good.clone();
            without.as_object_mut().unwrap().shift_remove(name);
            assert!(!validator.is_valid(&without), "{name}");
        }
        let text = schema.to_string();
        assert!(!text.contains("[`") && !text.contains("](crate"), "links of the documentation are left");
    }
}
