//! Unions: which branch the author of a value meant, and what is wrong with it there.

use serde_json::Value;

use super::shape::{Shape, Tag};
use super::{Checker, Place, names, unsupported};
use crate::diagnostic::{DiagnosticKind, Finding};
use crate::yaml::{Content, Node};
use es_values::{nearest, one_of, suggestion};

impl<'a> Checker<'a> {
    /// A union whose branches differ in the value of `key`, such as `kind`.
    pub(super) fn discriminated(
        &mut self,
        node: &Node,
        place: &Place,
        key: &'a str,
        branches: &[(&'a str, Shape<'a>)],
    ) {
        let values: Vec<&str> = branches.iter().map(|(value, _)| *value).collect();
        if !matches!(node.content, Content::Mapping(_)) {
            let expected = format!("a mapping with the key `{key}`");
            let meant = node.as_str().filter(|text| values.contains(text));
            return self.wrong_type(
                node,
                place,
                &expected,
                meant.map(|text| format!("write `{{ {key}: {text}, .. }}`")),
            );
        }
        let Some(entry) = node.entry(key) else {
            let mistyped = node.entries().iter().find(|entry| nearest(&entry.key, [key]).is_some());
            let help = match mistyped {
                Some(entry) => format!("did you mean `{key}` by `{}`?", entry.key),
                None => format!("`{key}` is one of {}", one_of(values.iter().copied())),
            };
            let span = mistyped.map_or_else(|| self.span(node, place), |entry| entry.key_span.clone());
            let finding = Finding::new(DiagnosticKind::MissingKey, format!("missing key `{key}`"), &place.path, span);
            return self.report(finding.help(help));
        };
        let inner = place.of_entry(entry);
        let chosen = entry.value.as_str();
        let Some((value, shape)) = branches.iter().find(|(value, _)| Some(*value) == chosen) else {
            return self.unknown_alternative(&entry.value, &inner, key, &values);
        };
        // Keys of the other branches get a message of their own, and are then left out
        // of the check against the chosen branch.
        let mut own = node.clone();
        if let Content::Mapping(entries) = &mut own.content {
            entries.retain(|entry| match foreign_key(key, value, &entry.key, shape, branches) {
                None => true,
                Some((kind, message, help)) => {
                    let path = place.path.key(&entry.key);
                    self.report(Finding::new(kind, message, &path, entry.key_span.clone()).help(help));
                    false
                }
            });
        }
        self.mapping(&own, place, shape.keywords);
    }

    pub(super) fn unknown_alternative(&mut self, node: &Node, place: &Place, key: &str, values: &[&str]) {
        let Some(text) = node.as_str() else {
            let expected = one_of(values.iter().copied());
            return self.wrong_type(node, place, &expected, None);
        };
        let span = self.span(node, place);
        let (one, all) = match key {
            // The other keys are nouns.
            "by" => ("way to split".to_owned(), "ways to split".to_owned()),
            noun => (noun.to_owned(), format!("{noun}s")),
        };
        let finding = match unsupported::value(self.format, key, text) {
            Some((message, help)) => Finding::new(DiagnosticKind::Unsupported, message, &place.path, span).help(help),
            None => Finding::new(DiagnosticKind::InvalidValue, format!("unknown {one} `{text}`"), &place.path, span)
                .help(suggestion(text, &all, values.iter().copied())),
        };
        self.report(finding);
    }

