//! The documents of the registry: their index, their ids, and reading them in pages.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use es_core::{Client, Document, Mapping, NewIndex, Precondition};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tracing::info;

use super::alias::{AliasMove, AliasState};
use super::checksum::Checksum;
use super::version::Version;
use crate::error::{Error, ErrorKind};

/// The version of the mapping. An index of an earlier one is upgraded in place.
const MAPPING_VERSION: u64 = 1;

/// Documents of one page.
pub(crate) const PAGE: usize = 1000;

/// Reads of a document that must be there, and the wait after the first, which doubles: three seconds
/// in all.
const READS: u32 = 6;
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// The longest wait for the shard of an index that another process creates, and the wait between two
/// looks at it.
const ACTIVE_LIMIT: Duration = Duration::from_secs(30);
const ACTIVE_WAIT: Duration = Duration::from_millis(100);

/// The index of a registry.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pub(crate) client: Client,
    pub(crate) index: String,
    /// Its shard was active once.
    is_active: Arc<AtomicBool>,
}

/// The content of a document, beside the fields that are searched.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Stored<T> {
    pub(crate) body: T,
}

/// The body of a version's document.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct VersionBody {
    /// A name that no other registration has.
    pub(crate) id: String,
    pub(crate) content: Checksum,
    pub(crate) version: Version,
}

pub(crate) fn version_id(model: &str, number: u32) -> String {
    format!("version|{model}|{number}")
}

pub(crate) fn alias_id(model: &str, alias: &str) -> String {
    format!("alias|{model}|{alias}")
}

pub(crate) fn move_id(model: &str, alias: &str, number: u64) -> String {
    format!("move|{model}|{alias}|{number}")
}

pub(crate) fn version_document(body: &VersionBody) -> Value {
    let VersionBody { id, content, version } = body;
    json!({
        "record": "version", "key": version_id(&version.model, version.number), "model": version.model,
        "number": version.number, "content": content, "sha256": version.sha256, "at": version.at, "by": version.by,
        "run": version.run, "is_retired": version.is_retired(),
        "body": {"id": id, "content": content, "version": version}
    })
}

pub(crate) fn alias_document(state: &AliasState) -> Value {
    json!({
        "record": "alias", "key": alias_id(&state.model, &state.alias), "model": state.model, "alias": state.alias,
        "number": state.moves(), "to": state.version(), "body": state
    })
}

pub(crate) fn move_document(step: &AliasMove) -> Value {
    json!({
        "record": "move", "key": move_id(&step.model, &step.alias, step.number), "model": step.model,
        "alias": step.alias, "number": step.number, "from": step.from, "to": step.to, "at": step.at, "by": step.by,
        "run": step.run, "body": step
    })
}

fn mapping() -> Result<Mapping, Error> {
    let keyword = json!({"type": "keyword"});
    let mapping = json!({
        "dynamic": false,
        "_meta": {"version": MAPPING_VERSION},
        "properties": {
            "record": keyword, "key": keyword, "model": keyword, "alias": keyword, "number": {"type": "long"},
            "from": {"type": "long"}, "to": {"type": "long"}, "content": keyword, "sha256": keyword,
            "at": {"type": "date_nanos"}, "by": keyword, "run": keyword, "is_retired": {"type": "boolean"},
            "body": {"type": "object", "enabled": false}
        }
    });
    serde_json::from_value(mapping)
        .map_err(|error| Error::new(ErrorKind::Invalid, "the mapping of the registry is not one").with_source(error))
}

impl Store {
    pub(crate) fn new(client: Client, index: String) -> Self {
        Self { client, index, is_active: Arc::default() }
    }

    /// Creates the index if there is none, and upgrades the mapping of an earlier version.
    pub(crate) async fn prepare(&self) -> Result<(), Error> {
        let mapping = mapping()?;
        let Some(found) = self.client.indices().describe(&self.index).await?.into_iter().next() else {
            return self.create_index(mapping).await;
        };
        let version = found.mapping.meta.get("version").and_then(Value::as_u64).unwrap_or(1);
        if version > MAPPING_VERSION {
            let message = format!(
                "the registry {} has layout {version}, and this version writes layout {MAPPING_VERSION}",
                self.index
            );
            return Err(Error::new(ErrorKind::Invalid, message).with_help("use the newer version that wrote it"));
        }
        if version < MAPPING_VERSION {
            self.client.indices().put_mapping(&self.index, &mapping).await?;
            info!(from = version, to = MAPPING_VERSION, "upgraded the mapping of the registry");
        }
        self.wait_until_active().await
    }

    async fn create_index(&self, mapping: Mapping) -> Result<(), Error> {
        let settings: Map<String, Value> = [
            ("number_of_shards".to_owned(), json!(1)),
            ("auto_expand_replicas".to_owned(), json!("0-1")),
            ("hidden".to_owned(), json!(true)),
        ]
        .into_iter()
        .collect();
        match self.client.indices().create(&self.index, &NewIndex { settings, mapping }).await {
            // Another process has created it.
            Err(error) if error.kind() == es_core::ErrorKind::Conflict => self.wait_until_active().await,
            outcome => Ok(outcome?),
        }
    }

