//! The changes between two mappings, field by field, and their effect on a live index.

use std::fmt;

use serde_json::{Map, Value, json};

use super::canonical;
use super::rules::{self, Reaction, Step};
use super::{Mapping, Properties, Property};

/// The effort that a change needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// The live index accepts it.
    InPlace,
    /// The documents have to be written to a new index.
    Reindex,
}

/// One difference between two mappings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The field's path, or the name of a parameter of the root.
    pub path: String,
    /// The effort that it needs.
    pub kind: ChangeKind,
    /// The difference, in words.
    pub reason: String,
    /// `true` if the server answers a `PUT _mapping` of it with success. It does so also for some changes
    /// that need a new index: a new sub-field exists only in documents written later, and a field that is
    /// left out simply stays.
    pub accepted: bool,
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
    /// Returns `true` if the mappings are the same.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Returns `true` if some change needs a new index.
    pub fn needs_reindex(&self) -> bool {
        self.changes.iter().any(|change| change.kind == ChangeKind::Reindex)
    }

    fn push(&mut self, path: &str, reaction: Reaction, reason: String) {
        let kind = if reaction == Reaction::Taken { ChangeKind::InPlace } else { ChangeKind::Reindex };
        self.changes.push(Change { path: path.to_owned(), kind, reason, accepted: reaction != Reaction::Refused });
    }
}

/// The parameters that an object inherits from its parent.
#[derive(Clone, Copy)]
struct Inherited<'a> {
    dynamic: &'a str,
    subobjects: bool,
}

impl<'a> Inherited<'a> {
    fn root(parameters: &'a Map<String, Value>) -> Self {
        Self { dynamic: "true", subobjects: true }.inside(parameters)
    }

    fn inside(self, definition: &'a Map<String, Value>) -> Self {
        let is_off = definition.get("subobjects").is_some_and(|value| canonical::text(value) == "false");
        Self { dynamic: dynamic_of(definition).unwrap_or(self.dynamic), subobjects: self.subobjects && !is_off }
    }
}

