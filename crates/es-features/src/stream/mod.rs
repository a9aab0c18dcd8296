//! Computing the rows, grid time by grid time, as a stream of data frames.

mod job;
mod options;
mod summary;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use es_core::Client;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use polars::prelude::{DataFrame, SchemaRef};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, warn};

pub use options::ComputeOptions;
pub use summary::{FeatureProgress, FeatureSummary};

use crate::error::Error;
use crate::frame::{self, FrameBuilder};
use crate::options::FeatureSet;
use crate::request::GridTime;
use job::{Job, Page, Resume};
use summary::{Observer, SharedSummary};

/// The rows of a feature set as data frames, in the order of the grid times.
///
/// All rows are computed from the state of the source when the stream was opened. Dropping the
/// stream ends the searches and frees that state. After an error the stream ends.
pub struct FeatureStream {
    frames: BoxStream<'static, Result<DataFrame, Error>>,
    schema: SchemaRef,
    instants: usize,
    summary: Arc<SharedSummary>,
}

/// A computation of features, before it is opened.
pub struct FeatureStreamBuilder<'a> {
    client: &'a Client,
    source: &'a str,
    set: &'a FeatureSet,
    options: ComputeOptions,
    cancel: CancellationToken,
    observer: Option<Observer>,
}

impl<'a> FeatureStreamBuilder<'a> {
    /// Sets the limits of the computation.
    #[must_use]
    pub fn with_options(mut self, options: ComputeOptions) -> Self {
        self.options = options;
        self
    }

    /// Ends the computation with [`ErrorKind::Cancelled`](crate::ErrorKind::Cancelled) once the
    /// token is cancelled, whatever it waits for.
    #[must_use]
    pub fn with_cancellation(mut self, token: CancellationToken) -> Self {
        self.cancel = token;
        self
    }

    /// Sets a function that is called with the progress, after every page that was read.
    #[must_use]
    pub fn with_observer(mut self, observer: impl Fn(FeatureProgress) + Send + Sync + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Checks the feature set against the source, and prepares the computation. An empty source
    /// makes an empty stream.
    ///
    /// # Errors
    /// Any kind: this is where a wrong field or script shows.
    pub async fn open(self) -> Result<FeatureStream, Error> {
        let cancel = self.cancel.clone();
        cancel.run_until_cancelled(self.open_uncancelled()).await.unwrap_or_else(|| Err(Error::cancelled()))
    }

    async fn open_uncancelled(self) -> Result<FeatureStream, Error> {
        let started = Instant::now();
        let job = Job::open(self.client, self.source, self.set, self.options.clamped()).await?;
        let schema = frame::schema(&job.set, &job.plan, &job.entity);
        let grid_times = job.grid_times().await?;
        let summary = job.summary.clone();
        debug!(
            source = self.source,
            grid_times = grid_times.len(),
            documents = summary.get().documents,
            "computing features"
        );
        Ok(FeatureStream {
            schema: schema.clone(),
            instants: grid_times.len(),
            summary,
            frames: frames(Computation::new(job, schema, grid_times, started, self.observer), self.cancel).boxed(),
        })
    }
}

impl FeatureStream {
    /// Opens a stream with the default [`ComputeOptions`]. The source is an index, an alias or a
    /// list of them, separated by commas.
    ///
    /// # Errors
    /// As [`FeatureStreamBuilder::open`].
    pub async fn open(client: &Client, source: &str, set: &FeatureSet) -> Result<Self, Error> {
        Self::builder(client, source, set).open().await
    }

    /// Prepares a stream with options, cancellation or an observer. The source is an index, an
    /// alias or a list of them, separated by commas.
    pub fn builder<'a>(client: &'a Client, source: &'a str, set: &'a FeatureSet) -> FeatureStreamBuilder<'a> {
        let (options, cancel) = (ComputeOptions::default(), CancellationToken::new());
        FeatureStreamBuilder { client, source, set, options, cancel, observer: None }
    }

    /// The columns of every frame: the fields of the entity, the time, the features.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The number of grid times; [`FeatureSummary::grid_instants`] counts those that are done.
    pub fn grid_instants(&self) -> usize {
        self.instants
    }

    /// The account of the computation so far; the final one when the stream has ended.
    pub fn summary(&self) -> FeatureSummary {
        self.summary.get()
    }

    /// Reads the rest of the stream into one frame, which must fit in memory.
    ///
    /// # Errors
    /// That of the first frame that fails.
    pub async fn collect(mut self) -> Result<DataFrame, Error> {
        let mut rows = DataFrame::empty_with_schema(&self.schema);
        while let Some(frame) = self.try_next().await? {
            rows.vstack_mut(&frame)?;
        }
        rows.rechunk_mut();
        Ok(rows)
    }
}

