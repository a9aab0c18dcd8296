//! Checks the tree of a file against the JSON Schema of the format, and reports every
//! deviation with its place and a help.
//!
//! It knows the part of JSON Schema that the types of this crate generate, and reads
//! unions as their authors mean them: the branch is chosen by a key such as `kind`, or
//! by the one key that names the alternative, before anything inside is judged. What
//! takes more than one value to decide is left to [`validate`](crate::validate).

mod shape;
mod union;
mod unsupported;

use std::ops::Range;

use serde_json::{Map, Value};

use crate::diagnostic::{DiagnosticKind, Finding};
use crate::format::PipelineFormat;
use crate::key_path::KeyPath;
use crate::yaml::{Content, Entry, Node};
use es_values::{nearest, one_of, quoted_list, suggestion};
use shape::{Alternatives, Shape, expectation, found};

/// The result of the check of a file.
pub(crate) struct Checked {
    pub(crate) findings: Vec<Finding>,
    /// Bytes that hold secrets and must not be shown.
    pub(crate) secrets: Vec<Range<usize>>,
}

/// Checks the file `root` with the source `text` against the schema of `format`.
pub(crate) fn check(root: &Node, text: &str, format: &PipelineFormat) -> Checked {
    let schema = format.schema();
    let mut checker = Checker { format, text, checked: Checked { findings: Vec::new(), secrets: Vec::new() } };
    let place = Place { path: KeyPath::root(), key: None };
    checker.value(root, &place, schema);
    checker.checked
}

/// The place of a value: its path, and the bytes of its key if it has one.
struct Place {
    path: KeyPath,
    key: Option<Range<usize>>,
}

impl Place {
    fn of_entry(&self, entry: &Entry) -> Self {
        Self { path: self.path.key(&entry.key), key: Some(entry.key_span.clone()) }
    }
}

struct Checker<'a> {
    format: &'a PipelineFormat,
    text: &'a str,
    checked: Checked,
}

impl<'a> Checker<'a> {
    fn report(&mut self, finding: Finding) {
        self.checked.findings.push(finding);
    }

    /// The bytes to underline for a problem of the whole value.
    fn span(&self, node: &Node, place: &Place) -> Range<usize> {
        match (&node.content, &place.key) {
            (Content::Mapping(_) | Content::Sequence(_) | Content::Null, Some(key)) => key.clone(),
            _ => node.caret(self.text),
        }
    }

    fn value(&mut self, node: &Node, place: &Place, schema: &'a Value) {
        let shape = Shape::resolve(self.format, schema);
        if matches!(node.content, Content::Null) && shape.nullable {
            return;
        }
        if shape.name == Some("SecretRef") && !self.is_secret_reference(node, place) {
            return;
        }
        match shape.alternatives() {
            Some(Alternatives::Constants(constants)) => self.constant(node, place, &constants),
            Some(Alternatives::Discriminated { key, branches }) => self.discriminated(node, place, key, &branches),
            Some(Alternatives::Tagged(tags)) => self.tagged(node, place, &tags),
            Some(Alternatives::Shapes(branches)) => self.nearest_shape(node, place, &branches),
            None => self.typed(node, place, &shape),
        }
    }

    fn wrong_type(&mut self, node: &Node, place: &Place, expected: &str, help: Option<String>) {
        let span = self.span(node, place);
        let message = format!("expected {expected}, found {}", found(node));
        let finding = Finding::new(DiagnosticKind::WrongType, message, &place.path, span);
        self.report(match help {
            Some(help) => finding.help(help),
            None => finding,
        });
    }

