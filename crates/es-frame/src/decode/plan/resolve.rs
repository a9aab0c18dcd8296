//! The field that the name of a column stands for in a mapping.

use es_core::{Mapping, Properties, Property};
use serde_json::Value;

use super::Place;
use super::field_type::{FieldType, by_parameters, field_type, is_vector};
use crate::decode::hit::Metadata;
use crate::decode::options::{DecodeOptions, Malformed, Policy, StoredSource, Values};
use crate::decode::shape::{Member, Shape};
use crate::error::{Error, ErrorKind};
use crate::source_filter::{LeftOut, SourceFilter};
use es_values::{nearest, suggestion};

/// Why several values are not read from doc values.
pub(super) const ORDER: &str = "may have several values, whose order doc values do not keep";

/// A column, and where its values could come from.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) name: String,
    pub(super) field_type: String,
    pub(super) policy: Policy,
    /// The only place that there is.
    pub(super) fixed: Option<(Place, Shape)>,
    /// The type in `_source` and the paths there, or why it is not in it.
    pub(super) source: Result<(Shape, Vec<String>), String>,
    /// The type of doc values, or why there are none.
    pub(super) doc: Result<Shape, &'static str>,
    pub(super) doc_format: Option<&'static str>,
    /// Why doc values are not all that was written, if so.
    pub(super) lossy: Option<&'static str>,
    pub(super) is_stored: bool,
    /// The field whose ignored values, which doc values lack, are values of the column.
    pub(super) watched: Option<String>,
    /// True if the mapping keeps the field out of `_source`.
    pub(super) is_left_out: bool,
}

/// The policy of a column, or of a member by its path.
fn policy(options: &DecodeOptions, path: &str) -> Policy {
    options.policies.get(path).copied().unwrap_or_default().or(options.policy).into()
}

/// All fields that hold values.
pub(super) fn all(mapping: &Mapping, options: &DecodeOptions) -> Result<Vec<Candidate>, Error> {
    let mut names = Vec::new();
    leaves("", &mapping.properties, &mut names);
    for (name, definition) in runtime_fields(mapping, options) {
        let parts = definition.get("fields").and_then(Value::as_object);
        match parts {
            Some(parts) => names.extend(parts.keys().map(|part| format!("{name}.{part}"))),
            None if !names.contains(&name) => names.push(name),
            None => {}
        }
    }
    names.iter().map(|name| named(mapping, name, options)).collect()
}

/// The paths of all fields that hold values: no aliases, and of objects only those whose
/// members are not mapped.
pub(super) fn leaves(prefix: &str, properties: &Properties, into: &mut Vec<String>) {
    for (name, definition) in properties {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        let is_off = definition.get("enabled").is_some_and(|value| value == false || value == "false");
        match definition.get("type").and_then(Value::as_str) {
            Some("alias") => {}
            None | Some("object" | "passthrough") if !is_off => {
                if let Some(children) = definition.get("properties").and_then(Value::as_object) {
                    leaves(&path, children, into);
                }
            }
            _ => into.push(path),
        }
    }
}

fn runtime_fields<'a>(mapping: &'a Mapping, options: &'a DecodeOptions) -> impl Iterator<Item = (String, &'a Value)> {
    let of_mapping = mapping.parameters.get("runtime").and_then(Value::as_object);
    let of_mapping = of_mapping.into_iter().flatten().filter(|(name, _)| !options.runtime.contains_key(*name));
    of_mapping.chain(&options.runtime).map(|(name, definition)| (name.clone(), definition))
}

/// The column that a name stands for.
pub(super) fn named(mapping: &Mapping, name: &str, options: &DecodeOptions) -> Result<Candidate, Error> {
    if let Some(kind) = Metadata::ALL.into_iter().find(|kind| kind.name() == name) {
        return Ok(metadata(kind, options));
    }
    if let Some(definition) = runtime_type(mapping, name, options) {
        return runtime(name, &definition, options);
    }
    if let Some(property) = mapping.field(name) {
        if property.field_type() == "alias" {
            return alias(mapping, name, property, options);
        }
        return field(mapping, name, name, property, options);
    }
    flattened_key(mapping, name, options).ok_or_else(|| unknown(mapping, name, options))
}

