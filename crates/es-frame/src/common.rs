//! The mapping of several indices that are read together.

use std::collections::HashMap;

use es_core::{Mapping, Properties, Property};
use serde_json::{Map, Value, json};

use crate::precision::{is_single_precision, mark_several, unmark};
use crate::source_filter::common_excludes;

/// The mapping of several indices that are read together: all of their fields, with the parameters
/// of the later ones over those of the earlier ones.
///
/// A field that has different types has their [`common_type`], if there is one, and that of the last
/// index otherwise. What one index says of a field does not count for the others: a field counts as one
/// of 32-bit floats (see [`crate::FieldSource::Auto`]) and as one that does not coerce only if every
/// index that has it says so, and as kept out of `_source` or of doc values if one says so.
///
/// ```
/// use es_core::Mapping;
/// use es_frame::{HitDecoder, ColumnRequest, common_mapping, infer_mapping};
/// use polars::prelude::*;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let ours = infer_mapping(df!("value" => [0.5_f32])?.schema())?;
/// let dynamic: Mapping = serde_json::from_str(r#"{"properties": {"value": {"type": "float"}}}"#)?;
/// let dtype = |mapping: &Mapping| Ok::<_, es_frame::Error>(
///     HitDecoder::new(mapping, &ColumnRequest::All)?.schema().get("value").cloned()
/// );
/// assert_eq!(dtype(&ours)?, Some(DataType::Float32));
/// assert_eq!(dtype(&common_mapping([&ours, &dynamic]))?, Some(DataType::Float64));
/// # Ok(())
/// # }
/// ```
pub fn common_mapping<'a>(mappings: impl IntoIterator<Item = &'a Mapping>) -> Mapping {
    let mappings: Vec<&Mapping> = mappings.into_iter().collect();
    let mut definitions: HashMap<String, Vec<Property<'_>>> = HashMap::new();
    let mut common = Mapping::default();
    for mapping in mappings.iter().copied() {
        for (path, field) in mapping.fields() {
            definitions.entry(path).or_default().push(field);
        }
        common = common.overridden_by(mapping);
    }
    reconcile("", &mut common.properties, &definitions);
    leave_out(&mut common, common_excludes(mappings));
    common
}

/// The type that holds the values of both types exactly: `long` for `integer` and `long`, `text` for
/// `keyword` and `text`. `None` where there is none, such as for `long` and `double`.
///
/// ```
/// use es_frame::common_type;
///
/// assert_eq!(common_type("long", "integer"), Some("long"));
/// assert_eq!(common_type("keyword", "text"), Some("text"));
/// assert_eq!(common_type("keyword", "boolean"), None);
/// ```
pub fn common_type<'a>(one: &'a str, other: &'a str) -> Option<&'a str> {
    const INTEGERS: [&str; 4] = ["byte", "short", "integer", "long"];
    const FLOATS: [&str; 4] = ["half_float", "float", "scaled_float", "double"];
    /// Types whose values are texts, as they were written.
    const TEXTS: [&str; 9] = [
        "keyword",
        "wildcard",
        "version",
        "ip",
        "text",
        "match_only_text",
        "search_as_you_type",
        "annotated_text",
        "pattern_text",
    ];
    let are = |types: &[&str]| types.contains(&one) && types.contains(&other);
    let is_exact_float = |name: &str| FLOATS.contains(&name) || INTEGERS[..3].contains(&name);
    if one == other {
        Some(one)
    } else if are(&INTEGERS) {
        INTEGERS.into_iter().rev().find(|name| [one, other].contains(name))
    } else if is_exact_float(one) && is_exact_float(other) {
        Some("double")
    } else if are(&["keyword", "wildcard"]) {
        Some("keyword")
    } else if are(&TEXTS) {
        Some("text")
    } else if are(&["date", "date_nanos"]) {
        Some("date_nanos")
    } else if are(&["integer_range", "long_range"]) {
        Some("long_range")
    } else if are(&["float_range", "double_range"]) {
        Some("double_range")
    } else {
        None
    }
}

/// Makes the definitions of fields say only what is true of all indices.
fn reconcile(prefix: &str, properties: &mut Properties, definitions: &HashMap<String, Vec<Property<'_>>>) {
    for (name, definition) in properties {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        let Some(definition) = definition.as_object_mut() else { continue };
        if let Some(all) = definitions.get(&path) {
            reconcile_field(definition, all);
        }
        if let Some(children) = definition.get_mut("properties").and_then(Value::as_object_mut) {
            reconcile(&path, children, definitions);
        }
    }
}

