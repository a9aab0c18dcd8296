//! Points in time: searches that all see the same state of an index.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use elasticsearch::{ClosePointInTimeParts, OpenPointInTimeParts, SearchParts};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tracing::{debug, warn};

use super::keep_open::KeepOpen;
use super::page_size::PageSize;
use super::{SearchAnswer, breaker, complete};
use crate::client::Client;
use crate::connection::retry::{Backoff, RetryPolicy};
use crate::error::failed_shard::Shards;
use crate::error::{Error, ErrorKind};
use crate::request::{Method, Request};
use crate::units;

/// An open point in time: all searches in it see the same documents.
///
/// It follows the id that the server returns with every answer, refuses partial answers, and
/// requests smaller pages where the server or the client has no memory for large ones
/// ([`PointInTime::search_sized`]).
///
/// [`PointInTime::close`] frees what it holds on the server. A dropped one is closed in the
/// background: [`Client::settle`] waits for that.
///
/// ```no_run
/// # async fn example(client: &es_core::Client) -> Result<(), es_core::Error> {
/// use std::time::Duration;
/// use serde_json::{Value, json};
///
/// let point = client.open_point_in_time("flights", Duration::from_secs(60)).await?;
/// let late = point.count(&json!({"range": {"delay": {"gte": 15}}})).await?;
/// let answer: Value = point.search(&json!({"size": 10})).await?.json()?;
/// println!("{late} late flights, among them {}", answer["hits"]["hits"]);
/// point.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct PointInTime {
    shared: Arc<Shared>,
}

/// The part of a point in time that [`KeepOpen`] uses too.
#[derive(Debug)]
pub(super) struct Shared {
    client: Client,
    keep_alive: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// `None` once it is closed or detached.
    id: Option<Arc<str>>,
    searched_at: Instant,
}

/// The place of a page among the pages of a search.
#[derive(Clone, Copy, Debug)]
pub struct NextPage<'a> {
    /// The `sort` values of the hit that the page comes after, as the server wrote them: numbers
    /// among them may not fit any Rust type. `None` for the first page, and for the pages of an
    /// aggregation, whose `after` key is part of the body.
    pub after: Option<&'a RawValue>,
    /// A limit in rows below that of the [`PageSize`], such as [`SizedPage::refused_to`] of an
    /// earlier page. Default: none.
    pub max_rows: usize,
}

impl Default for NextPage<'_> {
    fn default() -> Self {
        Self { after: None, max_rows: usize::MAX }
    }
}

/// A page of a search, of the size that the server and the client had memory for.
#[derive(Clone, Debug)]
pub struct SizedPage {
    /// The page.
    pub answer: SearchAnswer,
    /// The number of rows that were requested.
    pub rows: usize,
    /// The number of rows that a circuit breaker reduced the page to; `None` where none did. The
    /// next page should request no more: see [`NextPage::max_rows`].
    pub refused_to: Option<usize>,
}

/// The body of a search in a point in time.
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

