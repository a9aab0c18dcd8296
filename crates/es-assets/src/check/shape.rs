//! The meaning of one schema of the format, with references followed and `null` set apart.

use serde_json::{Map, Value};

use crate::format::PipelineFormat;
use crate::yaml::{Content, Node};
use es_values::one_of;

/// A schema with its references followed.
#[derive(Clone)]
pub(super) struct Shape<'a> {
    format: &'a PipelineFormat,
    /// The name of the definition it comes from.
    pub(super) name: Option<&'a str>,
    /// Its keywords.
    pub(super) keywords: &'a Map<String, Value>,
    /// The types it accepts beside `null`; none says any.
    pub(super) types: Vec<&'a str>,
    /// It accepts `null`.
    pub(super) nullable: bool,
}

/// The branches of a union.
pub(super) enum Alternatives<'a> {
    /// Texts.
    Constants(Vec<&'a str>),
    /// Mappings that differ in the value of one key.
    Discriminated { key: &'a str, branches: Vec<(&'a str, Shape<'a>)> },
    /// Texts, and mappings with one key each.
    Tagged(Vec<Tag<'a>>),
    /// Mappings with different keys.
    Shapes(Vec<Shape<'a>>),
}

/// One branch of a tagged union: a text, or a mapping with one key and the schema of
/// its value.
pub(super) struct Tag<'a> {
    pub(super) name: &'a str,
    pub(super) schema: Option<&'a Value>,
}

impl<'a> Shape<'a> {
    /// Reads `schema`, a part of the schema of `format`.
    pub(super) fn resolve(format: &'a PipelineFormat, schema: &'a Value) -> Self {
        let root = format.schema();
        let mut name = None;
        let mut nullable = false;
        let mut current = schema;
        // The schema is generated, and its chains of references are short and end.
        loop {
            if let Some(reference) = current.get("$ref").and_then(Value::as_str) {
                let definition = reference.rsplit('/').next().unwrap_or_default();
                name = Some(definition);
                match root["$defs"].get(definition) {
                    Some(target) => current = target,
                    None => break,
                }
                continue;
            }
            match optional(current) {
                Some(inner) => {
                    nullable = true;
                    current = inner;
                }
                None => break,
            }
        }
        let types: Vec<&str> = match current.get("type") {
            Some(Value::String(only)) => vec![only],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        nullable |= types.contains(&"null");
        Self {
            format,
            name,
            keywords: current.as_object().unwrap_or(&EMPTY),
            types: types.into_iter().filter(|name| *name != "null").collect(),
            nullable,
        }
    }

    /// The branches, if this is a union.
    pub(super) fn alternatives(&self) -> Option<Alternatives<'a>> {
        let branches = self.keywords.get("oneOf").or_else(|| self.keywords.get("anyOf"))?.as_array()?;
        // What is required of a mapping without saying that it is one does not choose a type.
        let only_requires = |branch: &Value| branch.get("required").is_some() && branch.get("type").is_none();
        if branches.iter().all(only_requires) {
            return None;
        }
        let constants: Option<Vec<&str>> = branches.iter().map(|branch| branch.get("const")?.as_str()).collect();
        if let Some(constants) = constants {
            return Some(Alternatives::Constants(constants));
        }
        let shapes: Vec<Self> = branches.iter().map(|branch| Self::resolve(self.format, branch)).collect();
        if let Some((key, branches)) = discriminator(&shapes) {
            return Some(Alternatives::Discriminated { key, branches });
        }
        let tags: Option<Vec<Tag<'a>>> = branches.iter().map(tag).collect();
        Some(tags.map_or(Alternatives::Shapes(shapes), Alternatives::Tagged))
    }

    /// Returns whether a number is within the bounds.
    pub(super) fn allows_number(&self, value: f64) -> bool {
        let bound = |keyword: &str| self.keywords.get(keyword).and_then(Value::as_f64);
        bound("minimum").is_none_or(|least| value >= least)
            && bound("maximum").is_none_or(|most| value <= most)
            && self.width_limit().is_none_or(|most| value <= most)
            && bound("exclusiveMinimum").is_none_or(|below| value > below)
            && bound("exclusiveMaximum").is_none_or(|above| value < above)
    }

    /// The largest number that the integer type behind the schema holds.
    pub(super) fn width_limit(&self) -> Option<f64> {
        match self.keywords.get("format")?.as_str()? {
            "uint32" => Some(f64::from(u32::MAX)),
            _ => None,
        }
    }

    /// The way to turn a value of the wrong type into one of the right type.
    pub(super) fn conversion_help(&self, node: &Node) -> Option<String> {
        let accepts = |name: &str| self.types.contains(&name);
        match &node.content {
            Content::String(text) if accepts("array") && self.is_list_of_texts() => Some(format!("write `[{text}]`")),
            Content::Mapping(_) if accepts("array") => Some("start each element of the list with `-`".to_owned()),
            Content::String(text) if accepts("object") => match mapping_keys(self).as_slice() {
                [only] => Some(format!("write `{{ {only}: {text} }}`")),
                _ => None,
            },
            Content::Number(_) | Content::Bool(_) if accepts("string") && self.has_no_format() => {
                Some(format!("put it in quotes: `\"{}\"`", node.to_json()))
            }
            Content::Null if accepts("object") => Some(format!("write `{}`", self.empty_or_dots())),
            Content::Null => Some("write a value or remove the key".to_owned()),
            Content::String(text) if accepts("boolean") => match text.to_lowercase().as_str() {
                "yes" | "on" | "y" | "true" => Some("write `true`".to_owned()),
                "no" | "off" | "n" | "false" => Some("write `false`".to_owned()),
                _ => None,
            },
            Content::String(text) if (accepts("integer") || accepts("number")) && text.parse::<f64>().is_ok() => {
                Some("remove the quotes".to_owned())
            }
            _ => None,
        }
    }

    /// An example of the value, for those that are hard to describe.
    pub(super) fn example_help(&self) -> Option<String> {
        let example = self.keywords.get("examples")?.get(0).filter(|example| example.is_object())?;
        Some(format!("write for example `{example}`"))
    }

    /// The text to write as a value that needs nothing, and as one that needs something.
    pub(super) fn empty_or_dots(&self) -> &'static str {
        let needs_something = self.keywords.contains_key("required") || self.keywords.contains_key("oneOf");
        if needs_something { "{ .. }" } else { "{}" }
    }

    fn is_list_of_texts(&self) -> bool {
        let element = self.keywords.get("items").map(|element| Self::resolve(self.format, element));
        element.is_some_and(|element| element.types == ["string"])
    }

    /// Returns whether any text will do.
    fn has_no_format(&self) -> bool {
        let format = self.keywords.get("format").and_then(Value::as_str);
        format.is_none_or(|format| matches!(format, "text" | "name"))
    }
}

static EMPTY: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);

