//! One spelling for mappings that the server treats as the same.
//!
//! A mapping comes back from the server in another form than it was put: defaults are left out or
//! added, `"true"` becomes `true`, dots in names become objects. Two mappings are compared in the
//! form that this module gives them. A test puts every rule to a server and reads it back. The
//! consequences of a difference are left to [`super::rules`].

use serde_json::{Map, Value, json};

use super::Properties;

/// The parameters of a field, without its type and children, in canonical spelling. A parameter with
/// its default value is left out.
pub(super) fn parameters(field_type: &str, definition: &Map<String, Value>) -> Map<String, Value> {
    let mut all: Map<String, Value> = definition
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "type" | "properties" | "fields"))
        .filter_map(|(name, value)| Some((name.clone(), parameter(field_type, name, value)?)))
        .collect();
    drop_implied_analyzers(field_type, &mut all);
    all
}

/// The value of a parameter in canonical spelling, or `None` where it is the default.
fn parameter(field_type: &str, name: &str, value: &Value) -> Option<Value> {
    let value = match (field_type, name) {
        (_, "copy_to") if value.is_string() => json!([value]),
        (_, "script") => script(value),
        ("geo_point", "null_value") => point(value),
        ("boolean", "null_value") | ("keyword", "null_value") => text(value),
        (_, "null_value") => number(value).unwrap_or_else(|| text(value)),
        ("text" | "search_as_you_type", "index_prefixes") => prefixes(value),
        ("dense_vector", "index_options") => vector_index(value),
        _ => text(value),
    };
    let is_nothing = match &value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty() && name == "meta",
        Value::String(text) => default_of(field_type, name) == Some(text),
        _ => false,
    };
    (!is_nothing).then_some(value)
}

/// The default of a parameter for which the server does not distinguish the default from an equal
/// value. Parameters whose default depends on the index (`coerce`), or that the server distinguishes
/// from their default (`similarity`), are not here.
fn default_of(field_type: &str, name: &str) -> Option<&'static str> {
    Some(match (field_type, name) {
        ("binary", "doc_values") => "false",
        ("sparse_vector", "store") => return None,
        ("join", "eager_global_ordinals") => "true",
        ("dense_vector", "similarity") => "cosine",
        ("dense_vector", "element_type") => "float",
        ("keyword" | "flattened", "index_options") => "docs",
        ("text", "index_options") => "positions",
        ("keyword", "norms") => "false",
        ("text", "norms") => "true",
        ("text", "term_vector") => "no",
        ("text", "position_increment_gap") => "100",
        ("date" | "date_range", "format") => "strict_date_optional_time||epoch_millis",
        ("date_nanos", "format") => "strict_date_optional_time_nanos||epoch_millis",
        ("date" | "date_nanos" | "ip", "ignore_malformed") => "false",
        ("flattened", "depth_limit") => "20",
        ("completion", "preserve_separators" | "preserve_position_increments") => "true",
        ("completion", "max_input_length") => "50",
        ("keyword" | "flattened", "ignore_above") => "2147483647",
        (_, "on_script_error") => "fail",
        (_, "index" | "doc_values" | "enabled" | "subobjects") => "true",
        (
            _,
            "store"
            | "eager_global_ordinals"
            | "time_series_dimension"
            | "split_queries_on_whitespace"
            | "fielddata"
            | "index_phrases"
            | "include_in_parent"
            | "include_in_root",
        ) => "false",
        _ => return None,
    })
}

/// A search analyser that equals the index analyser is the same as none.
fn drop_implied_analyzers(field_type: &str, parameters: &mut Map<String, Value>) {
    let fallback = match field_type {
        "text" | "search_as_you_type" => "default",
        "completion" => "simple",
        _ => return,
    };
    let mut implied = json!(fallback);
    for name in ["analyzer", "search_analyzer", "search_quote_analyzer"] {
        match parameters.get(name) {
            Some(own) if *own == implied => {
                parameters.shift_remove(name);
            }
            Some(own) => implied = own.clone(),
            None => {}
        }
    }
}

/// The parameters of the root in canonical spelling, without `dynamic` and `runtime`, which are
/// compared separately, and without those that have their default value.
pub(super) fn root(parameters: &Map<String, Value>) -> Map<String, Value> {
    let known = parameters.iter().filter(|(name, _)| !matches!(name.as_str(), "dynamic" | "runtime"));
    known.filter_map(|(name, value)| Some((name.clone(), root_parameter(name, value)?))).collect()
}

fn root_parameter(name: &str, value: &Value) -> Option<Value> {
    let mut value = text(value);
    if name == "dynamic_date_formats" && value.is_string() {
        value = json!([value]);
    }
    if let Value::Object(fields) = &mut value {
        // The meta fields: `_source`, `_routing`.
        let is_default = |field: &str, value: &Value| match (name, field) {
            ("_source", "enabled") => value == "true",
            ("_source", "includes" | "excludes") => value.as_array().is_some_and(Vec::is_empty),
            ("_routing", "required") => value == "false",
            _ => false,
        };
        fields.retain(|field, value| !is_default(field, value));
        if fields.is_empty() {
            return None;
        }
    }
    let is_nothing = value.is_null() || default_of_root(name).is_some_and(|default| text(&default) == value);
    (!is_nothing).then_some(value)
}

