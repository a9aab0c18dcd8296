//! The index that a load writes to: inspected, created where there is none, or extended.

use es_core::{ChangeKind, Client, IndexDescription, Mapping, NewIndex};
use es_frame::Operation;
use serde_json::Value;
use tracing::info;

use crate::error::{Error, ErrorKind};
use crate::files::{DocumentOptions, ReadOptions};

/// An index, an alias or a data stream, with the indices behind it.
#[derive(Clone, Debug)]
pub struct Target {
    name: String,
    indices: Vec<IndexDescription>,
}

impl Target {
    /// Finds out what a name stands for.
    ///
    /// # Errors
    /// [`ErrorKind::Request`] for a pattern, [`ErrorKind::Elasticsearch`] when the server cannot be asked.
    pub async fn inspect(client: &Client, name: &str) -> Result<Self, Error> {
        if name.contains(['*', '?', ',']) {
            return Err(Error::new(
                ErrorKind::Request,
                format!("`{name}` is a pattern, and documents go into one index"),
            )
            .with_help("name an index, an alias or a data stream in full"));
        }
        let indices = client.indices().describe(name).await?;
        Ok(Self { name: name.to_owned(), indices })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Options of reading files whose columns of text have the types of the fields that they become:
    /// those that exist decide, and the declared mapping before them.
    pub(super) fn typed(&self, read: ReadOptions, documents: &DocumentOptions) -> ReadOptions {
        let mappings = self.indices.iter().map(|index| &index.mapping).chain([&documents.mapping]);
        mappings.fold(read, |read, mapping| read.with_mapping(mapping, documents.time.as_deref()))
    }

    /// Returns whether anything has the name.
    pub fn exists(&self) -> bool {
        !self.indices.is_empty()
    }

    /// The identity of these indices, which others that are created under the same names later do not
    /// have.
    pub fn uuid(&self) -> String {
        let uuid = |index: &IndexDescription| index.settings.get("uuid").and_then(Value::as_str).map(str::to_owned);
        self.indices.iter().filter_map(uuid).collect::<Vec<_>>().join(",")
    }

    /// Refuses an operation that cannot succeed.
    ///
    /// # Errors
    /// [`ErrorKind::Request`] for changes of documents where there are none, and for anything but
    /// [`Operation::Create`] into a data stream.
    pub fn check(&self, operation: Operation) -> Result<(), Error> {
        let refused = |message: String, help: &str| Err(Error::new(ErrorKind::Request, message).with_help(help));
        if !self.exists() && matches!(operation, Operation::Update | Operation::Delete) {
            return refused(
                format!("there is no index {} whose documents could be changed", self.name),
                "check the name; the operations index and upsert write documents that do not exist yet",
            );
        }
        let is_data_stream =
            !self.indices.is_empty() && self.indices.iter().all(|index| index.name.starts_with(".ds-"));
        if is_data_stream && operation != Operation::Create {
            return refused(
                format!("{} is a data stream, which takes new documents only", self.name),
                "use the operation create",
            );
        }
        Ok(())
    }

    /// Creates the index.
    ///
    /// # Errors
    /// [`ErrorKind::Elasticsearch`] when the name, the mapping or a setting is refused, or another process
    /// has just created it.
    pub async fn create(&mut self, client: &Client, body: &NewIndex) -> Result<(), Error> {
        if let Err(error) = client.indices().create(&self.name, body).await {
            let is_bad_name = error.server().is_some_and(|server| server.error_type == "invalid_index_name_exception");
            let help = match error.kind() {
                _ if is_bad_name => "give the index another name",
                es_core::ErrorKind::Conflict => "another process has just created it: start again to write into it",
                _ => error.help().unwrap_or("the reason is about the declared mapping, or about a column of the files"),
            }
            .to_owned();
            let message = format!("the index {} cannot be created: {error}", self.name);
            return Err(Error::new(ErrorKind::Elasticsearch, message).with_help(help).with_source(error));
        }
        info!(index = self.name, fields = body.mapping.properties.len(), "created the index");
        *self = Self::inspect(client, &self.name).await?;
        Ok(())
    }

    /// Adds the fields of a declared mapping that the index lacks.
    ///
    /// # Errors
    /// [`ErrorKind::Request`] when a field exists with another type, which only a new index can change;
    /// [`ErrorKind::Elasticsearch`] when the server refuses.
    pub async fn extend(&self, client: &Client, declared: &Mapping) -> Result<(), Error> {
        for index in &self.indices {
            let wanted = index.mapping.clone().overridden_by(declared);
            let diff = index.mapping.diff(&wanted);
            if diff.needs_reindex() {
                let differs = diff.changes.iter().find(|change| change.kind == ChangeKind::Reindex);
                let why = differs.map(ToString::to_string).unwrap_or_default();
                let message = format!("{} exists with another mapping: {why}", index.name);
                return Err(Error::new(ErrorKind::Request, message)
                    .with_help("nothing was changed: load into a new index, or correct the declared mapping"));
            }
            if !diff.is_empty() {
                client.indices().put_mapping(&index.name, &index.mapping.in_place_update(&wanted)).await?;
            }
        }
        Ok(())
    }
}
