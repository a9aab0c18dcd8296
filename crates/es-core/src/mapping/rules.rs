//! The server's reaction to a new value of a parameter of a live field.
//!
//! The table follows `PUT _mapping` of Elasticsearch 8.19 and 9.4; a test puts every line of it to a
//! server.

use serde_json::{Map, Value};

/// The server's reaction to a change of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reaction {
    /// The server accepts it, and it applies at once.
    Taken,
    /// The server accepts it, but documents written before stay as they were.
    TakenForNewDocuments,
    /// The server answers with success, and changes nothing.
    Ignored,
    /// The server refuses it.
    Refused,
}

/// Parameters of any field that the server accepts with any value. They decide how a document is read
/// or searched; the index of older documents stays as it is.
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

/// A parameter before and after, in canonical spelling; `None` is the default.
#[derive(Clone, Copy)]
pub(super) struct Step<'a> {
    pub(super) before: Option<&'a Value>,
    pub(super) after: Option<&'a Value>,
    /// `true` if the live index sets the parameter, even to its default.
    pub(super) was_said: bool,
    /// `true` if the request sets the parameter. If not, it stays, unless the server applies the default.
    pub(super) is_said: bool,
}

/// The server's reaction to a parameter of a field of this type.
pub(super) fn of_field(field_type: &str, name: &str, step: Step<'_>) -> Reaction {
    let Step { before, after, is_said, .. } = step;
    let is_object = matches!(field_type, "object" | "nested");
    match name {
        "copy_to" => Reaction::TakenForNewDocuments,
        // Norms can be removed, but not added later.
        "norms" if after.is_some_and(|norms| norms == "false") || (field_type != "text" && after.is_none()) => {
            Reaction::Taken
        }
        "path" if field_type == "alias" => Reaction::Taken,
        "relations" if field_type == "join" && only_adds(before, after) => Reaction::Taken,
        // An unknown number of dimensions is set by the first document or by hand.
        "dims" if field_type == "dense_vector" && before.is_none() => Reaction::Taken,
        "index_options" if field_type == "dense_vector" && grows(before, after) => Reaction::Taken,
        // The server keeps the parameters of an object that a request leaves out.
        "enabled" | "subobjects" if is_object && !is_said => Reaction::Ignored,
        name if FREE.contains(&name) => Reaction::Taken,
        _ => Reaction::Refused,
    }
}

/// The server's reaction to a parameter of the root.
pub(super) fn of_root(name: &str, step: Step<'_>) -> Reaction {
    let Step { before, was_said, is_said, .. } = step;
    match name {
        "date_detection" | "numeric_detection" | "dynamic_templates" | "dynamic_date_formats" => Reaction::Taken,
        "enabled" | "subobjects" if !is_said => Reaction::Ignored,
        // Sub-objects can be switched off while they have not been set.
        "subobjects" if !was_said => Reaction::TakenForNewDocuments,
        // A meta field that is not set yet accepts anything, for later documents.
        "_source" | "_routing" if before.is_none() => Reaction::TakenForNewDocuments,
        // A request without a meta field leaves it unchanged.
        "_source" | "_routing" if !is_said => Reaction::Ignored,
        _ => Reaction::Refused,
    }
}

/// Parameters that the server adds where a definition leaves them out.
pub(super) fn is_filled_by_server(field_type: &str, name: &str) -> bool {
    matches!(
        (field_type, name),
        ("dense_vector", "dims" | "index_options")
            | ("semantic_text", "inference_id" | "model_settings" | "index_options" | "chunking_settings")
            | ("constant_keyword", "value")
    )
}

/// Returns `true` if a join field only gains relations: new parents that are not children, and new
/// children of existing parents.
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

/// The kinds of vector index that a kind can be changed to: each is smaller or faster to search.
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

/// Returns `true` if the options of a vector index change to an allowed kind, whose graph has at least
/// as many neighbours a node.
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
