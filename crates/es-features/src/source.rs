//! The check that the source has the fields of a feature set, with types that fit their use. Pure:
//! the mappings are arguments.

use es_core::{Mapping, Properties, Property};
use es_values::suggestion;
use serde_json::{Map, Value, json};

use crate::error::{Error, ErrorKind};
use crate::key::KeyType;
use crate::options::{Feature, FeatureSet, RatioTerm, ValueSource};

/// An index behind the source, and its mapping.
pub(crate) type IndexMapping = (String, Mapping);

/// The use of a field by a feature set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Time,
    Entity,
    /// Its values are numbers.
    Numbers,
    /// Its values are distinguished or counted.
    AnyValues,
    /// Documents are counted by whether they have a value.
    Presence,
}

/// The parts of a field's mapping that decide its use.
#[derive(Debug, PartialEq)]
struct Field<'a> {
    field_type: &'a str,
    has_doc_values: bool,
    is_indexed: bool,
    keyword: Option<String>,
}

/// A field of the source that does not fit its use.
struct Misfit {
    message: String,
    help: Option<String>,
}

/// Types without numbers that can be aggregated.
const NOT_NUMBERS: &[&str] =
    &["keyword", "constant_keyword", "wildcard", "flattened", "ip", "version", "geo_point", "geo_shape"];

impl FeatureSet {
    /// The mapping of an index of rows: the fields of the entity with their types in the source
    /// (without sub-fields, normalizers and formats), the time as a date, counts as `long` and
    /// other features as `double`.
    ///
    /// # Errors
    /// [`ErrorKind::Definition`] and [`ErrorKind::Source`].
    pub fn mapping(&self, source: &Mapping) -> Result<Mapping, Error> {
        self.validate()?;
        let sources = [("the source".to_owned(), source.clone())];
        let entity = check(self, "the source", &sources)?;
        let mut mapping = Mapping::new(Properties::new());
        for (field, key_type) in self.entity.iter().zip(&entity) {
            let source_type = find(source, field).map_or("keyword", |field| field.field_type);
            put(&mut mapping.properties, field, json!({"type": key_type.field_type(source_type)}));
        }
        put(&mut mapping.properties, &self.time, json!({"type": "date"}));
        for output in self.fields() {
            let field_type = if output.is_count { "long" } else { "double" };
            put(&mut mapping.properties, &output.field, json!({"type": field_type}));
        }
        Ok(mapping)
    }
}

/// Puts a field under its path: `host.name` is `name` of the object `host`.
fn put(properties: &mut Map<String, Value>, path: &str, definition: Value) {
    match path.split_once('.') {
        None => {
            properties.insert(path.to_owned(), definition);
        }
        Some((object, rest)) => {
            let object = properties.entry(object).or_insert_with(|| json!({"properties": {}}));
            if let Some(children) = object.get_mut("properties").and_then(Value::as_object_mut) {
                put(children, rest, definition);
            }
        }
    }
}

/// Checks every field that the set names, and returns the types of the fields of the entity.
pub(crate) fn check(set: &FeatureSet, source: &str, mappings: &[IndexMapping]) -> Result<Vec<KeyType>, Error> {
    let field = |path: &str, subject: String, wanted: Use| {
        check_field(source, mappings, path, wanted).map_err(|misfit| {
            let error = Error::new(ErrorKind::Source, format!("{subject} {}", misfit.message));
            match misfit.help {
                Some(help) => error.with_help(help),
                None => error,
            }
        })
    };
    field(&set.time, format!("the time field `{}`", set.time), Use::Time)?;
    let mut entity = Vec::with_capacity(set.entity.len());
    for name in &set.entity {
        let field_type = field(name, format!("the entity field `{name}`"), Use::Entity)?;
        entity.push(KeyType::from_field_type(field_type).unwrap_or(KeyType::Text));
    }
    for (name, feature) in &set.features {
        for (path, wanted) in fields_of(feature) {
            field(path, format!("field `{path}` of feature `{name}`"), wanted)?;
        }
    }
    Ok(entity)
}

/// The fields that a feature reads by name.
fn fields_of(feature: &Feature) -> Vec<(&str, Use)> {
    match feature {
        Feature::Cardinality(cardinality) => vec![(&cardinality.field, Use::AnyValues)],
        Feature::Missing(of) => vec![(&of.field, Use::Presence)],
        Feature::Ratio(ratio) => [&ratio.of, &ratio.to].into_iter().filter_map(field_of_term).collect(),
        _ => {
            let counts = matches!(feature, Feature::ValueCount(_));
            let wanted = if counts { Use::AnyValues } else { Use::Numbers };
            feature.value_sources().into_iter().filter_map(|values| Some((field_name(values)?, wanted))).collect()
        }
    }
}