    fn typed(&mut self, node: &Node, place: &Place, shape: &Shape<'a>) {
        if let Some(allowed) = shape.keywords.get("enum").and_then(Value::as_array) {
            return self.enumerated(node, place, allowed);
        }
        let accepts = |name: &str| shape.types.is_empty() || shape.types.contains(&name);
        match &node.content {
            Content::Mapping(_) if accepts("object") => self.mapping(node, place, shape.keywords),
            Content::Sequence(items) if accepts("array") => self.sequence(node, items, place, shape.keywords),
            Content::String(text) if accepts("string") => self.string(node, text, place, shape.keywords),
            Content::Bool(_) if accepts("boolean") => {}
            Content::Number(number) if accepts("number") || (accepts("integer") && !number.is_f64()) => {
                self.number(node, number, place, shape);
            }
            _ => {
                let help = shape.conversion_help(node).or_else(|| shape.example_help());
                self.wrong_type(node, place, &expectation(shape), help);
            }
        }
    }

    fn enumerated(&mut self, node: &Node, place: &Place, allowed: &[Value]) {
        let value = node.to_json();
        if allowed.contains(&value) {
            return;
        }
        let allowed: Vec<String> = allowed.iter().map(Value::to_string).collect();
        let message = format!("expected {}, found {}", one_of(allowed.iter().map(String::as_str)), found(node));
        let span = self.span(node, place);
        let finding = Finding::new(DiagnosticKind::InvalidValue, message, &place.path, span);
        let is_quoted = node.as_str().is_some_and(|text| allowed.iter().any(|value| value == text));
        self.report(if is_quoted { finding.help("remove the quotes") } else { finding });
    }

    fn string(&mut self, node: &Node, text: &str, place: &Place, keywords: &Map<String, Value>) {
        let format = keywords.get("format").and_then(Value::as_str);
        if matches!(format, Some("host" | "proxy")) && text.contains('@') {
            self.checked.secrets.push(node.span.clone());
        }
        let Some(format) = format.and_then(|name| self.format.text_format(name)) else { return };
        if let Err(error) = (format.check)(text) {
            let finding =
                Finding::new(DiagnosticKind::InvalidValue, error.message, &place.path, self.span(node, place));
            self.report(match error.help {
                Some(help) => finding.help(help),
                None => finding,
            });
        }
    }

    fn number(&mut self, node: &Node, number: &serde_json::Number, place: &Place, shape: &Shape<'a>) {
        let Some(value) = number.as_f64() else { return };
        if !shape.allows_number(value) {
            let expected = match shape.width_limit().filter(|most| value > *most) {
                Some(most) => format!("a whole number of at most {most}"),
                None => expectation(shape),
            };
            let message = format!("expected {expected}, found {number}");
            let span = self.span(node, place);
            self.report(Finding::new(DiagnosticKind::InvalidValue, message, &place.path, span));
        }
    }

