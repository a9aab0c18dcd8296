//! The settings of an index: read in any spelling, with typed accessors for common ones, and their
//! differences.
//!
//! Unlike in mappings, a setting is either changeable or not, whatever its value: see `rules`. They
//! are put by [`crate::Indices::put_settings`].
//!
//! ```
//! use es_core::IndexSettings;
//! use es_core::settings::SettingKind;
//! use serde_json::json;
//!
//! let live = IndexSettings::from_json(&json!({"index": {"number_of_shards": "1", "refresh_interval": "1s"}}));
//! let wanted = IndexSettings::from_json(&json!({"number_of_shards": 2, "index.refresh_interval": "30s"}));
//! let diff = live.diff(&wanted);
//! assert_eq!(diff.changes[0].to_string(), "number_of_shards: changes from 1 to 2, which needs a new index");
//! assert_eq!(diff.changes[1].kind, SettingKind::Dynamic);
//! assert!(diff.needs_new_index());
//! ```

mod rules;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::units;

/// The settings of an index, by their dotted names without `index.`. Unknown ones are kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IndexSettings {
    values: BTreeMap<String, Value>,
}

/// The moment at which a setting can be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingKind {
    /// At any time.
    Dynamic,
    /// While the index is closed.
    Static,
    /// Never: it is fixed when the index is created.
    Final,
    /// Only by the server. Differences in these are not reported.
    Internal,
    /// Unknown to this crate; a new index is right in any case.
    Unknown,
}

/// One difference between the settings of two indices.
#[derive(Clone, Debug, PartialEq)]
pub struct SettingChange {
    /// The setting's name, without `index.`.
    pub name: String,
    /// The moment at which it can be changed.
    pub kind: SettingKind,
    /// The value now; `None` is the default.
    pub before: Option<Value>,
    /// The wanted value; `None` is the default.
    pub after: Option<Value>,
}

impl fmt::Display for SettingChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        write!(f, "{}: ", self.name)?;
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => write!(f, "changes from {} to {}", text(before), text(after))?,
            (None, Some(after)) => write!(f, "becomes {}", text(after))?,
            (Some(before), None) => write!(f, "was {} and is no longer set", text(before))?,
            (None, None) => f.write_str("changes")?,
        }
        f.write_str(match self.kind {
            SettingKind::Dynamic | SettingKind::Internal => "",
            SettingKind::Static => ", which needs the index to be closed, or a new one",
            SettingKind::Final => ", which needs a new index",
            SettingKind::Unknown => ", which may need a new index",
        })
    }
}

/// The differences between the settings of two indices, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SettingsDiff {
    /// The differences, by name.
    pub changes: Vec<SettingChange>,
}

impl SettingsDiff {
    /// Returns `true` if the settings are the same.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Returns `true` if some setting cannot be changed on the open index: it needs a new index, or for
    /// some settings at least a closed one.
    pub fn needs_new_index(&self) -> bool {
        self.changes.iter().any(|change| change.kind != SettingKind::Dynamic)
    }

    /// The changes that the open index accepts, for [`crate::Indices::put_settings`]: a setting that is
    /// no longer wanted returns to its default.
    pub fn in_place(&self) -> Map<String, Value> {
        let dynamic = self.changes.iter().filter(|change| change.kind == SettingKind::Dynamic);
        dynamic.map(|change| (change.name.clone(), change.after.clone().unwrap_or(Value::Null))).collect()
    }
}

impl IndexSettings {
    /// Reads settings in any spelling: nested, dotted or both, with `index.` or without. A
    /// null stands for the default.
    pub fn from_map(settings: &Map<String, Value>) -> Self {
        let mut values = BTreeMap::new();
        flatten("", settings, &mut values);
        Self { values }
    }

    /// As [`IndexSettings::from_map`]; anything but an object gives no settings.
    pub fn from_json(settings: &Value) -> Self {
        settings.as_object().map(Self::from_map).unwrap_or_default()
    }

    /// The settings by their dotted names, as Elasticsearch accepts them.
    pub fn to_map(&self) -> Map<String, Value> {
        self.values.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// The same settings with one more, or with another value.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.values.insert(without_prefix(name).to_owned(), value.into());
        self
    }

