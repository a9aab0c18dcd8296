//! Bringing one index back from a snapshot, under a name of its own.

use elasticsearch::cat::CatShardsParts;
use elasticsearch::snapshot::SnapshotRestoreParts;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Snapshots;
use crate::error::{Error, ErrorKind};
use crate::request::{Method, Request};
use crate::settings::IndexSettings;
use crate::waiting::{Pace, Wait};

/// An index to restore.
#[derive(Clone, Debug, PartialEq)]
pub struct Restore {
    /// The index in the snapshot.
    pub index: String,
    /// The name of the restored index, which must not exist.
    pub into: String,
    /// Settings that replace those in the snapshot.
    pub settings: IndexSettings,
    /// Settings in the snapshot that are not restored.
    pub ignored_settings: Vec<String>,
}

impl Restore {
    /// Restores the index under another name, unchanged, without its aliases.
    pub fn new(index: impl Into<String>, into: impl Into<String>) -> Self {
        Self {
            index: index.into(),
            into: into.into(),
            settings: IndexSettings::default(),
            ignored_settings: Vec::new(),
        }
    }

    fn body(&self) -> Value {
        // In a replacement, `$` and `\` have a special meaning.
        let literal = self.into.replace('\\', "\\\\").replace('$', "\\$");
        let ignored: Vec<String> = self.ignored_settings.iter().map(|name| with_prefix(name)).collect();
        json!({
            "indices": self.index,
            "rename_pattern": "^.+$",
            "rename_replacement": literal,
            "include_global_state": false,
            "include_aliases": false,
            "index_settings": self.settings,
            "ignore_index_settings": ignored,
        })
    }
}

fn with_prefix(name: &str) -> String {
    if name.starts_with("index.") { name.to_owned() } else { format!("index.{name}") }
}

/// The progress of a restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestoreProgress {
    /// The primary shards of the index.
    pub shards_total: usize,
    /// Those that are restored.
    pub shards_done: usize,
}

#[derive(Deserialize)]
struct ShardRow {
    prirep: String,
    state: String,
    #[serde(rename = "unassigned.reason")]
    reason: Option<String>,
    #[serde(rename = "unassigned.details")]
    details: Option<String>,
}

/// Reads the progress of the shards, or the reason why one cannot be restored.
fn progress_of(rows: &[ShardRow], what: &str) -> Result<RestoreProgress, Error> {
    let primaries = || rows.iter().filter(|row| row.prirep == "p");
    let failed =
        primaries().find(|row| row.state == "UNASSIGNED" && row.reason.as_deref() == Some("ALLOCATION_FAILED"));
    if let Some(row) = failed {
        let details = row.details.as_deref().unwrap_or("no reason is given");
        return Err(Error::new(ErrorKind::PartialResult, format!("{what} failed on a shard: {details}")));
    }
    let done = primaries().filter(|row| matches!(row.state.as_str(), "STARTED" | "RELOCATING")).count();
    Ok(RestoreProgress { shards_total: primaries().count(), shards_done: done })
}

impl Snapshots<'_> {
    /// Restores an index, and waits until all its primary shards are active. `on_progress` is called on
    /// the way.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] when the new name exists; [`ErrorKind::NotFound`] when the snapshot or
    /// the index in it is missing; [`ErrorKind::PartialResult`] when a shard cannot be restored;
    /// [`ErrorKind::TimedOut`] when the limit passes.
    pub async fn restore(
        &self,
        name: &str,
        restore: &Restore,
        wait: &Wait,
        mut on_progress: impl FnMut(&RestoreProgress),
    ) -> Result<(), Error> {
        self.exact(name)?;
        self.exact(&restore.index)?;
        self.exact(&restore.into)?;
        let what = format!("the restore of {} into {}", restore.index, restore.into);
        if self.client.indices().exists(&restore.into).await? {
            return Err(Error::new(ErrorKind::Conflict, format!("{what} is not made, as {} exists", restore.into)));
        }
        let request = self.restore_request(name, restore);
        match self.client.send(&request).await {
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::TimedOut) => {
                // The request creates the index: if the index exists, the request arrived.
                if !self.client.indices().exists(&restore.into).await? {
                    return Err(error);
                }
            }
            Err(error) => return Err(missing_told(error)),
        }
        let request = Request::new(Method::Get, CatShardsParts::Index(&[&restore.into]).url())
            .query("format", "json")
            .query("h", "prirep,state,unassigned.reason,unassigned.details");
        let mut pace = Pace::new(wait, what.clone());
        loop {
            let rows = self.client.send(&request).await.and_then(|answer| answer.json::<Vec<ShardRow>>());
            let now = rows.and_then(|rows| progress_of(&rows, &what)).inspect(&mut on_progress);
            let is_back = |now: RestoreProgress| now.shards_total > 0 && now.shards_done == now.shards_total;
            if pace.after(now.map(|now| is_back(now).then_some(()))).await?.is_some() {
                return Ok(());
            }
        }
    }

    fn restore_request(&self, name: &str, restore: &Restore) -> Request {
        Request::new(Method::Post, SnapshotRestoreParts::RepositorySnapshot(self.repository, name).url())
            .query("wait_for_completion", false)
            .json(&restore.body())
    }
}

/// The server reports a missing snapshot as an internal failure.
fn missing_told(error: Error) -> Error {
    let is_missing = error.server().is_some_and(|server| {
        server.error_type == "snapshot_restore_exception" && server.reason.ends_with("snapshot does not exist")
    });
    match error.server().filter(|_| is_missing) {
        Some(server) => Error::new(ErrorKind::NotFound, error.to_string()).with_server(server.clone()),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restore_names_the_new_index_literally() {
        let mut restore = Restore::new("a-1", "b$1");
        restore.settings = IndexSettings::default().with("number_of_replicas", 0);
        restore.ignored_settings = vec!["refresh_interval".into(), "index.lifecycle.name".into()];
        assert_eq!(
            restore.body(),
            json!({
                "indices": "a-1",
                "rename_pattern": "^.+$",
                "rename_replacement": "b\\$1",
                "include_global_state": false,
                "include_aliases": false,
                "index_settings": {"number_of_replicas": 0},
                "ignore_index_settings": ["index.refresh_interval", "index.lifecycle.name"],
            })
        );
    }

    #[test]
    fn an_index_is_back_when_its_primaries_are() {
        let rows = |rows: Value| serde_json::from_value::<Vec<ShardRow>>(rows).unwrap();
        let waiting = rows(json!([
            {"prirep": "p", "state": "STARTED", "unassigned.reason": null, "unassigned.details": null},
            {"prirep": "p", "state": "UNASSIGNED", "unassigned.reason": "NEW_INDEX_RESTORED", "unassigned.details": "x"},
            {"prirep": "r", "state": "UNASSIGNED", "unassigned.reason": "REPLICA_ADDED", "unassigned.details": null},
        ]));
        assert_eq!(progress_of(&waiting, "it").unwrap(), RestoreProgress { shards_total: 2, shards_done: 1 });
        let failed = rows(json!([
            {"prirep": "p", "state": "UNASSIGNED", "unassigned.reason": "ALLOCATION_FAILED", "unassigned.details": "file is missing"},
        ]));
        let error = progress_of(&failed, "the restore of a into b").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PartialResult);
        assert_eq!(error.to_string(), "the restore of a into b failed on a shard: file is missing");
    }
}
