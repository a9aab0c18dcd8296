//! The pages of a point in time, slice by slice.
//!
//! While a page is decoded the next one of its slice is on its way already, so that neither the
//! server nor this side waits for the other; memory holds two pages of each slice that is read.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use es_core::{Bytes, PointInTime};
use es_frame::HitDecoder;
use futures::stream::{self, Stream, StreamExt as _};
use polars::prelude::DataFrame;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, warn};

use super::size::PageSize;
use super::{breaker, ends, unread};
use crate::error::{Error, ErrorKind};

/// A point in time that is being read.
pub(crate) struct PitRead {
    pub(crate) point_in_time: PointInTime,
    pub(crate) decoder: HitDecoder,
    /// The body of pages without what differs from page to page.
    pub(crate) body: Value,
    pub(crate) size: PageSize,
    pub(crate) slices: usize,
    pub(crate) concurrency: usize,
    /// For how long a page that is refused is asked for again.
    pub(crate) keep_alive: Duration,
    /// Rows to read in all, where that is fewer than match.
    pub(crate) limit: Option<u64>,
    pub(crate) asked_at: Mutex<Instant>,
}

/// A slice and where it was read up to.
struct Place {
    read: Arc<PitRead>,
    slice: usize,
    /// Rows that are still wanted, the page on its way not counted.
    wanted: u64,
    /// No more rows a page than this, since the server had no memory for more.
    most_rows: usize,
    next: Option<Coming>,
}

/// A page on its way.
struct Coming {
    page: AbortOnDropHandle<Result<Page, Error>>,
    /// The `sort` values it comes after.
    after: Option<Box<RawValue>>,
    /// How many rows it has at most.
    rows: u64,
}

/// A page that came.
struct Page {
    body: Bytes,
    /// What larger pages were refused down to, if they were.
    refused_to: Option<usize>,
}

impl PitRead {
    /// The rows of some slices, [`PitRead::concurrency`] of them at a time.
    pub(crate) fn frames(
        self: &Arc<Self>,
        slices: Range<usize>,
    ) -> impl Stream<Item = Result<DataFrame, Error>> + Send + use<> {
        let read = self.clone();
        let limit = self.concurrency.max(1);
        stream::iter(slices.start..slices.end.min(self.slices))
            .map(move |slice| Box::pin(slice_frames(read.clone(), slice)))
            .flatten_unordered(limit)
    }

    /// Asks for a page, again and smaller where it is larger than the client takes, or than the
    /// server has memory for.
    async fn page(&self, slice: usize, after: Option<&RawValue>, mut most: usize) -> Result<Page, Error> {
        let (started, mut refusals, mut refused_to) = (Instant::now(), 0, None);
        let mut body = self.body.clone();
        if self.slices > 1 {
            body["slice"] = json!({"id": slice, "max": self.slices});
        }
        loop {
            let rows = self.size.rows().min(most);
            body["size"] = json!(rows);
            *self.asked_at.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
            match self.point_in_time.page(&body, after, self.size.bytes_of(rows)).await {
                Ok(page) => return Ok(Page { body: page.body, refused_to }),
                Err(error) if error.kind() == es_core::ErrorKind::AnswerTooLarge => {
                    if !self.size.shrink(rows) {
                        return Err(Error::from(error).with_help(
                            "a single document is larger than the client takes: read fewer columns, or raise \
                             max_response_size",
                        ));
                    }
                    debug!(rows, "a page was too large for the client: asking for fewer rows");
                }
                Err(error) if breaker::is_refusal(&error) => {
                    let wait = breaker::wait(refusals, started.elapsed(), self.keep_alive, fastrand::f64());
                    let Some(wait) = wait else { return Err(Error::of_page(error)) };
                    most = breaker::fewer(rows);
                    (refusals, refused_to) = (refusals + 1, Some(most));
                    warn!(%error, rows, fewer = most, ?wait, "a circuit breaker refused a page: asking for a smaller one");
                    tokio::time::sleep(wait).await;
                }
                Err(error) => return Err(Error::of_page(error)),
            }
        }
    }

