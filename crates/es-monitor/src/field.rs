//! The kind of a field, by the mapping of the indices that have it.

use es_core::{IndexDescription, Mapping, Property};
use es_values::suggestion;
use serde_json::Value;

use crate::distribution::Resolution;
use crate::error::{Error, ErrorKind};
use crate::method::Method;

/// The way in which the values of a field are counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum FieldKind {
    /// By bins.
    Numeric(Resolution),
    /// By value, the most frequent ones of both windows together.
    Categorical,
    /// By value, of which there are two.
    Boolean,
}

/// A field that can be measured.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) field_type: String,
    pub(crate) kind: FieldKind,
}

/// Finds a field in the indices behind a name and checks that the method can measure it.
pub(crate) fn resolve(indices: &[IndexDescription], name: &str, method: Method) -> Result<Field, Error> {
    let mut found: Option<(Field, &str)> = None;
    for index in indices {
        let Some(definition) = definition(&index.mapping, name) else { continue };
        let field = measurable(index, name, definition)?;
        match &found {
            Some((first, place)) if first.kind != field.kind => {
                return Err(Error::new(
                    ErrorKind::FieldType,
                    format!(
                        "field {name} has type {} in {place} and {} in {}",
                        first.field_type, field.field_type, index.name
                    ),
                )
                .with_help("map the field with one type in all indices"));
            }
            Some(_) => {}
            None => found = Some((field, &index.name)),
        }
    }
    let (field, place) = found.ok_or_else(|| missing(indices, name))?;
    if method.is_numeric_only() && !matches!(field.kind, FieldKind::Numeric(_)) {
        return Err(Error::new(
            ErrorKind::FieldType,
            format!("{} needs numbers, and field {name} of {place} has type {}", method.name(), field.field_type),
        )
        .with_help("compare it by js, psi, linf or chi2"));
    }
    Ok(field)
}

/// Checks that a field is a date in every index that has it.
pub(crate) fn check_time(indices: &[IndexDescription], name: &str) -> Result<(), Error> {
    let mut known = false;
    for index in indices {
        let Some(definition) = definition(&index.mapping, name) else { continue };
        known = true;
        if !matches!(definition.field_type(), "date" | "date_nanos") {
            return Err(Error::new(
                ErrorKind::FieldType,
                format!(
                    "the time field {name} of {} has type {}, expected a date",
                    index.name,
                    definition.field_type()
                ),
            ));
        }
    }
    if known { Ok(()) } else { Err(missing(indices, name)) }
}

/// The definition of a field; an alias stands for the field that it points to.
fn definition<'a>(mapping: &'a Mapping, name: &str) -> Option<Property<'a>> {
    let found = mapping.field(name)?;
    match (found.field_type(), found.parameter("path").and_then(Value::as_str)) {
        ("alias", Some(path)) => mapping.field(path),
        _ => Some(found),
    }
}

fn measurable(index: &IndexDescription, name: &str, definition: Property<'_>) -> Result<Field, Error> {
    let refuse = |why: String| Error::new(ErrorKind::FieldType, format!("field {name} of {} {why}", index.name));
    if let Some(parent) = nested_parent(&index.mapping, name) {
        return Err(refuse(format!("lies in the nested documents of {parent}, which are not counted")));
    }
    let field_type = definition.field_type();
    let kind = match field_type {
        "long" | "integer" | "short" | "byte" | "unsigned_long" => FieldKind::Numeric(Resolution::Whole),
        "double" => FieldKind::Numeric(Resolution::Double),
        "float" => FieldKind::Numeric(Resolution::Single),
        "half_float" => FieldKind::Numeric(Resolution::Half),
        "scaled_float" => {
            let factor = definition.parameter("scaling_factor").and_then(number).filter(|factor| *factor > 0.0);
            FieldKind::Numeric(factor.map_or(Resolution::Double, |factor| Resolution::Step(1.0 / factor)))
        }
        "keyword" | "constant_keyword" | "wildcard" | "ip" => FieldKind::Categorical,
        "boolean" => FieldKind::Boolean,
        "text" | "match_only_text" => return Err(text_field(refuse, name, definition)),
        other => {
            return Err(refuse(format!("has type {other}, expected a number, keyword, boolean or IP address")));
        }
    };
    if definition.parameter("doc_values").is_some_and(|value| *value == false || *value == "false") {
        return Err(refuse("has no doc_values, so it cannot be aggregated".to_owned())
            .with_help("map it with doc_values and index the documents again"));
    }
    Ok(Field { name: name.to_owned(), field_type: field_type.to_owned(), kind })
}

/// A number that the server may report as text.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

fn text_field(refuse: impl Fn(String) -> Error, name: &str, definition: Property<'_>) -> Error {
    let error = refuse("has type text, whose values cannot be counted".to_owned());
    let keyword = definition.parameter("fields").and_then(Value::as_object).and_then(|fields| {
        fields.iter().find(|(_, sub_field)| sub_field["type"] == "keyword").map(|(sub_name, _)| sub_name.clone())
    });
    match keyword {
        Some(sub_name) => error.with_help(format!("use its keyword sub-field {name}.{sub_name}")),
        None => error.with_help("map it as keyword, or give it a keyword sub-field"),
    }
}

fn nested_parent<'a>(mapping: &Mapping, name: &'a str) -> Option<&'a str> {
    name.match_indices('.')
        .map(|(dot, _)| &name[..dot])
        .find(|parent| mapping.field(parent).is_some_and(|field| field.field_type() == "nested"))
}

