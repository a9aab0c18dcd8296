//! Copying documents from index to index on the server, with progress, and with an account of
//! documents that were not copied.
//!
//! The server works in a task, which a [`ReindexTask`] polls and cancels. Creating the target index
//! with its mapping is left to the caller.
//!
//! ```no_run
//! use es_core::Wait;
//! use es_core::reindex::Reindex;
//!
//! # async fn example(client: es_core::Client) -> Result<(), es_core::Error> {
//! let copy = Reindex::new("flights-1", "flights-2").slices(2);
//! let mut task = client.start_reindex(&copy).await?;
//! let summary = task.wait(&Wait::default(), |now| println!("{} of {}", now.done(), now.total)).await?;
//! println!("{} documents copied in {:?}", summary.progress.created, summary.took);
//! summary.check()?;
//! # Ok(())
//! # }
//! ```

mod progress;

use std::fmt;

use elasticsearch::ReindexParts;
use serde_json::{Map, Value, json};

pub use self::progress::{ReindexFailure, ReindexProgress, ReindexSummary};
use crate::client::Client;
use crate::error::absent::Optional;
use crate::error::{Error, ErrorKind};
use crate::request::{Method, Request};
use crate::tasks::{Started, TaskId};
use crate::waiting::{Pace, Wait};

/// The reaction to a document that exists already in another version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Conflicts {
    /// Stop, and report it.
    #[default]
    Abort,
    /// Skip it, count it, and continue.
    Proceed,
}

/// The number of slices of a copy, which run in parallel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slices {
    /// The server decides, by the number of shards of the source.
    Auto,
    /// This number.
    Count(u32),
}

/// A copy to make.
#[derive(Clone, Debug, PartialEq)]
pub struct Reindex {
    /// The indices or aliases to read.
    pub source: Vec<String>,
    /// The index or alias to write.
    pub dest: String,
    /// A query for the documents to copy. Default: all.
    pub query: Option<Value>,
    /// The fields to copy. Default: all.
    pub fields: Vec<String>,
    /// A script that changes each document, as Elasticsearch accepts it: `source`, `lang`, `params`.
    pub script: Option<Value>,
    /// The ingest pipeline for the copies.
    pub pipeline: Option<String>,
    /// Writes only documents whose id does not exist yet. Others are conflicts. Default: no.
    pub only_new: bool,
    /// The reaction to conflicts. Default: abort.
    pub conflicts: Conflicts,
    /// The number of slices. Default: 1.
    pub slices: Slices,
    /// The most documents a second, for all slices together. Default: no limit.
    pub documents_per_second: Option<f64>,
    /// The documents of one batch, which the server holds in memory. Default: 1000.
    pub batch_size: u32,
    /// The most documents to copy. Default: all.
    pub max_documents: Option<u64>,
    /// Makes the copies visible to searches at the end. Default: yes.
    pub refresh: bool,
}

impl Reindex {
    /// A copy of all documents of one index to another.
    pub fn new(source: impl Into<String>, dest: impl Into<String>) -> Self {
        Self {
            source: vec![source.into()],
            dest: dest.into(),
            query: None,
            fields: Vec::new(),
            script: None,
            pipeline: None,
            only_new: false,
            conflicts: Conflicts::Abort,
            slices: Slices::Count(1),
            documents_per_second: None,
            batch_size: 1000,
            max_documents: None,
            refresh: true,
        }
    }

    /// Copies only these documents.
    pub fn query(mut self, query: Value) -> Self {
        self.query = Some(query);
        self
    }

    /// Runs a Painless script that gets each document as `ctx._source`.
    pub fn script(mut self, source: &str) -> Self {
        self.script = Some(json!({"source": source, "lang": "painless"}));
        self
    }

    /// Copies in this number of slices.
    pub fn slices(mut self, count: u32) -> Self {
        self.slices = Slices::Count(count);
        self
    }

    /// Limits the documents a second.
    pub fn documents_per_second(mut self, limit: f64) -> Self {
        self.documents_per_second = Some(limit);
        self
    }

    /// Sets the reaction to conflicts.
    pub fn conflicts(mut self, conflicts: Conflicts) -> Self {
        self.conflicts = conflicts;
        self
    }

