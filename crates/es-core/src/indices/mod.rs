//! Indices: create, describe, change in place, delete; their aliases, maintenance and rollover.
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
mod allocation;
mod maintenance;
mod rollover;

use std::collections::BTreeMap;
use std::time::Duration;

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
use crate::units;

/// The settings and the mapping of a new index.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewIndex {
    /// Settings as Elasticsearch accepts them (`number_of_shards`, `analysis`, ...).
    pub settings: Map<String, Value>,
    /// The mapping.
    pub mapping: Mapping,
}

/// A description of an existing index.
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
struct Created {
    /// `false` when the primaries were not active in time. Missing is not `false`.
    #[serde(default = "yes")]
    shards_acknowledged: bool,
}

fn yes() -> bool {
    true
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

    /// Creates an index, and waits 30 seconds at most until its primary shards are active, so that
    /// the first write does not wait for them. See [`Indices::create_within`].
    ///
    /// # Errors
    /// As [`Indices::create_within`].
    pub async fn create(&self, name: &str, index: &NewIndex) -> Result<(), Error> {
        self.create_within(name, index, allocation::DEFAULT_LIMIT).await
    }

    /// Creates an index, and waits `limit` at most until its primary shards are active.
    ///
    /// # Errors
    /// [`ErrorKind::NotAllocated`] when a primary shard has no node after that, with the cluster's
    /// reason, such as a disk watermark: the index exists then, and can be deleted, or written to
    /// once the reason is gone. [`ErrorKind::Conflict`] when the name is taken;
    /// [`ErrorKind::BadRequest`] when the mapping or a setting is refused; else as
    /// [`Client::send`].
    pub async fn create_within(&self, name: &str, index: &NewIndex, limit: Duration) -> Result<(), Error> {
        let body = json!({"settings": index.settings, "mappings": index.mapping});
        let request = Request::new(Method::Put, IndicesCreateParts::Index(name).url())
            .query("timeout", units::milliseconds(limit))
            .timeout(limit.saturating_add(allocation::GRACE))
            .json(&body);
        let created: Created = self.client.send(&request).await?.json()?;
        if created.shards_acknowledged {
            return Ok(());
        }
        allocation::check(self.client, name, limit).await
    }

    /// Returns `true` if an index or alias of this name exists.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn exists(&self, name: &str) -> Result<bool, Error> {
        self.client.exists(&Request::new(Method::Head, IndicesExistsParts::Index(&[name]).url())).await
    }

    /// Describes the indices that a name, an alias or a pattern matches, hidden ones included, by name.
    /// The list is empty if there are none.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn describe(&self, pattern: &str) -> Result<Vec<IndexDescription>, Error> {
        self.describe_expanded(pattern, "open,hidden").await
    }

    /// Describes the indices that a search in a name, an alias or a pattern sees, by name: a pattern
    /// leaves out hidden ones, except those of a data stream that it matches. The list is empty if
    /// there are none.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn describe_searched(&self, pattern: &str) -> Result<Vec<IndexDescription>, Error> {
        self.describe_expanded(pattern, "open").await
    }

    async fn describe_expanded(&self, pattern: &str, wildcards: &str) -> Result<Vec<IndexDescription>, Error> {
        let request = Request::new(Method::Get, IndicesGetParts::Index(&[pattern]).url())
            .query("expand_wildcards", wildcards)
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

    /// Changes dynamic settings in place; a null value restores a default.
    ///
    /// # Errors
    /// [`ErrorKind::BadRequest`] for a setting that is fixed at creation.
    pub async fn put_settings(&self, name: &str, settings: &Map<String, Value>) -> Result<(), Error> {
        let request = Request::new(Method::Put, IndicesPutSettingsParts::Index(&[name]).url())
            .json(&json!({"index": settings}))
            .repeatable();
        self.client.send(&request).await.map(|_| ())
    }

    /// Returns the number of documents of an index or alias.
    ///
    /// # Errors
    /// [`ErrorKind::PartialResult`] when a shard did not answer; else as [`Client::send`].
    pub async fn count(&self, name: &str) -> Result<u64, Error> {
        self.count_matching(name, &json!({"match_all": {}})).await
    }

    /// Returns the number of documents that match a query.
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

    /// Deletes one index by its exact name. A pattern or an alias is refused; a missing index is no
    /// error.
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

/// Refuses a name that the server could take for more than one thing. `what` names the thing, as in
/// "an index".
pub(crate) fn require_exact_name(name: &str, what: &str) -> Result<(), Error> {
    if is_exact_name(name) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::BadRequest, format!("{name:?} is not the exact name of {what}")))
}

/// Returns `true` if the server takes the name for exactly one index: not for a pattern, a list,
/// date math, an index of another cluster, or a part of a path.
fn is_exact_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..")
        && !name.starts_with(['-', '_', '+'])
        && !name.contains(['\\', '/', '*', '?', '"', '<', '>', '|', ' ', ',', '#', ':'])
}