fn missing(indices: &[IndexDescription], name: &str) -> Error {
    let place = match indices {
        [only] => only.name.clone(),
        [first, .., last] => format!("the indices {} to {}", first.name, last.name),
        [] => "the index".to_owned(),
    };
    let error = Error::new(ErrorKind::FieldNotFound, format!("{place} has no field {name}"));
    let mut names: Vec<String> = indices
        .iter()
        .flat_map(|index| index.mapping.fields())
        .filter(|(_, field)| !matches!(field.field_type(), "object" | "nested"))
        .map(|(path, _)| path)
        .collect();
    names.sort();
    names.dedup();
    error.with_help(suggestion(name, "fields", names.iter().map(String::as_str)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, json};

    fn index(name: &str, properties: Value) -> IndexDescription {
        IndexDescription {
            name: name.to_owned(),
            aliases: Vec::new(),
            mapping: serde_json::from_value(json!({"properties": properties})).unwrap(),
            settings: Map::new(),
        }
    }

    fn flights() -> IndexDescription {
        index(
            "flights",
            json!({
                "dep_delay": {"type": "double"}, "arr_delay": {"type": "float"}, "year": {"type": "short"},
                "price": {"type": "scaled_float", "scaling_factor": 100.0},
                "carrier": {"type": "keyword"}, "late": {"type": "boolean"}, "host": {"type": "ip"},
                "dest": {"type": "text", "fields": {"raw": {"type": "keyword"}}}, "note": {"type": "text"},
                "time_hour": {"type": "date"}, "hidden": {"type": "long", "doc_values": false},
                "legs": {"type": "nested", "properties": {"miles": {"type": "long"}}},
                "weather": {"properties": {"temp": {"type": "double"}}},
                "delay": {"type": "alias", "path": "dep_delay"},
            }),
        )
    }

    #[test]
    fn kinds_follow_from_the_mapping() {
        let js = Method::JensenShannon { max: 0.1 };
        let table = [
            ("dep_delay", FieldKind::Numeric(Resolution::Double)),
            ("arr_delay", FieldKind::Numeric(Resolution::Single)),
            ("year", FieldKind::Numeric(Resolution::Whole)),
            ("price", FieldKind::Numeric(Resolution::Step(0.01))),
            ("weather.temp", FieldKind::Numeric(Resolution::Double)),
            ("delay", FieldKind::Numeric(Resolution::Double)),
            ("carrier", FieldKind::Categorical),
            ("host", FieldKind::Categorical),
            ("dest.raw", FieldKind::Categorical),
            ("late", FieldKind::Boolean),
        ];
        for (name, kind) in table {
            assert_eq!(resolve(&[flights()], name, js).unwrap().kind, kind, "{name}");
        }
    }

    #[test]
    fn a_field_that_cannot_be_measured_has_a_reason_and_a_remedy() {
        let (js, ks) = (Method::JensenShannon { max: 0.1 }, Method::KolmogorovSmirnov { p: 0.01 });
        let table = [
            (
                "dest",
                js,
                "field dest of flights has type text, whose values cannot be counted",
                "use its keyword sub-field dest.raw",
            ),
            (
                "note",
                js,
                "field note of flights has type text, whose values cannot be counted",
                "map it as keyword, or give it a keyword sub-field",
            ),
            ("carier", js, "flights has no field carier", "did you mean `carrier`?"),
            (
                "carrier",
                ks,
                "ks needs numbers, and field carrier of flights has type keyword",
                "compare it by js, psi, linf or chi2",
            ),
            (
                "hidden",
                js,
                "field hidden of flights has no doc_values, so it cannot be aggregated",
                "map it with doc_values and index the documents again",
            ),
            (
                "xyzzy",
                js,
                "flights has no field xyzzy",
                "the fields are arr_delay, carrier, delay, dep_delay, dest, hidden, host, late, legs.miles, \
                 note, price, time_hour, weather.temp, year",
            ),
            (
                "legs.miles",
                js,
                "field legs.miles of flights lies in the nested documents of legs, which are not counted",
                "",
            ),
            (
                "time_hour",
                js,
                "field time_hour of flights has type date, expected a number, keyword, boolean or IP address",
                "",
            ),
        ];
        for (name, method, message, help) in table {
            let error = resolve(&[flights()], name, method).unwrap_err();
            assert_eq!((error.to_string().as_str(), error.help().unwrap_or_default()), (message, help));
        }
    }

    #[test]
    fn indices_behind_a_name_must_agree() {
        let js = Method::JensenShannon { max: 0.1 };
        let old = index("flights-1", json!({"carrier": {"type": "long"}, "t": {"type": "keyword"}}));
        let error = resolve(&[old.clone(), flights()], "carrier", js).unwrap_err();
        assert_eq!(error.to_string(), "field carrier has type long in flights-1 and keyword in flights");
        assert_eq!(resolve(&[old.clone(), flights()], "late", js).unwrap().kind, FieldKind::Boolean);
        assert!(check_time(&[old.clone(), flights()], "time_hour").is_ok());
        let error = check_time(&[old.clone(), flights()], "t").unwrap_err();
        assert_eq!(error.to_string(), "the time field t of flights-1 has type keyword, expected a date");
        let error = check_time(&[old, flights()], "timehour").unwrap_err();
        assert_eq!((error.kind(), error.help()), (ErrorKind::FieldNotFound, Some("did you mean `time_hour`?")));
    }
}
