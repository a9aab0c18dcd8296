//! Fingerprints of asset definitions: what of a definition affects results, part by part,
//! so that a change can be named and its effect told.
//!
//! Descriptions, tags, retries, dependencies and automation never matter. Neither does
//! the range of partitions: a new partition says nothing about the others. Parts that
//! say nothing (an absent filter, empty settings) have no hash, so that a key that a
//! later version adds does not make everything stale.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use xxhash_rust::xxh3::xxh3_128;

use crate::spec::{
    Asset, AssetSpec, DottedNames, Export, Features, FieldOptions, IndexSpec, Ingest, Monitor, NonFinite,
};

/// The hashes of the parts of an asset's definition, by the part's name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(BTreeMap<String, String>);

/// What a change of one part of a definition asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The result must be made anew.
    Rebuild,
    /// The index can be changed as it is.
    InPlace,
    /// The result must be checked anew.
    Recheck,
}

/// The parts of a definition that have changed, by effect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Parts that ask for a new result.
    pub rebuild: Vec<String>,
    /// Index settings that can be changed on the index as it is, by their names without
    /// `index.`; one that the definition no longer has goes back to its default.
    pub in_place: Vec<String>,
    /// Whether the checks have changed.
    pub recheck: bool,
}

const CHECKS: &str = "checks";
const DYNAMIC_SETTING: &str = "setting.";

impl Fingerprint {
    /// The fingerprint of an asset.
    #[must_use]
    pub fn of(asset: &Asset) -> Self {
        let mut parts = Parts::default();
        match &asset.spec {
            AssetSpec::Ingest(spec) => ingest(spec, &mut parts),
            AssetSpec::Features(spec) => features(spec, &mut parts),
            AssetSpec::Export(spec) => export(spec, &mut parts),
            AssetSpec::Monitor(spec) => monitor(spec, &mut parts),
        }
        Self(parts.0)
    }

    /// The parts and their hashes, in the order of their names.
    pub fn parts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(part, hash)| (part.as_str(), hash.as_str()))
    }

    /// One hash of the parts that decide what the result holds: equal definitions of
    /// content have equal hashes.
    #[must_use]
    pub fn content_hash(&self) -> String {
        let content: BTreeMap<&str, &str> = self.parts().filter(|(part, _)| effect(part) == Effect::Rebuild).collect();
        hash(&json!(content))
    }

    /// What differs from `earlier`.
    #[must_use]
    pub fn changes_since(&self, earlier: &Self) -> Changes {
        let mut changes = Changes::default();
        let parts: std::collections::BTreeSet<&String> = self.0.keys().chain(earlier.0.keys()).collect();
        for part in parts.into_iter().filter(|part| self.0.get(*part) != earlier.0.get(*part)) {
            match effect(part) {
                Effect::Rebuild => changes.rebuild.push(part.clone()),
                Effect::InPlace => changes.in_place.push(part.trim_start_matches(DYNAMIC_SETTING).to_owned()),
                Effect::Recheck => changes.recheck = true,
            }
        }
        changes
    }
}

/// What a change of the part called `part` asks for.
#[must_use]
pub fn effect(part: &str) -> Effect {
    if part == CHECKS {
        Effect::Recheck
    } else if part.starts_with(DYNAMIC_SETTING) {
        Effect::InPlace
    } else {
        Effect::Rebuild
    }
}

#[derive(Default)]
struct Parts(BTreeMap<String, String>);

impl Parts {
    fn add(&mut self, part: impl Into<String>, value: Value) {
        let says_nothing = match &value {
            Value::Null => true,
            Value::Array(list) => list.is_empty(),
            Value::Object(map) => map.is_empty(),
            _ => false,
        };
        if !says_nothing {
            self.0.insert(part.into(), hash(&value));
        }
    }

    fn index(&mut self, index: &IndexSpec) {
        self.add("mappings", Value::Object(index.mappings.clone()));
        self.add("settings", Value::Object(index.static_settings()));
        for (name, value) in index.dynamic_settings() {
            self.add(format!("{DYNAMIC_SETTING}{name}"), value);
        }
    }
}