impl Stream for FeatureStream {
    type Item = Result<DataFrame, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.frames.poll_next_unpin(context)
    }
}

/// The first page of a grid time, computed in a task of its own so that it makes progress while
/// the frames before it are written.
type FirstPage = Result<(GridTime, Page), Error>;

/// A computation in progress.
struct Computation {
    job: Arc<Job>,
    first_pages: BoxStream<'static, FirstPage>,
    builder: FrameBuilder,
    /// The grid time whose pages are not all read, and the start of the next one.
    unfinished: Option<(GridTime, Resume)>,
    /// Grid times that are finished but whose rows are still in the builder.
    finished: usize,
    progress: FeatureProgress,
    observer: Option<Observer>,
    started: Instant,
}

/// The frames of a computation, until it is cancelled.
fn frames(
    computation: Computation,
    cancel: CancellationToken,
) -> impl Stream<Item = Result<DataFrame, Error>> + Send + 'static {
    stream::unfold(Some(computation), move |computation| {
        let cancel = cancel.clone();
        async move {
            let mut computation = computation?;
            match cancel.run_until_cancelled(computation.next_frame()).await {
                Some(Ok(Some(frame))) => Some((Ok(frame), Some(computation))),
                Some(Ok(None)) => {
                    computation.close().await;
                    None
                }
                Some(Err(error)) => Some((Err(error), None)),
                None => Some((Err(Error::cancelled()), None)),
            }
        }
    })
}

impl Computation {
    fn new(
        job: Job,
        schema: SchemaRef,
        grid_times: Vec<GridTime>,
        started: Instant,
        observer: Option<Observer>,
    ) -> Self {
        let builder = FrameBuilder::new(schema, &job.plan);
        let job = Arc::new(job);
        let progress = FeatureProgress { grid_instants: grid_times.len(), ..FeatureProgress::default() };
        let first_pages = first_pages(&job, grid_times);
        Self { job, first_pages, builder, unfinished: None, finished: 0, progress, observer, started }
    }

    async fn next_frame(&mut self) -> Result<Option<DataFrame>, Error> {
        while self.builder.rows() < self.job.options.frame_rows {
            let (at, page) = match self.unfinished.take() {
                Some((at, resume)) => (at, self.job.page(at, Some(resume)).await?),
                None => match self.first_pages.next().await {
                    Some(first) => first?,
                    None => break,
                },
            };
            self.take_page(at, page);
        }
        let rows = self.builder.rows();
        let finished = std::mem::take(&mut self.finished);
        let took = self.started.elapsed();
        self.job.summary.update(|summary| {
            summary.rows += rows as u64;
            summary.grid_instants += finished;
            summary.took = took;
        });
        if rows == 0 { Ok(None) } else { self.builder.take().map(Some) }
    }

    fn take_page(&mut self, at: GridTime, page: Page) {
        self.progress.rows_read += self.builder.push(at.time, page.buckets, &self.job.plan) as u64;
        match page.next {
            Some(resume) => self.unfinished = Some((at, resume)),
            None => {
                self.finished += 1;
                self.progress.grid_instants_read += 1;
            }
        }
        if let Some(observer) = &self.observer {
            observer(self.progress);
        }
    }

    /// Frees the state of the source, now that all of it was read.
    async fn close(self) {
        drop(self.first_pages);
        if let Some(job) = Arc::into_inner(self.job)
            && let Err(error) = job.point_in_time.close().await
        {
            warn!(%error, "a point in time was left to expire");
        }
    }
}

/// The first page of each grid time, several of them computed at once.
fn first_pages(job: &Arc<Job>, grid_times: Vec<GridTime>) -> BoxStream<'static, FirstPage> {
    let in_flight = job.options.searches_in_flight;
    let job = Arc::clone(job);
    let first_page = move |at: GridTime| {
        let job = Arc::clone(&job);
        async move {
            let task = AbortOnDropHandle::new(tokio::spawn(async move { Ok((at, job.page(at, None).await?)) }));
            match task.await {
                Ok(page) => page,
                Err(join) => match join.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    // The runtime is shutting down, and will not ask again.
                    Err(_) => futures::future::pending().await,
                },
            }
        }
    };
    stream::iter(grid_times).map(first_page).buffered(in_flight).boxed()
}
