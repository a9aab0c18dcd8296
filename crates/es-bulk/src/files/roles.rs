//! The roles of fields in JSON documents: the id, the routing and the version of a document, and the
//! document itself.

use std::borrow::Cow;
use std::ops::Range;

use es_frame::{IdText, Operation};

use super::format::FileFormat;
use super::names::{METADATA, check_names};
use super::raw_lines::RawOptions;

/// The name of the document in lines that have it beside its metadata.
pub(crate) const SOURCE: &str = "_source";

/// The name of the operation there.
const OPERATION: &str = "_op";

/// The fields that are searched for in each line.
pub(crate) struct Roles {
    /// Those of the id, the routing, the version and the operation, the document, and the others.
    names: Vec<String>,
    id: usize,
    routing: usize,
    version: usize,
    operation: usize,
    source: usize,
    /// The id is the value of `_id`, as it is.
    is_plain_id: bool,
    /// A document without an id is one.
    needs_id: bool,
    /// A document without a version is one.
    needs_version: bool,
    /// Members at the top of a document that are not fields.
    taken: Vec<String>,
}

/// The values of a line.
#[derive(Debug, Default)]
pub(crate) struct Values {
    pub(crate) id: Option<String>,
    pub(crate) routing: Option<String>,
    pub(crate) version: Option<u64>,
    pub(crate) operation: Option<Operation>,
}

/// The text of a document, and the ranges of its members that are not fields.
type Taken<'a> = (&'a str, Vec<Range<usize>>);

impl Roles {
    pub(crate) fn new(options: &RawOptions, format: FileFormat) -> Self {
        let has_metadata = format.has_metadata();
        let is_metadata = |name: &str| METADATA.contains(&name);
        let place = |name: &String| match has_metadata && !is_metadata(name) {
            true => format!("{SOURCE}.{name}"),
            false => name.clone(),
        };
        let own = |name: &str, is_there: bool| is_there.then(|| name.to_owned());
        let mut id = options.id.clone();
        if id.is_empty() {
            id.extend(own("_id", has_metadata));
        }
        let routing = options.routing.clone().or(own("_routing", has_metadata));
        let version = options.version.clone().or(own("_version", format == FileFormat::Bulk));
        let operation = own(OPERATION, format == FileFormat::Bulk);
        let source = own(SOURCE, has_metadata);
        let taken = match has_metadata {
            true => Vec::new(),
            false => id.iter().chain(&routing).chain(&version).filter(|name| is_metadata(name)).cloned().collect(),
        };
        let counts = [id.len(), routing.iter().count(), version.iter().count(), operation.iter().count()];
        let is_plain_id = id == ["_id"];
        let names = id.iter().chain(&routing).chain(&version).map(place);
        let names = names.chain(operation).chain(source.clone()).chain(options.fields.iter().map(place)).collect();
        Self {
            names,
            id: counts[0],
            routing: counts[1],
            version: counts[2],
            operation: counts[3],
            source: source.iter().count(),
            is_plain_id,
            needs_id: !options.id.is_empty(),
            needs_version: options.version.is_some(),
            taken,
        }
    }

    /// The names of all fields that are searched for.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// The number of further fields.
    pub(crate) fn fields(&self) -> usize {
        self.names.len() - self.others_start()
    }