    /// A setting by its dotted name, if it is set.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(without_prefix(name)).filter(|value| !value.is_null())
    }

    /// The names and values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The number of primary shards, if it is set.
    pub fn number_of_shards(&self) -> Option<u32> {
        self.number("number_of_shards")
    }

    /// The number of replicas of each primary shard, if it is set.
    pub fn number_of_replicas(&self) -> Option<u32> {
        self.number("number_of_replicas")
    }

    /// The refresh interval, as Elasticsearch writes it (`1s`, `-1`).
    pub fn refresh_interval(&self) -> Option<&str> {
        self.get("refresh_interval").and_then(Value::as_str)
    }

    /// The lifecycle policy of the index.
    pub fn lifecycle_policy(&self) -> Option<&str> {
        self.get("lifecycle.name").and_then(Value::as_str).filter(|name| !name.is_empty())
    }

    fn number(&self, name: &str) -> Option<u32> {
        match self.get(name)? {
            Value::Number(number) => number.as_u64()?.try_into().ok(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// Returns the moment at which a setting can be changed, by its dotted name.
    pub fn kind(name: &str) -> SettingKind {
        rules::kind_of(without_prefix(name))
    }

    /// Returns the changes from these settings, of a live index, to the wanted ones. Settings that the
    /// server sets itself are ignored; equivalent values (`"1"` and 1, `60s` and `1m`, a default given
    /// or left out) are not differences.
    pub fn diff(&self, wanted: &Self) -> SettingsDiff {
        let mut names: Vec<&String> = self.values.keys().chain(wanted.values.keys()).collect();
        names.sort();
        names.dedup();
        let change = |name: &String| {
            let (before, after) = (self.get(name), wanted.get(name));
            let kind = rules::kind_of(name);
            let meaning = |value: Option<&Value>| value.map(meaning).filter(|value| !is_default(name, value));
            (kind != SettingKind::Internal && meaning(before) != meaning(after)).then(|| SettingChange {
                name: name.clone(),
                kind,
                before: before.cloned(),
                after: after.cloned(),
            })
        };
        SettingsDiff { changes: names.into_iter().filter_map(change).collect() }
    }
}

impl Serialize for IndexSettings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.values.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for IndexSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::<Map<String, Value>>::deserialize(deserializer)?.map(|map| Self::from_map(&map)).unwrap_or_default())
    }
}

fn without_prefix(name: &str) -> &str {
    name.strip_prefix("index.").unwrap_or(name)
}

fn flatten(prefix: &str, settings: &Map<String, Value>, into: &mut BTreeMap<String, Value>) {
    for (name, value) in settings {
        let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            Value::Object(inner) => flatten(&name, inner, into),
            value => {
                into.insert(without_prefix(&name).to_owned(), value.clone());
            }
        }
    }
}

/// The canonical spelling of a value.
#[derive(Debug, PartialEq)]
enum Meaning {
    Text(String),
    Time(Duration),
    Bytes(u64),
    List(Vec<Meaning>),
}

fn meaning(value: &Value) -> Meaning {
    match value {
        Value::String(text) => measure(text).unwrap_or_else(|| Meaning::Text(text.clone())),
        Value::Array(items) => Meaning::List(items.iter().map(meaning).collect()),
        other => Meaning::Text(other.to_string()),
    }
}

fn measure(text: &str) -> Option<Meaning> {
    let time = || units::parse_age(text).map(Meaning::Time);
    time().or_else(|| units::parse_size(text).map(Meaning::Bytes)).filter(|_| text != "0")
}

