//! Snapshots: a repository to keep them in, taking them, listing them, removing them.
//!
//! Bringing an index back is in `restore`. Where a repository lies, and what may be written
//! there, is a matter of each node's configuration (`path.repo` for a file system).
//!
//! ```no_run
//! use es_core::{NewSnapshot, Repository, Restore, Wait};
//!
//! # async fn example(client: es_core::Client) -> Result<(), es_core::Error> {
//! let snapshots = client.snapshots("backup");
//! snapshots.register(&Repository::fs("/mnt/backup")).await?;
//! let wait = Wait::default();
//! let new = NewSnapshot::of(["flights-2"]);
//! snapshots.take("before-upgrade", &new, &wait, |now| println!("{} of {} bytes", now.bytes_done, now.bytes_total)).await?;
//! let restore = Restore::new("flights-2", "flights-2-again");
//! snapshots.restore("before-upgrade", &restore, &wait, |_| ()).await?;
//! # Ok(())
//! # }
//! ```

mod restore;

use elasticsearch::snapshot::{
    SnapshotCreateParts, SnapshotCreateRepositoryParts, SnapshotDeleteParts, SnapshotDeleteRepositoryParts,
    SnapshotGetParts, SnapshotGetRepositoryParts, SnapshotStatusParts, SnapshotVerifyRepositoryParts,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

pub use self::restore::{Restore, RestoreProgress};
use crate::client::Client;
use crate::error::{Error, ErrorKind};
use crate::indices::is_exact_name;
use crate::request::{Method, Request};
use crate::server_error::ServerError;
use crate::waiting::{Pace, Wait};

/// How many snapshots one request lists.
const PAGE: usize = 100;

/// Where snapshots are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Repository {
    /// The kind of store: `fs`, `s3`, `gcs`, `azure`, `url`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the kind of store needs, as Elasticsearch takes it.
    #[serde(default)]
    pub settings: Map<String, Value>,
    /// What else there is, as it came.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Repository {
    /// A folder that all nodes share, under one of their `path.repo`.
    pub fn fs(location: &str) -> Self {
        let settings = Map::from_iter([("location".to_owned(), json!(location))]);
        Self { kind: "fs".to_owned(), settings, other: Map::new() }
    }
}

/// A snapshot to take.
#[derive(Clone, Debug, PartialEq)]
pub struct NewSnapshot {
    /// The indices, by name or pattern.
    pub indices: Vec<String>,
    /// Whether to go on without shards that cannot be read. Default: no.
    pub partial: bool,
    /// What the owner wants to note.
    pub metadata: Map<String, Value>,
}

impl NewSnapshot {
    /// A snapshot of these indices, whole, and of nothing else.
    pub fn of<S: Into<String>>(indices: impl IntoIterator<Item = S>) -> Self {
        Self { indices: indices.into_iter().map(Into::into).collect(), partial: false, metadata: Map::new() }
    }
}

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

/// The snapshots of one repository.
pub struct Snapshots<'a> {
    client: &'a Client,
    repository: &'a str,
}

impl Client {
    /// A repository of snapshots, which need not exist yet.
    pub fn snapshots<'a>(&'a self, repository: &'a str) -> Snapshots<'a> {
        Snapshots { client: self, repository }
    }
}

#[derive(Deserialize)]
struct NodesBody {
    nodes: BTreeMap<String, NodeBody>,
}

#[derive(Deserialize)]
struct NodeBody {
    name: String,
}