fn reconcile_field(definition: &mut Map<String, Value>, all: &[Property<'_>]) {
    let is_off = |property: &Property<'_>, name: &str| {
        property.parameter(name).is_some_and(|value| *value == false || *value == "false")
    };
    if !all.iter().all(|property| is_single_precision(*property)) {
        unmark(definition);
    }
    if !all.iter().all(|property| is_off(property, "coerce")) {
        definition.shift_remove("coerce");
    }
    if all.iter().any(|property| is_off(property, "doc_values")) {
        definition.insert("doc_values".to_owned(), json!(false));
    }
    if all.iter().any(|property| property.parameter("store").is_none() || is_off(property, "store")) {
        definition.shift_remove("store");
    }
    let Some(first) = all.first().map(Property::field_type) else { return };
    let common = all.iter().try_fold(first, |common, property| common_type(common, property.field_type()));
    let has_formats = |name: &str| all.windows(2).any(|pair| pair[0].parameter(name) != pair[1].parameter(name));
    let is_mixed = all.iter().any(|property| property.field_type() != first);
    if let Some(common) = common
        && (is_mixed || (common.starts_with("date") && (has_formats("format") || has_formats("locale"))))
    {
        definition.insert("type".to_owned(), json!(common));
        mark_several(definition);
    }
}

/// Replaces the patterns of `_source`.
fn leave_out(mapping: &mut Mapping, excludes: Option<Value>) {
    if let Some(source) = mapping.parameters.get_mut("_source").and_then(Value::as_object_mut) {
        source.shift_remove("includes");
        source.shift_remove("excludes");
    }
    if let Some(excludes) = excludes {
        let source = mapping.parameters.entry("_source").or_insert_with(|| json!({}));
        source["excludes"] = excludes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::precision::{is_of_several_types, single_precision};

    fn mapping(properties: Value) -> Mapping {
        serde_json::from_value(json!({"properties": properties})).unwrap()
    }

    #[test]
    fn every_index_must_say_that_a_field_is_single() {
        let single = mapping(json!({"o": {"properties": {"x": single_precision()}}, "y": single_precision()}));
        let unsure = mapping(json!({"o": {"properties": {"x": {"type": "float"}}}, "z": {"type": "long"}}));
        for mappings in [[&single, &unsure], [&unsure, &single]] {
            let common = common_mapping(mappings);
            assert!(!is_single_precision(common.field("o.x").unwrap()));
            assert!(is_single_precision(common.field("y").unwrap()), "the other index has no such field");
            assert_eq!(common.field("z").unwrap().field_type(), "long");
        }
        assert_eq!(common_mapping([&single, &single]), single);
    }

    #[test]
    fn types_widen_where_no_value_changes() {
        let table = [
            ("long", "integer", Some("long")),
            ("byte", "short", Some("short")),
            ("integer", "double", Some("double")),
            ("half_float", "scaled_float", Some("double")),
            ("long", "double", None),
            ("unsigned_long", "long", None),
            ("keyword", "wildcard", Some("keyword")),
            ("keyword", "text", Some("text")),
            ("ip", "match_only_text", Some("text")),
            ("constant_keyword", "keyword", None),
            ("date", "date_nanos", Some("date_nanos")),
            ("date", "keyword", None),
            ("long_range", "integer_range", Some("long_range")),
            ("object", "keyword", None),
        ];
        for (one, other, expected) in table {
            assert_eq!((common_type(one, other), common_type(other, one)), (expected, expected), "{one} {other}");
        }
    }

    #[test]
    fn fields_of_several_types_are_marked_and_their_parameters_hold_for_all() {
        let one = mapping(json!({
            "n": {"type": "integer", "coerce": false}, "t": {"type": "date", "format": "epoch_second"},
            "k": {"type": "keyword"}, "o": {"properties": {"x": {"type": "keyword", "doc_values": false}}}
        }));
        let two = mapping(json!({
            "n": {"type": "long"}, "t": {"type": "date"}, "k": {"type": "keyword"},
            "o": {"properties": {"x": {"type": "text"}}}
        }));
        for mappings in [[&one, &two], [&two, &one]] {
            let common = common_mapping(mappings);
            let field = |path: &str| common.field(path).unwrap();
            let types = ["n", "t", "k", "o.x"].map(|path| (field(path).field_type(), is_of_several_types(field(path))));
            assert_eq!(types, [("long", true), ("date", true), ("keyword", false), ("text", true)]);
            assert_eq!(field("n").parameter("coerce"), None);
            assert_eq!(field("o.x").parameter("doc_values"), Some(&json!(false)));
        }
    }
}
