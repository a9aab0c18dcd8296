//! How a snapshot stands, and how far it is.

use serde::Deserialize;
use serde_json::{Map, Value};

/// How a snapshot stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SnapshotState {
    /// It is being taken. `STARTED` is what the status API calls it.
    #[serde(alias = "STARTED", alias = "INIT", alias = "ABORTED")]
    InProgress,
    /// It is whole.
    Success,
    /// Some shards are not in it.
    Partial,
    /// It is of no use.
    #[serde(alias = "MISSING")]
    Failed,
    /// It was taken by a version that this one cannot read.
    Incompatible,
}

/// A snapshot that a repository has.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Snapshot {
    /// Its name.
    #[serde(rename = "snapshot")]
    pub name: String,
    /// How it stands.
    pub state: SnapshotState,
    /// The indices in it.
    #[serde(default)]
    pub indices: Vec<String>,
    /// When it was begun, in milliseconds since 1970.
    #[serde(default)]
    pub start_time_in_millis: u64,
    /// How long it took, in milliseconds.
    #[serde(default)]
    pub duration_in_millis: u64,
    /// The shards that are not in it.
    #[serde(default)]
    pub failures: Vec<SnapshotFailure>,
    /// What the owner noted.
    #[serde(default)]
    pub metadata: Map<String, Value>,
    /// What else there is, as it came.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A shard that is not in a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct SnapshotFailure {
    /// Its index.
    pub index: String,
    /// Its number.
    #[serde(default)]
    pub shard_id: u32,
    /// Why.
    #[serde(default)]
    pub reason: String,
}

/// How far a snapshot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotProgress {
    /// How it stands.
    pub state: SnapshotState,
    /// Its shards.
    pub shards_total: u32,
    /// Those that are in it.
    pub shards_done: u32,
    /// Those that failed.
    pub shards_failed: u32,
    /// The bytes that have to be copied.
    pub bytes_total: u64,
    /// Those that are.
    pub bytes_done: u64,
}

#[derive(Deserialize)]
pub(super) struct StatusBody {
    pub(super) snapshots: Vec<StatusOfOne>,
}

#[derive(Deserialize)]
pub(super) struct StatusOfOne {
    state: SnapshotState,
    shards_stats: ShardStats,
    stats: Stats,
}

#[derive(Deserialize)]
struct ShardStats {
    total: u32,
    done: u32,
    failed: u32,
}

#[derive(Deserialize)]
struct Stats {
    #[serde(default)]
    incremental: Files,
    #[serde(default)]
    processed: Option<Files>,
}

#[derive(Clone, Copy, Default, Deserialize)]
struct Files {
    size_in_bytes: u64,
}

impl StatusOfOne {
    pub(super) fn progress(&self) -> SnapshotProgress {
        let total = self.stats.incremental;
        // What was processed is left out once all is.
        let is_running = self.state == SnapshotState::InProgress;
        let done = self.stats.processed.unwrap_or(if is_running { Files::default() } else { total });
        SnapshotProgress {
            state: self.state,
            shards_total: self.shards_stats.total,
            shards_done: self.shards_stats.done,
            shards_failed: self.shards_stats.failed,
            bytes_total: total.size_in_bytes,
            bytes_done: done.size_in_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_status_tells_how_far_it_is() {
        let of = |body: Value| serde_json::from_value::<StatusOfOne>(body).unwrap().progress();
        let shards = json!({"initializing": 0, "started": 1, "finalizing": 0, "done": 2, "failed": 0, "total": 3});
        let running = of(json!({"state": "STARTED", "shards_stats": shards, "stats": {
            "incremental": {"file_count": 9, "size_in_bytes": 900},
            "processed": {"file_count": 3, "size_in_bytes": 300},
            "total": {"file_count": 20, "size_in_bytes": 2000}, "start_time_in_millis": 1, "time_in_millis": 2,
        }}));
        assert_eq!(
            running,
            SnapshotProgress {
                state: SnapshotState::InProgress,
                shards_total: 3,
                shards_done: 2,
                shards_failed: 0,
                bytes_total: 900,
                bytes_done: 300,
            }
        );
        let done = of(json!({"state": "SUCCESS", "shards_stats": shards, "stats": {
            "incremental": {"file_count": 9, "size_in_bytes": 900},
        }}));
        assert_eq!((done.state, done.bytes_done), (SnapshotState::Success, 900));
        for (text, state) in [
            ("IN_PROGRESS", SnapshotState::InProgress),
            ("ABORTED", SnapshotState::InProgress),
            ("PARTIAL", SnapshotState::Partial),
            ("FAILED", SnapshotState::Failed),
            ("INCOMPATIBLE", SnapshotState::Incompatible),
        ] {
            assert_eq!(serde_json::from_value::<SnapshotState>(json!(text)).unwrap(), state);
        }
    }
}
