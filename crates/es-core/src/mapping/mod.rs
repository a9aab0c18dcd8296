//! Mappings that keep unknown parameters, and the changes between two of them.
//!
//! A [`Mapping`] is the mapping of a request or an answer, unchanged. `canonical` decides whether two
//! of them mean the same, `rules` what the server does with a change, and `diff` combines the two.
//!
//! ```
//! use es_core::{ChangeKind, Mapping};
//! let mapping = |value| serde_json::from_value::<Mapping>(value).unwrap();
//! let live = mapping(serde_json::json!({"properties": {"dest": {"type": "keyword"}}}));
//! let wanted = mapping(serde_json::json!({"properties": {
//!     "dest": {"type": "keyword", "doc_values": true, "ignore_above": 256},
//! }}));
//! let diff = live.diff(&wanted);
//! assert_eq!(diff.changes[0].to_string(), "dest: ignore_above becomes 256");
//! assert_eq!(diff.changes[0].kind, ChangeKind::InPlace);
//! ```

mod canonical;
mod diff;
mod rules;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::diff::{Change, ChangeKind, MappingDiff};

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
    /// The owner's metadata (`_meta`).
    #[serde(rename = "_meta", default, skip_serializing_if = "Map::is_empty")]
    pub meta: Map<String, Value>,
    /// All other keys (`dynamic`, `_source`, `_routing`, `runtime`, ...), unchanged.
    #[serde(flatten)]
    pub parameters: Map<String, Value>,
}

/// Fields by name, in their original order.
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

    /// The parameter as an object, or an empty one.
    fn map(&self, name: &str) -> Map<String, Value> {
        self.parameter(name).and_then(Value::as_object).cloned().unwrap_or_default()
    }
}

impl Mapping {
    /// Creates a mapping of the given fields.
    pub fn new(properties: Properties) -> Self {
        Self { properties, ..Self::default() }
    }

    /// A field by its path: `origin`, `address.city`, or the sub-field `dest.text`.
    pub fn field(&self, path: &str) -> Option<Property<'_>> {
        // Where sub-objects are off, the name of a field may contain dots.
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

    /// Returns this mapping with the definitions of `overrides` in place of its own, field by field and
    /// parameter by parameter. A field that gets another type keeps no parameter of the old one, as few
    /// parameters apply to both.
    pub fn overridden_by(mut self, overrides: &Self) -> Self {
        merge_fields(&mut self.properties, &overrides.properties);
        merge(&mut self.meta, &overrides.meta);
        merge(&mut self.parameters, &overrides.parameters);
        self
    }

    /// Returns the changes from this mapping, of a live index, to the wanted one.
    ///
    /// Spellings that the server treats as the same are not differences: defaults given or left out,
    /// `"5"` for `5`, `a.b` for a field `b` in an object `a`. A field or parameter that is no longer
    /// wanted is a difference. `_meta` is ignored: it belongs to its owner, and can always be replaced.
    pub fn diff(&self, wanted: &Self) -> MappingDiff {
        diff::diff(self, wanted)
    }

    /// Returns the mapping to put to a live index of this mapping to make all changes that can be made
    /// in place. The server keeps parameters that a request leaves out, so this is the wanted mapping
    /// with those defaults spelled out that the live index deviates from. Use it where
    /// [`Mapping::diff`] finds nothing that needs a new index.
    pub fn in_place_update(&self, wanted: &Self) -> Self {
        diff::in_place_update(self, wanted)
    }

    fn runtime(&self) -> Map<String, Value> {
        self.parameters.get("runtime").and_then(Value::as_object).cloned().unwrap_or_default()
    }
}

fn merge_fields(into: &mut Properties, from: &Properties) {
    for (name, wanted) in from {
        match (into.get_mut(name), wanted) {
            (Some(Value::Object(old)), Value::Object(new)) if !changes_type(old, new) => merge_definition(old, new),
            _ => {
                into.insert(name.clone(), wanted.clone());
            }
        }
    }
}