fn dynamic_of(definition: &Map<String, Value>) -> Option<&str> {
    match definition.get("dynamic")? {
        Value::Bool(flag) => Some(if *flag { "true" } else { "false" }),
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// See [`Mapping::diff`].
pub(super) fn diff(live: &Mapping, wanted: &Mapping) -> MappingDiff {
    let mut diff = MappingDiff::default();
    let (old, new) = (Inherited::root(&live.parameters), Inherited::root(&wanted.parameters));
    properties("", (&live.properties, old), (&wanted.properties, new), &mut diff);
    if old.dynamic != new.dynamic {
        let (before, after) = (live.parameters.get("dynamic"), wanted.parameters.get("dynamic"));
        diff.push("dynamic", Reaction::Taken, describe(before, after));
    }
    let (before, after) = (canonical::root(&live.parameters), canonical::root(&wanted.parameters));
    for name in names(&wanted.parameters, &live.parameters) {
        if before.get(name) != after.get(name) {
            let step = Step {
                before: before.get(name),
                after: after.get(name),
                was_said: live.parameters.contains_key(name),
                is_said: wanted.parameters.contains_key(name),
            };
            let reaction = rules::of_root(name, step);
            diff.push(name, reaction, describe(live.parameters.get(name), wanted.parameters.get(name)));
        }
    }
    runtime(live, wanted, &mut diff);
    diff
}

/// Compares runtime fields. They are computed when they are read, so every change is in place.
fn runtime(live: &Mapping, wanted: &Mapping, diff: &mut MappingDiff) {
    let (old, new) = (live.runtime(), wanted.runtime());
    for name in names(&new, &old) {
        let (before, after) = (old.get(name), new.get(name));
        let reason = match (before, after) {
            (None, Some(_)) => "is a new runtime field",
            (Some(_), None) => "is no longer declared as a runtime field",
            (before, after) if before.map(canonical::runtime_field) != after.map(canonical::runtime_field) => {
                "is another runtime field"
            }
            _ => continue,
        };
        diff.push(name, Reaction::Taken, reason.to_owned());
    }
}

/// The names of the first, then those that only the second has.
fn names<'a>(first: &'a Map<String, Value>, second: &'a Map<String, Value>) -> impl Iterator<Item = &'a String> {
    first.keys().chain(second.keys().filter(|name| !first.contains_key(*name)))
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

fn properties(
    prefix: &str,
    (old, old_around): (&Properties, Inherited<'_>),
    (new, new_around): (&Properties, Inherited<'_>),
    diff: &mut MappingDiff,
) {
    let old = canonical::expanded(old, old_around.subobjects);
    let new = canonical::expanded(new, new_around.subobjects);
    for (name, wanted) in &new {
        let Some(wanted) = Property::of(wanted) else { continue };
        let path = join(prefix, name);
        match old.get(name).and_then(Property::of) {
            None => diff.push(&path, Reaction::Taken, format!("is new, of type {}", wanted.field_type())),
            Some(old) => property(&path, (old, old_around), (wanted, new_around), diff),
        }
    }
    for name in old.keys().filter(|name| !new.contains_key(*name)) {
        diff.push(&join(prefix, name), Reaction::Ignored, "is no longer declared".to_owned());
    }
}

fn property(
    path: &str,
    (old, old_around): (Property<'_>, Inherited<'_>),
    (new, new_around): (Property<'_>, Inherited<'_>),
    diff: &mut MappingDiff,
) {
    let field_type = new.field_type();
    if old.field_type() != field_type {
        let reason = format!("changes its type from {} to {field_type}", old.field_type());
        diff.push(path, Reaction::Refused, reason);
        return;
    }
    let (old_inside, new_inside) = (old_around.inside(old.definition), new_around.inside(new.definition));
    properties(path, (&old.map("properties"), old_inside), (&new.map("properties"), new_inside), diff);
    sub_fields(path, (old, old_inside), (new, new_inside), diff);

    // An inherited parameter was reported where it was set.
    let says_so = dynamic_of(old.definition).is_some() || dynamic_of(new.definition).is_some();
    if says_so && old_inside.dynamic != new_inside.dynamic {
        let reason = describe(old.parameter("dynamic"), new.parameter("dynamic"));
        diff.push(path, Reaction::Taken, format!("dynamic {reason}"));
    }
    let before = canonical::parameters(field_type, old.definition);
    let after = canonical::parameters(field_type, new.definition);
    for name in names(new.definition, old.definition).filter(|name| *name != "dynamic") {
        let (was, is) = (before.get(name), after.get(name));
        let unsaid = new.parameter(name).is_none() && rules::is_filled_by_server(field_type, name);
        if was == is || unsaid {
            continue;
        }
        let step = Step {
            before: was,
            after: is,
            was_said: old.parameter(name).is_some(),
            is_said: new.parameter(name).is_some(),
        };
        let reaction = rules::of_field(field_type, name, step);
        diff.push(path, reaction, format!("{name} {}", describe(old.parameter(name), new.parameter(name))));
    }
}

fn sub_fields(
    path: &str,
    (old, old_around): (Property<'_>, Inherited<'_>),
    (new, new_around): (Property<'_>, Inherited<'_>),
    diff: &mut MappingDiff,
) {
    let (old_fields, new_fields) = (old.map("fields"), new.map("fields"));
    for (name, field) in &new_fields {
        let Some(field) = Property::of(field) else { continue };
        let sub_path = join(path, name);
        match old_fields.get(name).and_then(Property::of) {
            None => {
                let field_type = field.field_type();
                let reason =
                    format!("is a new sub-field of type {field_type}, which documents get when they are written");
                diff.push(&sub_path, Reaction::TakenForNewDocuments, reason);
            }
            Some(old) => property(&sub_path, (old, old_around), (field, new_around), diff),
        }
    }
    for name in old_fields.keys().filter(|name| !new_fields.contains_key(*name)) {
        diff.push(&join(path, name), Reaction::Ignored, "is no longer declared".to_owned());
    }
}

/// See [`Mapping::in_place_update`].
pub(super) fn in_place_update(live: &Mapping, wanted: &Mapping) -> Mapping {
    let mut update = wanted.clone();
    for name in live.parameters.keys().filter(|name| !wanted.parameters.contains_key(*name)) {
        // The server keeps parameters that a request leaves out. Two of those with a default cannot be
        // changed at all.
        let fixed = matches!(name.as_str(), "enabled" | "subobjects");
        if let Some(default) = canonical::default_of_root(name).filter(|_| !fixed) {
            update.parameters.insert(name.clone(), default);
        }
    }
    let (old, mut new) = (live.runtime(), wanted.runtime());
    for name in old.keys().filter(|name| !wanted.runtime().contains_key(*name)) {
        new.insert(name.clone(), Value::Null);
    }
    if !new.is_empty() {
        update.parameters.insert("runtime".to_owned(), new.into());
    }
    let (old, new) = (Inherited::root(&live.parameters), Inherited::root(&wanted.parameters));
    update.properties = say_dynamic((&live.properties, old), (&wanted.properties, new));
    update
}

/// The wanted fields, with `dynamic` added where only the live index sets it.
fn say_dynamic(
    (old, old_around): (&Properties, Inherited<'_>),
    (new, new_around): (&Properties, Inherited<'_>),
) -> Properties {
    let old = canonical::expanded(old, old_around.subobjects);
    let mut said = canonical::expanded(new, new_around.subobjects);
    for (name, definition) in &mut said {
        let Some(before) = old.get(name).and_then(Property::of) else { continue };
        let Value::Object(definition) = definition else { continue };
        let old_inside = old_around.inside(before.definition);
        let unsaid = dynamic_of(definition).is_none();
        let wanted = new_around.inside(definition).dynamic.to_owned();
        if let Some(Value::Object(children)) = definition.get("properties") {
            let children = children.clone();
            let children =
                say_dynamic((&before.map("properties"), old_inside), (&children, new_around.inside(definition)));
            definition.insert("properties".to_owned(), children.into());
        }
        if unsaid && dynamic_of(before.definition).is_some_and(|live| live != wanted) {
            definition.insert("dynamic".to_owned(), json!(wanted));
        }
    }
    said
}

/// A value as a person would write it.
fn as_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn describe(old: Option<&Value>, new: Option<&Value>) -> String {
    match (old, new) {
        (Some(old), Some(new)) => format!("changes from {} to {}", as_text(old), as_text(new)),
        (None, Some(new)) => format!("becomes {}", as_text(new)),
        (Some(old), None) => format!("was {} and is no longer set", as_text(old)),
        (None, None) => "changes".to_owned(),
    }
}
