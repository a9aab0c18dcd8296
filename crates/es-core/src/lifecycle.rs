//! Policies of index lifecycle management: roll over, keep for a time, remove.
//!
//! A cluster without the module answers everything here with
//! [`crate::ErrorKind::FeatureMissing`]. Which policy looks after an index stands in its
//! setting `lifecycle.name`: see [`crate::IndexSettings`].
//!
//! ```no_run
//! use es_core::{LifecyclePolicy, RolloverConditions};
//! use std::time::Duration;
//!
//! # async fn example(client: es_core::Client) -> Result<(), es_core::Error> {
//! let when = RolloverConditions { max_primary_shard_size: Some(50 << 30), ..RolloverConditions::default() };
//! let policy = LifecyclePolicy::roll_and_keep(when, Duration::from_secs(90 * 24 * 3600));
//! client.lifecycle().put("flights", &policy).await?;
//! for index in client.lifecycle().explain("flights-*").await? {
//!     println!("{} {:?} {:?}", index.index, index.phase, index.failure());
//! }
//! # Ok(())
//! # }
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use elasticsearch::ilm::{
    IlmDeleteLifecycleParts, IlmExplainLifecycleParts, IlmGetLifecycleParts, IlmGetStatusParts, IlmPutLifecycleParts,
    IlmRetryParts,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::client::Client;
use crate::error::absent::Optional;
use crate::error::server_error::ServerError;
use crate::error::{Error, ErrorKind};
use crate::indices::{RolloverConditions, require_exact_name};
use crate::request::{Method, Request};
use crate::units::optional_age;

/// What happens to an index as it gets older. Unknown keys are kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LifecyclePolicy {
    /// The phases.
    pub phases: Phases,
    /// What the owner noted.
    #[serde(rename = "_meta", default, skip_serializing_if = "Map::is_empty")]
    pub meta: Map<String, Value>,
    /// What else there is, as it came.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The phases of a policy, in the order in which an index goes through them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Phases {
    /// It is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hot: Option<Phase>,
    /// It is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm: Option<Phase>,
    /// It is read at times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cold: Option<Phase>,
    /// It is read rarely, from a snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen: Option<Phase>,
    /// It is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete: Option<Phase>,
    /// What else there is, as it came.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// One phase.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// How long after its rollover, or its making, an index enters the phase; at once by default.
    #[serde(default, with = "optional_age", skip_serializing_if = "Option::is_none")]
    pub min_age: Option<Duration>,
    /// What is done in it.
    #[serde(default)]
    pub actions: Actions,
    /// What else there is, as it came.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What is done in a phase.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Actions {
    /// Goes on in a new index when the conditions hold. In the hot phase only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollover: Option<RolloverConditions>,
    /// Merges segments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forcemerge: Option<MergeAction>,
    /// Removes the index. In the delete phase only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete: Option<DeleteAction>,
    /// The other actions (`shrink`, `allocate`, `set_priority`, ...), as they came.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Merges segments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MergeAction {
    /// Down to so many a shard.
    pub max_num_segments: u32,
    /// What else there is, as it came.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Removes the index.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DeleteAction {
    /// Whether the snapshot that an earlier phase made of it goes too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete_searchable_snapshot: Option<bool>,
    /// What else there is, as it came.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl LifecyclePolicy {
    /// Rolls over when the conditions hold, and removes each index so long after it was
    /// rolled over.
    pub fn roll_and_keep(conditions: RolloverConditions, retention: Duration) -> Self {
        let hot = Phase { actions: Actions { rollover: Some(conditions), ..Actions::default() }, ..Phase::default() };
        let delete = Phase {
            min_age: Some(retention),
            actions: Actions { delete: Some(DeleteAction::default()), ..Actions::default() },
            ..Phase::default()
        };
        Self { phases: Phases { hot: Some(hot), delete: Some(delete), ..Phases::default() }, ..Self::default() }
    }

    /// How long an index is kept after its rollover; none if it is never removed.
    pub fn retention(&self) -> Option<Duration> {
        let phase = self.phases.delete.as_ref().filter(|phase| phase.actions.delete.is_some())?;
        Some(phase.min_age.unwrap_or_default())
    }
}

