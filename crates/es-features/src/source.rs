//! Whether the source has the fields that a feature set needs, and what type they are.
//! Pure: the mappings are given.

use es_core::{Mapping, Properties, Property};
use serde_json::{Map, Value, json};

use crate::definition::{Feature, FeatureSet, RatioTerm, Values};
use crate::error::{Error, FieldProblem};
use crate::key::KeyType;
use es_values::nearest;

/// An index behind the source, and its mapping.
pub(crate) type IndexMapping = (String, Mapping);

/// What a field is needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Time,
    Entity,
    /// Its values are numbers.
    Numbers,
    /// Its values are told apart or counted.
    AnyValues,
    /// Only whether it has a value matters.
    Presence,
}

/// A field as far as it matters here.
#[derive(Debug, PartialEq)]
struct Field<'a> {
    field_type: &'a str,
    has_doc_values: bool,
    is_indexed: bool,
    keyword: Option<String>,
}

/// Types that have no numbers, though they can be aggregated.
const NOT_NUMBERS: &[&str] =
    &["keyword", "constant_keyword", "wildcard", "flattened", "ip", "version", "geo_point", "geo_shape"];

impl FeatureSet {
    /// The mapping of an index of rows: the entity's fields with the types that they have
    /// in the source (whole values only: no sub-fields, normalizers or formats), the time
    /// as a date, counts as `long` and other features as `double`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Definition`] and [`crate::ErrorKind::Source`].
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
        for output in self.outputs() {
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

/// Checks every field that the set names, and returns the types of the entity's.
pub(crate) fn check(set: &FeatureSet, source: &str, mappings: &[IndexMapping]) -> Result<Vec<KeyType>, Error> {
    let field = |field: &str, role: String, wanted: Use| {
        check_field(mappings, field, wanted).map_err(|problem| Error::Field {
            index: source.to_owned(),
            field: field.to_owned(),
            role,
            problem: Box::new(problem),
        })
    };
    field(&set.time, "the time".to_owned(), Use::Time)?;
    let mut entity = Vec::with_capacity(set.entity.len());
    for name in &set.entity {
        let field_type = field(name, "of the entity".to_owned(), Use::Entity)?;
        entity.push(KeyType::of(field_type).unwrap_or(KeyType::Text));
    }
    for (name, feature) in &set.features {
        for (path, wanted) in fields_of(feature) {
            field(path, format!("of feature `{name}`"), wanted)?;
        }
    }
    Ok(entity)
}

/// The fields that a feature reads by name.
fn fields_of(feature: &Feature) -> Vec<(&str, Use)> {
    let mut fields: Vec<(&str, Use)> = Vec::new();
    match feature {
        Feature::Cardinality(cardinality) => fields.push((&cardinality.field, Use::AnyValues)),
        Feature::Missing { field } => fields.push((field, Use::Presence)),
        Feature::Ratio { of, to } => {
            for term in [of, to] {
                match term {
                    RatioTerm::Missing { field } => fields.push((field, Use::Presence)),
                    RatioTerm::ValueCount(Values::Field(field)) => fields.push((field, Use::AnyValues)),
                    RatioTerm::Sum(Values::Field(field)) => fields.push((field, Use::Numbers)),
                    _ => {}
                }
            }
        }
        _ => {
            let counts = matches!(feature, Feature::ValueCount(_));
            let wanted = if counts { Use::AnyValues } else { Use::Numbers };
            for values in feature.values() {
                if let Values::Field(field) = values {
                    fields.push((field, wanted));
                }
            }
        }
    }
    fields
}

/// The type of a field, where it can be used and is the same in all indices that have it.
fn check_field<'a>(mappings: &'a [IndexMapping], path: &str, wanted: Use) -> Result<&'a str, FieldProblem> {
    let mut first: Option<(&str, &str)> = None;
    for (index, mapping) in mappings {
        if let Some(parent) = nested_parent(mapping, path) {
            return Err(FieldProblem::Nested { parent });
        }
        let Some(field) = find(mapping, path) else { continue };
        fits(&field, wanted)?;
        match first {
            Some((first_index, first_type)) if first_type != field.field_type && wanted == Use::Entity => {
                return Err(FieldProblem::Conflict {
                    first_index: first_index.to_owned(),
                    first_type: first_type.to_owned(),
                    second_index: index.clone(),
                    second_type: field.field_type.to_owned(),
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
        FieldProblem::Missing { nearest: nearest(path, known.iter().map(String::as_str)).map(str::to_owned) }
    })
}

fn fits(field: &Field<'_>, wanted: Use) -> Result<(), FieldProblem> {
    let field_type = field.field_type.to_owned();
    let not_aggregatable =
        || FieldProblem::NotAggregatable { field_type: field_type.clone(), keyword: field.keyword.clone() };
    if wanted == Use::Presence {
        // Text fields are found by their postings, others by their doc values.
        return if field.has_doc_values || field.is_indexed { Ok(()) } else { Err(not_aggregatable()) };
    }
    if !field.has_doc_values {
        return Err(not_aggregatable());
    }
    let wrong = |wanted| Err(FieldProblem::WrongType { field_type: field_type.clone(), wanted });
    match wanted {
        Use::Time if !matches!(field.field_type, "date" | "date_nanos") => wrong("a date"),
        Use::Entity if KeyType::of(field.field_type).is_none() => wrong("a keyword, number, boolean, date or ip"),
        Use::Numbers if NOT_NUMBERS.contains(&field.field_type) => wrong("a number, boolean or date"),
        _ => Ok(()),
    }
}

fn find<'a>(mapping: &'a Mapping, path: &str) -> Option<Field<'a>> {
    // A runtime field takes the place of one in the properties.
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
    use crate::definition::{Cardinality, Percentiles, Script};
    use crate::reference::{departures, field, route_delays};

    fn mapping(value: Value) -> Mapping {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn the_rows_mapping_has_the_entity_as_in_the_source_and_a_number_a_feature() {
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

    /// The error of the reference set with one thing changed, over one more field.
    fn problem(definition: Value, change: impl FnOnce(&mut FeatureSet)) -> String {
        let mut source = departures();
        source.properties.insert("x".to_owned(), definition);
        let mut set = route_delays();
        change(&mut set);
        let error = check(&set, "flights", &[("flights-1".to_owned(), source)]).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Source);
        error.to_string()
    }

    fn entity(name: &str) -> impl FnOnce(&mut FeatureSet) {
        move |set| set.entity.push(name.to_owned())
    }

    fn feature(feature: Feature) -> impl FnOnce(&mut FeatureSet) {
        move |set| set.features.push(("f".to_owned(), feature))
    }

    #[test]
    fn a_field_that_does_not_fit_is_named_with_the_way_out() {
        let text = json!({"type": "text", "fields": {"raw": {"type": "keyword"}}});
        let percentiles = Percentiles { of: field("dest"), percents: vec![50.0], compression: None };
        let sum = RatioTerm::Sum(field("dest"));
        for (message, expected) in [
            (
                problem(json!({"type": "long"}), entity("orgin")),
                "field `orgin` of flights, of the entity, is not in the mapping; did you mean `origin`?",
            ),
            (
                problem(text.clone(), entity("x")),
                "field `x` of flights, of the entity, of type text, cannot be aggregated; use its sub-field `x.raw`",
            ),
            (
                problem(json!({"type": "text"}), entity("x")),
                "field `x` of flights, of the entity, of type text, cannot be aggregated",
            ),
            (
                problem(json!({"type": "keyword", "doc_values": false}), entity("x")),
                "field `x` of flights, of the entity, of type keyword, cannot be aggregated",
            ),
            (
                problem(json!({"type": "geo_point"}), entity("x")),
                "field `x` of flights, of the entity, is of type geo_point, not a keyword, number, boolean, date or ip",
            ),
            (
                problem(json!({"type": "nested", "properties": {"y": {"type": "keyword"}}}), entity("x.y")),
                "field `x.y` of flights, of the entity, lies in the nested documents of `x`, which features do not see",
            ),
            (
                problem(json!({"type": "long"}), |set| set.time = "x".to_owned()),
                "field `x` of flights, the time, is of type long, not a date",
            ),
            (
                problem(json!({"type": "long"}), feature(Feature::Avg(field("dep_dealy")))),
                "field `dep_dealy` of flights, of feature `f`, is not in the mapping; did you mean `dep_delay`?",
            ),
            (
                problem(json!({"type": "long"}), feature(Feature::Percentiles(percentiles))),
                "field `dest` of flights, of feature `f`, is of type keyword, not a number, boolean or date",
            ),
            (
                problem(json!({"type": "long"}), feature(Feature::Ratio { of: RatioTerm::Count, to: sum })),
                "field `dest` of flights, of feature `f`, is of type keyword, not a number, boolean or date",
            ),
            (
                problem(
                    text,
                    feature(Feature::Cardinality(Cardinality { field: "x".to_owned(), precision_threshold: None })),
                ),
                "field `x` of flights, of feature `f`, of type text, cannot be aggregated; use its sub-field `x.raw`",
            ),
            (
                problem(
                    json!({"type": "keyword", "index": "false", "doc_values": "false"}),
                    feature(Feature::Missing { field: "x".to_owned() }),
                ),
                "field `x` of flights, of feature `f`, of type keyword, cannot be aggregated",
            ),
        ] {
            assert_eq!(message, expected);
        }
    }

    #[test]
    fn what_elasticsearch_can_aggregate_passes() {
        let mut set = route_delays();
        for (name, feature) in [
            ("a", Feature::Missing { field: "dest.text".to_owned() }),
            ("b", Feature::ValueCount(field("dest"))),
            ("c", Feature::Max(field("time_hour"))),
            ("d", Feature::Sum(Values::Script(Script::new("1")))),
        ] {
            set.features.push((name.to_owned(), feature));
        }
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
        assert_eq!(
            error.to_string(),
            "field `carrier` of flights, of the entity, is of type keyword in flights-1 but long in flights-2"
        );
    }
}