    /// The values of the further fields.
    pub(crate) fn others<'f, 'a>(&self, found: &'f [Option<&'a str>]) -> &'f [Option<&'a str>] {
        &found[self.others_start()..]
    }

    fn others_start(&self) -> usize {
        self.source_start() + self.source
    }

    fn source_start(&self) -> usize {
        self.id + self.routing + self.version + self.operation
    }

    /// The metadata of a document.
    ///
    /// # Errors
    /// The reason for which it has none.
    pub(crate) fn values(&self, found: &[Option<&str>], id: &mut IdText) -> Result<Values, String> {
        let at = |count: usize, place: usize| match count {
            0 => None,
            _ => found[place].map(|value| (self.names[place].as_str(), value)),
        };
        let id = self.id_of(&found[..self.id], id)?;
        let routing = at(self.routing, self.id).map(|(name, value)| text_of(name, value)).transpose()?.flatten();
        let place = self.id + self.routing;
        let version = at(self.version, place).map(|(name, value)| version_of(name, value)).transpose()?.flatten();
        if version.is_none() && self.needs_version {
            return Err(format!("field {} is the version of the document and has no value", self.names[place]));
        }
        let operation = at(self.operation, place + self.version).and_then(|(_, value)| operation_of(value));
        // The server refuses a whole request for these.
        match (&id, version, operation) {
            (None, _, Some(Operation::Delete)) => return Err("a delete action needs the _id of a document".to_owned()),
            (None, Some(_), _) => return Err("a document without an _id takes no version".to_owned()),
            (_, Some(_), Some(Operation::Create)) => return Err("a create action takes no version".to_owned()),
            _ => {}
        }
        Ok(Values { id, routing: routing.map(Cow::into_owned), version, operation })
    }

    fn id_of(&self, values: &[Option<&str>], id: &mut IdText) -> Result<Option<String>, String> {
        if self.is_plain_id {
            let text = values[0].map(|value| text_of("_id", value)).transpose()?.flatten();
            return match text {
                Some(text) if text.is_empty() => Err("field _id is empty, which is no id of a document".to_owned()),
                Some(text) => Ok(Some(text.into_owned())),
                None if self.needs_id => Err(without_id("_id")),
                None => Ok(None),
            };
        }
        if values.is_empty() {
            return Ok(None);
        }
        let joined = join(&self.names, values, id);
        // The beginning of a failed id is not to be part of the next one.
        let text = id.finish();
        joined?;
        Ok(Some(text))
    }

    /// The document of a line, and the ranges of its members that are not fields. `None` for a removal
    /// without one.
    ///
    /// # Errors
    /// The reason for which it is not a document.
    pub(crate) fn document<'a>(
        &self,
        line: &'a str,
        found: &[Option<&'a str>],
        operation: Option<Operation>,
    ) -> Result<Option<Taken<'a>>, String> {
        if self.source == 0 {
            return Ok(Some((line, check_names(line, &self.taken)?)));
        }
        match found[self.source_start()] {
            Some(source) if source.starts_with('{') => Ok(Some((source, check_names(source, &[])?))),
            None if operation == Some(Operation::Delete) => Ok(None),
            Some(_) => Err("its _source is not a JSON object".to_owned()),
            None => Err("it has no _source".to_owned()),
        }
    }
}

fn without_id(name: &str) -> String {
    format!("field {name} is part of the document id and has no value")
}

fn join(names: &[String], values: &[Option<&str>], id: &mut IdText) -> Result<(), String> {
    for (name, value) in names.iter().zip(values) {
        let text = value.map(|value| text_of(name, value)).transpose()?.flatten();
        match (text, value) {
            (Some(text), Some(value)) if value.starts_with('"') => id.push_text(&text),
            (Some(text), _) => id.push_plain(&text),
            (None, _) => return Err(without_id(name)),
        }
    }
    Ok(())
}

/// A JSON value as text: a string unescaped, a number or boolean as it is written, a null
/// as nothing.
fn text_of<'a>(name: &str, value: &'a str) -> Result<Option<Cow<'a, str>>, String> {
    match value.as_bytes() {
        [b'"', inner @ ..] if !inner.contains(&b'\\') => Ok(Some(value[1..value.len() - 1].into())),
        [b'"', ..] => match serde_json::from_str::<String>(value) {
            Ok(text) => Ok(Some(text.into())),
            Err(_) => Err(format!("field {name} has an escape that is no character")),
        },
        [b'{', ..] => Err(format!("field {name} is an object, which cannot be part of an id or routing")),
        [b'[', ..] => Err(format!("field {name} is an array, which cannot be part of an id or routing")),
        b"null" => Ok(None),
        _ => Ok(Some(value.into())),
    }
}

/// Versions are the integers from 0 that a Java `long` holds.
fn version_of(name: &str, value: &str) -> Result<Option<u64>, String> {
    if value == "null" {
        return Ok(None);
    }
    match value.parse::<u64>() {
        Ok(version) if i64::try_from(version).is_ok() => Ok(Some(version)),
        _ => Err(format!("field {name} is {value}, which is not a version: versions are integers of at least 0")),
    }
}

fn operation_of(value: &str) -> Option<Operation> {
    match value {
        "\"create\"" => Some(Operation::Create),
        "\"delete\"" => Some(Operation::Delete),
        _ => None,
    }
}