    /// A union of constants and of mappings with one key, which names the alternative.
    pub(super) fn tagged(&mut self, node: &Node, place: &Place, tags: &[Tag<'a>]) {
        let constants = tags.iter().filter(|tag| tag.schema.is_none()).map(|tag| tag.name);
        let keys: Vec<&str> = tags.iter().filter(|tag| tag.schema.is_some()).map(|tag| tag.name).collect();
        let mut expected = format!("a mapping with one key of {}", one_of(keys.iter().copied()));
        let constants: Vec<&str> = constants.collect();
        if !constants.is_empty() {
            expected = format!("{} or {expected}", one_of(constants.iter().copied()));
        }
        if let Some(text) = node.as_str() {
            if constants.contains(&text) {
                return;
            }
            let meant =
                nearest(text, constants.iter().copied()).map(|name| format!("did you mean `{name}`?")).or_else(|| {
                    let schema = tags.iter().find(|tag| tag.name == text)?.schema?;
                    let inside = Shape::resolve(self.format, schema).empty_or_dots();
                    Some(format!("write `{{ {text}: {inside} }}`"))
                });
            return self.wrong_type(node, place, &expected, meant);
        }
        if !matches!(node.content, Content::Mapping(_)) {
            return self.wrong_type(node, place, &expected, None);
        }
        let mut known = Vec::new();
        for entry in node.entries() {
            let inner = place.of_entry(entry);
            match tags.iter().find(|tag| tag.name == entry.key).and_then(|tag| tag.schema) {
                Some(schema) => {
                    self.value(&entry.value, &inner, schema);
                    known.push(entry.key.as_str());
                }
                None => {
                    let message = format!("unknown key `{}`", entry.key);
                    let help = suggestion(&entry.key, "keys", keys.iter().copied());
                    let finding =
                        Finding::new(DiagnosticKind::UnknownKey, message, &inner.path, entry.key_span.clone());
                    self.report(finding.help(help));
                }
            }
        }
        match known.as_slice() {
            [] if node.entries().is_empty() => self.wrong_type(node, place, &expected, None),
            [first, second, ..] => self.exclusive(node, place, first, second),
            _ => {}
        }
    }

    /// A union of mappings that have different keys: the one that shares most keys with
    /// the value is meant.
    pub(super) fn nearest_shape(&mut self, node: &Node, place: &Place, branches: &[Shape<'a>]) {
        let keys_of = |shape: &Shape<'a>| shape.keywords.get("properties").and_then(Value::as_object);
        let shared = |shape: &Shape<'a>| {
            let keys = keys_of(shape);
            node.entries().iter().filter(|entry| keys.is_some_and(|keys| keys.contains_key(&entry.key))).count()
        };
        let best = branches.iter().rev().max_by_key(|shape| shared(shape));
        let Some(best) = best.filter(|shape| shared(shape) > 0) else {
            let alternatives: Vec<String> = branches
                .iter()
                .map(|shape| {
                    let required: Vec<String> =
                        names(shape.keywords.get("required")).map(|name| format!("`{name}`")).collect();
                    required.join(" and ")
                })
                .collect();
            let expected = format!("a mapping with {}", alternatives.join(", or with "));
            return self.wrong_type(node, place, &expected, None);
        };
        let mut own = node.clone();
        if let Content::Mapping(entries) = &mut own.content {
            let mine = keys_of(best);
            entries.retain(|entry| {
                let is_mine = mine.is_some_and(|keys| keys.contains_key(&entry.key));
                let is_theirs =
                    branches.iter().any(|shape| keys_of(shape).is_some_and(|keys| keys.contains_key(&entry.key)));
                if !is_mine && is_theirs {
                    let beside = node
                        .entries()
                        .iter()
                        .find(|other| mine.is_some_and(|keys| keys.contains_key(&other.key)))
                        .map_or("", |other| other.key.as_str());
                    self.exclusive(node, place, beside, &entry.key);
                }
                is_mine || !is_theirs
            });
        }
        self.mapping(&own, place, best.keywords);
    }
}

/// The problem of the key `name` in the branch `chosen` of a union, whose `key` has
/// the value `value`, if the key belongs to another branch.
fn foreign_key(
    key: &str,
    value: &str,
    name: &str,
    chosen: &Shape<'_>,
    branches: &[(&str, Shape<'_>)],
) -> Option<(DiagnosticKind, String, String)> {
    let keys = |shape: &Shape<'_>| -> Vec<String> {
        let properties = shape.keywords.get("properties").and_then(Value::as_object);
        properties.into_iter().flat_map(|properties| properties.keys().cloned()).collect()
    };
    let known = keys(chosen);
    if known.iter().any(|known| known == name) {
        return None;
    }
    let owners: Vec<&str> = branches
        .iter()
        .filter(|(_, shape)| keys(shape).iter().any(|known| known == name))
        .map(|(owner, _)| *owner)
        .collect();
    if owners.is_empty() {
        return None;
    }
    let help = match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("it belongs to {key} {}", one_of(owners)),
    };
    Some((DiagnosticKind::UnknownKey, format!("{key} `{value}` has no key `{name}`"), help))
}
