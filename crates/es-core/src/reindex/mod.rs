//! Copying documents from index to index on the server, with progress, and with an account
//! of what was not copied.
//!
//! The server works on by itself as a task; a [`ReindexTask`] looks after it. What the
//! copies are for, and that the new index exists with its mapping, is left to the caller.
//!
//! ```no_run
//! use es_core::{Reindex, Wait};
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

/// What to do with a document that is there already in another version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Conflicts {
    /// Stop, and report it.
    #[default]
    Abort,
    /// Leave it, count it, and go on.
    Proceed,
}

/// How many parts a copy is cut into, which are worked on at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slices {
    /// As many as the source has shards, within reason; the server decides.
    Auto,
    /// So many.
    Count(u32),
}

/// A copy to make.
#[derive(Clone, Debug, PartialEq)]
pub struct Reindex {
    /// The indices or aliases to read.
    pub source: Vec<String>,
    /// The index or alias to write.
    pub dest: String,
    /// Which documents; all by default.
    pub query: Option<Value>,
    /// Which fields of them; all by default.
    pub fields: Vec<String>,
    /// What to do to each document on the way, as Elasticsearch takes it: `source`, `lang`, `params`.
    pub script: Option<Value>,
    /// The ingest pipeline for the copies.
    pub pipeline: Option<String>,
    /// Whether only documents whose id is not there yet are written. Others are conflicts.
    pub only_new: bool,
    /// What to do with conflicts. Default: abort.
    pub conflicts: Conflicts,
    /// How many parts. Default: 1.
    pub slices: Slices,
    /// The most documents a second, all parts together. Default: no limit.
    pub documents_per_second: Option<f64>,
    /// The documents of one batch, which the server holds in memory. Default: 1000.
    pub batch_size: u32,
    /// The most documents to copy. Default: all.
    pub max_documents: Option<u64>,
    /// Whether the copies are visible to searches when the work is done. Default: yes.
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

    /// Of these documents only.
    pub fn query(mut self, query: Value) -> Self {
        self.query = Some(query);
        self
    }

    /// With a Painless script that sees each document as `ctx._source`.
    pub fn script(mut self, source: &str) -> Self {
        self.script = Some(json!({"source": source, "lang": "painless"}));
        self
    }

    /// In so many parts.
    pub fn slices(mut self, count: u32) -> Self {
        self.slices = Slices::Count(count);
        self
    }

    /// With so many documents a second at most.
    pub fn documents_per_second(mut self, limit: f64) -> Self {
        self.documents_per_second = Some(limit);
        self
    }

    /// Going on past conflicts, or not.
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

/// A copy that the server is making. Dropping this asks the server to stop; see
/// [`ReindexTask::detach`] for leaving it alone.
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
    /// [`ErrorKind::BadRequest`] for a copy that makes no sense; [`ErrorKind::FeatureMissing`]
    /// where the server lacks the module. A missing source shows when the task is asked after.
    pub async fn start_reindex(&self, reindex: &Reindex) -> Result<ReindexTask, Error> {
        let what = format!("the reindex from {} to {}", reindex.source.join(","), reindex.dest);
        let api = Optional { client: self, feature: "reindex" };
        // Two tasks would write the same documents, so the request is not sent twice.
        let started: Started = match api.send(&reindex.request()).await {
            Ok(answer) => answer.json()?,
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::TimedOut) => {
                return Err(error.with_help(format!(
                    "{what} may have been started: look for it among the tasks with the action \"*reindex\", and cancel it before another try"
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

    /// Looks after a copy that was started before, by the id of its task.
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

    /// Asks once how far it is, and how it ended if it did.
    ///
    /// # Errors
    /// The server's reason if the whole copy failed (a missing source, a script that does
    /// not compile); else as [`crate::Tasks::get`].
    pub async fn poll(&mut self) -> Result<(ReindexProgress, Option<ReindexSummary>), Error> {
        let tasks = self.client.tasks();
        let state = tasks.get(&self.id).await?;
        let Some(outcome) = state.outcome else {
            let mut now = ReindexProgress::from_status(&state.task.status);
            // A copy in parts knows only of the parts that have ended.
            if state.task.status.get("slices").is_some() {
                for part in tasks.children(&self.id).await? {
                    now.add(&ReindexProgress::from_status(&part.status));
                }
            }
            // A part that ends between the two questions is in neither answer.
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

    /// Waits until the copy has ended, in whatever way: see [`ReindexSummary::check`].
    /// `on_progress` is told each time the server was asked.
    ///
    /// # Errors
    /// As [`ReindexTask::poll`]; [`ErrorKind::TimedOut`] when the limit passes, and then the
    /// server is still at it.
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
                // However the copy failed, it will not go on.
                if let Err(error) = answer {
                    return Err(error);
                }
            }
            if let Some(summary) = pace.after(answer).await? {
                return Ok(summary);
            }
        }
    }

    /// Asks the server to stop after the batch that it is at. What was written stays. Returns
    /// whether it still ran.
    ///
    /// # Errors
    /// As [`crate::Tasks::cancel`].
    pub async fn cancel(&mut self) -> Result<bool, Error> {
        self.client.tasks().cancel(&self.id).await
    }

    /// Leaves the copy to the server, and returns the id to come back with.
    pub fn detach(mut self) -> TaskId {
        self.is_over = true;
        self.id.clone()
    }
}

impl Drop for ReindexTask {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.is_over {
            return;
        }
        let (client, id) = (self.client.clone(), self.id.clone());
        runtime.spawn(async move {
            if let Err(error) = client.tasks().cancel(&id).await {
                tracing::warn!(%error, task = %id, "a reindex that nobody waits for was not cancelled");
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