fn ingest(spec: &Ingest, parts: &mut Parts) {
    parts.add("source", json!(spec.from));
    parts.add("id", json!(spec.id));
    parts.add("routing", json!(spec.routing));
    parts.add("time", json!(spec.time));
    // What later versions added says nothing as long as it is left at its default.
    if spec.dotted_names != DottedNames::default() {
        parts.add("dotted_names", json!(spec.dotted_names));
    }
    if spec.non_finite != NonFinite::default() {
        parts.add("non_finite", json!(spec.non_finite));
    }
    if let Some(partitions) = &spec.partitions {
        parts.add("partitions", json!({ "every": partitions.every, "timezone": partitions.timezone }));
    }
    parts.index(&spec.index);
    parts.add("undeclared", json!(spec.undeclared));
    parts.add("mode", json!(spec.mode));
    parts.add(CHECKS, json!(spec.checks));
}

fn features(spec: &Features, parts: &mut Parts) {
    parts.add("from", json!(spec.from));
    parts.add("entity", json!(spec.entity));
    parts.add("time", json!(spec.time));
    let grid = json!({ "every": spec.every, "timezone": spec.timezone, "start": spec.start, "end": spec.end });
    parts.add("grid", grid);
    parts.add("windows", json!(spec.windows));
    parts.add("where", json!(spec.filter));
    for (name, feature) in &spec.features {
        parts.add(format!("features.{name}"), json!(feature));
    }
    parts.index(&spec.index);
}

fn export(spec: &Export, parts: &mut Parts) {
    parts.add("from", json!(spec.from));
    parts.add("where", json!(spec.filter));
    if !spec.runtime.is_empty() {
        parts.add("runtime", json!(spec.runtime));
    }
    parts.add("columns", json!(spec.columns));
    if !spec.features.is_empty() {
        parts.add("features", json!(spec.features));
    }
    if spec.cells != FieldOptions::default() {
        parts.add("cells", json!(spec.cells));
    }
    for (name, field) in &spec.fields {
        parts.add(format!("fields.{name}"), json!(field));
    }
    if let Some(sample) = &spec.sample {
        parts.add("sample", json!(sample));
    }
    if let Some(limit) = spec.limit {
        parts.add("limit", json!(limit));
    }
    parts.add("to", json!(spec.to));
    parts.add("split", json!(spec.split));
}

fn monitor(spec: &Monitor, parts: &mut Parts) {
    parts.add("of", json!(spec.of));
    parts.add("time", json!(spec.time));
    parts.add("reference", json!({ "window": spec.reference, "timezone": spec.timezone }));
    parts.add("current", json!({ "window": spec.current, "timezone": spec.timezone }));
    parts.add("where", json!(spec.filter));
    for (name, field) in &spec.fields {
        parts.add(format!("fields.{name}"), json!(field));
    }
    parts.add("severity", json!(spec.severity));
}

