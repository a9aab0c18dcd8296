//! Policies of index lifecycle management: roll over, keep for a time, delete.
//!
//! A cluster without the module answers every request here with
//! [`crate::ErrorKind::FeatureMissing`]. The policy of an index is its setting `lifecycle.name`: see
//! [`crate::IndexSettings`].
//!
//! ```no_run
//! use es_core::indices::RolloverConditions;
//! use es_core::lifecycle::LifecyclePolicy;
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

/// A lifecycle policy: the phases of an index as it ages. Unknown keys are kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LifecyclePolicy {
    /// The phases.
    pub phases: Phases,
    /// The owner's metadata (`_meta`).
    #[serde(rename = "_meta", default, skip_serializing_if = "Map::is_empty")]
    pub meta: Map<String, Value>,
    /// All other keys, as the server returned them.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The phases of a policy, in the order in which an index goes through them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Phases {
    /// The index is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hot: Option<Phase>,
    /// The index is read, and not written any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm: Option<Phase>,
    /// The index is read now and then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cold: Option<Phase>,
    /// The index is read rarely, from a snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen: Option<Phase>,
    /// The index is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete: Option<Phase>,
    /// All other keys, as the server returned them.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// One phase.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// The age, since its rollover or its creation, at which an index enters the phase. Default: 0.
    #[serde(default, with = "optional_age", skip_serializing_if = "Option::is_none")]
    pub min_age: Option<Duration>,
    /// The actions of the phase.
    #[serde(default)]
    pub actions: Actions,
    /// All other keys, as the server returned them.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The actions of a phase.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Actions {
    /// Rolls over to a new index when the conditions hold. In the hot phase only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollover: Option<RolloverConditions>,
    /// Merges segments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forcemerge: Option<MergeAction>,
    /// Deletes the index. In the delete phase only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete: Option<DeleteAction>,
    /// The other actions (`shrink`, `allocate`, `set_priority`, ...), as the server returned them.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Merges segments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MergeAction {
    /// The number of segments a shard after the merge.
    pub max_num_segments: u32,
    /// All other keys, as the server returned them.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Deletes the index.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DeleteAction {
    /// `true` if the snapshot that an earlier phase made of it is deleted too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete_searchable_snapshot: Option<bool>,
    /// All other keys, as the server returned them.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl LifecyclePolicy {
    /// Creates a policy that rolls over when the conditions hold, and deletes each index `keep` after
    /// its rollover.
    pub fn roll_and_keep(conditions: RolloverConditions, retention: Duration) -> Self {
        let hot = Phase { actions: Actions { rollover: Some(conditions), ..Actions::default() }, ..Phase::default() };
        let delete = Phase {
            min_age: Some(retention),
            actions: Actions { delete: Some(DeleteAction::default()), ..Actions::default() },
            ..Phase::default()
        };
        Self { phases: Phases { hot: Some(hot), delete: Some(delete), ..Phases::default() }, ..Self::default() }
    }

    /// The time that an index is kept after its rollover; `None` if it is never deleted.
    pub fn retention(&self) -> Option<Duration> {
        let phase = self.phases.delete.as_ref().filter(|phase| phase.actions.delete.is_some())?;
        Some(phase.min_age.unwrap_or_default())
    }
}

/// A policy of the cluster.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct StoredPolicy {
    /// The number of times it was put.
    pub version: u64,
    /// The time it was put last.
    pub modified_date: String,
    /// The policy.
    pub policy: LifecyclePolicy,
    /// All other keys (`in_use_by`, ...), as the server returned them.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The position of an index in its policy.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct IndexLifecycle {
    /// The index.
    pub index: String,
    /// `true` if it has a policy. If not, the other fields are `None`.
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
    /// The server's information on the step: an error, or the condition that it waits for.
    #[serde(default)]
    pub step_info: Option<Value>,
    /// All other keys, as the server returned them.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl IndexLifecycle {
    /// The reason of a failed step, which stops the policy.
    pub fn failure(&self) -> Option<ServerError> {
        self.failed_step.as_ref()?;
        Some(self.step_info.as_ref().and_then(ServerError::from_value).unwrap_or_default())
    }
}

/// The state of lifecycle management.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum LifecycleStatus {
    /// Policies are executed.
    Running,
    /// Steps that have begun are finished.
    Stopping,
    /// Policies are not executed.
    Stopped,
}

/// The lifecycle policies of a cluster.
pub struct Lifecycle<'a> {
    api: Optional<'a>,
}

impl Client {
    /// The lifecycle policies of the cluster.
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
    /// Creates or replaces a policy. Indices that have it already follow the new one from their next
    /// phase.
    ///
    /// # Errors
    /// [`ErrorKind::BadRequest`] for an invalid policy.
    pub async fn put(&self, name: &str, policy: &LifecyclePolicy) -> Result<(), Error> {
        let request = Request::new(Method::Put, IlmPutLifecycleParts::Policy(name).url())
            .json(&json!({"policy": policy}))
            .repeatable();
        self.api.send(&request).await.map(|_| ())
    }

    /// Returns a policy by its name.
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

    /// Lists all policies, by name. The API has no pages; a cluster has tens of them.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn list(&self) -> Result<BTreeMap<String, StoredPolicy>, Error> {
        self.api.send(&Request::new(Method::Get, IlmGetLifecycleParts::None.url())).await?.json()
    }

    /// Removes a policy. Returns `true` if there was one.
    ///
    /// # Errors
    /// [`ErrorKind::BadRequest`] for a pattern, and while an index has the policy; else as
    /// [`Client::send`].
    pub async fn delete(&self, name: &str) -> Result<bool, Error> {
        require_exact_name(name, "a policy")?;
        let request = Request::new(Method::Delete, IlmDeleteLifecycleParts::Policy(name).url()).repeatable();
        self.api.exists(&request).await
    }

    /// Lists the positions of the matching indices in their policies, by name.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when a named index does not exist; else as [`Client::send`].
    pub async fn explain(&self, pattern: &str) -> Result<Vec<IndexLifecycle>, Error> {
        let request = Request::new(Method::Get, IlmExplainLifecycleParts::Index(pattern).url());
        let found: ExplainBody = self.api.send(&request).await?.json()?;
        Ok(found.indices.into_values().collect())
    }

    /// Retries the failed step of an index.
    ///
    /// # Errors
    /// [`ErrorKind::BadRequest`] when no step of the index has failed.
    pub async fn retry(&self, index: &str) -> Result<(), Error> {
        let request = Request::new(Method::Post, IlmRetryParts::Index(index).url());
        self.api.send(&request).await.map(|_| ())
    }

    /// Returns the state of lifecycle management.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn status(&self) -> Result<LifecycleStatus, Error> {
        let request = Request::new(Method::Get, IlmGetStatusParts::None.url());
        Ok(self.api.send(&request).await?.json::<StatusBody>()?.operation_mode)
    }
}