    /// Waits for the shard of an index that another process may just be creating, which can neither be
    /// read nor searched for a moment.
    async fn wait_until_active(&self) -> Result<(), Error> {
        let start = Instant::now();
        while !self.is_active.load(Ordering::Relaxed) {
            match self.client.search(&self.index, &json!({"size": 0, "track_total_hits": false})).await {
                Ok(_) => self.is_active.store(true, Ordering::Relaxed),
                Err(error) if error.kind() == es_core::ErrorKind::Unavailable && start.elapsed() < ACTIVE_LIMIT => {
                    tokio::time::sleep(ACTIVE_WAIT).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Reads a document.
    pub(crate) async fn get<T: DeserializeOwned>(&self, id: &str) -> Result<Option<Document<T>>, Error> {
        let found: Option<Document<Stored<T>>> = self.client.documents(&self.index).get(id).await?;
        Ok(found.map(unwrapped))
    }

    /// Reads a document that is there, because creating it met another or it was read before. A copy
    /// of the shard that has not seen it yet may be asked, so it is read again a few times.
    pub(crate) async fn get_conflicting<T: DeserializeOwned>(&self, id: &str) -> Result<Document<T>, Error> {
        for attempt in 0..READS {
            if let Some(found) = self.get(id).await? {
                return Ok(found);
            }
            tokio::time::sleep(FIRST_WAIT * 2_u32.pow(attempt)).await;
        }
        Err(damaged(&self.index, format!("the document {id} of {} is gone", self.index)))
    }

    /// Writes a document under a condition. False when the condition does not hold, or when it is not
    /// known whether the document was written: the caller reads it again.
    ///
    /// An answer that is lost is one of the second case, unless the document shows that nothing was
    /// written.
    pub(crate) async fn put(&self, id: &str, document: &Value, precondition: Precondition) -> Result<bool, Error> {
        let documents = self.client.documents(&self.index);
        match documents.put(id, document, precondition).await {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == es_core::ErrorKind::Conflict => Ok(false),
            Err(error) if error.is_retryable() => {
                let found = documents.get::<Value>(id).await;
                let is_changed = match (found, precondition) {
                    (Ok(Some(now)), Precondition::Unchanged { seq_no, primary_term }) => {
                        (now.seq_no, now.primary_term) != (seq_no, primary_term)
                    }
                    (Ok(Some(_)), _) => true,
                    _ => false,
                };
                if is_changed { Ok(false) } else { Err(error.into()) }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// All documents of a query, in pages by a field of distinct values, which are read with `key`.
    pub(crate) async fn all<T: DeserializeOwned, K: serde::Serialize>(
        &self,
        filter: &[Value],
        field: &str,
        order: Order,
        key: impl Fn(&T) -> K,
    ) -> Result<Vec<T>, Error> {
        let mut all: Vec<T> = Vec::new();
        loop {
            let mut filter = filter.to_vec();
            if let Some(last) = all.last() {
                filter.push(json!({"range": {field: {order.beyond(): key(last)}}}));
            }
            let query = json!({"bool": {"filter": filter}});
            let sort = json!([{field: order.word()}]);
            let documents = self.client.documents(&self.index);
            let page: Vec<Document<Stored<T>>> = documents.search(&query, &sort, PAGE).await?;
            let is_last = page.len() < PAGE;
            all.extend(page.into_iter().map(|found| found.source.body));
            if is_last {
                return Ok(all);
            }
        }
    }

    /// The first document of a query for each value of a field, in pages by that field.
    pub(crate) async fn first_of_each<T: DeserializeOwned>(
        &self,
        filter: &[Value],
        field: &str,
        then: &Value,
        key: impl Fn(&T) -> String,
    ) -> Result<Vec<T>, Error> {
        let mut all: Vec<T> = Vec::new();
        loop {
            let mut filter = filter.to_vec();
            if let Some(last) = all.last() {
                filter.push(json!({"range": {field: {"gt": key(last)}}}));
            }
            let query = json!({"bool": {"filter": filter}});
            let sort = json!([{field: "asc"}, then]);
            let documents = self.client.documents(&self.index);
            let page: Vec<Document<Stored<T>>> = documents.search_first_of_each(field, &query, &sort, PAGE).await?;
            let is_last = page.len() < PAGE;
            all.extend(page.into_iter().map(|found| found.source.body));
            if is_last {
                return Ok(all);
            }
        }
    }
}

/// The order of pages.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    Ascending,
    Descending,
}

impl Order {
    fn word(self) -> &'static str {
        match self {
            Self::Ascending => "asc",
            Self::Descending => "desc",
        }
    }

    fn beyond(self) -> &'static str {
        match self {
            Self::Ascending => "gt",
            Self::Descending => "lt",
        }
    }
}

pub(crate) fn unwrapped<T>(found: Document<Stored<T>>) -> Document<T> {
    Document { id: found.id, seq_no: found.seq_no, primary_term: found.primary_term, source: found.source.body }
}

pub(crate) fn unchanged<T>(found: &Document<T>) -> Precondition {
    Precondition::Unchanged { seq_no: found.seq_no, primary_term: found.primary_term }
}

/// The error of a document that is not there although another one refers to it.
pub(crate) fn damaged(index: &str, message: String) -> Error {
    Error::new(ErrorKind::Damaged, message)
        .with_help(format!("somebody changed {index} by hand; restore it from a snapshot"))
}
