//! Rows of Elasticsearch, as a stream of frames whose schema is known before the first row.
//!
//! This module has the parts that the four ways of reading share; each way has a module of its own.
//! The decoding of an answer into columns is left to `es-frame`.

mod body;
mod cut_off;
mod esql;
mod fingerprint;
mod indices;
mod last_hit;
mod narrow;
mod notes;
mod open;
mod origin;
mod pit;
mod request;
mod scroll;
mod slices;
mod sql;

use std::ops::Range;
use std::sync::Arc;

use es_core::Client;
use futures::stream::{self, BoxStream, Stream, StreamExt as _, TryStreamExt as _};
use polars::prelude::{DataFrame, Schema};
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;

use crate::cancel::unless;
use crate::error::{Error, ErrorKind};
use crate::progress::{Observer, Phase, Progress};
use pit::PitRead;
use scroll::ScrollRead;
use sql::SqlRead;

pub(crate) use fingerprint::{of as fingerprint_of, request_value};
pub use origin::{Origin, ReadBy, SavedRead};
pub use request::{Esql, EsqlFormat, ReadFrom, ReadRequest, Sample, Search, Sql, Through};

/// Reads everything in an index or alias into one frame.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let client = es_core::Client::connect(es_core::ClusterConfig::from_env()?).await?;
/// let flights = es_export::read(&client, "flights").await?;
/// println!("{flights}");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As [`IndexReader::open`] and [`IndexReader::collect`].
pub async fn read(client: &Client, index: &str) -> Result<DataFrame, Error> {
    IndexReader::open(client, ReadRequest::new(index)).await?.collect().await
}

/// An open read with a planned schema.
///
/// ```no_run
/// use es_export::{IndexReader, ReadRequest};
/// use futures::TryStreamExt as _;
///
/// # async fn example(client: es_core::Client) -> Result<(), es_export::Error> {
/// let reader = IndexReader::open(&client, ReadRequest::new("flights")).await?;
/// println!("{} rows of {:?}", reader.count().unwrap_or(0), reader.schema());
/// let mut frames = std::pin::pin!(reader.into_frames());
/// while let Some(frame) = frames.try_next().await? {
///     println!("{} rows", frame.height());
/// }
/// # Ok(())
/// # }
/// ```
pub struct IndexReader {
    source: Source,
    origin: Origin,
    schema: Schema,
    field_types: Vec<(String, String)>,
    /// The number of rows, where it is known.
    count: Option<u64>,
    /// A fingerprint of the search.
    request: String,
    observer: Observer,
    cancellation: CancellationToken,
}

enum Source {
    Slices(Arc<PitRead>),
    Scroll(ScrollRead),
    Table { frame: DataFrame, page_rows: usize },
    Sql(SqlRead),
}

type Frames = BoxStream<'static, Result<DataFrame, Error>>;

impl IndexReader {
    /// Calls `observer` with each frame's rows, from the task that takes the frames.
    #[must_use]
    pub fn with_observer(mut self, observer: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.observer = Observer::new(observer);
        self
    }

    /// Ends the reading with [`ErrorKind::Interrupted`] once the token is cancelled.
    #[must_use]
    pub fn with_cancellation(mut self, token: CancellationToken) -> Self {
        self.cancellation = token;
        self
    }

    /// The state from which [`IndexReader::resume`] continues the read for as long as the server
    /// keeps the point in time. `None` for rows that are not read from one.
    pub fn saved(&self) -> Option<SavedRead> {
        let Source::Slices(read) = &self.source else { return None };
        Some(SavedRead {
            point_in_time: read.point_in_time.id()?.to_string(),
            slices: read.slices,
            matched: self.origin.matched?,
            opened_at: self.origin.opened_at,
            indices: self.origin.indices.clone(),
            request: self.request.clone(),
            columns: fingerprint::of_columns(&self.schema, &self.field_types),
        })
    }

    /// Gives the reader up and leaves the point in time open, so that another process can resume
    /// the read before the server closes it. Streams of this reader end with an error.
    pub fn detach(self) -> Option<SavedRead> {
        let saved = self.saved();
        if let Source::Slices(read) = &self.source {
            read.point_in_time.detach();
        }
        saved
    }

    /// The schema of every frame.
    pub fn schema(&self) -> Schema {
        self.schema.clone()
    }

    /// The columns and their types in Elasticsearch, in order.
    pub fn field_types(&self) -> &[(String, String)] {
        &self.field_types
    }

    /// The number of rows. `None` where it is not known beforehand, as in SQL.
    pub fn count(&self) -> Option<u64> {
        self.count
    }

    /// The source of the rows.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The number of slices.
    pub fn slices(&self) -> usize {
        self.origin.slices
    }

