//! Indices: create, describe, change in place, remove; their aliases, upkeep and rollover.
//!
//! ```no_run
//! use es_core::{AliasOptions, ForceMerge, NewIndex, Wait};
//!
//! # async fn example(client: es_core::Client) -> Result<(), es_core::Error> {
//! let indices = client.indices();
//! indices.create("flights-2", &NewIndex::default()).await?;
//! indices.force_merge("flights-2", ForceMerge::ToSegments(1), &Wait::default()).await?;
//! indices.swap_alias("flights", &["flights-2"], &AliasOptions::default()).await?;
//! # Ok(())
//! # }
//! ```

mod alias;
mod maintenance;
mod rollover;

use std::collections::BTreeMap;

use elasticsearch::CountParts;
use elasticsearch::indices::{
    IndicesCreateParts, IndicesDeleteParts, IndicesExistsParts, IndicesGetParts, IndicesPutMappingParts,
    IndicesPutSettingsParts,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

pub use self::alias::{AliasAction, AliasOptions};
pub use self::maintenance::{ForceMerge, ShardCounts};
pub use self::rollover::{Rollover, RolloverConditions, RolloverMode};
use crate::client::Client;
use crate::error::failed_shard::Shards;
use crate::error::{Error, ErrorKind};
use crate::mapping::Mapping;
use crate::request::{Method, Request};
use crate::settings::IndexSettings;

/// What a new index is made of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewIndex {
    /// Settings as Elasticsearch takes them (`number_of_shards`, `analysis`, ...).
    pub settings: Map<String, Value>,
    /// The mapping.
    pub mapping: Mapping,
}

/// An index as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexDescription {
    /// The index's name.
    pub name: String,
    /// The aliases that point to it.
    pub aliases: Vec<String>,
    /// Its mapping, `_meta` included.
    pub mapping: Mapping,
    /// Its settings, without the `index.` prefix, as nested objects; values are strings.
    pub settings: Map<String, Value>,
}

impl IndexDescription {
    /// The settings, typed.
    pub fn index_settings(&self) -> IndexSettings {
        IndexSettings::from_map(&self.settings)
    }
}

/// The index APIs of a cluster.
pub struct Indices<'a> {
    client: &'a Client,
}

#[derive(Deserialize)]
struct DescriptionBody {
    #[serde(default)]
    aliases: Map<String, Value>,
    #[serde(default)]
    mappings: Mapping,
    #[serde(default)]
    settings: Map<String, Value>,
}

#[derive(Deserialize)]
struct Count {
    count: u64,
    #[serde(rename = "_shards")]
    shards: Shards,
}

impl<'a> Indices<'a> {
    pub(crate) fn new(client: &'a Client) -> Self {
        Self { client }
    }

    /// Creates an index.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] when the name is taken; [`ErrorKind::BadRequest`] when the
    /// mapping or a setting is refused.
    pub async fn create(&self, name: &str, index: &NewIndex) -> Result<(), Error> {
        let body = json!({"settings": index.settings, "mappings": index.mapping});
        let request = Request::new(Method::Put, IndicesCreateParts::Index(name).url()).json(&body);
        self.client.send(&request).await.map(|_| ())
    }

    /// Whether an index or alias of this name exists.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn exists(&self, name: &str) -> Result<bool, Error> {
        self.client.exists(&Request::new(Method::Head, IndicesExistsParts::Index(&[name]).url())).await
    }

    /// Describes the indices that a name, an alias or a pattern stands for, hidden ones
    /// included, by name. None of them existing is an empty list.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn describe(&self, pattern: &str) -> Result<Vec<IndexDescription>, Error> {
        let request = Request::new(Method::Get, IndicesGetParts::Index(&[pattern]).url())
            .query("expand_wildcards", "open,hidden")
            .query("ignore_unavailable", true);
        let found: BTreeMap<String, DescriptionBody> =
            self.client.find(&request).await?.map(|answer| answer.json()).transpose()?.unwrap_or_default();
        let describe = |(name, mut body): (String, DescriptionBody)| IndexDescription {
            name,
            aliases: body.aliases.keys().cloned().collect(),
            mapping: body.mappings,
            settings: match body.settings.remove("index") {
                Some(Value::Object(settings)) => settings,
                _ => Map::new(),
            },
        };
        Ok(found.into_iter().map(describe).collect())
    }

    /// Adds fields, sub-fields and changeable parameters to a mapping in place.
    ///
    /// # Errors
    /// [`ErrorKind::BadRequest`] when the change needs a new index.
    pub async fn put_mapping(&self, name: &str, mapping: &Mapping) -> Result<(), Error> {
        let request =
            Request::new(Method::Put, IndicesPutMappingParts::Index(&[name]).url()).json(mapping).repeatable();
        self.client.send(&request).await.map(|_| ())
    }

    /// Changes dynamic settings in place; a null value puts a default back.
    ///
    /// # Errors
    /// [`ErrorKind::BadRequest`] for a setting that is fixed at creation.
    pub async fn put_settings(&self, name: &str, settings: &Map<String, Value>) -> Result<(), Error> {
        let request = Request::new(Method::Put, IndicesPutSettingsParts::Index(&[name]).url())
            .json(&json!({"index": settings}))
            .repeatable();
        self.client.send(&request).await.map(|_| ())
    }

    /// The number of documents of an index or alias.
    ///
    /// # Errors
    /// [`ErrorKind::PartialResult`] when a shard did not answer; else as [`Client::send`].
    pub async fn count(&self, name: &str) -> Result<u64, Error> {
        self.count_matching(name, &json!({"match_all": {}})).await
    }

    /// The number of documents that match a query.
    ///
    /// # Errors
    /// As [`Indices::count`].
    pub async fn count_matching(&self, name: &str, query: &Value) -> Result<u64, Error> {
        let request =
            Request::new(Method::Post, CountParts::Index(&[name]).url()).json(&json!({"query": query})).repeatable();
        let count: Count = self.client.send(&request).await?.json()?;
        count.shards.whole(&format!("the count of {name}"))?;
        Ok(count.count)
    }

    /// Removes one index by its exact name; a pattern or an alias is refused, a missing
    /// index is no error.
    ///
    /// # Errors
    /// [`ErrorKind::BadRequest`] for a pattern, a list or an alias; else as [`Client::send`].
    pub async fn delete(&self, name: &str) -> Result<(), Error> {
        require_exact_name(name, "an index")?;
        let request = Request::new(Method::Delete, IndicesDeleteParts::Index(&[name]).url())
            .query("expand_wildcards", "none")
            .repeatable();
        self.client.exists(&request).await.map(|_| ())
    }
}

/// Refuses what the server would not take for the name of one thing. `what` is that thing, as in
/// "an index".
pub(crate) fn require_exact_name(name: &str, what: &str) -> Result<(), Error> {
    if is_exact_name(name) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::BadRequest, format!("{name:?} is not the exact name of {what}")))
}

/// Whether the server would take the name for one index and nothing else: not for a
/// pattern, a list, date math, an index of another cluster, or a piece of a path.
fn is_exact_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..")
        && !name.starts_with(['-', '_', '+'])
        && !name.contains(['\\', '/', '*', '?', '"', '<', '>', '|', ' ', ',', '#', ':'])
}
