//! Snapshots: registering a repository, taking, listing, restoring and removing snapshots.
//!
//! The locations that a repository may use are configured on each node (`path.repo` for a file
//! system).
//!
//! ```no_run
//! use es_core::Wait;
//! use es_core::snapshots::{NewSnapshot, Repository, Restore};
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

mod repository;
mod restore;
mod state;

use std::time::Duration;

use elasticsearch::snapshot::{SnapshotCreateParts, SnapshotDeleteParts, SnapshotGetParts, SnapshotStatusParts};
use serde::Deserialize;
use serde_json::{Map, Value, json};

pub use self::repository::Repository;
pub use self::restore::{Restore, RestoreProgress};
use self::state::StatusBody;
pub use self::state::{Snapshot, SnapshotFailure, SnapshotProgress, SnapshotState};
use crate::client::Client;
use crate::error::{Error, ErrorKind};
use crate::indices::require_exact_name;
use crate::request::{Method, Request};
use crate::waiting::{Pace, Wait};

/// The number of snapshots that one request lists.
const PAGE: usize = 100;

/// A snapshot to take.
#[derive(Clone, Debug, PartialEq)]
pub struct NewSnapshot {
    /// The indices, by name or pattern.
    pub indices: Vec<String>,
    /// Continues without shards that cannot be read. Default: no.
    pub partial: bool,
    /// The owner's metadata.
    pub metadata: Map<String, Value>,
}

impl NewSnapshot {
    /// A snapshot of all shards of these indices, and of nothing else.
    pub fn of<S: Into<String>>(indices: impl IntoIterator<Item = S>) -> Self {
        Self { indices: indices.into_iter().map(Into::into).collect(), partial: false, metadata: Map::new() }
    }
}

/// The snapshots of one repository.
pub struct Snapshots<'a> {
    client: &'a Client,
    repository: &'a str,
}

impl Client {
    /// The snapshots of a repository, which need not exist yet.
    pub fn snapshots<'a>(&'a self, repository: &'a str) -> Snapshots<'a> {
        Snapshots { client: self, repository }
    }
}

#[derive(Deserialize)]
struct ListBody {
    #[serde(default)]
    snapshots: Vec<Snapshot>,
    next: Option<String>,
}

impl Snapshots<'_> {
    /// Takes a snapshot, and waits until it is complete. `on_progress` is called on the way and at the
    /// end. If the answer to the request is lost, the snapshot is looked up, not taken twice.
    ///
    /// # Errors
    /// [`ErrorKind::PartialResult`] when shards are missing from it; [`ErrorKind::BadRequest`] when the
    /// name is taken; [`ErrorKind::TimedOut`] when the limit passes, and the snapshot continues.
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
            // The status can report the end before the snapshot can be read.
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
        // While the end is recorded, the bytes can be missing: they are read again now.
        if let Ok(now) = self.progress(name).await {
            on_progress(&now);
        }
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

    /// Returns the progress of a snapshot.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no snapshot of this name.
    pub async fn progress(&self, name: &str) -> Result<SnapshotProgress, Error> {
        let parts = SnapshotStatusParts::RepositorySnapshot(self.repository, &[name]);
        let found: StatusBody = self.client.send(&Request::new(Method::Get, parts.url())).await?.json()?;
        match found.snapshots.first() {
            Some(one) => Ok(one.progress()),
            None => Err(Error::new(ErrorKind::NotFound, format!("{} has no snapshot {name}", self.repository))),
        }
    }

    /// Returns a snapshot of the repository, if it exists.
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

    /// Lists the snapshots whose names match, the newest first, up to `limit` of them.
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

    /// Removes a snapshot by its exact name, also one that is being taken. Returns `true` if there was
    /// one. This can take long, so the time limit is `limit`.
    ///
    /// # Errors
    /// [`ErrorKind::BadRequest`] for a pattern; else as [`Client::send`].
    pub async fn delete(&self, name: &str, limit: Duration) -> Result<bool, Error> {
        self.exact(name)?;
        let parts = SnapshotDeleteParts::RepositorySnapshot(self.repository, &[name]);
        self.client.exists(&Request::new(Method::Delete, parts.url()).timeout(limit).repeatable()).await
    }

    fn exact(&self, name: &str) -> Result<(), Error> {
        require_exact_name(name, "a repository or snapshot")
    }
}