fn metadata(kind: Metadata, options: &DecodeOptions) -> Candidate {
    let shape = match kind {
        Metadata::Score => Shape::Float32,
        Metadata::SeqNo | Metadata::Version => Shape::Int64,
        _ => Shape::Text,
    };
    fixed(kind.name(), kind.name(), Place::Metadata(kind), shape, options)
}

fn fixed(name: &str, field_type: &str, place: Place, shape: Shape, options: &DecodeOptions) -> Candidate {
    Candidate {
        name: name.to_owned(),
        field_type: field_type.to_owned(),
        policy: policy(options, name),
        fixed: Some((place, shape)),
        source: Err(String::new()),
        doc: Err(""),
        doc_format: None,
        lossy: None,
        is_stored: false,
        watched: None,
        is_left_out: false,
    }
}

/// The type of a runtime field; one of a `composite` has the name of both.
fn runtime_type(mapping: &Mapping, name: &str, options: &DecodeOptions) -> Option<String> {
    let type_of = |definition: &Value| Some(definition.get("type")?.as_str()?.to_owned());
    runtime_fields(mapping, options).find_map(|(field, definition)| {
        if field == name {
            return type_of(definition);
        }
        let part = name.strip_prefix(&field)?.strip_prefix('.')?;
        type_of(definition.get("fields")?.get(part)?)
    })
}

fn runtime(name: &str, type_name: &str, options: &DecodeOptions) -> Result<Candidate, Error> {
    if type_name == "composite" {
        return Err(Error::new(
            ErrorKind::UnsupportedType,
            format!("field {name} is of type composite, which has no value"),
        )
        .with_help("name the fields that it emits"));
    }
    let FieldType { doc, doc_format, source, .. } = field_type(type_name, None);
    let shape = doc.or(source).unwrap_or(Shape::TextOrJson);
    Ok(fixed(name, type_name, Place::Fields(doc_format), shape, options))
}

fn alias(mapping: &Mapping, name: &str, property: Property<'_>, options: &DecodeOptions) -> Result<Candidate, Error> {
    let path = property.parameter("path").and_then(Value::as_str).unwrap_or_default();
    match mapping.field(path) {
        Some(target) if target.field_type() != "alias" => field(mapping, name, path, target, options),
        _ => Err(Error::new(
            ErrorKind::UnknownColumn,
            format!("field {name} is an alias of {path:?}, which is no field"),
        )),
    }
}