/// The waits before a page is requested again. The number of retries is limited by time alone,
/// which must be enough for a node that restarts.
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
            // Of two points in time that are opened, the server closes the unused one after
            // keep_alive.
            .repeatable();
        let opened: Opened = client.send(&request).await?.json()?;
        if let Some(shards) = opened.shards {
            shards
                .whole(&format!("opening a point in time on {index}"))
                .map_err(|error| error.with_help("wait until the index is green or yellow"))?;
        }
        Ok(Self::with_id(client, &opened.id, keep_alive))
    }

    pub(crate) fn with_id(client: Client, id: &str, keep_alive: Duration) -> Self {
        let state = Mutex::new(State { id: Some(id.into()), searched_at: Instant::now() });
        Self { shared: Arc::new(Shared { client, keep_alive, state }) }
    }

    /// The client that it was opened with.
    pub fn client(&self) -> &Client {
        &self.shared.client
    }

    /// Searches in it. The body's `pit` is set here; an index, routing and preference must not be
    /// given.
    ///
    /// # Errors
    /// [`ErrorKind::PartialResult`] when a shard failed or the search timed out;
    /// [`ErrorKind::NotFound`] when the point in time is gone; else as [`Client::send`].
    pub async fn search(&self, body: &Value) -> Result<SearchAnswer, Error> {
        self.shared.search(body).await
    }

    /// Requests a page of a search, whose body `body` makes for a number of rows: the `size` of
    /// its hits, or of a composite aggregation.
    ///
    /// The page has as many rows as `size` says. Where it is larger than the client accepts
    /// ([`crate::ClusterConfig::max_response_size`]), or a circuit breaker refuses it, it is
    /// requested again with half the rows. A failure that may pass is retried for as long as the
    /// server keeps the point in time.
    ///
    /// The caller reads the page and reports its rows with [`PageSize::learn`].
    ///
    /// ```no_run
    /// # async fn example(point: &es_core::PointInTime) -> Result<(), es_core::Error> {
    /// use es_core::{NextPage, PageSize};
    /// use serde::Deserialize;
    /// use serde_json::value::RawValue;
    /// use serde_json::json;
    ///
    /// #[derive(Deserialize)]
    /// struct Page {
    ///     hits: Hits,
    /// }
    /// #[derive(Deserialize)]
    /// struct Hits {
    ///     hits: Vec<Hit>,
    /// }
    /// #[derive(Deserialize)]
    /// struct Hit {
    ///     sort: Box<RawValue>,
    /// }
    ///
    /// let size = PageSize::new(10_000, 4 << 20);
    /// let (mut after, mut max_rows): (Option<Box<RawValue>>, usize) = (None, usize::MAX);
    /// loop {
    ///     let next = NextPage { after: after.as_deref(), max_rows };
    ///     let page = point.search_sized(&size, next, |rows| json!({"size": rows, "sort": "_shard_doc"})).await?;
    ///     let read: Page = page.answer.json()?;
    ///     size.learn(page.answer.body().len(), read.hits.hits.len());
    ///     let Some(last) = read.hits.hits.into_iter().next_back() else { break };
    ///     (after, max_rows) = (Some(last.sort), page.refused_to.unwrap_or(max_rows));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::AnswerTooLarge`] when a page of one row is too large;
    /// [`ErrorKind::Overloaded`] when a circuit breaker refuses pages for longer than the server
    /// keeps the point in time; else as [`PointInTime::search`].
    pub async fn search_sized(
        &self,
        size: &PageSize,
        next: NextPage<'_>,
        mut body: impl FnMut(usize) -> Value + Send,
    ) -> Result<SizedPage, Error> {
        let retry = RetryPolicy { max: u32::MAX, total: self.shared.keep_alive, backoff: BACKOFF };
        let started = Instant::now();
        let (mut max_rows, mut refusals, mut refused_to) = (next.max_rows.max(1), 0, None);
        loop {
            let rows = size.rows().min(max_rows);
            let likely_bytes = size.likely_bytes(rows);
            let limits = |request: Request| request.retry(retry).can_ask_for_less().likely_bytes(likely_bytes);
            match self.shared.send(&body(rows), next.after, limits).await {
                Ok(answer) => return Ok(SizedPage { answer, rows, refused_to }),
                Err(error) if error.kind() == ErrorKind::AnswerTooLarge => {
                    if !size.shrink(rows) {
                        return Err(error.with_help(
                            "a single row is larger than the client accepts: request fewer fields, or raise \
                             ClusterConfig::max_response_size",
                        ));
                    }
                    debug!(rows, "a page was too large for the client: requesting fewer rows");
                }
                Err(error) if breaker::is_refusal(&error) => {
                    let wait = breaker::wait(refusals, started.elapsed(), self.shared.keep_alive, fastrand::f64());
                    let Some(wait) = wait else { return Err(error) };
                    max_rows = breaker::fewer(rows);
                    (refusals, refused_to) = (refusals + 1, Some(max_rows));
                    warn!(%error, rows, max_rows, ?wait, "a circuit breaker refused a page: requesting a smaller one");
                    tokio::time::sleep(wait).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Keeps it open while nobody searches in it, for as long as the returned guard lives: the
    /// server closes a point in time that is not used for its keep-alive, and a consumer of pages
    /// may be slow.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    pub fn keep_open(&self) -> KeepOpen {
        KeepOpen::start(&self.shared)
    }

    /// Its id now; `None` once it is closed or detached.
    pub fn id(&self) -> Option<Arc<str>> {
        self.shared.lock().id.clone()
    }

    /// Gives it up without closing it: the server keeps it until nobody used it for its
    /// keep-alive, and [`Client::point_in_time`] takes it over. Returns its id; `None` if it is
    /// closed or detached already.
    pub fn detach(&self) -> Option<Arc<str>> {
        self.shared.lock().id.take()
    }

    /// The number of documents that a query matches in this point in time.
    ///
    /// # Errors
    /// As [`PointInTime::search`].
    pub async fn count(&self, query: &Value) -> Result<u64, Error> {
        self.count_of(json!({"query": query})).await
    }

    /// The number of documents that a search matches in this point in time. The body holds its
    /// `query` and, where that uses some, its `runtime_mappings`.
    ///
    /// # Errors
    /// As [`PointInTime::search`].
    pub async fn count_of(&self, mut body: Value) -> Result<u64, Error> {
        body["size"] = json!(0);
        body["track_total_hits"] = json!(true);
        let total: Total = self.search(&body).await?.json()?;
        Ok(total.hits.total.value)
    }

    /// Frees it on the server, also for others that still use it.
    ///
    /// # Errors
    /// As [`Client::send`]; a point in time that is gone already is no error.
    pub async fn close(&self) -> Result<(), Error> {
        match self.detach() {
            Some(id) => close(&self.shared.client, &id).await,
            None => Ok(()),
        }
    }
}

impl Shared {
    pub(super) fn keep_alive(&self) -> Duration {
        self.keep_alive
    }

    /// The time since the last search was sent.
    pub(super) fn idle(&self) -> Duration {
        self.lock().searched_at.elapsed()
    }

    pub(super) async fn search(&self, body: &Value) -> Result<SearchAnswer, Error> {
        self.send(body, None, |request| request).await
    }

    async fn send(
        &self,
        body: &Value,
        search_after: Option<&RawValue>,
        limits: impl FnOnce(Request) -> Request,
    ) -> Result<SearchAnswer, Error> {
        let id = {
            let mut state = self.lock();
            state.searched_at = Instant::now();
            state.id.clone()
        };
        let id = id.ok_or_else(|| Error::new(ErrorKind::BadRequest, "the point in time is closed already"))?;
        let keep_alive = units::milliseconds(self.keep_alive);
        let body = Body { body, pit: Pit { id: &id, keep_alive: &keep_alive }, search_after };
        let request = complete(Request::new(Method::Post, SearchParts::None.url()).json(&body));
        let response = self.client.send(&limits(request)).await?;
        let (answer, id) = SearchAnswer::with_id(response.into_body())?;
        if let Some(id) = id {
            self.renew(&id);
        }
        Ok(answer)
    }

    /// Records the id that an answer came with: the next search must use the newest one.
    fn renew(&self, id: &str) {
        let mut state = self.lock();
        if state.id.as_deref().is_some_and(|known| known != id) {
            state.id = Some(id.into());
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn close(client: &Client, id: &str) -> Result<(), Error> {
    let request = Request::new(Method::Delete, ClosePointInTimeParts::None.url()).json(&json!({"id": id})).repeatable();
    client.exists(&request).await.map(|_| ())
}

impl Drop for PointInTime {
    fn drop(&mut self) {
        let Some(id) = self.detach() else { return };
        let client = self.shared.client.clone();
        self.shared.client.finish_later(async move {
            if let Err(error) = close(&client, &id).await {
                debug!(%error, "a point in time was left to expire");
            }
        });
    }
}
