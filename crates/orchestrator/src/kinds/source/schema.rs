//! The fields of a source with their types, and their changes under a contract. Pure.

use std::collections::BTreeMap;

use es_core::Mapping;
use es_values::{nearest, suggestion};
use serde_json::{Map, Value};

use super::definition::Contract;

/// Changes that a message lists.
const MOST_LISTED: usize = 10;

/// The fields with their types. A field of several types has them all, as in `keyword or long`.
pub(super) type Fields = BTreeMap<String, String>;

/// The types of the fields of several indices, each type with the first index that has it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Types(BTreeMap<String, BTreeMap<String, String>>);

impl Types {
    /// The union of the fields of some indices: sub-fields and runtime fields too, and aliases with
    /// the type of their field. An object is there with its fields.
    pub(super) fn of<'a>(indices: impl IntoIterator<Item = (&'a str, &'a Mapping)>) -> Self {
        let mut types = Self::default();
        for (index, mapping) in indices {
            for (path, property) in mapping.fields() {
                let has_children = property.parameter("properties").and_then(Value::as_object);
                if property.field_type() == "object" && has_children.is_some_and(|children| !children.is_empty()) {
                    continue;
                }
                let aliased =
                    property.parameter("path").and_then(Value::as_str).filter(|_| property.field_type() == "alias");
                let target = aliased.and_then(|path| mapping.field(path));
                types.add(&path, target.unwrap_or(property).field_type(), index);
                types.add_each(&path, property.parameter("fields"), index);
            }
            for (name, field) in object(mapping.parameters.get("runtime")) {
                match field.get("fields") {
                    Some(_) => types.add_each(name, field.get("fields"), index),
                    None => types.add(name, type_of(field), index),
                }
            }
        }
        types
    }

    fn add(&mut self, field: &str, name: &str, index: &str) {
        let types = self.0.entry(field.to_owned()).or_default();
        types.entry(name.to_owned()).or_insert_with(|| index.to_owned());
    }

    fn add_each(&mut self, parent: &str, fields: Option<&Value>, index: &str) {
        for (name, field) in object(fields) {
            self.add(&format!("{parent}.{name}"), type_of(field), index);
        }
    }

    /// The fields with their types.
    pub(super) fn fields(&self) -> Fields {
        let joined = |types: &BTreeMap<String, String>| types.keys().cloned().collect::<Vec<_>>().join(" or ");
        self.0.iter().map(|(field, types)| (field.clone(), joined(types))).collect()
    }

    /// The fields that have different types in different indices, in words.
    pub(super) fn conflicts(&self) -> Vec<String> {
        let several = self.0.iter().filter(|(_, types)| types.len() > 1);
        several
            .map(|(field, types)| {
                let places: Vec<String> = types.iter().map(|(name, index)| format!("{name} in {index}")).collect();
                format!("`{field}` has different types: {}", places.join(", "))
            })
            .collect()
    }

    /// The problem of a field that is to hold times, and the way out; `None` if it does.
    pub(super) fn time_problem(&self, index: &str, time: &str) -> Option<(String, String)> {
        let is_date = |types: &BTreeMap<String, String>| types.keys().all(|name| is_date_type(name));
        let dates = || self.0.iter().filter(|(_, types)| is_date(types)).map(|(field, _)| field.as_str());
        let help = || match nearest(time, dates()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => suggestion(time, "date fields", dates()),
        };
        let Some(types) = self.0.get(time) else {
            return Some((format!("`{index}` has no field `{time}`"), help()));
        };
        let (name, index) = types.iter().find(|(name, _)| !is_date_type(name))?;
        Some((format!("the field `{time}` is of type {name} in {index}, and holds no times"), help()))
    }
}

fn is_date_type(name: &str) -> bool {
    matches!(name, "date" | "date_nanos")
}

fn type_of(field: &Value) -> &str {
    field.get("type").and_then(Value::as_str).unwrap_or("object")
}

fn object(value: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    value.and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

/// The changes of fields under a contract: those that break it, and those that only are reported.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// Changes that fail the run, in words.
    pub(super) breaches: Vec<String>,
    /// Changes that are reported, in words.
    pub(super) warnings: Vec<String>,
}

impl Changes {
    /// Compares the fields with those that the contract is about.
    pub(super) fn under(contract: Contract, agreed: &Fields, found: &Fields) -> Self {
        let mut changes = Self::default();
        let names: std::collections::BTreeSet<&String> = agreed.keys().chain(found.keys()).collect();
        for name in names {
            let (text, is_addition) = match (agreed.get(name), found.get(name)) {
                (None, Some(now)) => (format!("`{name}` was added ({now})"), true),
                (Some(before), None) => (format!("`{name}` was removed ({before})"), false),
                (Some(before), Some(now)) if before != now => {
                    (format!("`{name}` changed from {before} to {now}"), false)
                }
                _ => continue,
            };
            match contract {
                Contract::Freeze => changes.breaches.push(text),
                Contract::Evolve if is_addition => {}
                Contract::Evolve => changes.breaches.push(text),
                Contract::Report => changes.warnings.push(text),
            }
        }
        changes
    }