/// A field of the mapping at a path, as a column of a name.
fn field(
    mapping: &Mapping,
    name: &str,
    path: &str,
    property: Property<'_>,
    options: &DecodeOptions,
) -> Result<Candidate, Error> {
    let type_name = property.field_type();
    let policy = policy(options, name);
    let is_object = matches!(type_name, "object" | "nested" | "passthrough");
    if is_object {
        let is_off = property.parameter("enabled").is_some_and(|value| *value == false || *value == "false");
        let shape = match property.parameter("properties").and_then(Value::as_object) {
            Some(properties) if !is_off && !properties.is_empty() => members(path, properties, options)?,
            _ => Shape::Json,
        };
        let source = match left_out_of(mapping, path, &shape) {
            Some(inner) => Err(format!("`_source` leaves {inner} out")),
            None => Ok((shape, vec![path.to_owned()])),
        };
        return Ok(Candidate {
            name: name.to_owned(),
            field_type: type_name.to_owned(),
            policy,
            fixed: None,
            source,
            doc: Err("is an object, which has no doc values"),
            doc_format: None,
            lossy: None,
            is_stored: false,
            watched: None,
            is_left_out: false,
        });
    }
    let paths = source_paths(mapping, path);
    let found = field_type(type_name, Some(property));
    let is_left_out = paths.first().is_some_and(|own| is_left_out(mapping, own, found.source.as_ref().ok()));
    // What is stored of such a field is the same as where nothing is.
    let stored_source = if is_left_out { StoredSource::Disabled } else { options.stored_source };
    let found = found.stored(type_name, property, policy, stored_source);
    let (switched_off, lossy) = by_parameters(type_name, property);
    // Malformed values that are to be nulls are just that in doc values.
    let lossy = lossy.filter(|why| policy.malformed == Malformed::Error || !why.contains("`ignore_malformed`"));
    let mut doc = match switched_off {
        Some(why) => found.doc.and(Err(why)),
        None => found.doc,
    };
    if is_in_nested(mapping, path) {
        doc = Err("is inside a nested field, whose documents have doc values of their own");
    }
    if is_vector(type_name) && options.version.is_none() && !is_left_out {
        // Whether `_source` has it, and whether it can be asked for there, depends on the version.
        let shape = match found.source.clone() {
            Ok(Shape::Json) | Err(_) => Shape::TextOrJson,
            Ok(shape) => shape,
        };
        return Ok(fixed(name, type_name, Place::Fields(None), shape, options));
    }
    let order = (policy.values != Values::One && doc.is_ok()).then_some(ORDER);
    let is_on =
        |parameter| property.parameter(parameter).is_some_and(|value: &Value| *value == true || *value == "true");
    Ok(Candidate {
        name: name.to_owned(),
        field_type: type_name.to_owned(),
        policy,
        fixed: None,
        source: found.source.map(|shape| (shape, paths)),
        doc,
        doc_format: found.doc_format,
        lossy: found.lossy.or(lossy).or(order),
        is_stored: is_on("store"),
        watched: Some(path.to_owned()),
        is_left_out,
    })
}

/// The members of an object as a struct.
fn members(path: &str, properties: &Properties, options: &DecodeOptions) -> Result<Shape, Error> {
    let mut found = Vec::new();
    for (name, definition) in properties {
        let inner = format!("{path}.{name}");
        // The member as a mapping of its own, for its definition's sake.
        let alone = Mapping::new(Properties::from_iter([(name.clone(), definition.clone())]));
        let Some(property) = alone.field(name) else { continue };
        let type_name = property.field_type();
        let children = definition.get("properties").and_then(Value::as_object);
        let shape = match (type_name, children) {
            ("alias", _) => continue,
            ("object" | "nested" | "passthrough", Some(children)) if !children.is_empty() => {
                members(&inner, children, options)?
            }
            ("object" | "nested" | "passthrough", _) => Shape::Json,
            _ => match field_type(type_name, Some(property))
                .stored(type_name, property, policy(options, &inner), options.stored_source)
                .source
            {
                Ok(shape) => shape,
                // What the index counts or hashes is no part of the object.
                Err(_) if matches!(type_name, "token_count" | "murmur3") => continue,
                Err(_) if property.parameter("script").is_some() => continue,
                Err(why) => {
                    return Err(Error::new(
                        ErrorKind::UnsupportedType,
                        format!("field {inner} cannot be read in an object: {why}"),
                    )
                    .with_help("name the other members of the object one by one"));
                }
            },
        };
        found.push(Member {
            name: name.clone(),
            policy: policy(options, &inner),
            path: inner,
            field_type: type_name.to_owned(),
            shape,
        });
    }
    Ok(Shape::Struct(found.into()))
}

/// A key of a flattened field: `labels.release`.
fn flattened_key(mapping: &Mapping, name: &str, options: &DecodeOptions) -> Option<Candidate> {
    let parents = name.match_indices('.').map(|(dot, _)| &name[..dot]);
    let is_flattened = |path: &str| mapping.field(path).is_some_and(|field| field.field_type() == "flattened");
    let parent = parents.into_iter().find(|path| is_flattened(path))?;
    let (switched_off, lossy) =
        mapping.field(parent).map(|field| by_parameters("flattened", field)).unwrap_or_default();
    let policy = policy(options, name);
    Some(Candidate {
        name: name.to_owned(),
        field_type: "flattened".to_owned(),
        policy,
        fixed: None,
        source: Ok((Shape::Text, vec![name.to_owned()])),
        doc: switched_off.map_or(Ok(Shape::Text), Err),
        doc_format: None,
        lossy: lossy.or((policy.values != Values::One).then_some(ORDER)),
        is_stored: false,
        watched: Some(parent.to_owned()),
        is_left_out: SourceFilter::of(mapping).of_path(name) != LeftOut::Nothing,
    })
}