    fn body(&self) -> Value {
        let mut source = json!({"index": self.source, "size": self.batch_size});
        if let Some(query) = &self.query {
            source["query"] = query.clone();
        }
        if !self.fields.is_empty() {
            source["_source"] = json!(self.fields);
        }
        let mut dest = json!({"index": self.dest});
        if self.only_new {
            dest["op_type"] = json!("create");
        }
        if let Some(pipeline) = &self.pipeline {
            dest["pipeline"] = json!(pipeline);
        }
        let mut body = Map::from_iter([("source".to_owned(), source), ("dest".to_owned(), dest)]);
        if self.conflicts == Conflicts::Proceed {
            body.insert("conflicts".to_owned(), json!("proceed"));
        }
        if let Some(script) = &self.script {
            body.insert("script".to_owned(), script.clone());
        }
        if let Some(most) = self.max_documents {
            body.insert("max_docs".to_owned(), json!(most));
        }
        Value::Object(body)
    }

    fn request(&self) -> Request {
        let slices = match self.slices {
            Slices::Auto => "auto".to_owned(),
            Slices::Count(count) => count.max(1).to_string(),
        };
        let request = Request::new(Method::Post, ReindexParts::None.url())
            .query("wait_for_completion", false)
            .query("slices", slices)
            .query("refresh", self.refresh);
        match self.documents_per_second {
            Some(limit) => request.query("requests_per_second", limit),
            None => request,
        }
        .json(&self.body())
    }
}

/// A copy that the server is making. Dropping this cancels the copy in the background
/// ([`Client::settle`] waits for that); see [`ReindexTask::detach`] to leave it running.
pub struct ReindexTask {
    client: Client,
    id: TaskId,
    what: String,
    best: ReindexProgress,
    is_over: bool,
}

impl fmt::Debug for ReindexTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReindexTask").field("id", &self.id).field("what", &self.what).finish_non_exhaustive()
    }
}

impl Client {
    /// Starts a copy.
    ///
    /// # Errors
    /// [`ErrorKind::BadRequest`] for an invalid copy; [`ErrorKind::FeatureMissing`] where the server
    /// lacks the module. A missing source shows when the task is polled.
    pub async fn start_reindex(&self, reindex: &Reindex) -> Result<ReindexTask, Error> {
        let what = format!("the reindex from {} to {}", reindex.source.join(","), reindex.dest);
        let api = Optional { client: self, feature: "reindex" };
        // Two tasks would write the same documents, so the request is not sent twice.
        let started: Started = match api.send(&reindex.request()).await {
            Ok(answer) => answer.json()?,
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::TimedOut) => {
                return Err(error.with_help(format!(
                    "{what} may have been started: find it among the tasks with the action \"*reindex\", and cancel it before trying again"
                )));
            }
            Err(error) => return Err(error),
        };
        Ok(ReindexTask {
            client: self.clone(),
            id: started.task,
            what,
            best: ReindexProgress::default(),
            is_over: false,
        })
    }

    /// Takes over a copy that was started before, by the id of its task.
    pub fn attach_reindex(&self, id: TaskId) -> ReindexTask {
        let what = format!("the reindex of task {id}");
        ReindexTask { client: self.clone(), id, what, best: ReindexProgress::default(), is_over: false }
    }
}

impl ReindexTask {
    /// The id of the server's task.
    pub fn id(&self) -> &TaskId {
        &self.id
    }

    /// Polls the task once: returns the progress, and the outcome if it has ended.
    ///
    /// # Errors
    /// The server's reason if the whole copy failed (a missing source, a script that does
    /// not compile); else as [`crate::tasks::Tasks::get`].
    pub async fn poll(&mut self) -> Result<(ReindexProgress, Option<ReindexSummary>), Error> {
        let tasks = self.client.tasks();
        let state = tasks.get(&self.id).await?;
        let Some(outcome) = state.outcome else {
            let mut now = ReindexProgress::from_status(&state.task.status);
            // The task of a sliced copy reports only slices that have ended.
            if state.task.status.get("slices").is_some() {
                for part in tasks.children(&self.id).await? {
                    now.add(&ReindexProgress::from_status(&part.status));
                }
            }
            // A slice that ends between the two requests is in neither answer.
            self.best = self.best.at_least(&now);
            return Ok((self.best, None));
        };
        self.is_over = true;
        let summary = match ReindexSummary::of_cancelled(&state.task, &outcome, &self.what) {
            Some(cancelled) => cancelled,
            None => {
                let response = outcome.into_response(&format!("{} failed", self.what))?;
                ReindexSummary::from_response(&response, &self.what)?
            }
        };
        Ok((summary.progress, Some(summary)))
    }

