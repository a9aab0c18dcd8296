//! The file of `--mapping`: the mapping and the settings of the index.

use std::path::Path;

use es_core::Mapping;
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::kinds::index::IndexSpec;

/// The mapping and the settings, without `index.`, of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct MappingFile {
    pub(super) mapping: Mapping,
    pub(super) settings: Map<String, Value>,
}

impl MappingFile {
    /// Reads a mapping, alone or as `mappings` beside `settings`, as `PUT index` takes it.
    ///
    /// # Errors
    /// When the file cannot be read, or holds something else.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let wrong = |why: String| Error::config(format!("the mapping file {} {why}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
        let value: Value = serde_json::from_str(&text).map_err(|error| wrong(format!("is not valid JSON: {error}")))?;
        Self::from_json(value).map_err(|why| {
            wrong(why).with_help(Some(
                "write {\"properties\": {..}}, or {\"mappings\": {\"properties\": {..}}, \"settings\": {..}}",
            ))
        })
    }

    fn from_json(value: Value) -> std::result::Result<Self, String> {
        let Value::Object(mut body) = value else { return Err("does not hold a JSON object".to_owned()) };
        let is_body = body.contains_key("mappings") || body.contains_key("settings");
        if !is_body {
            body = Map::from_iter([("mappings".to_owned(), Value::Object(body))]);
        }
        let spec: IndexSpec = serde_json::from_value(Value::Object(body))
            .map_err(|error| format!("is not the body of an index: {error}"))?;
        if !is_body && !spec.mappings.contains_key("properties") && !spec.mappings.contains_key("dynamic_templates") {
            return Err("has neither `properties` nor `mappings`".to_owned());
        }
        let settings = spec.flat_settings();
        let mapping = serde_json::from_value(Value::Object(spec.mappings))
            .map_err(|error| format!("does not hold a mapping: {error}"))?;
        Ok(Self { mapping, settings })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_mapping_file_is_a_mapping_or_a_body() {
        let properties = json!({"k": {"type": "keyword"}});
        let alone = MappingFile::from_json(json!({"properties": properties})).unwrap();
        let body = json!({"mappings": {"properties": properties}, "settings": {"index": {"number_of_shards": 3}}});
        let body = MappingFile::from_json(body).unwrap();
        assert_eq!(alone.mapping, body.mapping);
        assert_eq!((alone.settings.len(), &body.settings["number_of_shards"]), (0, &json!(3)));
        for wrong in [json!([]), json!({"k": {"type": "keyword"}}), json!({"mappings": {}, "aliases": {}})] {
            MappingFile::from_json(wrong).unwrap_err();
        }
    }
}