fn field_of_term(term: &RatioTerm) -> Option<(&str, Use)> {
    match term {
        RatioTerm::Missing(of) => Some((&of.field, Use::Presence)),
        RatioTerm::ValueCount(of) => Some((field_name(&of.values)?, Use::AnyValues)),
        RatioTerm::Sum(of) => Some((field_name(&of.values)?, Use::Numbers)),
        RatioTerm::Count(_) | RatioTerm::Filter(_) => None,
    }
}

fn field_name(values: &ValueSource) -> Option<&str> {
    match values {
        ValueSource::Field(field) => Some(field),
        ValueSource::Script(_) => None,
    }
}

/// The type of a field that fits its use; an entity's has the same type in all indices.
fn check_field<'a>(source: &str, mappings: &'a [IndexMapping], path: &str, wanted: Use) -> Result<&'a str, Misfit> {
    let mut first: Option<(&str, &str)> = None;
    for (index, mapping) in mappings {
        if let Some(parent) = nested_parent(mapping, path) {
            return Err(Misfit {
                message: format!("lies in the nested documents of `{parent}`, which features do not aggregate"),
                help: Some("name a field outside of nested documents".to_owned()),
            });
        }
        let Some(field) = find(mapping, path) else { continue };
        fits(&field, wanted, index)?;
        match first {
            Some((first_index, first_type)) if first_type != field.field_type && wanted == Use::Entity => {
                return Err(Misfit {
                    message: format!("has type {first_type} in {first_index} and {} in {index}", field.field_type),
                    help: Some(format!("map the field with one type in all indices of {source}")),
                });
            }
            Some(_) => {}
            None => first = Some((index, field.field_type)),
        }
    }
    first.map(|(_, field_type)| field_type).ok_or_else(|| {
        let mut known: Vec<String> =
            mappings.iter().flat_map(|(_, mapping)| mapping.fields()).map(|(path, _)| path).collect();
        known.sort();
        known.dedup();
        Misfit {
            message: format!("is not in the mapping of {source}"),
            help: Some(suggestion(path, "fields", known.iter().map(String::as_str))),
        }
    })
}

fn fits(field: &Field<'_>, wanted: Use, index: &str) -> Result<(), Misfit> {
    let field_type = field.field_type;
    // Text fields are found by their postings, others by their doc values.
    let is_usable = field.has_doc_values || (wanted == Use::Presence && field.is_indexed);
    if !is_usable {
        return Err(Misfit {
            message: format!("has type {field_type} in {index} without doc values, and cannot be aggregated"),
            help: Some(match &field.keyword {
                Some(keyword) => format!("use its sub-field `{keyword}`"),
                None => "map it as a type with doc values, such as keyword, and index the documents again".to_owned(),
            }),
        });
    }
    let expected = match wanted {
        Use::Time if !matches!(field_type, "date" | "date_nanos") => "a date",
        Use::Entity if KeyType::from_field_type(field_type).is_none() => "a keyword, number, boolean, date or ip",
        Use::Numbers if NOT_NUMBERS.contains(&field_type) => "a number, boolean or date",
        _ => return Ok(()),
    };
    Err(Misfit { message: format!("has type {field_type} in {index}, expected {expected}"), help: None })
}

fn find<'a>(mapping: &'a Mapping, path: &str) -> Option<Field<'a>> {
    // A runtime field shadows one of the properties.
    let runtime = mapping.parameters.get("runtime").and_then(|fields| fields.get(path)?.get("type")?.as_str());
    if let Some(field_type) = runtime {
        return Some(Field { field_type, has_doc_values: true, is_indexed: true, keyword: None });
    }
    match mapping.field(path) {
        Some(property) if property.field_type() == "alias" => {
            let target = property.parameter("path")?.as_str()?;
            mapping.field(target).map(|property| describe(target, property))
        }
        Some(property) => Some(describe(path, property)),
        None => ancestors(path)
            .any(|parent| mapping.field(parent).is_some_and(|parent| parent.field_type() == "flattened"))
            .then_some(Field { field_type: "flattened", has_doc_values: true, is_indexed: true, keyword: None }),
    }
}