    fn sequence(&mut self, node: &Node, items: &[Node], place: &Place, keywords: &'a Map<String, Value>) {
        let at_least_one = keywords.get("minItems").and_then(Value::as_u64).is_some_and(|least| least > 0);
        if items.is_empty() && at_least_one {
            let span = self.span(node, place);
            self.report(
                Finding::new(DiagnosticKind::InvalidValue, "the list is empty", &place.path, span)
                    .help("write at least one element"),
            );
        }
        let element = keywords.get("items");
        let unique = keywords.get("uniqueItems").and_then(Value::as_bool).unwrap_or(false);
        let mut seen = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let place = Place { path: place.path.index(index), key: None };
            if let Some(element) = element {
                self.value(item, &place, element);
            }
            let value = item.to_json();
            if unique && seen.contains(&value) {
                let message = format!("{} stands twice in the list", found(item));
                let finding = Finding::new(DiagnosticKind::InvalidValue, message, &place.path, item.caret(self.text));
                self.report(finding.help("remove one of them"));
            }
            seen.push(value);
        }
    }

    fn mapping(&mut self, node: &Node, place: &Place, keywords: &'a Map<String, Value>) {
        self.mapping_size(node, place, keywords);
        let properties = keywords.get("properties").and_then(Value::as_object);
        let others = keywords.get("additionalProperties");
        let key_format = keywords
            .get("propertyNames")
            .and_then(|names| names["format"].as_str())
            .and_then(|name| self.format.text_format(name));
        for entry in node.entries() {
            let inner = place.of_entry(entry);
            if let Some(schema) = properties.and_then(|properties| properties.get(&entry.key)) {
                self.value(&entry.value, &inner, schema);
                continue;
            }
            match others {
                Some(Value::Bool(false)) => self.unknown_key(entry, &inner, place, properties),
                Some(schema) if schema.is_object() => self.value(&entry.value, &inner, schema),
                _ => {}
            }
            if let Some(Err(error)) = key_format.as_ref().map(|format| (format.check)(&entry.key)) {
                let finding =
                    Finding::new(DiagnosticKind::InvalidValue, error.message, &inner.path, entry.key_span.clone());
                self.report(finding.help(error.help.unwrap_or_default()));
            }
        }
        self.required_keys(node, place, keywords, properties);
    }

    fn mapping_size(&mut self, node: &Node, place: &Place, keywords: &Map<String, Value>) {
        let bound = |keyword: &str| keywords.get(keyword).and_then(Value::as_u64);
        let count = node.entries().len() as u64;
        let span = self.span(node, place);
        if bound("minProperties").is_some_and(|least| count < least) {
            let finding = Finding::new(DiagnosticKind::InvalidValue, "the mapping is empty", &place.path, span.clone());
            self.report(finding.help("write at least one key"));
        }
        if bound("maxProperties").is_some_and(|most| count > most) {
            let names = quoted_list(node.entries().iter().map(|entry| entry.key.as_str()));
            let noun = keywords.get("title").and_then(Value::as_str).unwrap_or("mapping");
            let message = format!("a {noun} has one key, and here are {count}: {names}");
            let finding = Finding::new(DiagnosticKind::InvalidValue, message, &place.path, span);
            let help = match noun {
                "query" => "combine queries with `{ bool: { filter: [..] } }`".to_owned(),
                _ => format!("write each of them as a {noun} of its own"),
            };
            self.report(finding.help(help));
        }
    }

    fn unknown_key(&mut self, entry: &Entry, inner: &Place, outer: &Place, properties: Option<&Map<String, Value>>) {
        let span = entry.key_span.clone();
        if let Some((message, help)) = unsupported::key(self.format, &outer.path, &entry.key) {
            return self.report(Finding::new(DiagnosticKind::Unsupported, message, &inner.path, span).help(help));
        }
        let known: Vec<&str> = properties.into_iter().flat_map(|known| known.keys().map(String::as_str)).collect();
        let help = match known.is_empty() {
            true => "nothing can be set here: write `{}`".to_owned(),
            false => suggestion(&entry.key, "keys", known.iter().copied()),
        };
        let message = format!("unknown key `{}`", entry.key);
        self.report(Finding::new(DiagnosticKind::UnknownKey, message, &inner.path, span).help(help));
    }

    fn required_keys(
        &mut self,
        node: &Node,
        place: &Place,
        keywords: &Map<String, Value>,
        properties: Option<&Map<String, Value>>,
    ) {
        let span = self.span(node, place);
        let present = |key: &str| node.get(key).is_some_and(|value| !matches!(value.content, Content::Null));
        // A mistyped key is reported as unknown, and is not missing as well.
        let is_mistyped = |key: &str| {
            let known = || properties.into_iter().flat_map(|known| known.keys().map(String::as_str));
            let mut unknown = node.entries().iter().filter(|entry| !known().any(|name| name == entry.key));
            unknown.any(|entry| nearest(&entry.key, known()) == Some(key))
        };
        for key in names(keywords.get("required")) {
            if node.get(key).is_none() && !is_mistyped(key) {
                let finding =
                    Finding::new(DiagnosticKind::MissingKey, format!("missing key `{key}`"), &place.path, span.clone());
                let about = properties.and_then(|known| known.get(key)).and_then(|schema| {
                    let about = schema.get("description")?.as_str()?.replace('\n', " ");
                    let first = about.split(". ").next()?.trim_end_matches('.').to_owned();
                    Some(format!("`{key}`: {}", lower_first(&first)))
                });
                self.report(match about {
                    Some(about) => finding.help(about),
                    None => finding,
                });
            }
        }
        let choices = |keyword: &str| -> Vec<&str> {
            let branches = keywords.get(keyword).and_then(Value::as_array);
            branches.into_iter().flatten().flat_map(|branch| names(branch.get("required"))).collect()
        };
        let missing = |choices: &[&str]| {
            let message = format!("missing key {}", one_of(choices.iter().copied()));
            Finding::new(DiagnosticKind::MissingKey, message, &place.path, span.clone())
        };
        let alternatives = choices("oneOf");
        let chosen: Vec<&str> = alternatives.iter().copied().filter(|key| present(key)).collect();
        match chosen.as_slice() {
            [] if !alternatives.is_empty() && !alternatives.iter().any(|key| is_mistyped(key)) => {
                self.report(missing(&alternatives))
            }
            [first, second, ..] => self.exclusive(node, place, first, second),
            _ => {}
        }
        let any = choices("anyOf");
        if !any.is_empty() && !any.iter().any(|key| present(key)) {
            self.report(missing(&any));
        }
    }

    fn exclusive(&mut self, node: &Node, place: &Place, first: &str, second: &str) {
        let Some(entry) = node.entry(second) else { return };
        let message = format!("`{first}` and `{second}` exclude each other");
        let path = place.path.key(second);
        let finding = Finding::new(DiagnosticKind::ConflictingKeys, message, &path, entry.key_span.clone());
        self.report(finding.help("keep one of them"));
    }

    fn constant(&mut self, node: &Node, place: &Place, constants: &[&str]) {
        let expected = one_of(constants.iter().copied());
        let Some(text) = node.as_str() else {
            return self.wrong_type(node, place, &expected, None);
        };
        if constants.contains(&text) {
            return;
        }
        let span = self.span(node, place);
        let message = format!("expected {expected}, found `{text}`");
        let finding = Finding::new(DiagnosticKind::InvalidValue, message, &place.path, span);
        self.report(match nearest(text, constants.iter().copied()) {
            Some(name) => finding.help(format!("did you mean `{name}`?")),
            None => finding,
        });
    }

    /// Returns whether the value looks like a reference. Anything else is taken for the secret
    /// itself, and hidden.
    fn is_secret_reference(&mut self, node: &Node, place: &Place) -> bool {
        match &node.content {
            Content::Mapping(entries) => {
                let is_reference = |entry: &Entry| matches!(entry.key.as_str(), "env" | "file");
                for entry in entries.iter().filter(|entry| !is_reference(entry)) {
                    self.checked.secrets.push(entry.value.span.clone());
                }
                true
            }
            Content::Null => true,
            _ => {
                self.checked.secrets.push(node.span.clone());
                let span = self.span(node, place);
                let finding =
                    Finding::new(DiagnosticKind::LiteralSecret, "a secret stands in the file", &place.path, span);
                self.report(
                    finding
                        .help("refer to it: `{ env: NAME }` for an environment variable, `{ file: PATH }` for a file"),
                );
                false
            }
        }
    }
}

fn names(list: Option<&Value>) -> impl Iterator<Item = &str> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn lower_first(text: &str) -> String {
    let mut characters = text.chars();
    match (characters.next(), characters.clone().next()) {
        // A second capital makes the word an abbreviation, which keeps its spelling.
        (Some(first), second) if !second.is_some_and(char::is_uppercase) => {
            first.to_lowercase().chain(characters).collect()
        }
        _ => text.to_owned(),
    }
}