    /// Waits until the copy has ended, in whatever way: see [`ReindexSummary::check`]. `on_progress` is
    /// called at each poll.
    ///
    /// # Errors
    /// As [`ReindexTask::poll`]; [`ErrorKind::TimedOut`] when the limit passes, and the copy
    /// continues.
    pub async fn wait(
        &mut self,
        wait: &Wait,
        mut on_progress: impl FnMut(&ReindexProgress),
    ) -> Result<ReindexSummary, Error> {
        let mut pace = Pace::new(wait, self.what.clone());
        loop {
            let answer = self.poll().await.map(|(progress, summary)| {
                on_progress(&progress);
                summary
            });
            if self.is_over {
                // A failed copy does not continue.
                if let Err(error) = answer {
                    return Err(error);
                }
            }
            if let Some(summary) = pace.after(answer).await? {
                return Ok(summary);
            }
        }
    }

    /// Requests the end of the copy after its current batch. Documents that were written stay. Returns
    /// `true` if it was running.
    ///
    /// # Errors
    /// As [`crate::tasks::Tasks::cancel`].
    pub async fn cancel(&mut self) -> Result<bool, Error> {
        self.client.tasks().cancel(&self.id).await
    }

    /// Leaves the copy running, and returns the id for [`Client::attach_reindex`].
    pub fn detach(mut self) -> TaskId {
        self.is_over = true;
        self.id.clone()
    }
}

impl Drop for ReindexTask {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let (client, id) = (self.client.clone(), self.id.clone());
        self.client.finish_later(async move {
            if let Err(error) = client.tasks().cancel(&id).await {
                tracing::warn!(%error, task = %id, "a dropped reindex was not cancelled");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden(reindex: &Reindex) -> (String, Value) {
        let request = reindex.request();
        let query: Vec<String> = request.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let line = format!("{} {}?{}", request.method.as_str(), request.path, query.join("&"));
        (line, serde_json::from_slice(&request.body).unwrap())
    }

    #[test]
    fn requests_are_as_documented() {
        let plain = Reindex::new("a", "b");
        let full = Reindex {
            source: vec!["a".into(), "c".into()],
            fields: vec!["dest".into()],
            pipeline: Some("p".into()),
            only_new: true,
            slices: Slices::Auto,
            max_documents: Some(10),
            batch_size: 50,
            refresh: false,
            ..Reindex::new("a", "b")
        }
        .query(json!({"term": {"dest": "ZRH"}}))
        .script("ctx._source.n += 1")
        .conflicts(Conflicts::Proceed)
        .documents_per_second(0.5);
        let table = [
            (
                plain,
                "POST /_reindex?wait_for_completion=false&slices=1&refresh=true",
                json!({"source": {"index": ["a"], "size": 1000}, "dest": {"index": "b"}}),
            ),
            (
                full,
                "POST /_reindex?wait_for_completion=false&slices=auto&refresh=false&requests_per_second=0.5",
                json!({
                    "source": {
                        "index": ["a", "c"], "size": 50, "query": {"term": {"dest": "ZRH"}}, "_source": ["dest"],
                    },
                    "dest": {"index": "b", "op_type": "create", "pipeline": "p"},
                    "conflicts": "proceed",
                    "script": {"source": "ctx._source.n += 1", "lang": "painless"},
                    "max_docs": 10,
                }),
            ),
        ];
        for (reindex, line, body) in table {
            assert_eq!(golden(&reindex), (line.to_owned(), body));
            assert!(!reindex.request().is_repeatable());
        }
    }
}
