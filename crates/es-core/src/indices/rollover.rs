//! Rolling an alias or a data stream over to a new index.

use std::collections::BTreeMap;
use std::time::Duration;

use elasticsearch::indices::IndicesRolloverParts;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Indices;
use crate::error::Error;
use crate::request::{Method, Request};
use crate::units::{optional_age, optional_size};

/// The conditions of a rollover: any `max_` is reached, and all `min_` are. Without any, it happens
/// at once. Unknown conditions are kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RolloverConditions {
    /// The age of the index.
    #[serde(default, with = "optional_age", skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Duration>,
    /// The number of its documents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_docs: Option<u64>,
    /// The size of all its primary shards, in bytes.
    #[serde(default, with = "optional_size", skip_serializing_if = "Option::is_none")]
    pub max_size: Option<u64>,
    /// The size of its largest primary shard, in bytes.
    #[serde(default, with = "optional_size", skip_serializing_if = "Option::is_none")]
    pub max_primary_shard_size: Option<u64>,
    /// The number of documents of its largest primary shard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_primary_shard_docs: Option<u64>,
    /// The age below which it is not rolled over.
    #[serde(default, with = "optional_age", skip_serializing_if = "Option::is_none")]
    pub min_age: Option<Duration>,
    /// The number of documents below which it is not rolled over. Elasticsearch 8 and later do not roll
    /// an empty index over unless this is 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_docs: Option<u64>,
    /// All other keys, as the server returned them.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The result of a rollover.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Rollover {
    /// The index that was written to.
    pub old_index: String,
    /// The index that is written to from now on, or would be.
    pub new_index: String,
    /// `true` if the rollover happened.
    pub rolled_over: bool,
    /// `true` for a dry run.
    pub dry_run: bool,
    /// The conditions in the server's words, with `true` for those that hold.
    #[serde(default)]
    pub conditions: BTreeMap<String, bool>,
}

/// The mode of a rollover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RolloverMode {
    /// Rolls over if the conditions hold.
    Make,
    /// Only reports what would happen.
    DryRun,
}

impl Indices<'_> {
    /// Creates a new index for an alias with a write index, or for a data stream, if the conditions
    /// hold. The name of an alias' new index counts up the number at the end of the old name, unless
    /// `new_index` is given.
    ///
    /// The request is not retried when its answer is lost, as a second rollover could follow the first.
    /// [`Indices::alias`] shows the outcome.
    ///
    /// # Errors
    /// [`crate::ErrorKind::BadRequest`] for an alias that has no write index or an index
    /// without a number; [`crate::ErrorKind::Conflict`] when the new index exists.
    pub async fn rollover(
        &self,
        target: &str,
        new_index: Option<&str>,
        conditions: &RolloverConditions,
        mode: RolloverMode,
    ) -> Result<Rollover, Error> {
        let parts = match new_index {
            Some(name) => IndicesRolloverParts::AliasNewIndex(target, name),
            None => IndicesRolloverParts::Alias(target),
        };
        let mut request = Request::new(Method::Post, parts.url());
        let conditions = json!(conditions);
        if conditions.as_object().is_some_and(|conditions| !conditions.is_empty()) {
            request = request.json(&json!({"conditions": conditions}));
        }
        if mode == RolloverMode::DryRun {
            request = request.query("dry_run", true).repeatable();
        }
        self.client.send(&request).await?.json()
    }
}
