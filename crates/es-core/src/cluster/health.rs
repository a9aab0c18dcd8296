//! The health of the cluster or of an index, and waiting for it.

use std::fmt;
use std::time::Duration;

use elasticsearch::cluster::ClusterHealthParts;
use serde::{Deserialize, Serialize};

use super::Cluster;
use crate::connection::retry::RetryPolicy;
use crate::error::{Error, ErrorKind};
use crate::request::{Method, Request};

/// The health of data, from bad to good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    /// A primary shard is not assigned: some documents cannot be read or written.
    Red,
    /// All primaries are assigned, but some replica is not.
    Yellow,
    /// All shards are assigned.
    Green,
}

impl HealthStatus {
    fn as_str(self) -> &'static str {
        match self {
            Self::Red => "red",
            Self::Yellow => "yellow",
            Self::Green => "green",
        }
    }
}

impl fmt::Display for HealthStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The answer of `_cluster/health`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The worst status among the requested indices.
    pub status: HealthStatus,
    /// `true` if the awaited status was not reached in time.
    #[serde(default)]
    pub timed_out: bool,
    /// Nodes of the cluster.
    #[serde(rename = "number_of_nodes")]
    pub nodes: u32,
    /// Of those, nodes that hold data.
    #[serde(rename = "number_of_data_nodes")]
    pub data_nodes: u32,
    /// Active shards, primaries and replicas.
    #[serde(default)]
    pub active_shards: u64,
    /// Shards that are being moved.
    #[serde(default)]
    pub relocating_shards: u64,
    /// Shards that are being created or recovered.
    #[serde(default)]
    pub initializing_shards: u64,
    /// Shards without a node.
    #[serde(default)]
    pub unassigned_shards: u64,
    /// Of those, primaries. `None` where the server is too old to report them.
    #[serde(default)]
    pub unassigned_primary_shards: Option<u64>,
    /// Changes of the cluster state that wait for the master.
    #[serde(rename = "number_of_pending_tasks", default)]
    pub pending_tasks: u64,
    /// The wait of the oldest of those, in milliseconds.
    #[serde(rename = "task_max_waiting_in_queue_millis", default)]
    pub longest_wait_ms: u64,
}

/// The outcome of a wait for a health status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HealthWait {
    /// The status was reached, or a better one.
    Reached(Health),
    /// It was not reached in time; the health at that moment.
    TimedOut(Health),
}

/// The time that an answer may take beyond the time that the server was told to wait.
const GRACE: Duration = Duration::from_secs(5);

impl Cluster<'_> {
    /// Returns the health now.
    ///
    /// # Errors
    /// As [`crate::Client::send`].
    pub async fn health(&self) -> Result<Health, Error> {
        self.get(Request::new(Method::Get, ClusterHealthParts::None.url())).await?.json()
    }

    /// Waits until an index, an alias or (with `None`) the whole cluster is at least as healthy as
    /// `status`, for `limit` at most. An index that does not exist is red until it does.
    ///
    /// # Errors
    /// As [`crate::Client::send`]. The end of the time is not an error.
    pub async fn wait_for_health(
        &self,
        index: Option<&str>,
        status: HealthStatus,
        limit: Duration,
    ) -> Result<HealthWait, Error> {
        let names = index.map(|index| [index]);
        let path = names.as_ref().map_or(ClusterHealthParts::None, |names| ClusterHealthParts::Index(names)).url();
        let request = Request::new(Method::Get, path)
            .query("wait_for_status", status)
            .query("timeout", format!("{}ms", limit.as_millis()))
            .timeout(limit.saturating_add(GRACE))
            // A retry would wait again.
            .retry(RetryPolicy::NEVER);
        let health = match self.client.send(&request).await {
            Ok(response) => response.json()?,
            // Here the HTTP status reports the time-out; the health itself is requested again.
            Err(error) if says_timed_out(&error) => {
                let mut now = request.clone();
                now.query = vec![("timeout".into(), "0ms".to_owned())];
                match self.client.send(&now).await {
                    Ok(response) => Health { timed_out: true, ..response.json()? },
                    // Without a status to wait for, only an index that does not exist times out.
                    Err(again) if says_timed_out(&again) => {
                        Health { status: HealthStatus::Red, timed_out: true, ..self.health().await? }
                    }
                    Err(again) => return Err(again),
                }
            }
            Err(error) => return Err(error),
        };
        Ok(if health.timed_out || health.status < status {
            HealthWait::TimedOut(health)
        } else {
            HealthWait::Reached(health)
        })
    }
}

/// Returns `true` if the server, rather than this client, reports a time-out.
fn says_timed_out(error: &Error) -> bool {
    error.kind() == ErrorKind::TimedOut && error.status() == Some(408)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_ordered_from_bad_to_good() {
        assert!(HealthStatus::Red < HealthStatus::Yellow && HealthStatus::Yellow < HealthStatus::Green);
        assert_eq!(format!("{:>7}", HealthStatus::Yellow), " yellow");
    }
}