    /// The rows, a page a frame, checked at the end: the stream fails with
    /// [`ErrorKind::Incomplete`] when rows are missing, and closes the reader in any case. Rows are
    /// in order where the request has one or a limit, otherwise in no particular order.
    ///
    /// A slow consumer slows the reading: memory holds at most two pages of each slice that is
    /// read. A stream that is dropped before its end closes the reader in the background.
    pub fn into_frames(self) -> impl Stream<Item = Result<DataFrame, Error>> + Send + 'static {
        let frames = self.frames().boxed();
        stream::try_unfold((Some(self), frames, 0), |(mut reader, mut frames, rows)| async move {
            let next = frames.next().await;
            if let Some(Ok(frame)) = next {
                let rows = rows + frame.height() as u64;
                return Ok(Some((frame, (reader, frames, rows))));
            }
            // The stream may hold what is to be closed.
            drop(frames);
            let Some(reader) = reader.take() else { return Ok(None) };
            let checked = match next {
                Some(Err(error)) => Err(error),
                _ => reader.reconcile(rows),
            };
            let closed = reader.close().await;
            checked.and(closed).map(|()| None)
        })
    }

    /// The rows, a page a frame, as [`IndexReader::into_frames`] but without its checks: call
    /// [`IndexReader::reconcile`] with the number of rows at the end, and [`IndexReader::close`]
    /// afterwards. Dropping the stream ends the reading.
    ///
    /// Only rows from a point in time can be read more than once.
    pub fn frames(&self) -> impl Stream<Item = Result<DataFrame, Error>> + Send + use<> {
        self.frames_of(0..self.slices())
    }

    /// The rows of some slices, read side by side.
    pub fn frames_of(&self, slices: Range<usize>) -> impl Stream<Item = Result<DataFrame, Error>> + Send + use<> {
        let frames: Frames = match &self.source {
            Source::Slices(read) => read.frames(slices).boxed(),
            _ if !slices.contains(&0) => stream::empty().boxed(),
            Source::Scroll(read) => read.frames().boxed(),
            Source::Table { frame, page_rows } => esql::frames(frame, *page_rows).boxed(),
            Source::Sql(read) => read.frames().boxed(),
        };
        let (token, observer, total) = (self.cancellation.clone(), self.observer.clone(), self.count);
        stream::try_unfold((frames, token, observer), move |(mut frames, token, observer)| async move {
            let Some(frame) = unless(&token, frames.next()).await?.transpose()? else { return Ok(None) };
            let rows = frame.height() as u64;
            observer.notify(Progress { phase: Phase::Reading, rows, bytes: 0, total, restarts: 0 });
            Ok(Some((frame, (frames, token, observer))))
        })
    }

    /// Reads everything into one frame and closes the reader. Memory grows with the result: use
    /// [`IndexReader::into_frames`] for large ones.
    ///
    /// # Errors
    /// As the stream, and [`ErrorKind::Incomplete`] when rows are missing.
    pub async fn collect(self) -> Result<DataFrame, Error> {
        let mut whole = DataFrame::empty_with_schema(&self.schema);
        let mut frames = std::pin::pin!(self.into_frames());
        while let Some(frame) = frames.try_next().await? {
            whole.vstack_mut(&frame)?;
        }
        whole.rechunk_mut();
        Ok(whole)
    }

    /// Checks that as many rows were read as the read has.
    ///
    /// # Errors
    /// [`ErrorKind::Incomplete`] with both numbers.
    pub fn reconcile(&self, rows: u64) -> Result<(), Error> {
        let Some(count) = self.count.filter(|count| *count != rows) else { return Ok(()) };
        let message = match self.origin.matched {
            Some(matched) if matched == count => {
                format!("{rows} rows were read, and the query matches {matched} documents")
            }
            _ => format!("{rows} rows were read, and there are {count}"),
        };
        Err(Error::new(ErrorKind::Incomplete, message).with_help(
            "the pages of one point in time did not add up, which should not happen: try again, and report it",
        ))
    }

    /// Closes the read on the server, also for streams that are not at their end: they fail.
    /// A reader that is dropped is closed in the background: [`Client::settle`] waits for that.
    ///
    /// # Errors
    /// [`ErrorKind::Elasticsearch`].
    pub async fn close(self) -> Result<(), Error> {
        match &self.source {
            Source::Slices(read) => Ok(read.point_in_time.close().await?),
            Source::Scroll(read) => read.close().await,
            Source::Sql(read) => read.close().await,
            Source::Table { .. } => Ok(()),
        }
    }
}

/// The error of a task that requests or decodes a page and panicked or was aborted.
fn unread(source: JoinError) -> Error {
    Error::new(ErrorKind::Incomplete, "reading a page failed").with_source(source)
}
