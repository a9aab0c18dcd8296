//! The settings and mappings of an index, as the pipeline file says them.

use es_assets::{KeyPath, Parts, Report};
use es_core::settings::SettingKind;
use es_core::{IndexSettings, Mapping};
use es_serving::ingest_pipeline::{ATTACHED_BY, IngestPipeline};
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
    /// The ingest pipeline that each document passes before it is indexed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<IngestPipeline>,
}

/// Settings that an open index accepts, and that decide which documents and fields get into it: to
/// change them changes what a build makes.
const DECIDE_CONTENT: [&str; 3] =
    ["default_pipeline", "final_pipeline", "mapping.total_fields.ignore_dynamic_beyond_limit"];

impl IndexSpec {
    /// The declared mapping.
    ///
    /// # Errors
    /// When the keys do not make up a mapping.
    pub fn mapping(&self) -> serde_json::Result<Mapping> {
        serde_json::from_value(Value::Object(self.mappings.clone()))
    }

    /// The settings by their dotted names without `index.`, however they are nested.
    #[must_use]
    pub fn flat_settings(&self) -> Map<String, Value> {
        IndexSettings::from_map(&self.settings).to_map()
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
        // The order of its keys and its description say nothing.
        parts.add("pipeline", self.pipeline.as_ref().map(IngestPipeline::fingerprint));
        for (name, value) in self.dynamic_settings() {
            parts.add_in_place(&name, value);
        }
    }

    /// Reports what the schema does not express. `path` is the place of the keys in the file.
    pub fn validate(&self, path: &KeyPath, report: &mut Report<'_>) {
        let Some(pipeline) = &self.pipeline else { return };
        if let Err(error) = pipeline.check() {
            report.invalid(&path.key("pipeline"), error.to_string(), error.help().unwrap_or_default());
        }
        if self.flat_settings().contains_key(ATTACHED_BY) {
            let message = format!("`{ATTACHED_BY}` and `pipeline` both name the pipeline of the index");
            report.invalid(&path.key("settings"), message, format!("remove `{ATTACHED_BY}` or `pipeline`"));
        }
    }
}

fn is_dynamic(key: &str) -> bool {
    IndexSettings::kind(key) == SettingKind::Dynamic && !DECIDE_CONTENT.contains(&key)
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
            "translog.sync_interval": "10s",
            "final_pipeline": "clean",
        } }))
        .unwrap();
        let dynamic = json!({
            "number_of_replicas": 0, "refresh_interval": "30s", "blocks.write": false, "translog.sync_interval": "10s",
        });
        assert_eq!(Value::Object(spec.dynamic_settings()), dynamic);
        let fixed = json!({ "sort.field": "a", "number_of_shards": 2, "final_pipeline": "clean" });
        assert_eq!(Value::Object(spec.static_settings()), fixed);
    }
}
