//! The progress of a copy, its outcome, and the documents that were not copied.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::error::server_error::ServerError;
use crate::error::{Error, ErrorKind};
use crate::tasks::{TaskInfo, TaskOutcome};

/// The progress of a copy, in documents unless stated otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReindexProgress {
    /// Documents to copy. Zero until the server has counted them.
    pub total: u64,
    /// Written under a new id.
    pub created: u64,
    /// Written in place of an older version.
    pub updated: u64,
    /// Deleted by the script.
    pub deleted: u64,
    /// Skipped by the script.
    pub noops: u64,
    /// Not written, as another version exists.
    pub version_conflicts: u64,
    /// Batches read.
    pub batches: u64,
    /// Retries of writes, as the cluster was overloaded.
    pub bulk_retries: u64,
    /// Retries of reads.
    pub search_retries: u64,
    /// The time that the copy paused to keep to its limit.
    pub throttled: Duration,
}

impl ReindexProgress {
    /// The number of documents of the total that are settled: written, deleted, skipped or refused.
    pub fn done(&self) -> u64 {
        self.created + self.updated + self.deleted + self.noops + self.version_conflicts
    }

    /// Reads the status of a task, or the answer at its end, which have the same names.
    pub(super) fn from_status(status: &Value) -> Self {
        let number = |name: &str| status[name].as_u64().unwrap_or_default();
        Self {
            total: number("total"),
            created: number("created"),
            updated: number("updated"),
            deleted: number("deleted"),
            noops: number("noops"),
            version_conflicts: number("version_conflicts"),
            batches: number("batches"),
            bulk_retries: status["retries"]["bulk"].as_u64().unwrap_or_default(),
            search_retries: status["retries"]["search"].as_u64().unwrap_or_default(),
            throttled: Duration::from_millis(number("throttled_millis")),
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        *self = self.zip(other, |own, other| own + other);
        self.throttled += other.throttled;
    }

    /// Takes the larger value of each number.
    pub(super) fn at_least(&self, other: &Self) -> Self {
        let larger = self.zip(other, u64::max);
        Self { throttled: self.throttled.max(other.throttled), ..larger }
    }

    fn zip(&self, other: &Self, with: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            total: with(self.total, other.total),
            created: with(self.created, other.created),
            updated: with(self.updated, other.updated),
            deleted: with(self.deleted, other.deleted),
            noops: with(self.noops, other.noops),
            version_conflicts: with(self.version_conflicts, other.version_conflicts),
            batches: with(self.batches, other.batches),
            bulk_retries: with(self.bulk_retries, other.bulk_retries),
            search_retries: with(self.search_retries, other.search_retries),
            throttled: self.throttled,
        }
    }
}

/// A failure of a copy to read or write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReindexFailure {
    /// A document was refused.
    Write {
        /// The index that it was written to.
        index: String,
        /// Its id.
        id: String,
        /// The status of the write.
        status: u16,
        /// The reason.
        cause: ServerError,
    },
    /// A part of the source could not be read.
    Read {
        /// The index, where the server names one.
        index: Option<String>,
        /// The shard, where the server names one.
        shard: Option<u32>,
        /// The reason.
        cause: ServerError,
    },
}

impl ReindexFailure {
    fn from_value(value: &Value) -> Self {
        let index = value["index"].as_str().map(str::to_owned);
        let cause = |name: &str| ServerError::from_value(&value[name]).unwrap_or_default();
        match (&index, value["id"].as_str()) {
            (Some(index), Some(id)) => Self::Write {
                index: index.clone(),
                id: id.to_owned(),
                status: value["status"].as_u64().and_then(|status| status.try_into().ok()).unwrap_or_default(),
                cause: cause("cause"),
            },
            _ => Self::Read {
                index,
                shard: value["shard"].as_u64().and_then(|shard| shard.try_into().ok()),
                cause: cause("reason"),
            },
        }
    }

