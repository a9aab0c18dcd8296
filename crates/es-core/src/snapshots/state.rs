//! The state and the progress of a snapshot.

use serde::Deserialize;
use serde_json::{Map, Value};

/// The state of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SnapshotState {
    /// It is being taken. `STARTED` is what the status API calls it.
    #[serde(alias = "STARTED", alias = "INIT", alias = "ABORTED")]
    InProgress,
    /// It is complete.
    Success,
    /// Some shards are missing from it.
    Partial,
    /// It failed, and cannot be restored.
    #[serde(alias = "MISSING")]
    Failed,
    /// It was taken by a version that this cluster cannot read.
    Incompatible,
}

/// A snapshot in a repository.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Snapshot {
    /// Its name.
    #[serde(rename = "snapshot")]
    pub name: String,
    /// Its state.
    pub state: SnapshotState,
    /// The indices in it.
    #[serde(default)]
    pub indices: Vec<String>,
    /// The time of its start, in milliseconds since 1970.
    #[serde(default)]
    pub start_time_in_millis: u64,
    /// The time it took, in milliseconds.
    #[serde(default)]
    pub duration_in_millis: u64,
    /// The shards that are missing from it.
    #[serde(default)]
    pub failures: Vec<SnapshotFailure>,
    /// The owner's metadata (`_meta`).
    #[serde(default)]
    pub metadata: Map<String, Value>,
    /// All other keys, as the server returned them.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A shard that is missing from a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct SnapshotFailure {
    /// Its index.
    pub index: String,
    /// Its number.
    #[serde(default)]
    pub shard_id: u32,
    /// The reason.
    #[serde(default)]
    pub reason: String,
}

/// The progress of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotProgress {
    /// Its state.
    pub state: SnapshotState,
    /// The shards of its indices.
    pub shards_total: u32,
    /// Those that are copied.
    pub shards_done: u32,
    /// Those that failed.
    pub shards_failed: u32,
    /// The bytes to copy.
    pub bytes_total: u64,
    /// The bytes that are copied.
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
        // The server leaves the processed bytes out once all are.
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
    fn the_status_has_the_progress() {
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
