//! What the server does when a parameter of a live field is put with another value.
//!
//! The table follows what `PUT _mapping` of Elasticsearch 8.19 and 9.4 accepts and refuses;
//! a test puts every line of it to a server.

use serde_json::{Map, Value};

/// The fate of a change of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The server takes it, and it holds from then on.
    Taken,
    /// The server takes it, but documents written before stay as they were.
    TakenForNewDocuments,
    /// The server answers that all is well and leaves what it was.
    Ignored,
    /// The server refuses it.
    Refused,
}

/// Parameters of any field that the server takes with any value. They say how a document
/// is read or searched; what was indexed before stays as it is.
const FREE: &[&str] = &[
    "coerce",
    "depth_limit",
    "eager_global_ordinals",
    "fielddata",
    "fielddata_frequency_filter",
    "ignore_above",
    "ignore_malformed",
    "ignore_z_value",
    "max_input_length",
    "meta",
    "on_script_error",
    "search_analyzer",
    "search_quote_analyzer",
    "split_queries_on_whitespace",
];

/// A parameter before and after, in the canonical spelling, where none is the default.
#[derive(Clone, Copy)]
pub(super) struct Step<'a> {
    pub(super) before: Option<&'a Value>,
    pub(super) after: Option<&'a Value>,
    /// Whether the live index says the parameter, be it the default.
    pub(super) was_said: bool,
    /// Whether the request speaks of the parameter; if not, and the server does not take
    /// that for the default, it stays.
    pub(super) is_said: bool,
}

/// What the server does with a parameter of a field of the type.
pub(super) fn of_field(field_type: &str, name: &str, step: Step<'_>) -> Verdict {
    let Step { before, after, is_said, .. } = step;
    let is_object = matches!(field_type, "object" | "nested");
    match name {
        "copy_to" => Verdict::TakenForNewDocuments,
        // Norms can be given up and not be made later.
        "norms" if after.is_some_and(|norms| norms == "false") || (field_type != "text" && after.is_none()) => {
            Verdict::Taken
        }
        "path" if field_type == "alias" => Verdict::Taken,
        "relations" if field_type == "join" && only_adds(before, after) => Verdict::Taken,
        // What is not known yet comes with the first document or by hand.
        "dims" if field_type == "dense_vector" && before.is_none() => Verdict::Taken,
        "index_options" if field_type == "dense_vector" && grows(before, after) => Verdict::Taken,
        // The server keeps what an object was when a request does not speak of it.
        "enabled" | "subobjects" if is_object && !is_said => Verdict::Ignored,
        name if FREE.contains(&name) => Verdict::Taken,
        _ => Verdict::Refused,
    }
}

/// What the server does with a parameter of the root.
pub(super) fn of_root(name: &str, step: Step<'_>) -> Verdict {
    let Step { before, was_said, is_said, .. } = step;
    match name {
        "date_detection" | "numeric_detection" | "dynamic_templates" | "dynamic_date_formats" => Verdict::Taken,
        "enabled" | "subobjects" if !is_said => Verdict::Ignored,
        // Sub-objects can be given up while nobody has asked for them.
        "subobjects" if !was_said => Verdict::TakenForNewDocuments,
        // A meta field that nobody has set yet takes anything, for documents to come.
        "_source" | "_routing" if before.is_none() => Verdict::TakenForNewDocuments,
        // A request that does not speak of a meta field leaves it.
        "_source" | "_routing" if !is_said => Verdict::Ignored,
        _ => Verdict::Refused,
    }
}

/// Parameters that the server fills in by itself, where a definition leaves them out.
pub(super) fn is_filled_by_server(field_type: &str, name: &str) -> bool {
    matches!(
        (field_type, name),
        ("dense_vector", "dims" | "index_options")
            | ("semantic_text", "inference_id" | "model_settings" | "index_options" | "chunking_settings")
            | ("constant_keyword", "value")
    )
}

/// Whether a join field gains relations and loses or turns none: new parents that are
/// nobody's child, and new children of the parents there are.
fn only_adds(before: Option<&Value>, after: Option<&Value>) -> bool {
    let none = Map::new();
    let of = |value: Option<&Value>| value.and_then(Value::as_object).cloned().unwrap_or(none.clone());
    let (before, after) = (of(before), of(after));
    let children = |value: &Value| -> Vec<String> {
        match value {
            Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            other => other.as_str().map(str::to_owned).into_iter().collect(),
        }
    };
    let known: Vec<String> = before.values().flat_map(children).collect();
    let kept = before.iter().all(|(parent, old)| {
        let new = after.get(parent).map(children).unwrap_or_default();
        children(old).iter().all(|child| new.contains(child))
    });
    let new_parents = after.keys().filter(|parent| !before.contains_key(*parent));
    kept && new_parents.into_iter().all(|parent| !known.contains(parent))
}

/// The kinds of vector index that one may become: each is smaller or finds faster.
/// Source: the `dense_vector` reference of Elasticsearch, "Updatable field parameters".
fn becomes(before: &str) -> &'static [&'static str] {
    match before {
        "flat" => &["int8_flat", "int4_flat", "hnsw", "int8_hnsw", "int4_hnsw"],
        "int8_flat" => &["int4_flat", "hnsw", "int8_hnsw", "int4_hnsw"],
        "int4_flat" => &["hnsw", "int8_hnsw", "int4_hnsw"],
        "hnsw" => &["int8_hnsw", "int4_hnsw"],
        "int8_hnsw" => &["int4_hnsw"],
        _ => &[],
    }
}

/// Whether the options of a vector index change to a kind that they may become, with a
/// graph that has no fewer neighbours a node.
fn grows(before: Option<&Value>, after: Option<&Value>) -> bool {
    let (Some(before), Some(after)) = (before, after) else { return false };
    let kind = |options: &Value| options["type"].as_str().unwrap_or_default().to_owned();
    let number = |options: &Value, name: &str, default: f64| {
        options[name].as_str().and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let same = kind(before) == kind(after);
    let is_graph = kind(after).ends_with("hnsw") && kind(before).ends_with("hnsw");
    let shrinks = is_graph && number(after, "m", 16.0) < number(before, "m", 16.0);
    let other = |options: &Value| {
        let mut rest = options.as_object().cloned().unwrap_or_default();
        rest.retain(|name, _| !matches!(name.as_str(), "type" | "m" | "ef_construction"));
        rest
    };
    (same || becomes(&kind(before)).contains(&kind(after).as_str())) && !shrinks && other(before) == other(after)
}