    /// The reason.
    pub fn cause(&self) -> &ServerError {
        match self {
            Self::Write { cause, .. } | Self::Read { cause, .. } => cause,
        }
    }
}

impl fmt::Display for ReindexFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write { index, id, cause, .. } => {
                write!(f, "the document {id:?} was not written to {index}: {}", cause.summary())
            }
            Self::Read { index, cause, .. } => {
                write!(f, "{} could not be read: {}", index.as_deref().unwrap_or("the source"), cause.summary())
            }
        }
    }
}

/// The outcome of a copy.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a copy may have ended before all was copied: see `check`"]
pub struct ReindexSummary {
    /// The documents by their outcome.
    pub progress: ReindexProgress,
    /// The time it took.
    pub took: Duration,
    /// The failed reads and writes. The server stops at the first batch with failures.
    pub failures: Vec<ReindexFailure>,
    /// The reason of a cancellation.
    pub cancelled: Option<String>,
    /// `true` if a read timed out, so that documents may be missing.
    pub timed_out: bool,
    what: String,
}

#[derive(Deserialize)]
struct Body {
    took: u64,
    #[serde(default)]
    timed_out: bool,
    #[serde(default)]
    canceled: Option<String>,
    failures: Vec<Value>,
}

impl ReindexSummary {
    pub(super) fn from_response(response: &Value, what: &str) -> Result<Self, Error> {
        let body = Body::deserialize(response)
            .map_err(|source| Error::new(ErrorKind::Decode, format!("the end of {what} cannot be read: {source}")))?;
        Ok(Self {
            progress: ReindexProgress::from_status(response),
            took: Duration::from_millis(body.took),
            failures: body.failures.iter().map(ReindexFailure::from_value).collect(),
            cancelled: body.canceled,
            timed_out: body.timed_out,
            what: what.to_owned(),
        })
    }

    /// The summary of a copy that was cancelled while it read, so that the search and with it the task
    /// failed. `None` for any other end.
    pub(super) fn of_cancelled(task: &TaskInfo, outcome: &TaskOutcome, what: &str) -> Option<Self> {
        let reason = task.status.get("canceled")?.as_str()?;
        matches!(outcome, TaskOutcome::Failed(_)).then(|| Self {
            progress: ReindexProgress::from_status(&task.status),
            took: task.running,
            failures: Vec::new(),
            cancelled: Some(reason.to_owned()),
            timed_out: false,
            what: what.to_owned(),
        })
    }

