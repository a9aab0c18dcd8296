//! Rows of Elasticsearch, as a stream of frames whose schema is known before the first row.
//!
//! What the four ways of reading have in common is here; what is particular to each is in a
//! module of its own. How an answer's bytes become columns is `es-frame`'s.

mod body;
mod breaker;
mod cut_off;
mod ends;
mod esql;
mod indices;
mod narrow;
mod open;
mod origin;
mod pit;
mod request;
mod scroll;
mod size;
mod slices;
mod sql;

use std::ops::Range;
use std::sync::Arc;

use es_core::Client;
use futures::stream::{Stream, StreamExt as _, TryStreamExt as _};
use polars::prelude::{DataFrame, Schema};
use tokio::task::JoinError;
use tokio_util::task::AbortOnDropHandle;

use crate::error::{Error, ErrorKind};
use pit::PitRead;
use scroll::ScrollRead;
use sql::SqlRead;

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
pub struct IndexReader {
    source: Source,
    origin: Origin,
    schema: Schema,
    field_types: Vec<(String, String)>,
    /// How many rows there are to come.
    count: Option<u64>,
    /// A fingerprint of the search.
    request: String,
}

enum Source {
    Slices { read: Arc<PitRead>, _alive: AbortOnDropHandle<()> },
    Scroll(ScrollRead),
    Table { frame: DataFrame, page_rows: usize },
    Sql(SqlRead),
}

impl IndexReader {
    /// What a read can be taken up with by [`IndexReader::resume`] for as long as the server keeps
    /// the point in time. `None` for what has none.
    pub fn saved(&self) -> Option<SavedRead> {
        let Source::Slices { read, .. } = &self.source else { return None };
        Some(SavedRead {
            point_in_time: read.point_in_time.id()?.to_string(),
            slices: read.slices,
            matched: self.origin.matched?,
            opened_at: self.origin.opened_at,
            indices: self.origin.indices.clone(),
            request: self.request.clone(),
            columns: origin::of_columns(&self.schema, &self.field_types),
        })
    }

    /// Gives the reader up and leaves the point in time open, so that another process can take the
    /// read up before the server closes it. Streams of this reader end with an error.
    pub fn detach(self) -> Option<SavedRead> {
        let saved = self.saved();
        if let Source::Slices { read, .. } = &self.source {
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

    /// How many rows there are to come. `None` where that is not known beforehand, as in SQL.
    pub fn count(&self) -> Option<u64> {
        self.count
    }

    /// Where the rows come from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The number of slices.
    pub fn slices(&self) -> usize {
        self.origin.slices
    }

    /// The rows, a page a frame: in order where the request has one or a limit, and else in no
    /// particular order. A slow consumer slows the reading: of each slice that is read, at most
    /// two pages are in memory. Dropping the stream ends the reading; close the reader afterwards.
    ///
    /// Only rows from a point in time can be read more than once.
    pub fn frames(&self) -> impl Stream<Item = Result<DataFrame, Error>> + Send + use<> {
        self.frames_of(0..self.slices())
    }

    /// The rows of some slices, read side by side.
    pub fn frames_of(&self, slices: Range<usize>) -> impl Stream<Item = Result<DataFrame, Error>> + Send + use<> {
        match &self.source {
            Source::Slices { read, .. } => read.frames(slices).boxed(),
            _ if !slices.contains(&0) => futures::stream::empty().boxed(),
            Source::Scroll(read) => read.frames().boxed(),
            Source::Table { frame, page_rows } => esql::frames(frame, *page_rows).boxed(),
            Source::Sql(read) => read.frames().boxed(),
        }
    }

    /// Reads everything into one frame and closes the reader. Memory grows with the result: for
    /// large ones take [`IndexReader::frames`].
    ///
    /// # Errors
    /// As the stream, and [`ErrorKind::Incomplete`] when rows are missing.
    pub async fn collect(self) -> Result<DataFrame, Error> {
        let mut whole = DataFrame::empty_with_schema(&self.schema);
        let read = async {
            // The stream ends here: it may hold what is to be closed below.
            let mut frames = std::pin::pin!(self.frames());
            while let Some(frame) = frames.try_next().await? {
                whole.vstack_mut(&frame)?;
            }
            self.reconcile(whole.height() as u64)
        };
        let read = read.await;
        let closed = self.close().await;
        read?;
        closed?;
        whole.rechunk_mut();
        Ok(whole)
    }

    /// Checks that as many rows were read as there are.
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
        Err(Error::new(ErrorKind::Incomplete, message)
            .with_help("this should not happen: the pages of one read did not add up; try again"))
    }

    /// Frees what is open on the server, also for streams that are not at their end: they fail.
    /// Dropping the reader and its streams frees it in the background.
    ///
    /// # Errors
    /// [`ErrorKind::Elasticsearch`].
    pub async fn close(self) -> Result<(), Error> {
        match &self.source {
            Source::Slices { read, .. } => Ok(read.point_in_time.close().await?),
            Source::Scroll(read) => read.close().await,
            Source::Sql(read) => read.close().await,
            Source::Table { .. } => Ok(()),
        }
    }
}

/// The error of a task that was to bring or decode a page and did not end.
fn unread(source: JoinError) -> Error {
    Error::new(ErrorKind::Incomplete, "reading a page failed").with_source(source)
}