fn describe<'a>(path: &str, property: Property<'a>) -> Field<'a> {
    let field_type = property.field_type();
    let is_on = |parameter: &str| match property.parameter(parameter) {
        // The server may report booleans as strings.
        Some(value) => *value != Value::Bool(false) && value.as_str() != Some("false"),
        None => true,
    };
    let by_type = !matches!(
        field_type,
        "text" | "match_only_text" | "search_as_you_type" | "semantic_text" | "object" | "nested" | "binary"
    );
    let keyword = property.parameter("fields").and_then(Value::as_object).and_then(|fields| {
        let keyword = |field: &&Value| field.get("type").and_then(Value::as_str) == Some("keyword");
        fields.iter().find(|(_, field)| keyword(field)).map(|(name, _)| format!("{path}.{name}"))
    });
    Field { field_type, has_doc_values: by_type && is_on("doc_values"), is_indexed: is_on("index"), keyword }
}

fn nested_parent(mapping: &Mapping, path: &str) -> Option<String> {
    ancestors(path)
        .find(|parent| mapping.field(parent).is_some_and(|parent| parent.field_type() == "nested"))
        .map(str::to_owned)
}

/// `a` and `a.b` of `a.b.c`.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('.').map(|(dot, _)| &path[..dot])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Metric;
    use crate::reference::{departures, route_delays};

    fn mapping(value: Value) -> Mapping {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn the_mapping_of_rows_has_the_entity_as_in_the_source_and_a_number_for_each_feature() {
        let mapping = route_delays().mapping(&departures()).unwrap();
        let types: Vec<(String, &str)> =
            mapping.fields().into_iter().map(|(path, field)| (path, field.field_type())).collect();
        let expected = [
            ("origin", "keyword"),
            ("carrier", "keyword"),
            ("time_hour", "date"),
            ("flights_7d", "long"),
            ("flights_28d", "long"),
            ("delay_mean_7d", "double"),
            ("delay_mean_28d", "double"),
            ("delay_p50_7d", "double"),
            ("delay_p90_7d", "double"),
            ("delay_p50_28d", "double"),
            ("delay_p90_28d", "double"),
            ("destinations_7d", "long"),
            ("destinations_28d", "long"),
            ("cancelled_7d", "double"),
            ("cancelled_28d", "double"),
            ("speed_7d", "double"),
            ("speed_28d", "double"),
            ("delay_change_7d", "double"),
            ("delay_change_28d", "double"),
        ];
        assert_eq!(types, expected.map(|(path, field_type)| (path.to_owned(), field_type)));
    }

    #[test]
    fn entity_fields_keep_their_types_and_paths() {
        let mut source = departures();
        for (name, definition) in [
            (
                "host",
                json!({"properties": {"name": {"type": "keyword", "normalizer": "lower"}, "port": {"type": "short"}}}),
            ),
            ("city", json!({"type": "text", "fields": {"raw": {"type": "keyword", "ignore_above": 256}}})),
            ("seen", json!({"type": "date_nanos"})),
            ("price", json!({"type": "scaled_float", "scaling_factor": 100})),
            ("address", json!({"type": "ip"})),
            ("where", json!({"type": "alias", "path": "origin"})),
            ("labels", json!({"type": "flattened"})),
        ] {
            source.properties.insert(name.to_owned(), definition);
        }
        source.parameters.insert("runtime".to_owned(), json!({"weekday": {"type": "long"}}));
        let mut set = route_delays();
        let entity =
            ["host.name", "host.port", "city.raw", "seen", "price", "address", "where", "labels.team", "weekday"];
        set.entity = entity.map(str::to_owned).to_vec();
        let rows = set.mapping(&source).unwrap();
        let types = entity.map(|path| rows.field(path).unwrap().field_type());
        assert_eq!(types, ["keyword", "short", "keyword", "date", "double", "ip", "keyword", "keyword", "long"]);
        assert_eq!(rows.field("host.name").unwrap().parameter("normalizer"), None);
    }

    /// The error, with its help, of the reference set with one thing changed, over one more field.
    fn problem(definition: Value, change: impl FnOnce(&mut FeatureSet)) -> String {
        let mut source = departures();
        source.properties.insert("x".to_owned(), definition);
        let mut set = route_delays();
        change(&mut set);
        let error = check(&set, "flights", &[("flights-1".to_owned(), source)]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Source);
        format!("{error:#}")
    }

    fn entity(name: &str) -> impl FnOnce(&mut FeatureSet) {
        move |set| set.entity.push(name.to_owned())
    }

    fn feature(feature: Feature) -> impl FnOnce(&mut FeatureSet) {
        move |set| drop(set.features.insert("f".to_owned(), feature))
    }

    #[test]
    fn a_field_that_does_not_fit_is_named_with_the_remedy() {
        let text = json!({"type": "text", "fields": {"raw": {"type": "keyword"}}});
        let remap = "help: map it as a type with doc values, such as keyword, and index the documents again";
        for (message, expected) in [
            (
                problem(json!({"type": "long"}), entity("orgin")),
                "the entity field `orgin` is not in the mapping of flights\nhelp: did you mean `origin`?".to_owned(),
            ),
            (
                problem(text.clone(), entity("x")),
                "the entity field `x` has type text in flights-1 without doc values, and cannot be aggregated\n\
                 help: use its sub-field `x.raw`"
                    .to_owned(),
            ),
            (
                problem(json!({"type": "text"}), entity("x")),
                format!(
                    "the entity field `x` has type text in flights-1 without doc values, and cannot be aggregated\n{remap}"
                ),
            ),
            (
                problem(json!({"type": "keyword", "doc_values": false}), entity("x")),
                format!(
                    "the entity field `x` has type keyword in flights-1 without doc values, and cannot be aggregated\n{remap}"
                ),
            ),
            (
                problem(json!({"type": "geo_point"}), entity("x")),
                "the entity field `x` has type geo_point in flights-1, expected a keyword, number, boolean, date or ip"
                    .to_owned(),
            ),
            (
                problem(json!({"type": "nested", "properties": {"y": {"type": "keyword"}}}), entity("x.y")),
                "the entity field `x.y` lies in the nested documents of `x`, which features do not aggregate\n\
                 help: name a field outside of nested documents"
                    .to_owned(),
            ),
            (
                problem(json!({"type": "long"}), |set| set.time = "x".to_owned()),
                "the time field `x` has type long in flights-1, expected a date".to_owned(),
            ),
            (
                problem(json!({"type": "long"}), feature(Feature::avg("dep_dealy"))),
                "field `dep_dealy` of feature `f` is not in the mapping of flights\nhelp: did you mean `dep_delay`?"
                    .to_owned(),
            ),
            (
                problem(json!({"type": "long"}), feature(Feature::percentiles("dest", [50.0]))),
                "field `dest` of feature `f` has type keyword in flights-1, expected a number, boolean or date"
                    .to_owned(),
            ),
            (
                problem(json!({"type": "long"}), feature(Feature::ratio(RatioTerm::count(), RatioTerm::sum("dest")))),
                "field `dest` of feature `f` has type keyword in flights-1, expected a number, boolean or date"
                    .to_owned(),
            ),
            (
                problem(text, feature(Feature::cardinality("x"))),
                "field `x` of feature `f` has type text in flights-1 without doc values, and cannot be aggregated\n\
                 help: use its sub-field `x.raw`"
                    .to_owned(),
            ),
            (
                problem(
                    json!({"type": "keyword", "index": "false", "doc_values": "false"}),
                    feature(Feature::missing("x")),
                ),
                format!(
                    "field `x` of feature `f` has type keyword in flights-1 without doc values, and cannot be aggregated\n{remap}"
                ),
            ),
        ] {
            assert_eq!(message, expected);
        }
    }

    #[test]
    fn what_elasticsearch_can_aggregate_passes() {
        let set = route_delays()
            .with_feature("a", Feature::missing("dest.text"))
            .with_feature("b", Feature::value_count("dest"))
            .with_feature("c", Feature::max("time_hour"))
            .with_feature("d", Feature::sum(Metric::script("1")));
        let entity = check(&set, "flights", &[("flights-1".to_owned(), departures())]).unwrap();
        assert_eq!(entity, [KeyType::Text, KeyType::Text]);
    }

    #[test]
    fn the_indices_of_an_alias_must_agree_on_the_entity_but_may_lack_a_field() {
        let without = mapping(json!({"properties": {"other": {"type": "keyword"}}}));
        let number = mapping(json!({"properties": {"carrier": {"type": "long"}}}));
        let indices =
            |second: &Mapping| [("flights-1".to_owned(), departures()), ("flights-2".to_owned(), second.clone())];
        assert!(check(&route_delays(), "flights", &indices(&without)).is_ok());
        let error = check(&route_delays(), "flights", &indices(&number)).unwrap_err();
        assert_eq!(error.to_string(), "the entity field `carrier` has type keyword in flights-1 and long in flights-2");
    }
}