fn is_default(name: &str, value: &Meaning) -> bool {
    let Some(default) = rules::default_of(name) else { return false };
    match (value, measure(default)) {
        (Meaning::Text(text), None) => text.eq_ignore_ascii_case(default),
        (value, Some(default)) => *value == default,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn changes(live: Value, wanted: Value) -> Vec<(String, SettingKind)> {
        let diff = IndexSettings::from_json(&live).diff(&IndexSettings::from_json(&wanted));
        diff.changes.iter().map(|change| (change.to_string(), change.kind)).collect()
    }

    #[test]
    fn spellings_and_defaults_are_no_difference() {
        let table = [
            (
                json!({"index": {"mapping": {"total_fields": {"limit": "7"}}}}),
                json!({"mapping.total_fields": {"limit": 7}}),
            ),
            (json!({"number_of_shards": "1", "number_of_replicas": "1"}), json!({})),
            (json!({"index.refresh_interval": "1m"}), json!({"refresh_interval": "60s"})),
            (json!({"translog": {"flush_threshold_size": "1gb"}}), json!({"translog.flush_threshold_size": "1024mb"})),
            (json!({"hidden": "true"}), json!({"index": {"hidden": true}})),
            (json!({"blocks": {"write": "false"}}), json!({"blocks.write": null})),
            (json!({"uuid": "x", "version": {"created": "1"}, "provided_name": "a", "creation_date": "5"}), json!({})),
            (json!({"translog.durability": "request"}), json!({})),
            (json!({"query": {"default_field": ["a", "b"]}}), json!({"index.query.default_field": ["a", "b"]})),
        ];
        for (live, wanted) in table {
            assert_eq!(changes(live.clone(), wanted.clone()), [], "{live} {wanted}");
            assert_eq!(changes(wanted.clone(), live.clone()), [], "{wanted} {live}");
        }
    }

    #[test]
    fn differences_say_when_they_can_be_made() {
        let table = [
            (json!({}), json!({"number_of_replicas": 0}), "number_of_replicas: becomes 0", SettingKind::Dynamic),
            (
                json!({"number_of_shards": "1"}),
                json!({"number_of_shards": 3}),
                "number_of_shards: changes from 1 to 3, which needs a new index",
                SettingKind::Final,
            ),
            (
                json!({"codec": "best_compression"}),
                json!({}),
                "codec: was best_compression and is no longer set, which needs the index to be closed, or a new one",
                SettingKind::Static,
            ),
            (
                json!({}),
                json!({"analysis": {"analyzer": {"my": {"type": "simple"}}}}),
                "analysis.analyzer.my.type: becomes simple, which needs the index to be closed, or a new one",
                SettingKind::Static,
            ),
            (json!({}), json!({"new.one": 1}), "new.one: becomes 1, which may need a new index", SettingKind::Unknown),
            (json!({}), json!({"refresh_interval": "1s"}), "refresh_interval: becomes 1s", SettingKind::Dynamic),
            (
                json!({"gc_deletes": "60s"}),
                json!({"gc_deletes": "60b"}),
                "gc_deletes: changes from 60s to 60b",
                SettingKind::Dynamic,
            ),
        ];
        for (live, wanted, text, kind) in table {
            assert_eq!(changes(live, wanted), [(text.to_owned(), kind)]);
        }
    }

    #[test]
    fn what_is_put_in_place_is_what_changed() {
        let live = IndexSettings::from_json(&json!({"refresh_interval": "5s", "number_of_shards": "1"}));
        let wanted = IndexSettings::default().with("index.number_of_replicas", 0).with("number_of_shards", 2);
        let diff = live.diff(&wanted);
        assert_eq!(Value::from(diff.in_place()), json!({"number_of_replicas": 0, "refresh_interval": null}));
        assert!(diff.needs_new_index());
        assert_eq!(wanted.number_of_shards(), Some(2));
        assert_eq!(live.number_of_shards(), Some(1));
        assert_eq!((live.refresh_interval(), live.number_of_replicas()), (Some("5s"), None));
    }

    fn any_settings() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(|flag| json!(flag)),
            any::<i32>().prop_map(|number| json!(number)),
            "[a-z0-9]{1,5}".prop_map(|text| json!(text)),
            prop::collection::vec("[a-z]{1,3}", 0..3).prop_map(|items| json!(items)),
        ];
        leaf.prop_recursive(3, 10, 3, |inner| {
            prop::collection::btree_map("[a-z]{1,4}", inner, 1..3).prop_map(|children| json!(children))
        })
    }

    proptest! {
        #[test]
        fn nested_and_dotted_are_the_same(settings in prop::collection::btree_map("[a-z]{1,4}", any_settings(), 0..4)) {
            let nested = IndexSettings::from_json(&json!({"index": settings}));
            let dotted = IndexSettings::from_json(&nested.to_map().into());
            prop_assert_eq!(&nested, &dotted);
            prop_assert!(nested.diff(&dotted).is_empty());
            let written = serde_json::to_value(&nested).unwrap();
            prop_assert_eq!(&serde_json::from_value::<IndexSettings>(written).unwrap(), &nested);
        }
    }
}
