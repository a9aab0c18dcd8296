//! Queries in ES|QL: sent, waited for, and removed from the server. The meaning of the columns is left
//! to `es-frame`, and the check for an answer that the server cut off to its reader.

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

/// The name of the feature in messages.
const FEATURE: &str = "ES|QL";

/// The longest time that the server holds a request open before it answers that the query is still
/// running: well below the time limits of requests and of proxies.
const LONG_POLL: Duration = Duration::from_secs(10);

/// The time that the server keeps a query that nobody polls.
const KEEP_ALIVE: Duration = Duration::from_secs(300);

/// The format of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableFormat {
    /// An Arrow IPC stream.
    Arrow,
    /// JSON, with an array for each row.
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

/// The answer to a finished query.
#[derive(Clone, Debug)]
pub struct EsqlAnswer {
    /// The whole body.
    pub body: Bytes,
    /// Its format.
    pub format: TableFormat,
    /// The warnings of the server.
    pub warnings: Vec<String>,
    /// `true` if the request forbade partial results. A server without that parameter fails such
    /// queries by itself.
    pub refuses_partial_results: bool,
}

/// The ES|QL API.
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

    /// Runs a query to its end. The body holds `query`, and other parameters of the API (`params`,
    /// `filter`, `locale`). The query is stopped and its result removed from the server in any case; if
    /// the future is dropped, in the background ([`Client::settle`] waits for that).
    ///
    /// # Errors
    /// [`ErrorKind::FeatureMissing`] where the cluster has no ES|QL, [`ErrorKind::TimedOut`] when the
    /// limit passes, [`ErrorKind::BadRequest`] for an invalid query or an answer that the format cannot
    /// hold; else as [`Client::send`].
    pub async fn run(&self, body: &Value, format: TableFormat, wait: &Wait) -> Result<EsqlAnswer, Error> {
        match self.run_once(body, format, wait, true).await {
            // Servers before 8.19 have neither this parameter nor partial results.
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
            // A query that is started twice only reads twice.
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
            // The server waits longer than this; a proxy may not.
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

/// The id of a query, if the server keeps it, and its running state. Arrow has room for neither, so
/// they are in headers as well.
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
        self.client.finish_later(async move { delete(&client, &id).await });
    }
}

/// Stops a query and removes its result. The server does so itself in the end, so a failure is only
/// logged.
async fn delete(client: &Client, id: &str) {
    let request = Request::new(Method::Delete, EsqlAsyncQueryDeleteParts::Id(id).url()).repeatable();
    if let Err(error) = client.exists(&request).await {
        debug!(%error, "an ES|QL query was left to expire");
    }
}
