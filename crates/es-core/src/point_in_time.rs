//! Points in time: searches that all see the same state of an index.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use elasticsearch::{ClosePointInTimeParts, OpenPointInTimeParts, SearchParts};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tracing::debug;

use crate::client::Client;
use crate::connection::retry::{Backoff, RetryPolicy};
use crate::error::failed_shard::Shards;
use crate::error::{Error, ErrorKind};
use crate::request::{Method, Request};
use crate::units;

/// An open point in time. [`PointInTime::close`] frees what it holds on the server; when it
/// is dropped without that, a close is sent in the background.
pub struct PointInTime {
    client: Client,
    keep_alive: Duration,
    id: Mutex<Option<Arc<str>>>,
}

/// The body of one page, not yet read.
#[derive(Clone, Debug)]
pub struct SearchPage {
    /// The whole response body.
    pub body: Bytes,
}

/// A search with the point in time it is for.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(flatten)]
    body: &'a Value,
    pit: Pit<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    search_after: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Pit<'a> {
    id: &'a str,
    keep_alive: &'a str,
}

/// The waits before a search is sent again. How often is a matter of time alone, which must be
/// enough for a node that restarts.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(200), longest: Duration::from_secs(5) };

#[derive(Deserialize)]
struct Opened {
    id: String,
    #[serde(rename = "_shards")]
    shards: Option<Shards>,
}

#[derive(Deserialize)]
struct Total {
    hits: TotalHits,
    #[serde(rename = "_shards")]
    shards: Shards,
    timed_out: bool,
}

#[derive(Deserialize)]
struct TotalHits {
    total: TotalValue,
}

#[derive(Deserialize)]
struct TotalValue {
    value: u64,
}

impl PointInTime {
    pub(crate) async fn open(client: Client, index: &str, keep_alive: Duration) -> Result<Self, Error> {
        let request = Request::new(Method::Post, OpenPointInTimeParts::Index(&[index]).url())
            .query("keep_alive", units::milliseconds(keep_alive))
            // A point in time that is opened twice is closed by the server after keep_alive.
            .repeatable();
        let opened: Opened = client.send(&request).await?.json()?;
        if let Some(shards) = opened.shards {
            shards
                .whole(&format!("opening a point in time on {index}"))
                .map_err(|error| error.with_help("wait until the index is green or yellow"))?;
        }
        Ok(Self { client, keep_alive, id: Mutex::new(Some(opened.id.into())) })
    }

    pub(crate) fn of_id(client: Client, id: &str, keep_alive: Duration) -> Self {
        Self { client, keep_alive, id: Mutex::new(Some(id.into())) }
    }

    /// The client it was opened with.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Searches in it. The body's `pit` is set here; `index`, routing and preference must
    /// not be given. The search may be repeated, as the state it sees does not change.
    ///
    /// # Errors
    /// As [`Client::send`]; whether all shards answered is for the reader of the body to see.
    pub async fn search(&self, body: &Value) -> Result<SearchPage, Error> {
        self.send(body, None, |request| request).await
    }

    /// One page of many: [`PointInTime::search`] for what comes after the hit whose `sort`
    /// values are given, or for the first page. The values are sent as the server wrote them,
    /// as numbers among them may not fit any type of ours. The page is asked for again for as
    /// long as the server keeps the point in time without being asked; but where a circuit breaker
    /// refuses it, the caller is told at once, who can ask for fewer rows. `likely_bytes` is a
    /// guess at the size of the answer, for [`Request::likely_bytes`].
    ///
    /// # Errors
    /// As [`PointInTime::search`]; [`ErrorKind::NotFound`] when the point in time is gone;
    /// [`ErrorKind::Overloaded`] when a circuit breaker refused the page
    /// ([`crate::ServerError::is_circuit_breaker`]).
    pub async fn page(&self, body: &Value, after: Option<&RawValue>, likely_bytes: usize) -> Result<SearchPage, Error> {
        let retry = RetryPolicy { max: u32::MAX, total: self.keep_alive, backoff: BACKOFF };
        self.send(body, after, |request| request.retry(retry).can_ask_for_less().likely_bytes(likely_bytes)).await
    }

    async fn send(
        &self,
        body: &Value,
        search_after: Option<&RawValue>,
        limits: impl FnOnce(Request) -> Request,
    ) -> Result<SearchPage, Error> {
        let id = self.id().ok_or_else(|| Error::new(ErrorKind::BadRequest, "the point in time is closed already"))?;
        let keep_alive = units::milliseconds(self.keep_alive);
        let body = Body { body, pit: Pit { id: &id, keep_alive: &keep_alive }, search_after };
        let request = Request::new(Method::Post, SearchParts::None.url())
            .query("allow_partial_search_results", false)
            .json(&body)
            .repeatable();
        let response = self.client.send(&limits(request)).await?;
        Ok(SearchPage { body: response.into_body() })
    }

    /// Notes the id that the last page came with: always the newest one must be sent.
    pub fn renew(&self, id: &str) {
        let mut current = self.lock();
        if current.as_deref().is_some_and(|known| known != id) {
            *current = Some(id.into());
        }
    }

    /// Its id now; `None` once it is closed or given away.
    pub fn id(&self) -> Option<Arc<str>> {
        self.lock().clone()
    }

    /// Gives it away: it stays open on the server until nobody asked it for the time it is kept.
    pub fn detach(&self) -> Option<Arc<str>> {
        self.lock().take()
    }

    /// How many documents a query matches in this point in time.
    ///
    /// # Errors
    /// As [`Client::send`], and [`ErrorKind::PartialResult`] when a shard did not answer.
    pub async fn count(&self, query: &Value) -> Result<u64, Error> {
        self.count_of(json!({"query": query})).await
    }

    /// How many documents a search matches in this point in time. The body holds its `query`
    /// and, where that uses some, its `runtime_mappings`.
    ///
    /// # Errors
    /// As [`PointInTime::count`].
    pub async fn count_of(&self, mut body: Value) -> Result<u64, Error> {
        body["size"] = json!(0);
        body["track_total_hits"] = json!(true);
        let page = self.search(&body).await?;
        let total: Total = serde_json::from_slice(&page.body).map_err(|source| {
            Error::new(ErrorKind::Decode, format!("the answer to a count cannot be read: {source}")).with_source(source)
        })?;
        total.shards.whole("a count")?;
        if total.timed_out {
            return Err(Error::new(ErrorKind::PartialResult, "a count timed out before all documents were seen"));
        }
        Ok(total.hits.total.value)
    }

    /// Frees it on the server, also for others that still hold it.
    ///
    /// # Errors
    /// As [`Client::send`]; a point in time that is gone already is no error.
    pub async fn close(&self) -> Result<(), Error> {
        match self.detach() {
            Some(id) => close(&self.client, &id).await,
            None => Ok(()),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Arc<str>>> {
        self.id.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn close(client: &Client, id: &str) -> Result<(), Error> {
    let request = Request::new(Method::Delete, ClosePointInTimeParts::None.url()).json(&json!({"id": id})).repeatable();
    client.exists(&request).await.map(|_| ())
}

impl Drop for PointInTime {
    fn drop(&mut self) {
        let Some(id) = self.lock().take() else { return };
        let client = self.client.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = close(&client, &id).await {
                    debug!(%error, "a point in time was left to expire");
                }
            });
        }
    }
}
