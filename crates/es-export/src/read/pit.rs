//! The pages of a point in time, slice by slice.
//!
//! While a page is decoded, the next one of its slice is already on its way, so that neither the
//! server nor this side waits for the other. Memory holds two pages of each slice that is read.
//! The size of pages, retries and the id of the point in time are left to es-core.

use std::ops::Range;
use std::sync::Arc;

use es_core::{KeepOpen, NextPage, PageSize, PointInTime, SizedPage};
use es_frame::HitDecoder;
use futures::stream::{self, Stream, StreamExt as _};
use polars::prelude::DataFrame;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio_util::task::AbortOnDropHandle;

use super::last_hit::last_sort;
use super::unread;
use crate::error::{Error, ErrorKind};

/// A point in time that is being read.
pub(crate) struct PitRead {
    /// Shared with a reader of fewer columns of the same rows.
    pub(crate) point_in_time: Arc<PointInTime>,
    pub(crate) decoder: HitDecoder,
    /// The body of pages without the parts that differ from page to page.
    pub(crate) body: Value,
    pub(crate) size: PageSize,
    pub(crate) slices: usize,
    pub(crate) concurrency: usize,
    /// The number of rows to read, where that is fewer than match.
    pub(crate) limit: Option<u64>,
    /// A consumer may take rows more slowly than the point in time is kept.
    pub(crate) _keep_open: KeepOpen,
}

/// The reader of one slice.
struct SliceReader {
    read: Arc<PitRead>,
    slice: usize,
    /// Rows that are still wanted, without those of the page on its way.
    wanted: u64,
    /// The limit in rows of a page after a circuit breaker refused a larger one.
    max_rows: usize,
    next: Option<PendingPage>,
}

/// A page on its way.
struct PendingPage {
    page: AbortOnDropHandle<Result<SizedPage, Error>>,
    /// The `sort` values that it comes after.
    after: Option<Box<RawValue>>,
    /// The number of rows that it has at most.
    rows: u64,
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

    /// Requests a page of at most so many rows.
    async fn page(&self, slice: usize, after: Option<&RawValue>, max_rows: usize) -> Result<SizedPage, Error> {
        let body = |rows: usize| {
            let mut body = self.body.clone();
            if self.slices > 1 {
                body["slice"] = json!({"id": slice, "max": self.slices});
            }
            body["size"] = json!(rows);
            body
        };
        let page = self.point_in_time.search_sized(&self.size, NextPage { after, max_rows }, body).await;
        page.map_err(Error::reading_page)
    }
}

fn slice_frames(read: Arc<PitRead>, slice: usize) -> impl Stream<Item = Result<DataFrame, Error>> + Send {
    // Without a limit this is more rows than there can be, whatever is subtracted from it.
    let wanted = read.limit.unwrap_or(u64::MAX);
    let mut reader = SliceReader { read, slice, wanted, max_rows: usize::MAX, next: None };
    reader.request(None);
    stream::try_unfold(reader, |mut reader| async move { Ok(reader.next_frame().await?.map(|frame| (frame, reader))) })
}

impl SliceReader {
    /// Requests the page after these `sort` values in the background.
    fn request(&mut self, after: Option<Box<RawValue>>) {
        if self.wanted == 0 {
            return;
        }
        let (read, slice) = (self.read.clone(), self.slice);
        let rows = self.wanted.min(read.size.rows().min(self.max_rows) as u64);
        self.wanted -= rows;
        let values = after.clone();
        let page = AbortOnDropHandle::new(tokio::spawn(async move {
            read.page(slice, values.as_deref(), usize::try_from(rows).unwrap_or(usize::MAX)).await
        }));
        self.next = Some(PendingPage { page, after, rows });
    }

    /// The rows of the next page; `None` at the end.
    async fn next_frame(&mut self) -> Result<Option<DataFrame>, Error> {
        let Some(pending) = self.next.take() else { return Ok(None) };
        let SizedPage { answer, refused_to, .. } = pending.page.await.map_err(unread)??;
        self.max_rows = refused_to.unwrap_or(self.max_rows);
        let body = answer.into_body();
        if let Some(last) = last_sort(&body) {
            self.request(Some(last));
        }
        let (read, bytes) = (self.read.clone(), body.len());
        // Parsing a page takes milliseconds, which would block the asynchronous threads.
        let page = tokio::task::spawn_blocking(move || read.decoder.decode(&body)).await.map_err(unread)??;
        // Only an empty page is the end: a short one can be followed by more.
        let Some(last) = page.last_sort else { return Ok(None) };
        let rows = page.frame.height();
        self.read.size.learn(bytes, rows);
        // Rows that were requested and did not come are still wanted.
        self.wanted += pending.rows.saturating_sub(rows as u64);
        let requested = self.next.as_ref().and_then(|next| next.after.as_deref());
        if requested.map(RawValue::get) != Some(&last) {
            self.wanted += self.next.take().map_or(0, |next| next.rows);
            let last = RawValue::from_string(last).map_err(|source| {
                Error::new(ErrorKind::Incomplete, "the sort values of a page cannot be read").with_source(source)
            })?;
            self.request(Some(last));
        }
        Ok(Some(page.frame))
    }
}