/// A policy that the cluster has.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct StoredPolicy {
    /// How often it was put.
    pub version: u64,
    /// When it was put last.
    pub modified_date: String,
    /// The policy.
    pub policy: LifecyclePolicy,
    /// What else there is (`in_use_by`, ...), as it came.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Where an index is in its policy.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct IndexLifecycle {
    /// The index.
    pub index: String,
    /// Whether a policy looks after it. If not, there is nothing else here.
    pub managed: bool,
    /// The policy.
    #[serde(default)]
    pub policy: Option<String>,
    /// The phase.
    #[serde(default)]
    pub phase: Option<String>,
    /// The action in the phase.
    #[serde(default)]
    pub action: Option<String>,
    /// The step of the action; `ERROR` when one failed.
    #[serde(default)]
    pub step: Option<String>,
    /// The step that failed.
    #[serde(default)]
    pub failed_step: Option<String>,
    /// What the server says of the step: an error, or what it waits for.
    #[serde(default)]
    pub step_info: Option<Value>,
    /// What else there is, as it came.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl IndexLifecycle {
    /// Why the policy does not go on, if a step failed.
    pub fn failure(&self) -> Option<ServerError> {
        self.failed_step.as_ref()?;
        Some(self.step_info.as_ref().and_then(ServerError::from_value).unwrap_or_default())
    }
}

/// Whether policies are carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum LifecycleStatus {
    /// They are.
    Running,
    /// What has begun is finished.
    Stopping,
    /// They are not.
    Stopped,
}

/// The lifecycle policies of a cluster.
pub struct Lifecycle<'a> {
    api: Optional<'a>,
}

impl Client {
    /// Lifecycle policies.
    pub fn lifecycle(&self) -> Lifecycle<'_> {
        Lifecycle { api: Optional { client: self, feature: "index lifecycle management" } }
    }
}

#[derive(Deserialize)]
struct StatusBody {
    operation_mode: LifecycleStatus,
}

#[derive(Deserialize)]
struct ExplainBody {
    indices: BTreeMap<String, IndexLifecycle>,
}

impl Lifecycle<'_> {
    /// Makes or replaces a policy. Indices that it looks after already go on with the new
    /// one from their next phase.
    ///
    /// # Errors
    /// [`ErrorKind::BadRequest`] for a policy that makes no sense.
    pub async fn put(&self, name: &str, policy: &LifecyclePolicy) -> Result<(), Error> {
        let request = Request::new(Method::Put, IlmPutLifecycleParts::Policy(name).url())
            .json(&json!({"policy": policy}))
            .repeatable();
        self.api.send(&request).await.map(|_| ())
    }

    /// The policy of a name.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn get(&self, name: &str) -> Result<Option<StoredPolicy>, Error> {
        let request = Request::new(Method::Get, IlmGetLifecycleParts::Policy(name).url());
        match self.api.send(&request).await {
            Ok(answer) => Ok(answer.json::<BTreeMap<String, StoredPolicy>>()?.remove(name)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All policies, by name. The API has no pages; a cluster has tens of them.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn list(&self) -> Result<BTreeMap<String, StoredPolicy>, Error> {
        self.api.send(&Request::new(Method::Get, IlmGetLifecycleParts::None.url())).await?.json()
    }

    /// Removes a policy; returns whether there was one.
    ///
    /// # Errors
    /// [`ErrorKind::BadRequest`] for a pattern, and while the policy looks after an index;
    /// else as [`Client::send`].
    pub async fn delete(&self, name: &str) -> Result<bool, Error> {
        require_exact_name(name, "a policy")?;
        let request = Request::new(Method::Delete, IlmDeleteLifecycleParts::Policy(name).url()).repeatable();
        self.api.exists(&request).await
    }

    /// Where the indices that match are in their policies, by name.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when a named index does not exist; else as [`Client::send`].
    pub async fn explain(&self, pattern: &str) -> Result<Vec<IndexLifecycle>, Error> {
        let request = Request::new(Method::Get, IlmExplainLifecycleParts::Index(pattern).url());
        let found: ExplainBody = self.api.send(&request).await?.json()?;
        Ok(found.indices.into_values().collect())
    }

    /// Tries the failed step of an index again.
    ///
    /// # Errors
    /// [`ErrorKind::BadRequest`] when no step of the index has failed.
    pub async fn retry(&self, index: &str) -> Result<(), Error> {
        let request = Request::new(Method::Post, IlmRetryParts::Index(index).url());
        self.api.send(&request).await.map(|_| ())
    }

    /// Whether policies are carried out at all.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn status(&self) -> Result<LifecycleStatus, Error> {
        let request = Request::new(Method::Get, IlmGetStatusParts::None.url());
        Ok(self.api.send(&request).await?.json::<StatusBody>()?.operation_mode)
    }
}
