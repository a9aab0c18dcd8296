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

use crate::asset::Asset;
use crate::partition::Partitions;

/// The hashes of the parts of an asset's definition, by the part's name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(BTreeMap<String, String>);

/// The consequence of a change of one part of a definition.
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
    /// The checks have changed.
    pub recheck: bool,
}

const CHECKS: &str = "checks";
const DYNAMIC_SETTING: &str = "setting.";

impl Fingerprint {
    /// The fingerprint of an asset.
    #[must_use]
    pub fn of(asset: &Asset) -> Self {
        let mut parts = Parts::default();
        asset.definition().fingerprint(&mut parts);
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

    /// The differences from `earlier`.
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

/// The consequence of a change of the part called `part`.
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

/// The parts of a definition, as a kind lists them.
#[derive(Debug, Default)]
pub struct Parts(BTreeMap<String, String>);

impl Parts {
    /// Adds a part whose change asks for a new result. A value that says nothing (null, an empty
    /// list or mapping) is left out, so that a key that a later version adds does not make
    /// everything stale.
    ///
    /// A value that cannot be written as JSON counts as null; option types always can.
    pub fn add(&mut self, part: impl Into<String>, value: impl Serialize) {
        let value = serde_json::to_value(value).unwrap_or_default();
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

    /// Adds a setting that can be changed on the result as it is, by its name.
    pub fn add_in_place(&mut self, setting: &str, value: impl Serialize) {
        self.add(format!("{DYNAMIC_SETTING}{setting}"), value);
    }

    /// Adds what decides which stretch of time a partition is: see [`Partitions::divide_like`].
    pub fn add_partitions(&mut self, partitions: Option<&Partitions>) {
        if let Some(partitions) = partitions {
            self.add("partitions", json!({ "every": partitions.every, "timezone": partitions.timezone }));
        }
    }

    /// Adds the checks, whose change asks for a new check of the result.
    pub fn add_checks(&mut self, checks: impl Serialize) {
        self.add(CHECKS, checks);
    }
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

    fn fingerprint(parts: impl FnOnce(&mut Parts)) -> Fingerprint {
        let mut all = Parts::default();
        all.add("from", "a");
        all.add("where", Value::Null);
        parts(&mut all);
        Fingerprint(all.0)
    }

    #[test]
    fn changes_are_named_with_their_effect() {
        let before = fingerprint(|parts| {
            parts.add("id", json!(["a"]));
            parts.add_in_place("number_of_replicas", 0);
            parts.add_checks(json!([1]));
        });
        let changes = |parts: fn(&mut Parts)| fingerprint(parts).changes_since(&before);
        let same: fn(&mut Parts) = |parts| {
            parts.add("id", json!(["a"]));
            parts.add_in_place("number_of_replicas", 0.0);
            parts.add_checks(json!([1]));
            parts.add("later", json!({}));
        };
        assert_eq!(changes(same), Changes::default());
        let other: fn(&mut Parts) = |parts| {
            parts.add("id", json!(["b"]));
            parts.add_in_place("refresh_interval", "30s");
        };
        let expected = Changes {
            rebuild: vec!["id".to_owned()],
            in_place: vec!["number_of_replicas".to_owned(), "refresh_interval".to_owned()],
            recheck: true,
        };
        assert_eq!(changes(other), expected);
    }

    #[test]
    fn the_content_hash_follows_what_the_result_holds() {
        let plain = fingerprint(|_| {}).content_hash();
        assert_eq!(fingerprint(|parts| parts.add_checks(json!([1]))).content_hash(), plain);
        assert_eq!(fingerprint(|parts| parts.add_in_place("number_of_replicas", 3)).content_hash(), plain);
        assert_ne!(fingerprint(|parts| parts.add("id", json!(["b"]))).content_hash(), plain);
    }

    #[test]
    fn hashes_do_not_change_between_versions() {
        // Stored fingerprints are compared with new ones: were this to fail, every asset would be
        // rebuilt after an upgrade.
        assert_eq!(hash(&json!({ "b": [1, 2.5], "a": "x", "c": null })), hash(&json!({ "a": "x", "b": [1.0, 2.5] })));
        assert_eq!(hash(&json!(["a"])), "96490348c0c123ca");
    }

    #[test]
    fn fingerprints_survive_storage() {
        let fingerprint = fingerprint(|parts| parts.add_checks(json!([1])));
        let stored = serde_json::to_string(&fingerprint).unwrap();
        assert_eq!(serde_json::from_str::<Fingerprint>(&stored).unwrap(), fingerprint);
    }
}