/// The schema beside `null` of a union of two.
fn optional(schema: &Value) -> Option<&Value> {
    match schema.get("anyOf")?.as_array()?.as_slice() {
        [inner, null] if null.get("type").and_then(Value::as_str) == Some("null") => Some(inner),
        _ => None,
    }
}

/// The key whose value tells all `shapes` apart, and the value of each.
fn discriminator<'a>(shapes: &[Shape<'a>]) -> Option<(&'a str, Vec<(&'a str, Shape<'a>)>)> {
    let constant = |shape: &Shape<'a>, key: &str| shape.keywords.get("properties")?.get(key)?.get("const")?.as_str();
    let first = shapes.first()?.keywords.get("properties")?.as_object()?;
    first.keys().find_map(|key| {
        let branches: Option<Vec<_>> =
            shapes.iter().map(|shape| Some((constant(shape, key)?, shape.clone()))).collect();
        Some((key.as_str(), branches?))
    })
}

fn tag(branch: &Value) -> Option<Tag<'_>> {
    if let Some(name) = branch.get("const") {
        return Some(Tag { name: name.as_str()?, schema: None });
    }
    let properties = branch.get("properties")?.as_object()?;
    let mut entries = properties.iter();
    match (entries.next(), entries.next()) {
        (Some((name, schema)), None) => Some(Tag { name, schema: Some(schema) }),
        _ => None,
    }
}

/// The expectation of a shape, in words.
pub(super) fn expectation(shape: &Shape<'_>) -> String {
    let format = shape.keywords.get("format").and_then(Value::as_str).and_then(|name| shape.format.text_format(name));
    if let Some(format) = format {
        return format.noun.to_owned();
    }
    let bound = |keyword: &str| shape.keywords.get(keyword).and_then(Value::as_f64);
    let names: Vec<String> = shape
        .types
        .iter()
        .map(|name| match *name {
            "object" => match mapping_keys(shape) {
                keys if keys.is_empty() => match alternative_keys(shape) {
                    keys if keys.is_empty() => "a mapping".to_owned(),
                    keys => format!("a mapping with {}", one_of(keys)),
                },
                keys => format!("a mapping with {}", one_of(keys.iter().copied()).replace(" or ", " and ")),
            },
            "array" => "a list".to_owned(),
            "string" => "a text".to_owned(),
            "boolean" => "`true` or `false`".to_owned(),
            "integer" | "number" => {
                let noun = if *name == "integer" { "a whole number" } else { "a number" };
                let above = bound("exclusiveMinimum");
                let below = bound("exclusiveMaximum");
                match (bound("minimum"), bound("maximum")) {
                    _ if above.is_some() && below.is_some() => {
                        format!("{noun} between {} and {}", above.unwrap_or_default(), below.unwrap_or_default())
                    }
                    (None, Some(most)) if above.is_some() => {
                        format!("{noun} above {} and at most {most}", above.unwrap_or_default())
                    }
                    (Some(least), Some(most)) => format!("{noun} from {least} to {most}"),
                    (Some(least), None) => format!("{noun} of at least {least}"),
                    (None, Some(most)) => format!("{noun} of at most {most}"),
                    (None, None) => noun.to_owned(),
                }
            }
            other => other.to_owned(),
        })
        .collect();
    names.join(" or ")
}

/// The keys that a mapping must have.
fn mapping_keys<'a>(shape: &Shape<'a>) -> Vec<&'a str> {
    let required = shape.keywords.get("required").and_then(Value::as_array);
    required.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The keys of which a mapping must have one.
fn alternative_keys<'a>(shape: &Shape<'a>) -> Vec<&'a str> {
    let branches = shape.keywords.get("oneOf").and_then(Value::as_array);
    let required = branches.into_iter().flatten().filter_map(|branch| branch.get("required")?.get(0)?.as_str());
    required.collect()
}

/// The value that stands there instead, in words.
pub(super) fn found(node: &Node) -> String {
    match &node.content {
        Content::Null => "nothing".to_owned(),
        Content::Bool(value) => format!("`{value}`"),
        Content::Number(value) => format!("the number {value}"),
        Content::String(text) => {
            let start: String = text.trim_end().chars().take(40).collect();
            let dots = if text.trim_end().chars().count() > 40 { "…" } else { "" };
            format!("the text `{start}{dots}`")
        }
        Content::Sequence(_) => "a list".to_owned(),
        Content::Mapping(entries) if entries.is_empty() => "an empty mapping".to_owned(),
        Content::Mapping(_) => "a mapping".to_owned(),
    }
}
