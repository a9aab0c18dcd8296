//! The settings and mappings of an index, as the pipeline file says them.

use es_assets::Parts;
use es_core::Mapping;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Settings and mappings of an index, in the terms of Elasticsearch's create index API.
/// Their inside is not checked here: the server knows its settings and mappings best.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct IndexSpec {
    /// Index settings, such as `number_of_shards`.
    pub settings: Map<String, Value>,
    /// Mappings; fields they leave out are mapped by what the data holds.
    pub mappings: Map<String, Value>,
}

/// Settings that Elasticsearch changes on an open index and that have no effect on what
/// the index holds (<https://www.elastic.co/docs/reference/elasticsearch/index-settings/index-modules>).
const DYNAMIC: [&str; 26] = [
    "analyze.max_token_count",
    "auto_expand_replicas",
    "gc_deletes",
    "hidden",
    "highlight.max_analyzed_offset",
    "max_docvalue_fields_search",
    "max_inner_result_window",
    "max_ngram_diff",
    "max_refresh_listeners",
    "max_regex_length",
    "max_rescore_window",
    "max_result_window",
    "max_script_fields",
    "max_shingle_diff",
    "max_slices_per_scroll",
    "max_terms_count",
    "merge.scheduler.max_thread_count",
    "number_of_replicas",
    "priority",
    "query.default_field",
    "refresh_interval",
    "requests.cache.enable",
    "search.idle.after",
    "translog.durability",
    "unassigned.node_left.delayed_timeout",
    "write.wait_for_active_shards",
];
/// The same, for whole families of settings.
const DYNAMIC_PREFIXES: [&str; 5] =
    ["blocks.", "routing.allocation.", "routing.rebalance.", "search.slowlog.", "indexing.slowlog."];

impl IndexSpec {
    /// The declared mapping.
    ///
    /// # Errors
    /// When the keys do not make up a mapping.
    pub fn mapping(&self) -> serde_json::Result<Mapping> {
        serde_json::from_value(Value::Object(self.mappings.clone()))
    }

    /// The settings under their full dotted names without `index.`: `{ index: {
    /// number_of_replicas: 0 } }` and `{ index.number_of_replicas: 0 }` both give
    /// `number_of_replicas`.
    #[must_use]
    pub fn flat_settings(&self) -> Map<String, Value> {
        let mut flat = Map::new();
        for (key, value) in &self.settings {
            flatten(key, value, &mut flat);
        }
        flat.into_iter()
            .map(|(key, value)| match key.strip_prefix("index.") {
                Some(rest) => (rest.to_owned(), value),
                None => (key, value),
            })
            .collect()
    }

    /// Of [`flat_settings`](Self::flat_settings) those that can change on an index in
    /// use without changing what it holds.
    #[must_use]
    pub fn dynamic_settings(&self) -> Map<String, Value> {
        self.flat_settings().into_iter().filter(|(key, _)| is_dynamic(key)).collect()
    }

    /// Of [`flat_settings`](Self::flat_settings) those that only a new index can have.
    #[must_use]
    pub fn static_settings(&self) -> Map<String, Value> {
        self.flat_settings().into_iter().filter(|(key, _)| !is_dynamic(key)).collect()
    }
}

impl IndexSpec {
    /// Adds the parts that affect the index to a fingerprint.
    pub fn fingerprint(&self, parts: &mut Parts) {
        parts.add("mappings", &self.mappings);
        parts.add("settings", self.static_settings());
        for (name, value) in self.dynamic_settings() {
            parts.add_in_place(&name, value);
        }
    }
}

fn flatten(key: &str, value: &Value, flat: &mut Map<String, Value>) {
    match value.as_object().filter(|inner| !inner.is_empty()) {
        Some(inner) => {
            for (name, value) in inner {
                flatten(&format!("{key}.{name}"), value, flat);
            }
        }
        None => {
            flat.insert(key.to_owned(), value.clone());
        }
    }
}

fn is_dynamic(key: &str) -> bool {
    DYNAMIC.contains(&key) || DYNAMIC_PREFIXES.iter().any(|prefix| key.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn settings_are_told_apart_however_they_are_nested() {
        let spec: IndexSpec = serde_json::from_value(json!({ "settings": {
            "index": { "number_of_replicas": 0, "sort": { "field": "a" } },
            "index.refresh_interval": "30s",
            "number_of_shards": 2,
            "blocks": { "write": false },
        } }))
        .unwrap();
        let dynamic = json!({
            "number_of_replicas": 0, "refresh_interval": "30s", "blocks.write": false,
        });
        assert_eq!(Value::Object(spec.dynamic_settings()), dynamic);
        let fixed = json!({ "sort.field": "a", "number_of_shards": 2 });
        assert_eq!(Value::Object(spec.static_settings()), fixed);
    }
}