/// True if `_source` does not have a field as it was sent, by the patterns of the mapping.
fn is_left_out(mapping: &Mapping, path: &str, shape: Option<&Shape>) -> bool {
    let filter = SourceFilter::of(mapping);
    let inside = |names: &[&str]| names.iter().any(|name| filter.of_path(&format!("{path}.{name}")) == LeftOut::All);
    match (filter.of_path(path), shape) {
        (LeftOut::Nothing, _) => false,
        (LeftOut::All, _) => true,
        (LeftOut::Parts, Some(Shape::Json | Shape::TextOrJson | Shape::Struct(_))) => true,
        (LeftOut::Parts, Some(Shape::Point)) => inside(&["lat", "lon", "type", "coordinates"]),
        (LeftOut::Parts, Some(Shape::Range(_))) => inside(&["gte", "gt", "lte", "lt"]),
        (LeftOut::Parts, Some(Shape::Join)) => inside(&["name", "parent"]),
        // What has no members loses none.
        (LeftOut::Parts, _) => false,
    }
}

/// The first field of an object that `_source` does not have, the object itself included.
fn left_out_of(mapping: &Mapping, path: &str, shape: &Shape) -> Option<String> {
    let filter = SourceFilter::of(mapping);
    if filter.is_empty() {
        return None;
    }
    let is_opaque = matches!(shape, Shape::Json);
    match filter.of_path(path) {
        LeftOut::All => return Some(path.to_owned()),
        LeftOut::Parts if is_opaque => return Some(format!("a part of {path}")),
        _ => {}
    }
    let mut inner = mapping.fields().into_iter().map(|(inner, _)| inner);
    inner.find(|inner| {
        let is_inside = inner.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
        is_inside && filter.of_path(inner) == LeftOut::All
    })
}

/// True if some object on the way to a field is `nested`.
fn is_in_nested(mapping: &Mapping, path: &str) -> bool {
    let mut parents = path.match_indices('.').map(|(at, _)| &path[..at]);
    parents.any(|parent| mapping.field(parent).is_some_and(|parent| parent.field_type() == "nested"))
}

/// The paths at which documents hold the values of a field: at its own path, at that of the field whose
/// sub-field it is, and at those of fields that are copied to it.
fn source_paths(mapping: &Mapping, path: &str) -> Vec<String> {
    let fields = mapping.fields();
    let own = if fields.iter().any(|(name, _)| name == path) {
        path
    } else {
        path.rsplit_once('.').map_or(path, |(parent, _)| parent)
    };
    let copies_here = |target: &Value| match target {
        Value::Array(targets) => targets.iter().any(|target| target.as_str() == Some(path)),
        target => target.as_str() == Some(path),
    };
    let copied = fields.iter().filter(|(_, property)| property.parameter("copy_to").is_some_and(copies_here));
    std::iter::once(own.to_owned()).chain(copied.map(|(name, _)| name.clone())).collect()
}

fn unknown(mapping: &Mapping, name: &str, options: &DecodeOptions) -> Error {
    let fields = mapping.fields().into_iter().map(|(path, _)| path);
    let known: Vec<String> = fields.chain(runtime_fields(mapping, options).map(|(name, _)| name)).collect();
    let metadata = Metadata::ALL.map(Metadata::name);
    // The metadata of documents are no fields, and so are not listed among them.
    let help = match nearest(name, metadata) {
        Some(near) if name.starts_with('_') => format!("did you mean `{near}`?"),
        _ => suggestion(name, "fields", known.iter().map(String::as_str)),
    };
    Error::new(ErrorKind::UnknownColumn, format!("the index has no field {name}")).with_help(help)
}