fn merge_definition(into: &mut Map<String, Value>, from: &Map<String, Value>) {
    for (parameter, value) in from {
        match (into.get_mut(parameter), value) {
            (Some(Value::Object(old)), Value::Object(new)) if matches!(parameter.as_str(), "properties" | "fields") => {
                merge_fields(old, new);
            }
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            _ => {
                into.insert(parameter.clone(), value.clone());
            }
        }
    }
}

/// Returns `true` if a definition changes the type. Objects and nested fields share their
/// properties, and a definition without a type is an object.
fn changes_type(old: &Map<String, Value>, new: &Map<String, Value>) -> bool {
    let type_of = |definition: &Map<String, Value>| match definition.get("type").and_then(Value::as_str) {
        Some("object" | "nested") | None => None,
        Some(name) => Some(name.to_owned()),
    };
    new.contains_key("type") && type_of(old) != type_of(new)
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn mapping(value: Value) -> Mapping {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_field_of_another_type_keeps_no_parameter() {
        let table = [
            (json!({"type": "keyword", "ignore_above": 9}), json!({"type": "text"}), json!({"type": "text"})),
            (
                json!({"type": "keyword", "ignore_above": 9}),
                json!({"type": "keyword", "fields": {"t": {"type": "text"}}}),
                json!({"type": "keyword", "ignore_above": 9, "fields": {"t": {"type": "text"}}}),
            ),
            (
                json!({"type": "text", "fields": {"k": {"type": "keyword", "ignore_above": 9}}}),
                json!({"fields": {"k": {"type": "text"}}}),
                json!({"type": "text", "fields": {"k": {"type": "text"}}}),
            ),
            (
                json!({"properties": {"x": {"type": "long"}}}),
                json!({"type": "nested"}),
                json!({"properties": {"x": {"type": "long"}}, "type": "nested"}),
            ),
            (
                json!({"properties": {"x": {"type": "long"}}}),
                json!({"type": "flattened"}),
                json!({"type": "flattened"}),
            ),
        ];
        for (old, new, expected) in table {
            let merged =
                mapping(json!({"properties": {"f": old}})).overridden_by(&mapping(json!({"properties": {"f": new}})));
            assert_eq!(merged.properties["f"], expected);
        }
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
    fn numbers_reported_as_text_are_not_a_difference() {
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

    /// Any JSON.
    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,4}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                any_object(inner).prop_map(Value::from),
            ]
        })
    }

    /// Names that mean something to the comparison, and others.
    fn any_object(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
        let known = prop::sample::select(vec![
            "type",
            "properties",
            "fields",
            "dynamic",
            "subobjects",
            "copy_to",
            "script",
            "null_value",
            "a.b",
            "a..b",
            "index_options",
            "relations",
            "analyzer",
            "meta",
        ]);
        let name = prop_oneof![known.prop_map(str::to_owned), "[a-z.]{0,3}"];
        prop::collection::hash_map(name, value, 0..4).prop_map(|fields| fields.into_iter().collect())
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
        fn any_mapping_is_kept_word_for_word_and_is_no_different_from_itself(
            properties in any_object(any_json()),
            meta in any_object(any_json()),
            parameters in prop::collection::btree_map("[a-z]{1,5}|dynamic|_source|dynamic_templates", any_json(), 0..4),
        ) {
            let mut original: Map<String, Value> = parameters.into_iter().collect();
            original.shift_remove("properties");
            // An empty one is the same as none, to the server and here.
            for (name, fields) in [("properties", properties), ("_meta", meta)] {
                if !fields.is_empty() {
                    original.insert(name.to_owned(), fields.into());
                }
            }
            let original = Value::from(original);
            let read = mapping(original.clone());
            prop_assert_eq!(serde_json::to_value(&read).unwrap(), original);
            prop_assert!(read.diff(&read).is_empty(), "{:?}", read.diff(&read));
            let again = mapping(serde_json::to_value(&read).unwrap());
            prop_assert!(again.diff(&read).is_empty());
            prop_assert!(read.diff(&read.in_place_update(&read)).is_empty(), "{:?}", read.diff(&read.in_place_update(&read)));
        }

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