#[derive(Deserialize)]
struct ListBody {
    #[serde(default)]
    snapshots: Vec<Snapshot>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct StatusBody {
    snapshots: Vec<StatusOfOne>,
}

#[derive(Deserialize)]
struct StatusOfOne {
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
    fn progress(&self) -> SnapshotProgress {
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

impl Snapshots<'_> {
    /// Makes or replaces the repository, and has every node write a file to it.
    ///
    /// # Errors
    /// [`ErrorKind::Server`] when a node does not know the kind of store or may not write
    /// there; the help says what to set.
    pub async fn register(&self, repository: &Repository) -> Result<(), Error> {
        let request = Request::new(Method::Put, SnapshotCreateRepositoryParts::Repository(self.repository).url())
            .json(repository)
            .repeatable();
        self.client.send(&request).await.map(|_| ()).map_err(explained)
    }

    /// Checks that every node can write to the repository, and returns their names.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such repository; [`ErrorKind::Server`] when
    /// a node cannot write to it.
    pub async fn verify(&self) -> Result<Vec<String>, Error> {
        let request =
            Request::new(Method::Post, SnapshotVerifyRepositoryParts::Repository(self.repository).url()).repeatable();
        let found: NodesBody = self.client.send(&request).await.map_err(explained)?.json()?;
        Ok(found.nodes.into_values().map(|node| node.name).collect())
    }

    /// The repository, if it exists.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn repository(&self) -> Result<Option<Repository>, Error> {
        let request = Request::new(Method::Get, SnapshotGetRepositoryParts::Repository(&[self.repository]).url());
        match self.client.send(&request).await {
            Ok(answer) => Ok(answer.json::<BTreeMap<String, Repository>>()?.remove(self.repository)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes the repository from the cluster; its snapshots stay where they are. Returns
    /// whether there was one.
    ///
    /// # Errors
    /// [`ErrorKind::BadRequest`] for a pattern; else as [`Client::send`].
    pub async fn unregister(&self) -> Result<bool, Error> {
        self.exact(self.repository)?;
        let parts = SnapshotDeleteRepositoryParts::Repository(&[self.repository]);
        self.client.exists(&Request::new(Method::Delete, parts.url()).repeatable()).await
    }

    /// Takes a snapshot, and waits until it is whole. `on_progress` is told on the way. If
    /// the answer to the request is lost, the snapshot is looked for, not taken twice.
    ///
    /// # Errors
    /// [`ErrorKind::PartialResult`] when shards are not in it; [`ErrorKind::BadRequest`]
    /// when the name is taken; [`ErrorKind::TimedOut`] when the limit passes, and the
    /// snapshot goes on.
    pub async fn take(
        &self,
        name: &str,
        snapshot: &NewSnapshot,
        wait: &Wait,
        mut on_progress: impl FnMut(&SnapshotProgress),
    ) -> Result<Snapshot, Error> {
        self.start(name, snapshot).await?;
        let what = format!("the snapshot {name}");
        let mut pace = Pace::new(wait, what.clone());
        let taken = loop {
            let answer = self.progress(name).await;
            // The status can say that it is done before it can be read.
            let answer = match answer.inspect(&mut on_progress) {
                Ok(now) if now.state != SnapshotState::InProgress => self.get(name).await,
                Ok(_) => Ok(None),
                Err(error) => Err(error),
            };
            let ended = answer.map(|found| found.filter(|found| found.state != SnapshotState::InProgress));
            if let Some(taken) = pace.after(ended).await? {
                break taken;
            }
        };
        if taken.state != SnapshotState::Success && !(snapshot.partial && taken.state == SnapshotState::Partial) {
            let count = taken.failures.len();
            let reason = taken.failures.first().map_or("no reason is given", |failure| failure.reason.as_str());
            let message = format!("{what} is not whole, {count} shards are missing: {reason}");
            return Err(Error::new(ErrorKind::PartialResult, message));
        }
        Ok(taken)
    }

    async fn start(&self, name: &str, snapshot: &NewSnapshot) -> Result<(), Error> {
        self.exact(name)?;
        match self.client.send(&self.start_request(name, snapshot)).await {
            Ok(_) => Ok(()),
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::TimedOut) => {
                match self.get(name).await {
                    Ok(Some(_)) => Ok(()),
                    _ => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    fn start_request(&self, name: &str, snapshot: &NewSnapshot) -> Request {
        let mut body = json!({
            "indices": snapshot.indices,
            "include_global_state": false,
            "ignore_unavailable": false,
            "partial": snapshot.partial,
        });
        if !snapshot.metadata.is_empty() {
            body["metadata"] = json!(snapshot.metadata);
        }
        Request::new(Method::Put, SnapshotCreateParts::RepositorySnapshot(self.repository, name).url())
            .query("wait_for_completion", false)
            .json(&body)
    }

    /// How far a snapshot is.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is none of the name.
    pub async fn progress(&self, name: &str) -> Result<SnapshotProgress, Error> {
        let parts = SnapshotStatusParts::RepositorySnapshot(self.repository, &[name]);
        let found: StatusBody = self.client.send(&Request::new(Method::Get, parts.url())).await?.json()?;
        match found.snapshots.first() {
            Some(one) => Ok(one.progress()),
            None => Err(Error::new(ErrorKind::NotFound, format!("{} has no snapshot {name}", self.repository))),
        }
    }

    /// A snapshot of the repository, if it has it.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such repository; else as [`Client::send`].
    pub async fn get(&self, name: &str) -> Result<Option<Snapshot>, Error> {
        let parts = SnapshotGetParts::RepositorySnapshot(self.repository, &[name]);
        let found = self.client.send(&Request::new(Method::Get, parts.url())).await;
        let is_missing =
            |error: &Error| error.server().is_some_and(|server| server.error_type == "snapshot_missing_exception");
        match found {
            Ok(answer) => Ok(answer.json::<ListBody>()?.snapshots.into_iter().find(|found| found.name == name)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The snapshots whose names match, the newest first, at most so many.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such repository; else as [`Client::send`].
    pub async fn list(&self, pattern: &str, most: usize) -> Result<Vec<Snapshot>, Error> {
        let mut all = Vec::new();
        let mut after: Option<String> = None;
        while all.len() < most {
            let parts = SnapshotGetParts::RepositorySnapshot(self.repository, &[pattern]);
            let mut request = Request::new(Method::Get, parts.url())
                .query("sort", "start_time")
                .query("order", "desc")
                .query("size", PAGE.min(most - all.len()))
                .query("ignore_unavailable", true);
            if let Some(after) = &after {
                request = request.query("after", after);
            }
            let page: ListBody = self.client.send(&request).await?.json()?;
            all.extend(page.snapshots);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok(all)
    }

    /// Removes a snapshot by its exact name, also one that is being taken; returns whether
    /// there was one. This can take long, so the time limit is `limit`.
    ///
    /// # Errors
    /// [`ErrorKind::BadRequest`] for a pattern; else as [`Client::send`].
    pub async fn delete(&self, name: &str, limit: Duration) -> Result<bool, Error> {
        self.exact(name)?;
        let parts = SnapshotDeleteParts::RepositorySnapshot(self.repository, &[name]);
        self.client.exists(&Request::new(Method::Delete, parts.url()).timeout(limit).repeatable()).await
    }

    fn exact(&self, name: &str) -> Result<(), Error> {
        if is_exact_name(name) {
            return Ok(());
        }
        let message = format!("{name:?} is not the exact name of a repository or snapshot");
        Err(Error::new(ErrorKind::BadRequest, message))
    }
}

/// Adds what to do when a node has no place for the repository.
fn explained(error: Error) -> Error {
    let reason = error.server().map(ServerError::summary).unwrap_or_default();
    if reason.contains("path.repo") {
        return error
            .with_help("add the folder to `path.repo` in the elasticsearch.yml of every node, and restart the nodes");
    }
    if reason.contains("repository type") {
        return error.with_help("install the plugin or module for this kind of repository on every node");
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

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