    /// The breaches in one line; `None` without any.
    pub(super) fn breach(&self) -> Option<String> {
        let listed = self.breaches.iter().take(MOST_LISTED).cloned().collect::<Vec<_>>().join(", ");
        match self.breaches.len() {
            0 => None,
            all if all > MOST_LISTED => Some(format!("{listed} and {} more", all - MOST_LISTED)),
            _ => Some(listed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn mapping(value: Value) -> Mapping {
        serde_json::from_value(value).unwrap()
    }

    fn fields(list: &[(&str, &str)]) -> Fields {
        list.iter().map(|(name, of_type)| ((*name).to_owned(), (*of_type).to_owned())).collect()
    }

    #[test]
    fn fields_of_all_indices_are_flattened() {
        let a = mapping(json!({
            "runtime": {"hour": {"type": "long"}, "pair": {"type": "composite", "fields": {"x": {"type": "ip"}}}},
            "properties": {
                "host": {"properties": {"name": {"type": "keyword", "fields": {"words": {"type": "text"}}}}},
                "raw": {"type": "object", "enabled": false},
                "n": {"type": "long"},
                "when": {"type": "date"},
                "at": {"type": "alias", "path": "when"}
            }
        }));
        let b = mapping(json!({"properties": {"n": {"type": "keyword"}, "more": {"type": "boolean"}}}));
        let types = Types::of([("a", &a), ("b", &b)]);
        let expected = [
            ("at", "date"),
            ("host.name", "keyword"),
            ("host.name.words", "text"),
            ("hour", "long"),
            ("more", "boolean"),
            ("n", "keyword or long"),
            ("pair.x", "ip"),
            ("raw", "object"),
            ("when", "date"),
        ];
        assert_eq!(types.fields(), fields(&expected));
        assert_eq!(types.conflicts(), ["`n` has different types: keyword in b, long in a"]);
    }

    #[test]
    fn a_field_of_times_is_a_date_everywhere() {
        let a = mapping(json!({"properties": {"@timestamp": {"type": "date"}, "n": {"type": "long"}}}));
        let b = mapping(json!({"properties": {"@timestamp": {"type": "date_nanos"}, "seen": {"type": "date"}}}));
        let c = mapping(json!({"properties": {"seen": {"type": "keyword"}}}));
        let types = Types::of([("a", &a), ("b", &b), ("c", &c)]);
        assert_eq!(types.time_problem("*", "@timestamp"), None);
        let problem = |time| types.time_problem("*", time).unwrap();
        assert_eq!(
            problem("timestamp"),
            ("`*` has no field `timestamp`".to_owned(), "did you mean `@timestamp`?".to_owned())
        );
        assert_eq!(problem("n").0, "the field `n` is of type long in a, and holds no times");
        assert_eq!(problem("n").1, "the date fields are @timestamp");
        assert_eq!(problem("seen").0, "the field `seen` is of type keyword in c, and holds no times");
        assert_eq!(Types::default().time_problem("*", "t").unwrap().1, "there are no date fields");
    }

    #[test]
    fn changes_break_a_contract_or_are_reported() {
        let agreed = fields(&[("a", "long"), ("b", "keyword"), ("c", "date")]);
        let found = fields(&[("a", "long"), ("b", "text"), ("d", "ip")]);
        let (added, changed, removed) =
            ("`d` was added (ip)", "`b` changed from keyword to text", "`c` was removed (date)");
        let table: [(Contract, &[&str], &[&str]); 3] = [
            (Contract::Freeze, &[changed, removed, added], &[]),
            (Contract::Evolve, &[changed, removed], &[]),
            (Contract::Report, &[], &[changed, removed, added]),
        ];
        for (contract, breaches, warnings) in table {
            let changes = Changes::under(contract, &agreed, &found);
            assert_eq!(changes.breaches, breaches, "{contract:?}");
            assert_eq!(changes.warnings, warnings, "{contract:?}");
            assert_eq!(Changes::under(contract, &agreed, &agreed), Changes::default(), "{contract:?}");
        }
    }

    #[test]
    fn a_message_lists_some_breaches() {
        let many: Fields = (0..12).map(|n| (format!("f{n:02}"), "long".to_owned())).collect();
        let text = Changes::under(Contract::Freeze, &Fields::new(), &many).breach().unwrap();
        assert!(text.ends_with("`f09` was added (long) and 2 more"), "{text}");
        assert_eq!(Changes::default().breach(), None);
    }
}
