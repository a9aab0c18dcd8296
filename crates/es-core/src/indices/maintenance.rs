//! Refresh, flush and force merge, each with an answer from every shard or an error.

use std::time::Duration;

use elasticsearch::indices::{IndicesFlushParts, IndicesForcemergeParts, IndicesRefreshParts};
use serde::Deserialize;
use serde_json::Value;

use super::Indices;
use crate::error::failed_shard::Shards;
use crate::error::{Error, ErrorKind};
use crate::request::{Method, Request};
use crate::tasks::{Started, TaskId, TaskOutcome};
use crate::waiting::Wait;

/// The goal of a force merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForceMerge {
    /// Merges each shard to this many segments; 1 is for an index that is not written any more.
    ToSegments(u32),
    /// Merges only segments with many deleted documents, to free their space.
    ExpungeDeletes,
    /// Merges the segments that the merge policy chooses.
    IfNeeded,
}

/// The number of shards that took part. Unassigned copies count only in the total.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardCounts {
    /// All shards, replicas included.
    pub total: u32,
    /// Those that succeeded.
    pub successful: u32,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "_shards")]
    shards: Shards,
}

impl Answer {
    /// Returns the counts, or the failures as an error.
    fn check(self, what: &str) -> Result<ShardCounts, Error> {
        let Shards { total, successful, .. } = self.shards.whole(what)?;
        Ok(ShardCounts { total, successful })
    }
}

impl Indices<'_> {
    /// Makes everything written so far visible to searches.
    ///
    /// # Errors
    /// [`ErrorKind::PartialResult`] when a shard failed; else as [`crate::Client::send`].
    pub async fn refresh(&self, name: &str) -> Result<(), Error> {
        let request = Request::new(Method::Post, IndicesRefreshParts::Index(&[name]).url()).repeatable();
        let answer: Answer = self.client.send(&request).await?.json()?;
        answer.check(&format!("the refresh of {name}")).map(|_| ())
    }

    /// Writes everything to segments on disk, so that a node that restarts has little to replay.
    ///
    /// # Errors
    /// As [`Indices::refresh`].
    pub async fn flush(&self, name: &str) -> Result<ShardCounts, Error> {
        let request = Request::new(Method::Post, IndicesFlushParts::Index(&[name]).url()).repeatable();
        let answer: Answer = self.client.send(&request).await?.json()?;
        answer.check(&format!("the flush of {name}"))
    }

    /// Merges segments, and waits for the end. The merge cannot be cancelled.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] when the limit passes, and the merge continues; else as
    /// [`Indices::refresh`].
    pub async fn force_merge(&self, name: &str, merge: ForceMerge, wait: &Wait) -> Result<ShardCounts, Error> {
        let id = self.start_force_merge(name, merge).await?;
        let what = format!("the force merge of {name}");
        let ended = self.client.tasks().wait(&id, wait, |_| ()).await?;
        let outcome = ended.outcome.unwrap_or(TaskOutcome::Response(Value::Null));
        let response = outcome.into_response(&format!("{what} failed"))?;
        let answer = Answer::deserialize(&response)
            .map_err(|source| Error::new(ErrorKind::Decode, format!("the end of {what} cannot be read: {source}")))?;
        answer.check(&what)
    }

    /// Starts merging segments, and returns the id of the server's task.
    ///
    /// # Errors
    /// As [`crate::Client::send`].
    pub async fn start_force_merge(&self, name: &str, merge: ForceMerge) -> Result<TaskId, Error> {
        // A second merge does nothing, so the request may be sent again.
        let request = Request::new(Method::Post, IndicesForcemergeParts::Index(&[name]).url())
            .query("wait_for_completion", false)
            .timeout(Duration::from_secs(60))
            .repeatable();
        let request = match merge {
            ForceMerge::ToSegments(count) => request.query("max_num_segments", count.max(1)),
            ForceMerge::ExpungeDeletes => request.query("only_expunge_deletes", true),
            ForceMerge::IfNeeded => request,
        };
        let started: Started = self.client.send(&request).await?.json()?;
        Ok(started.task)
    }
}
