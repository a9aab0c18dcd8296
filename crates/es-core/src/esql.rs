//! Queries in ES|QL: sent, waited for, and cleared away. What an answer's columns mean is left
//! to `es-frame`, and whether the server cut it off to who reads it.

use std::time::Duration;

use bytes::Bytes;
use elasticsearch::esql::{EsqlAsyncQueryDeleteParts, EsqlAsyncQueryGetParts, EsqlAsyncQueryParts};
use serde::Deserialize;
use serde_json::{Value, json};
use tracing::debug;

use crate::client::Client;
use crate::error::absent::Optional;
use crate::error::{Error, ErrorKind};
use crate::request::{Method, Request, Response};
use crate::units;
use crate::waiting::Wait;

/// What the feature is called.
const FEATURE: &str = "ES|QL";

/// How long the server holds a request open for an answer before it says that the query runs
/// on. It stays well below the time limits of requests and of proxies.
const LONG_POLL: Duration = Duration::from_secs(10);

/// How long the server keeps a query that nobody asks after.
const KEEP_ALIVE: Duration = Duration::from_secs(300);

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableFormat {
    /// A stream of Arrow IPC.
    Arrow,
    /// JSON, a row an array.
    Json,
}

impl TableFormat {
    fn name(self) -> &'static str {
        match self {
            Self::Arrow => "arrow",
            Self::Json => "json",
        }
    }
}

/// The answer to a query that ended.
#[derive(Clone, Debug)]
pub struct EsqlAnswer {
    /// The whole body.
    pub body: Bytes,
    /// Its form.
    pub format: TableFormat,
    /// What the server warns of.
    pub warnings: Vec<String>,
    /// Whether the server was told that results without some shards are not wanted. Where it
    /// does not know of that, it fails such queries of its own accord.
    pub refuses_partial_results: bool,
}

/// The query API.
pub struct Esql<'a> {
    client: &'a Client,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    is_running: bool,
}

impl<'a> Esql<'a> {
    pub(crate) fn new(client: &'a Client) -> Self {
        Self { client }
    }

    /// Runs a query to its end. The body holds `query`, and what else the API takes (`params`,
    /// `filter`, `locale`). On the server it is stopped, and its result removed, whatever
    /// becomes of the caller; in the background when the future is dropped.
    ///
    /// # Errors
    /// [`ErrorKind::FeatureMissing`] where the cluster has no ES|QL, [`ErrorKind::TimedOut`] when
    /// the wait ended first, [`ErrorKind::BadRequest`] for a query that is wrong or an answer that
    /// the form cannot hold; else as [`Client::send`].
    pub async fn run(&self, body: &Value, format: TableFormat, wait: &Wait) -> Result<EsqlAnswer, Error> {
        match self.run_once(body, format, wait, true).await {
            // Servers before 8.19 know no such parameter, and no partial results either.
            Err(error) if is_unknown_parameter(&error) => self.run_once(body, format, wait, false).await,
            answer => answer,
        }
    }

    async fn run_once(
        &self,
        body: &Value,
        format: TableFormat,
        wait: &Wait,
        refuses_partial_results: bool,
    ) -> Result<EsqlAnswer, Error> {
        let api = Optional { client: self.client, feature: FEATURE };
        let mut body = body.clone();
        body["wait_for_completion_timeout"] = json!(units::milliseconds(LONG_POLL.min(wait.limit)));
        body["keep_alive"] = json!(units::milliseconds(KEEP_ALIVE));
        body["keep_on_completion"] = json!(false);
        let mut start = Request::new(Method::Post, EsqlAsyncQueryParts::None.url())
            .query("format", format.name())
            .json(&body)
            // A query that is started twice reads twice and changes nothing.
            .repeatable();
        if refuses_partial_results {
            start = start.query("allow_partial_results", false);
        }
        let started = std::time::Instant::now();
        let mut response = api.send(&start).await?;
        let (mut id, mut is_running) = status(&response, format)?;
        let mut running = Running { client: self.client.clone(), id: id.take() };
        while is_running {
            let Some(id) = running.id.as_deref() else {
                return Err(Error::new(ErrorKind::Decode, "an ES|QL query runs on, and the server gave it no id"));
            };
            let left = wait.limit.saturating_sub(started.elapsed());
            if left.is_zero() {
                running.delete().await;
                let limit = wait.limit;
                return Err(Error::new(ErrorKind::TimedOut, format!("the ES|QL query did not end within {limit:?}"))
                    .with_help("narrow the query, or wait longer"));
            }
            // The server waits longer than this; what stands between may not.
            tokio::time::sleep(wait.first.min(left)).await;
            let poll = Request::new(Method::Get, EsqlAsyncQueryGetParts::Id(id).url())
                .query("wait_for_completion_timeout", units::milliseconds(LONG_POLL.min(left)))
                .query("format", format.name());
            response = api.send(&poll).await?;
            is_running = status(&response, format)?.1;
        }
        running.delete().await;
        let warnings = response.warnings();
        Ok(EsqlAnswer { warnings, body: response.into_body(), format, refuses_partial_results })
    }
}

/// The id of a query, if the server keeps it, and whether it still runs. Arrow has room for
/// neither, so they stand in headers as well.
fn status(response: &Response, format: TableFormat) -> Result<(Option<String>, bool), Error> {
    if format == TableFormat::Json {
        let status: Status = response.json()?;
        return Ok((status.id, status.is_running));
    }
    let id = response.header("x-elasticsearch-async-id").map(str::to_owned);
    Ok((id, response.header("x-elasticsearch-async-is-running") == Some("?1")))
}

fn is_unknown_parameter(error: &Error) -> bool {
    error.kind() == ErrorKind::BadRequest
        && error.server().is_some_and(|server| {
            server.reason.contains("allow_partial_results") && server.reason.contains("unrecognized parameter")
        })
}

/// A query that the server keeps.
struct Running {
    client: Client,
    id: Option<String>,
}

impl Running {
    async fn delete(&mut self) {
        if let Some(id) = self.id.take() {
            delete(&self.client, &id).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(id) = self.id.take() else { return };
        let client = self.client.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { delete(&client, &id).await });
        }
    }
}

/// Stops a query and removes its result. The server does so itself in the end, so a failure
/// is no reason to lose an answer.
async fn delete(client: &Client, id: &str) {
    let request = Request::new(Method::Delete, EsqlAsyncQueryDeleteParts::Id(id).url()).repeatable();
    if let Err(error) = client.exists(&request).await {
        debug!(%error, "an ES|QL query was left to expire");
    }
}
