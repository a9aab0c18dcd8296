//! Mappings that keep what they do not know, and what changed between two of them.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The mapping of an index.
///
/// ```
/// use es_core::Mapping;
/// let mapping: Mapping = serde_json::from_value(serde_json::json!({
///     "dynamic": "strict",
///     "properties": {"dest": {"type": "keyword", "fields": {"text": {"type": "text"}}}}
/// })).unwrap();
/// assert_eq!(mapping.field("dest.text").unwrap().field_type(), "text");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mapping {
    /// The fields by name.
    #[serde(default, skip_serializing_if = "Map::is_empty", with = "properties")]
    pub properties: Properties,
    /// What the owner of the index noted in it.
    #[serde(rename = "_meta", default, skip_serializing_if = "Map::is_empty")]
    pub meta: Map<String, Value>,
    /// Everything else (`dynamic`, `_source`, `_routing`, `runtime`, ...), as it came.
    #[serde(flatten)]
    pub parameters: Map<String, Value>,
}

/// Fields by name, in the order they came.
pub type Properties = Map<String, Value>;

/// One field of a mapping.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Property<'a> {
    definition: &'a Map<String, Value>,
}

/// `serde` support: a missing or null `properties` is none.
mod properties {
    use super::{Map, Properties, Value};
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Properties, serializer: S) -> Result<S::Ok, S::Error> {
        value.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Properties, D::Error> {
        Ok(Option::<Map<String, Value>>::deserialize(deserializer)?.unwrap_or_default())
    }
}

impl<'a> Property<'a> {
    fn of(value: &'a Value) -> Option<Self> {
        value.as_object().map(|definition| Self { definition })
    }

    /// The field's type; one with `properties` and no type is an `object`.
    pub fn field_type(&self) -> &'a str {
        self.parameter("type").and_then(Value::as_str).unwrap_or("object")
    }

    /// A parameter of the field.
    pub fn parameter(&self, name: &str) -> Option<&'a Value> {
        self.definition.get(name)
    }

    fn children(&self, name: &str) -> impl Iterator<Item = (&'a String, Property<'a>)> + use<'a> {
        self.parameter(name)
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| Some((name, Self::of(value)?)))
    }
}

impl Mapping {
    /// A mapping of the given fields.
    pub fn new(properties: Properties) -> Self {
        Self { properties, ..Self::default() }
    }

    /// A field by its path: `origin`, `address.city`, or the sub-field `dest.text`.
    pub fn field(&self, path: &str) -> Option<Property<'_>> {
        // A field may itself have dots in its name where sub-objects are off.
        if let Some(property) = self.properties.get(path).and_then(Property::of) {
            return Some(property);
        }
        let mut parts = path.split('.');
        let mut property = Property::of(self.properties.get(parts.next()?)?)?;
        for part in parts {
            property = ["properties", "fields"]
                .iter()
                .find_map(|children| Property::of(property.parameter(children)?.as_object()?.get(part)?))?;
        }
        Some(property)
    }

    /// All fields with their full paths, sub-fields (`fields`) not included, in order.
    pub fn fields(&self) -> Vec<(String, Property<'_>)> {
        fn walk<'a>(prefix: &str, properties: &'a Map<String, Value>, into: &mut Vec<(String, Property<'a>)>) {
            for (name, value) in properties {
                let Some(property) = Property::of(value) else { continue };
                let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                let children = property.parameter("properties").and_then(Value::as_object);
                into.push((path.clone(), property));
                if let Some(children) = children {
                    walk(&path, children, into);
                }
            }
        }
        let mut all = Vec::new();
        walk("", &self.properties, &mut all);
        all
    }

    /// This mapping with the definitions of `overrides` put over its own, field by field
    /// and parameter by parameter.
    pub fn overridden_by(mut self, overrides: &Self) -> Self {
        merge(&mut self.properties, &overrides.properties);
        merge(&mut self.meta, &overrides.meta);
        merge(&mut self.parameters, &overrides.parameters);
        self
    }

    /// What it takes to get from this mapping, of a live index, to the wanted one.
    pub fn diff(&self, wanted: &Self) -> MappingDiff {
        let mut changes = Vec::new();
        diff_properties("", &self.properties, &wanted.properties, &mut changes);
        for name in
            wanted.parameters.keys().chain(self.parameters.keys().filter(|name| !wanted.parameters.contains_key(*name)))
        {
            // The server reports booleans of the root as strings.
            let (old, new) = (self.parameters.get(name), wanted.parameters.get(name));
            if old.map(as_text) == new.map(as_text) {
                continue;
            }
            let kind = match name.as_str() {
                "dynamic"
                | "date_detection"
                | "numeric_detection"
                | "dynamic_templates"
                | "runtime"
                | "dynamic_date_formats" => ChangeKind::InPlace,
                _ => ChangeKind::Reindex,
            };
            changes.push(Change { path: name.clone(), kind, reason: describe(old, new) });
        }
        MappingDiff { changes }
    }
}

