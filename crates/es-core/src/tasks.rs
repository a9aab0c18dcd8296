//! The tasks of a cluster: long work on the server, which can be polled and cancelled.
//!
//! Tasks are started by other APIs: [`crate::Client::start_reindex`],
//! [`crate::Indices::force_merge`].
//!
//! ```no_run
//! # async fn example(client: es_core::Client) -> Result<(), es_core::Error> {
//! for task in client.tasks().list("*reindex").await? {
//!     println!("{} runs since {:?}: {}", task.id, task.running, task.description);
//!     client.tasks().cancel(&task.id).await?;
//! }
//! # Ok(())
//! # }
//! ```

use std::fmt;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::client::Client;
use crate::error::server_error::ServerError;
use crate::error::{Error, ErrorKind};
use crate::request::{Method, Request};
use crate::waiting::{Pace, Wait};

/// The id of a task: its node, and a number.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(String);

impl TaskId {
    /// Creates an id from the form that Elasticsearch writes, `node:number`.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path of the task, which the official client has only as an experimental API.
    fn path(&self, end: &str) -> String {
        format!("/_tasks/{}{end}", utf8_percent_encode(&self.0, NON_ALPHANUMERIC))
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A description of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskInfo {
    /// Its id.
    pub id: TaskId,
    /// The kind of work, such as `indices:data/write/reindex`.
    pub action: String,
    /// Its work, in the server's words.
    pub description: String,
    /// The time since its start.
    pub running: Duration,
    /// `true` if it can be cancelled.
    pub cancellable: bool,
    /// `true` if it was cancelled, and may still be running.
    pub cancelled: bool,
    /// The task that it is a part of.
    pub parent: Option<TaskId>,
    /// Its progress, in a form that depends on the action.
    pub status: Value,
}

/// A task, and its outcome if it has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskState {
    /// The task.
    pub task: TaskInfo,
    /// Its outcome; `None` while it runs.
    pub outcome: Option<TaskOutcome>,
}

/// The outcome of a task.
#[derive(Clone, Debug, PartialEq)]
pub enum TaskOutcome {
    /// The answer that the request would have had.
    Response(Value),
    /// An error.
    Failed(ServerError),
}

/// The tasks API of a cluster.
pub struct Tasks<'a> {
    client: &'a Client,
}

impl Client {
    /// The tasks of the cluster.
    pub fn tasks(&self) -> Tasks<'_> {
        Tasks { client: self }
    }
}

#[derive(Deserialize)]
struct StateBody {
    completed: bool,
    task: InfoBody,
    response: Option<Value>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct InfoBody {
    node: String,
    id: i64,
    action: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    running_time_in_nanos: u64,
    #[serde(default)]
    cancellable: bool,
    #[serde(default)]
    cancelled: bool,
    parent_task_id: Option<TaskId>,
    #[serde(default)]
    status: Value,
}

impl From<InfoBody> for TaskInfo {
    fn from(body: InfoBody) -> Self {
        Self {
            id: TaskId(format!("{}:{}", body.node, body.id)),
            action: body.action,
            description: body.description,
            running: Duration::from_nanos(body.running_time_in_nanos),
            cancellable: body.cancellable,
            cancelled: body.cancelled,
            parent: body.parent_task_id,
            status: body.status,
        }
    }
}

#[derive(Deserialize)]
struct ListBody {
    #[serde(default)]
    tasks: Vec<InfoBody>,
    #[serde(default)]
    node_failures: Vec<Value>,
    #[serde(default)]
    task_failures: Vec<Value>,
}

impl ListBody {
    /// Returns the tasks, or an error if a node did not report its own.
    fn whole(self, what: &str) -> Result<Vec<TaskInfo>, Error> {
        if let Some(failure) = self.node_failures.iter().chain(&self.task_failures).next() {
            let server = ServerError::from_value(failure).unwrap_or_default();
            let message = format!("{what}: {}", server.summary());
            return Err(Error::new(ErrorKind::PartialResult, message).with_server(server));
        }
        Ok(self.tasks.into_iter().map(TaskInfo::from).collect())
    }
}

/// The answer to a request that started a task.
#[derive(Deserialize)]
pub(crate) struct Started {
    pub(crate) task: TaskId,
}

impl Tasks<'_> {
    /// Returns a task that runs, or one that has ended and whose outcome the server stored, as it does
    /// for tasks that no request waited for.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for a task that the cluster does not know any more: its node may have
    /// been restarted.
    pub async fn get(&self, id: &TaskId) -> Result<TaskState, Error> {
        let request = Request::new(Method::Get, id.path(""));
        let body: StateBody = self.client.send(&request).await?.json()?;
        let outcome = match (body.completed, body.error, body.response) {
            (false, ..) => None,
            (true, Some(error), _) => Some(TaskOutcome::Failed(ServerError::from_value(&error).unwrap_or_default())),
            (true, None, response) => Some(TaskOutcome::Response(response.unwrap_or(Value::Null))),
        };
        Ok(TaskState { task: body.task.into(), outcome })
    }