    /// Returns an error unless every document was copied, or skipped on request.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] when a document existed in another version,
    /// [`ErrorKind::PartialResult`] when something else was left out.
    pub fn check(&self) -> Result<(), Error> {
        let ReindexProgress { total, .. } = self.progress;
        let done = self.progress.done();
        if let Some(first) = self.failures.first() {
            let all_conflicts =
                self.failures.iter().all(|failure| matches!(failure, ReindexFailure::Write { status: 409, .. }));
            let kind = if all_conflicts { ErrorKind::Conflict } else { ErrorKind::PartialResult };
            let count = match self.failures.len() {
                1 => "a failure".to_owned(),
                count => format!("{count} failures, the first"),
            };
            let message = format!("{} stopped after {done} of {total} documents with {count}: {first}", self.what);
            return Err(Error::new(kind, message).with_server(first.cause().clone()));
        }
        if let Some(reason) = &self.cancelled {
            let message = format!("{} was cancelled ({reason}) after {done} of {total} documents", self.what);
            return Err(Error::new(ErrorKind::PartialResult, message));
        }
        if self.timed_out {
            let message = format!("{} timed out after {done} of {total} documents", self.what);
            return Err(Error::new(ErrorKind::PartialResult, message));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::TaskId;
    use serde_json::json;

    /// Recorded from 9.4.3, where the cancellation met the first search.
    #[test]
    fn a_copy_that_is_cancelled_while_it_reads_was_cancelled_and_did_not_fail() {
        let task = |status| TaskInfo {
            id: TaskId::new("n:1"),
            action: "indices:data/write/reindex".to_owned(),
            description: String::new(),
            running: Duration::from_millis(40),
            cancellable: true,
            cancelled: false,
            parent: None,
            status,
        };
        let failed = TaskOutcome::Failed(ServerError::default());
        let cancelled = task(json!({"total": 9, "created": 4, "canceled": "by user request"}));
        let summary = ReindexSummary::of_cancelled(&cancelled, &failed, "the copy").unwrap();
        assert_eq!((summary.progress.done(), summary.took), (4, Duration::from_millis(40)));
        let error = summary.check().unwrap_err();
        assert_eq!(error.to_string(), "the copy was cancelled (by user request) after 4 of 9 documents");
        assert_eq!(ReindexSummary::of_cancelled(&task(json!({"total": 9})), &failed, "the copy"), None);
        let answered = TaskOutcome::Response(json!({}));
        assert_eq!(ReindexSummary::of_cancelled(&cancelled, &answered, "the copy"), None);
    }

    #[test]
    fn an_end_says_what_was_left_out() {
        let of = |extra: Value| {
            let mut body = json!({"took": 12, "timed_out": false, "total": 10, "created": 4, "updated": 1,
                "deleted": 0, "batches": 2, "version_conflicts": 1, "noops": 0,
                "retries": {"bulk": 3, "search": 0}, "throttled_millis": 250, "failures": []});
            body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            ReindexSummary::from_response(&body, "the reindex from a to b").unwrap()
        };
        let whole = of(json!({}));
        assert!(whole.check().is_ok());
        assert_eq!((whole.progress.done(), whole.progress.bulk_retries), (6, 3));
        assert_eq!((whole.took, whole.progress.throttled), (Duration::from_millis(12), Duration::from_millis(250)));
        let conflict = json!({"index": "b", "id": "7", "status": 409,
            "cause": {"type": "version_conflict_engine_exception", "reason": "[7]: already exists"}});
        let mapping = json!({"index": "b", "id": "8", "status": 400,
            "cause": {"type": "document_parsing_exception", "reason": "failed to parse"}});
        let shard = json!({"shard": 1, "index": "a", "node": "n", "reason": {"type": "x", "reason": "lost"}});
        let table = [
            (
                json!({"failures": [conflict]}),
                ErrorKind::Conflict,
                "the reindex from a to b stopped after 6 of 10 documents with a failure: the document \"7\" was not written to b: [7]: already exists",
            ),
            (
                json!({"failures": [mapping, conflict]}),
                ErrorKind::PartialResult,
                "the reindex from a to b stopped after 6 of 10 documents with 2 failures, the first: the document \"8\" was not written to b: failed to parse",
            ),
            (
                json!({"failures": [shard]}),
                ErrorKind::PartialResult,
                "the reindex from a to b stopped after 6 of 10 documents with a failure: a could not be read: lost",
            ),
            (
                json!({"canceled": "by user request"}),
                ErrorKind::PartialResult,
                "the reindex from a to b was cancelled (by user request) after 6 of 10 documents",
            ),
            (
                json!({"timed_out": true}),
                ErrorKind::PartialResult,
                "the reindex from a to b timed out after 6 of 10 documents",
            ),
        ];
        for (extra, kind, message) in table {
            let error = of(extra).check().unwrap_err();
            assert_eq!((error.kind(), error.to_string().as_str()), (kind, message));
        }
        assert_eq!(ReindexSummary::from_response(&json!({"took": 1}), "x").unwrap_err().kind(), ErrorKind::Decode);
    }

    #[test]
    fn progress_of_parts_adds_up_and_does_not_go_back() {
        let part = |created| ReindexProgress { total: 10, created, ..ReindexProgress::default() };
        let mut sum = part(3);
        sum.add(&part(4));
        assert_eq!((sum.total, sum.created), (20, 7));
        assert_eq!(sum.at_least(&part(9)), ReindexProgress { total: 20, created: 9, ..ReindexProgress::default() });
    }
}