fn merge(into: &mut Map<String, Value>, from: &Map<String, Value>) {
    for (name, value) in from {
        match (into.get_mut(name), value) {
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            _ => {
                into.insert(name.clone(), value.clone());
            }
        }
    }
}

/// Whether a change can be made on the live index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// The live index takes it.
    InPlace,
    /// The documents have to be written to a new index.
    Reindex,
}

/// One difference between two mappings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The field's path, or the name of a parameter of the root.
    pub path: String,
    /// Whether the live index takes it.
    pub kind: ChangeKind,
    /// What differs, in words.
    pub reason: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.reason)
    }
}

/// The differences between two mappings, field by field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MappingDiff {
    /// The differences, in the order of the fields.
    pub changes: Vec<Change>,
}

impl MappingDiff {
    /// Whether the mappings are the same.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Whether some change needs a new index.
    pub fn needs_reindex(&self) -> bool {
        self.changes.iter().any(|change| change.kind == ChangeKind::Reindex)
    }
}

/// Parameters that the live index lets be changed.
const UPDATABLE: &[&str] = &["ignore_above", "search_analyzer", "meta", "dynamic", "coerce", "ignore_malformed"];

fn diff_properties(prefix: &str, old: &Map<String, Value>, new: &Map<String, Value>, changes: &mut Vec<Change>) {
    for (name, wanted) in new {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        let Some(wanted) = Property::of(wanted) else { continue };
        match old.get(name).and_then(Property::of) {
            None => changes.push(Change {
                path,
                kind: ChangeKind::InPlace,
                reason: format!("is new, of type {}", wanted.field_type()),
            }),
            Some(old) => diff_property(&path, old, wanted, changes),
        }
    }
    for (name, _) in old.iter().filter(|(name, _)| !new.contains_key(*name)) {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        changes.push(Change { path, kind: ChangeKind::Reindex, reason: "is no longer declared".to_owned() });
    }
}

fn diff_property(path: &str, old: Property<'_>, new: Property<'_>, changes: &mut Vec<Change>) {
    if old.field_type() != new.field_type() {
        changes.push(Change {
            path: path.to_owned(),
            kind: ChangeKind::Reindex,
            reason: format!("changes its type from {} to {}", old.field_type(), new.field_type()),
        });
        return;
    }
    let children = |property: Property<'_>, name: &str| {
        property.parameter(name).and_then(Value::as_object).cloned().unwrap_or_default()
    };
    diff_properties(path, &children(old, "properties"), &children(new, "properties"), changes);

    let (old_fields, new_fields) = (children(old, "fields"), children(new, "fields"));
    for (name, field) in new.children("fields") {
        let sub_path = format!("{path}.{name}");
        match old_fields.get(name).and_then(Property::of) {
            // The index takes it, but documents written before do not get it.
            None => changes.push(Change {
                path: sub_path,
                kind: ChangeKind::Reindex,
                reason: format!(
                    "is a new sub-field of type {}, which documents get when they are written",
                    field.field_type()
                ),
            }),
            Some(old) => diff_property(&sub_path, old, field, changes),
        }
    }
    for name in old_fields.keys().filter(|name| !new_fields.contains_key(*name)) {
        changes.push(Change {
            path: format!("{path}.{name}"),
            kind: ChangeKind::Reindex,
            reason: "is no longer declared".to_owned(),
        });
    }

    let names = new.definition.keys().chain(old.definition.keys().filter(|name| !new.definition.contains_key(*name)));
    for name in names.filter(|name| !matches!(name.as_str(), "type" | "properties" | "fields")) {
        let (before, after) = (old.parameter(name), new.parameter(name));
        if before.map(as_text) != after.map(as_text) {
            let kind = if UPDATABLE.contains(&name.as_str()) { ChangeKind::InPlace } else { ChangeKind::Reindex };
            changes.push(Change { path: path.to_owned(), kind, reason: format!("{name} {}", describe(before, after)) });
        }
    }
}