    /// Lists the running tasks whose action matches (`*reindex`, `indices:admin/forcemerge`), subtasks
    /// included. The action limits the list; the API has no pages.
    ///
    /// # Errors
    /// [`ErrorKind::PartialResult`] when a node did not answer; else as [`Client::send`].
    pub async fn list(&self, action: &str) -> Result<Vec<TaskInfo>, Error> {
        let request = Request::new(Method::Get, "/_tasks").query("actions", action);
        self.listed(request).await
    }

    /// Lists the running subtasks of a task.
    pub(crate) async fn children(&self, id: &TaskId) -> Result<Vec<TaskInfo>, Error> {
        let request = Request::new(Method::Get, "/_tasks").query("parent_task_id", id);
        self.listed(request).await
    }

    async fn listed(&self, request: Request) -> Result<Vec<TaskInfo>, Error> {
        let request = request.query("detailed", true).query("group_by", "none");
        let body: ListBody = self.client.send(&request).await?.json()?;
        body.whole("the tasks cannot be listed")
    }

    /// Requests the end of a task. Returns `true` if it was running; it may continue for a while.
    ///
    /// # Errors
    /// [`ErrorKind::BadRequest`] for a task that cannot be cancelled; else as [`Client::send`].
    pub async fn cancel(&self, id: &TaskId) -> Result<bool, Error> {
        let request = Request::new(Method::Post, id.path("/_cancel")).query("group_by", "none").repeatable();
        let body: ListBody = match self.client.send(&request).await {
            Ok(answer) => answer.json()?,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        // For a task that has ended, the node reports a failure.
        let is_gone = |failure: &Value| {
            let cause = failure["caused_by"]["type"].as_str().unwrap_or_default();
            matches!(cause, "resource_not_found_exception" | "no_such_node_exception")
        };
        if !body.node_failures.is_empty() && body.node_failures.iter().all(is_gone) {
            return Ok(false);
        }
        Ok(!body.whole(&format!("the task {id} cannot be cancelled"))?.is_empty())
    }

    /// Waits until a task has ended, and returns its outcome. `on_poll` gets each state on the way.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] when the limit passes, and the task continues; else as [`Tasks::get`].
    /// A failed task is not an error here.
    pub async fn wait(
        &self,
        id: &TaskId,
        wait: &Wait,
        mut on_poll: impl FnMut(&TaskState),
    ) -> Result<TaskState, Error> {
        let mut pace = Pace::new(wait, format!("the task {id}"));
        loop {
            let state = self.get(id).await.map(|state| {
                on_poll(&state);
                state.outcome.is_some().then_some(state)
            });
            if let Some(ended) = pace.after(state).await? {
                return Ok(ended);
            }
        }
    }
}

impl TaskOutcome {
    /// Returns the answer, or the failure as an error.
    ///
    /// # Errors
    /// The kind follows from the server's error.
    pub fn into_response(self, what: &str) -> Result<Value, Error> {
        match self {
            Self::Response(response) => Ok(response),
            Self::Failed(server) => {
                let kind = match server.error_type.as_str() {
                    "index_not_found_exception" | "resource_not_found_exception" => ErrorKind::NotFound,
                    "security_exception" => ErrorKind::Forbidden,
                    "version_conflict_engine_exception" => ErrorKind::Conflict,
                    "circuit_breaking_exception" | "es_rejected_execution_exception" => ErrorKind::Overloaded,
                    "task_cancelled_exception" => ErrorKind::Interrupted,
                    name if name.ends_with("_parsing_exception")
                        || matches!(name, "illegal_argument_exception" | "script_exception") =>
                    {
                        ErrorKind::BadRequest
                    }
                    _ => ErrorKind::Server,
                };
                Err(Error::new(kind, format!("{what}: {}", server.summary())).with_server(server))
            }
        }
    }
}
