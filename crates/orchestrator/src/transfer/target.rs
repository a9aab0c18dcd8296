//! The index that a one-off load writes to: what is there, and what is made where nothing is.

use std::path::Path;

use crate::kinds::index::IndexSpec;
use es_core::{Client, ErrorKind, IndexDescription, Mapping, NewIndex};
use es_frame::Operation;
use serde_json::{Map, Value, json};
use tracing::info;

use crate::error::Error;

/// What a person said about the index, in the file of `--mapping`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Declared {
    /// The mapping.
    pub mapping: Mapping,
    /// The settings, without `index.`.
    pub settings: Map<String, Value>,
}

impl Declared {
    /// Reads a mapping, alone or as `mappings` beside `settings`, as `PUT index` takes it.
    ///
    /// # Errors
    /// When the file cannot be read, or holds something else.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let wrong = |why: String| Error::config(format!("the mapping file {} {why}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
        let value: Value = serde_json::from_str(&text).map_err(|error| wrong(format!("is no JSON: {error}")))?;
        Self::of(value).map_err(|why| {
            wrong(why).with_help(Some(
                "write {\"properties\": {..}}, or {\"mappings\": {\"properties\": {..}}, \"settings\": {..}}",
            ))
        })
    }

    fn of(value: Value) -> Result<Self, String> {
        let Value::Object(mut body) = value else { return Err("holds no JSON object".to_owned()) };
        let is_body = body.contains_key("mappings") || body.contains_key("settings");
        if !is_body {
            body = Map::from_iter([("mappings".to_owned(), Value::Object(body))]);
        }
        let spec: IndexSpec =
            serde_json::from_value(Value::Object(body)).map_err(|error| format!("is no body of an index: {error}"))?;
        if !is_body && !spec.mappings.contains_key("properties") && !spec.mappings.contains_key("dynamic_templates") {
            return Err("has neither `properties` nor `mappings`".to_owned());
        }
        let settings = spec.flat_settings();
        let mapping = serde_json::from_value(Value::Object(spec.mappings))
            .map_err(|error| format!("holds no mapping: {error}"))?;
        Ok(Self { mapping, settings })
    }

    /// Whether a field of this name is declared.
    pub fn has(&self, field: &str) -> bool {
        self.mapping.field(field).is_some()
    }
}

/// What is behind a name.
#[derive(Clone, Debug)]
pub struct Target {
    /// The name, as it was given.
    pub name: String,
    /// The indices that it stands for; none where there is nothing yet.
    pub indices: Vec<IndexDescription>,
}

impl Target {
    /// Looks at what is behind a name.
    ///
    /// # Errors
    /// For a pattern, and where Elasticsearch cannot be asked.
    pub async fn look(client: &Client, name: &str) -> Result<Self, Error> {
        if name.contains(['*', '?', ',']) {
            return Err(Error::config(format!("`{name}` is a pattern, and documents go into one index"))
                .with_help(Some("give --to the whole name of an index, an alias or a data stream")));
        }
        let indices = client.indices().describe(name).await?;
        Ok(Self { name: name.to_owned(), indices })
    }

    /// Whether there is something.
    pub fn exists(&self) -> bool {
        !self.indices.is_empty()
    }

    /// Refuses an operation that cannot go well.
    ///
    /// # Errors
    /// For changes of documents where there are none, and for anything but `create` into a data
    /// stream.
    pub fn takes(&self, operation: Operation) -> Result<(), Error> {
        if !self.exists() && matches!(operation, Operation::Update | Operation::Delete) {
            return Err(Error::config(format!("there is no index {} whose documents could be changed", self.name))
                .with_help(Some("check the name; --op index or upsert writes documents that are not there")));
        }
        let is_data_stream =
            !self.indices.is_empty() && self.indices.iter().all(|index| index.name.starts_with(".ds-"));
        if is_data_stream && operation != Operation::Create {
            return Err(Error::config(format!("{} is a data stream, which takes new documents only", self.name))
                .with_help(Some("give --op create")));
        }
        Ok(())
    }

    /// What tells these indices from others that are made under the same names later.
    pub fn uuid(&self) -> String {
        let uuid = |index: &IndexDescription| index.settings.get("uuid").and_then(Value::as_str).map(str::to_owned);
        self.indices.iter().filter_map(uuid).collect::<Vec<_>>().join(",")
    }

    /// Creates the index.
    ///
    /// # Errors
    /// When the mapping or a setting is refused, or somebody else was quicker.
    pub async fn create(&mut self, client: &Client, body: &NewIndex) -> Result<(), Error> {
        client.indices().create(&self.name, body).await.map_err(|error| {
            let is_bad_name = error.server().is_some_and(|server| server.error_type == "invalid_index_name_exception");
            let help = match error.kind() {
                _ if is_bad_name => "give --to another name",
                ErrorKind::Conflict => "somebody else has just made it: run again to write into it",
                _ => "check the mapping file, and the types of the columns with --dry-run",
            };
            Error::from(error).within(&format!("the index {} cannot be created", self.name)).with_help(Some(help))
        })?;
        info!(index = self.name, fields = body.mapping.properties.len(), "created");
        *self = Self::look(client, &self.name).await?;
        Ok(())
    }

    /// Adds what the declared mapping has and the index has not.
    ///
    /// # Errors
    /// When a field is there already and of another type, which only a new index can change.
    pub async fn extend(&self, client: &Client, declared: &Declared) -> Result<(), Error> {
        for index in &self.indices {
            let wanted = index.mapping.clone().overridden_by(&declared.mapping);
            let diff = index.mapping.diff(&wanted);
            if diff.needs_reindex() {
                let differs = diff.changes.iter().find(|change| change.kind == es_core::ChangeKind::Reindex);
                let why = differs.map(ToString::to_string).unwrap_or_default();
                return Err(Error::failed(
                    format!("{} exists, and its mapping is another one: {why}", index.name),
                )
                .with_help(Some("nothing was changed: load into a new index, or correct the mapping file")));
            }
            if !diff.is_empty() {
                client.indices().put_mapping(&index.name, &index.mapping.in_place_update(&wanted)).await?;
            }
        }
        Ok(())
    }
}

/// The body of an index, for a person.
pub fn body_json(body: &NewIndex) -> Value {
    let mut value = json!({"mappings": body.mapping});
    if !body.settings.is_empty() {
        value["settings"] = json!({"index": body.settings});
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_file_is_a_mapping_or_a_body() {
        let properties = json!({"k": {"type": "keyword"}});
        let alone = Declared::of(json!({"properties": properties})).unwrap();
        let body = json!({"mappings": {"properties": properties}, "settings": {"index": {"number_of_shards": 3}}});
        let body = Declared::of(body).unwrap();
        assert_eq!(alone.mapping, body.mapping);
        assert!(body.has("k") && !body.has("n"));
        assert_eq!((alone.settings.len(), &body.settings["number_of_shards"]), (0, &json!(3)));
        for wrong in [json!([]), json!({"k": {"type": "keyword"}}), json!({"mappings": {}, "aliases": {}})] {
            Declared::of(wrong).unwrap_err();
        }
    }
}