    /// Keeps the point in time alive while nobody takes rows, for as long as `read` lives: the
    /// server would close it otherwise, and a consumer may be slow.
    pub(crate) fn keep_alive(read: &Arc<Self>, keep_alive: Duration) -> AbortOnDropHandle<()> {
        let read: Weak<Self> = Arc::downgrade(read);
        let pause = keep_alive / 3;
        AbortOnDropHandle::new(tokio::spawn(async move {
            loop {
                tokio::time::sleep(pause).await;
                let Some(read) = read.upgrade() else { return };
                let idle = read.asked_at.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
                if idle < pause {
                    continue;
                }
                let body = json!({"size": 0, "track_total_hits": false, "terminate_after": 1});
                if let Err(error) = read.point_in_time.search(&body).await {
                    // Whoever asks for the next page learns of it.
                    debug!(%error, "a point in time was not kept alive");
                }
            }
        }))
    }
}

fn slice_frames(read: Arc<PitRead>, slice: usize) -> impl Stream<Item = Result<DataFrame, Error>> + Send {
    // Without a limit this is more than there can be, also after all that is taken from it.
    let wanted = read.limit.unwrap_or(u64::MAX);
    let mut place = Place { read, slice, wanted, most_rows: usize::MAX, next: None };
    place.ask(None);
    stream::try_unfold(place, |mut place| async move { Ok(place.advance().await?.map(|frame| (frame, place))) })
}

impl Place {
    /// Sends for the page after these `sort` values.
    fn ask(&mut self, after: Option<Box<RawValue>>) {
        if self.wanted == 0 {
            return;
        }
        let (read, slice) = (self.read.clone(), self.slice);
        let rows = self.wanted.min(read.size.rows().min(self.most_rows) as u64);
        self.wanted -= rows;
        let values = after.clone();
        let page = AbortOnDropHandle::new(tokio::spawn(async move {
            read.page(slice, values.as_deref(), usize::try_from(rows).unwrap_or(usize::MAX)).await
        }));
        self.next = Some(Coming { page, after, rows });
    }

    /// The rows of the next page; `None` at the end.
    async fn advance(&mut self) -> Result<Option<DataFrame>, Error> {
        let Some(coming) = self.next.take() else { return Ok(None) };
        let Page { body, refused_to } = coming.page.await.map_err(unread)??;
        self.most_rows = refused_to.unwrap_or(self.most_rows);
        if let Some(id) = ends::point_in_time_id(&body) {
            self.read.point_in_time.renew(id);
        }
        if let Some(last) = ends::last_sort(&body) {
            self.ask(Some(last));
        }
        let (read, bytes) = (self.read.clone(), body.len());
        // Parsing a page takes milliseconds, which the asynchronous threads must not spend.
        let page = tokio::task::spawn_blocking(move || read.decoder.decode(&body)).await.map_err(unread)??;
        if let Some(id) = &page.pit_id {
            self.read.point_in_time.renew(id);
        }
        // Only an empty page is the end: a short one can be followed by more.
        let Some(last) = page.last_sort else { return Ok(None) };
        let rows = page.frame.height();
        self.read.size.learn(bytes, rows);
        // Rows that were asked for and did not come are still wanted.
        self.wanted += coming.rows.saturating_sub(rows as u64);
        let asked = self.next.as_ref().and_then(|next| next.after.as_deref());
        if asked.map(RawValue::get) != Some(&last) {
            self.wanted += self.next.take().map_or(0, |next| next.rows);
            let last = RawValue::from_string(last).map_err(|source| {
                Error::new(ErrorKind::Incomplete, "the sort values of a page cannot be read").with_source(source)
            })?;
            self.ask(Some(last));
        }
        Ok(Some(page.frame))
    }
}