/// The first 64 bits of the 128-bit XXH3 hash of a value with its keys in order, in
/// hexadecimal.
fn hash(value: &Value) -> String {
    let canonical = sorted(value).to_string();
    format!("{:016x}", xxh3_128(canonical.as_bytes()) >> 64)
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            // A key without a value says as little as none, now and in later versions.
            let said = map.iter().filter(|(_, value)| !value.is_null());
            let sorted: BTreeMap<&String, Value> = said.map(|(key, value)| (key, self::sorted(value))).collect();
            Value::Object(sorted.into_iter().map(|(key, value)| (key.clone(), value)).collect::<Map<_, _>>())
        }
        Value::Array(list) => list.iter().map(sorted).collect(),
        // 1 and 1.0 mean the same in a definition.
        Value::Number(number) => match number.as_f64() {
            Some(float) if !number.is_f64() && float.abs() < 9e15 => json!(float),
            _ => value.clone(),
        },
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ingest(change: impl FnOnce(&mut Value)) -> Fingerprint {
        let mut asset = json!({
            "kind": "ingest",
            "description": "x",
            "from": { "path": "a.csv" },
            "id": ["a"],
            "time": "t",
            "partitions": { "every": "month", "start": "2013-01-01", "end": "2013-02-01" },
            "index": { "settings": { "number_of_replicas": 0, "number_of_shards": 1 }, "mappings": { "properties": { "a": { "type": "keyword" } } } },
            "checks": [{ "rows": { "min": 1 } }],
        });
        change(&mut asset);
        Fingerprint::of(&serde_json::from_value(asset).unwrap())
    }

    fn change(change: impl FnOnce(&mut Value)) -> Changes {
        ingest(change).changes_since(&ingest(|_| {}))
    }

    #[test]
    fn what_does_not_affect_results_does_not_matter() {
        let none = Changes::default();
        assert_eq!(change(|_| {}), none);
        assert_eq!(change(|asset| asset["description"] = json!("y")), none);
        assert_eq!(change(|asset| asset["tags"] = json!(["z"])), none);
        assert_eq!(change(|asset| asset["deps"] = json!(["z"])), none);
        assert_eq!(change(|asset| asset["retries"] = json!({ "max": 9 })), none);
        assert_eq!(change(|asset| asset["partitions"]["end"] = json!("2013-05-01")), none);
        assert_eq!(change(|asset| asset["partitions"]["timezone"] = json!("UTC")), none);
        let reordered = json!({ "number_of_shards": 1, "index": { "number_of_replicas": 0 } });
        assert_eq!(change(|asset| asset["index"]["settings"] = reordered), none);
    }

    #[test]
    fn changes_are_named_with_their_effect() {
        let rebuild = |parts: &[&str]| Changes {
            rebuild: parts.iter().map(|part| (*part).to_owned()).collect(),
            ..Changes::default()
        };
        assert_eq!(change(|asset| asset["from"]["path"] = json!("b.csv")), rebuild(&["source"]));
        assert_eq!(change(|asset| asset["id"] = json!(["b"])), rebuild(&["id"]));
        assert_eq!(change(|asset| asset["partitions"]["timezone"] = json!("Asia/Tokyo")), rebuild(&["partitions"]));
        assert_eq!(change(|asset| asset["undeclared"] = json!("reject")), rebuild(&["undeclared"]));
        let mapping = |asset: &mut Value| asset["index"]["mappings"]["properties"]["a"]["type"] = json!("text");
        assert_eq!(change(mapping), rebuild(&["mappings"]));
        assert_eq!(change(|asset| asset["index"]["settings"]["number_of_shards"] = json!(2)), rebuild(&["settings"]));

        let in_place = |names: &[&str]| Changes {
            in_place: names.iter().map(|name| (*name).to_owned()).collect(),
            ..Changes::default()
        };
        let replicas = |asset: &mut Value| asset["index"]["settings"]["number_of_replicas"] = json!(1);
        assert_eq!(change(replicas), in_place(&["number_of_replicas"]));
        let other = json!({ "number_of_shards": 1, "refresh_interval": "30s" });
        let settings = |asset: &mut Value| asset["index"]["settings"] = other;
        assert_eq!(change(settings), in_place(&["number_of_replicas", "refresh_interval"]));

        let recheck = Changes { recheck: true, ..Changes::default() };
        assert_eq!(change(|asset| asset["checks"] = json!([])), recheck);
    }

    #[test]
    fn the_content_hash_follows_what_the_result_holds() {
        let plain = ingest(|_| {}).content_hash();
        assert_eq!(ingest(|asset| asset["checks"] = json!([])).content_hash(), plain);
        assert_eq!(ingest(|asset| asset["index"]["settings"]["number_of_replicas"] = json!(3)).content_hash(), plain);
        assert_ne!(ingest(|asset| asset["id"] = json!(["b"])).content_hash(), plain);
    }

    #[test]
    fn hashes_do_not_change_between_versions() {
        // Stored fingerprints are compared with new ones: were this to fail, every asset
        // would be rebuilt after an upgrade.
        let fingerprint = ingest(|_| {});
        let parts: Vec<String> = fingerprint.parts().map(|(part, hash)| format!("{part} {hash}")).collect();
        assert_eq!(parts, EXPECTED_PARTS);
        assert_eq!(hash(&json!({ "b": [1, 2.5], "a": "x", "c": null })), hash(&json!({ "a": "x", "b": [1.0, 2.5] })));
    }

    const EXPECTED_PARTS: [&str; 10] = [
        "checks 6602e3ea5516353c",
        "id 96490348c0c123ca",
        "mappings 3d375e5fc1659f81",
        "mode 6a05148b1eda1c77",
        "partitions 745ad67c36d9658b",
        "setting.number_of_replicas 95bd6de763b5bb43",
        "settings eac2620fd0bdfe5f",
        "source 7d92d050cd2b4f76",
        "time 4533254ba19f13a9",
        "undeclared 518dec956cda02a8",
    ];

    #[test]
    fn fingerprints_survive_storage() {
        let fingerprint = ingest(|_| {});
        let stored = serde_json::to_string(&fingerprint).unwrap();
        assert_eq!(serde_json::from_str::<Fingerprint>(&stored).unwrap(), fingerprint);
    }
}