/// The default of a parameter of the root, as it can be put to the server.
pub(super) fn default_of_root(name: &str) -> Option<Value> {
    Some(match name {
        "dynamic" | "date_detection" | "enabled" | "subobjects" => json!(true),
        "numeric_detection" => json!(false),
        "dynamic_templates" => json!([]),
        "dynamic_date_formats" => {
            json!(["strict_date_optional_time", "yyyy/MM/dd HH:mm:ss Z||yyyy/MM/dd Z"])
        }
        _ => return None,
    })
}

/// A runtime field in canonical spelling.
pub(super) fn runtime_field(definition: &Value) -> Value {
    match definition.as_object() {
        Some(fields) => {
            let kept = fields.iter().filter(|(_, value)| !value.is_null());
            let spell = |name: &String, value| if name == "script" { script(value) } else { text(value) };
            kept.map(|(name, value)| (name.clone(), spell(name, value))).collect::<Map<_, _>>().into()
        }
        None => text(definition),
    }
}

/// The fields with each dot in a name as an object, as the server keeps them, or with each object as
/// dots where sub-objects are off.
pub(super) fn expanded(properties: &Properties, subobjects: bool) -> Properties {
    let mut all = Map::new();
    for (name, definition) in properties {
        if subobjects {
            nest(&mut all, name, definition);
        } else {
            flatten(&mut all, name, definition);
        }
    }
    all
}

fn nest(into: &mut Properties, name: &str, definition: &Value) {
    // Names like `.a` or `a..b` are not paths; the server refuses them, and they stay as they are.
    let (head, rest) = match name.split_once('.') {
        Some((head, rest)) if name.split('.').all(|part| !part.is_empty()) => (head, rest),
        _ => {
            merge_definition(into, name, definition);
            return;
        }
    };
    let mut inner = Map::new();
    nest(&mut inner, rest, definition);
    merge_definition(into, head, &json!({"properties": inner}));
}

fn merge_definition(into: &mut Properties, name: &str, definition: &Value) {
    match (into.get_mut(name), definition) {
        (Some(Value::Object(old)), Value::Object(new)) => super::merge(old, new),
        _ => {
            into.insert(name.to_owned(), definition.clone());
        }
    }
}

fn flatten(into: &mut Properties, name: &str, definition: &Value) {
    let children = definition.get("properties").and_then(Value::as_object);
    let is_object = definition.get("type").is_none_or(|field_type| field_type == "object");
    match children {
        Some(children) if is_object => {
            for (child, definition) in children {
                flatten(into, &format!("{name}.{child}"), definition);
            }
        }
        _ => merge_definition(into, name, definition),
    }
}

/// A value with its numbers and booleans as text, as the server accepts both.
pub(super) fn text(value: &Value) -> Value {
    match value {
        Value::Bool(flag) => json!(flag.to_string()),
        Value::Number(_) => number(value).unwrap_or_else(|| json!(value.to_string())),
        Value::Array(items) => items.iter().map(text).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), text(value))).collect::<Map<_, _>>().into()
        }
        Value::String(_) | Value::Null => value.clone(),
    }
}

/// A number, or the text of one, in canonical spelling: `5`, `"5"` and `5.0` are the same.
fn number(value: &Value) -> Option<Value> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        _ => return None,
    };
    if let Ok(whole) = text.parse::<i128>() {
        return Some(json!(whole.to_string()));
    }
    let number: f64 = text.parse().ok()?;
    Some(json!(number.to_string()))
}

/// A script given by its source only is in Painless.
fn script(value: &Value) -> Value {
    let mut script = match value {
        Value::String(source) => Map::from_iter([("source".to_owned(), json!(source))]),
        Value::Object(fields) => fields.clone(),
        other => return text(other),
    };
    if script.contains_key("source") && !script.contains_key("lang") {
        script.insert("lang".to_owned(), json!("painless"));
    }
    script.retain(|_, value| !value.as_object().is_some_and(Map::is_empty));
    text(&Value::Object(script))
}

/// A point as `{lat, lon}`, from `"lat,lon"`, `[lon, lat]` or itself.
fn point(value: &Value) -> Value {
    let parts: Option<(Value, Value)> = match value {
        Value::String(text) => text.split_once(',').map(|(lat, lon)| (json!(lat), json!(lon))),
        Value::Array(items) if items.len() >= 2 => Some((items[1].clone(), items[0].clone())),
        _ => None,
    };
    match parts.map(|(lat, lon)| (number(&lat), number(&lon))) {
        Some((Some(lat), Some(lon))) => json!({"lat": lat, "lon": lon}),
        _ => text(value),
    }
}

/// The default is prefixes of 2 to 5 characters.
fn prefixes(value: &Value) -> Value {
    let mut prefixes = text(value);
    if let Value::Object(fields) = &mut prefixes {
        fields.entry("min_chars").or_insert_with(|| json!("2"));
        fields.entry("max_chars").or_insert_with(|| json!("5"));
    }
    prefixes
}

/// The default of a graph of vectors is 16 neighbours a node, chosen among 100.
fn vector_index(value: &Value) -> Value {
    let mut options = text(value);
    let kind = options["type"].as_str().unwrap_or_default().to_owned();
    if let Value::Object(fields) = &mut options {
        if kind.ends_with("hnsw") {
            fields.entry("m").or_insert_with(|| json!("16"));
            fields.entry("ef_construction").or_insert_with(|| json!("100"));
        }
        // Elasticsearch 8 returns the default interval of 4 bits, 9 does not.
        if kind.starts_with("int4") && fields.get("confidence_interval").is_some_and(|interval| interval == "0") {
            fields.shift_remove("confidence_interval");
        }
    }
    options
}