/// Values as text, as the server may report `true` as `"true"` and `5` as `"5"`.
fn as_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn describe(old: Option<&Value>, new: Option<&Value>) -> String {
    match (old, new) {
        (Some(old), Some(new)) => format!("changes from {} to {}", as_text(old), as_text(new)),
        (None, Some(new)) => format!("becomes {}", as_text(new)),
        (Some(old), None) => format!("was {} and is no longer set", as_text(old)),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn mapping(value: Value) -> Mapping {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn differences_say_whether_they_need_a_new_index() {
        let old = json!({"properties": {"dest": {"type": "keyword"}, "delay": {"type": "integer"}}});
        let table = [
            (old.clone(), vec![]),
            (
                json!({"properties": {"dest": {"type": "keyword"}, "delay": {"type": "integer"}, "x": {"type": "date"}}}),
                vec![("x: is new, of type date", ChangeKind::InPlace)],
            ),
            (
                json!({"properties": {"dest": {"type": "keyword"}, "delay": {"type": "long"}}}),
                vec![("delay: changes its type from integer to long", ChangeKind::Reindex)],
            ),
            (
                json!({"properties": {"dest": {"type": "keyword", "ignore_above": 256}, "delay": {"type": "integer"}}}),
                vec![("dest: ignore_above becomes 256", ChangeKind::InPlace)],
            ),
            (
                json!({"properties": {"dest": {"type": "keyword", "doc_values": false}, "delay": {"type": "integer"}}}),
                vec![("dest: doc_values becomes false", ChangeKind::Reindex)],
            ),
            (
                json!({"properties": {"dest": {"type": "keyword"}}}),
                vec![("delay: is no longer declared", ChangeKind::Reindex)],
            ),
            (
                json!({"dynamic": false, "properties": {"dest": {"type": "keyword"}, "delay": {"type": "integer"}}}),
                vec![("dynamic: becomes false", ChangeKind::InPlace)],
            ),
            (
                json!({"properties": {"dest": {"type": "keyword", "fields": {"t": {"type": "text"}}},
                    "delay": {"type": "integer"}}}),
                vec![(
                    "dest.t: is a new sub-field of type text, which documents get when they are written",
                    ChangeKind::Reindex,
                )],
            ),
        ];
        for (wanted, expected) in table {
            let diff = mapping(old.clone()).diff(&mapping(wanted.clone()));
            let found: Vec<_> = diff.changes.iter().map(|change| (change.to_string(), change.kind)).collect();
            let expected: Vec<_> = expected.into_iter().map(|(text, kind)| (text.to_owned(), kind)).collect();
            assert_eq!(found, expected, "{wanted}");
        }
    }

    #[test]
    fn the_server_reporting_text_is_no_difference() {
        let live = mapping(json!({"dynamic": "false", "properties": {"a": {"type": "keyword", "ignore_above": 256}}}));
        let wanted =
            mapping(json!({"dynamic": false, "properties": {"a": {"type": "keyword", "ignore_above": "256"}}}));
        assert!(live.diff(&wanted).is_empty());
    }

    #[test]
    fn overrides_go_field_by_field() {
        let inferred = mapping(json!({"properties": {"dest": {"type": "keyword", "ignore_above": 1024}}}));
        let declared = mapping(json!({"properties": {"dest": {"fields": {"text": {"type": "text"}}}}}));
        let merged = inferred.overridden_by(&declared);
        assert_eq!(merged.field("dest").unwrap().parameter("ignore_above"), Some(&json!(1024)));
        assert_eq!(merged.field("dest.text").unwrap().field_type(), "text");
        assert_eq!(merged.field("dest.none"), None);
    }

    #[test]
    fn fields_have_their_full_paths() {
        let nested =
            mapping(json!({"properties": {"a": {"properties": {"b": {"type": "long"}}}, "c": {"type": "ip"}}}));
        let paths: Vec<_> =
            nested.fields().iter().map(|(path, field)| format!("{path}:{}", field.field_type())).collect();
        assert_eq!(paths, ["a:object", "a.b:long", "c:ip"]);
    }

    fn any_property() -> impl Strategy<Value = Value> {
        let leaf = (prop::sample::select(vec!["keyword", "long", "date", "unknown_type"]), any::<bool>())
            .prop_map(|(kind, flag)| json!({"type": kind, "some_parameter": flag}));
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop::collection::btree_map("[a-z]{1,3}", inner, 1..3).prop_map(|children| json!({"properties": children}))
        })
    }

    proptest! {
        #[test]
        fn a_mapping_survives_being_read_and_written(
            properties in prop::collection::btree_map("[a-z.]{1,4}", any_property(), 1..4),
            other in any::<u32>(),
        ) {
            let original = json!({"properties": properties, "_meta": {"m": 1}, "future_parameter": {"x": other}});
            let read = mapping(original.clone());
            prop_assert_eq!(serde_json::to_value(&read).unwrap(), original);
            prop_assert!(read.diff(&read).is_empty());
        }
    }
}
