//! Computes the rows, grid time by grid time, as a stream of data frames.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use es_core::{Client, PointInTime};
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt as _};
use jiff::Timestamp;
use polars::prelude::{DataFrame, SchemaRef};
use serde_json::{Value, json};
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, warn};

use crate::definition::FeatureSet;
use crate::error::Error;
use crate::frame::{self, FrameBuilder};
use crate::key::{KeyType, KeyValue};
use crate::plan::Plan;
use crate::request::{self, GridTime};
use crate::response::{self, Extent, Page};
use crate::{script, source};

/// How rows are computed: what is held in memory, and how much the server does at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How many entities one search returns at most, from 1 to 65,535, which is what the
    /// server allows (`search.max_buckets`). A search reads all documents of its windows
    /// whatever its page is, so many entities want large pages. Default: 1000.
    pub page_size: usize,
    /// How many searches run at once, each of another grid time. Default: 3.
    pub searches_in_flight: usize,
    /// A frame is handed over once it has this many rows; it has less than `page_size`
    /// more. Default: 10,000.
    pub frame_rows: usize,
    /// How long the server keeps the state that is read while no search is made, as when
    /// no frames are taken. Default: 10 minutes.
    pub keep_alive: Duration,
    /// The most grid times that are computed, as one document with a wrong year can make
    /// millions. Default: 100,000.
    pub max_instants: usize,
}

/// The server's default of `search.max_buckets`.
const MAX_PAGE_SIZE: usize = 65_535;

impl Default for Settings {
    fn default() -> Self {
        Self {
            page_size: 1000,
            searches_in_flight: 3,
            frame_rows: 10_000,
            keep_alive: Duration::from_secs(600),
            max_instants: 100_000,
        }
    }
}

/// What was computed, from what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeatureSummary {
    /// Documents of the source that the query matches.
    pub documents: u64,
    /// Those of them that lack a field of the entity, and so count in no row.
    pub documents_without_entity: u64,
    /// Those of them that lack the time, and so count in no row.
    pub documents_without_time: u64,
    /// Grid times whose rows were all handed over.
    pub grid_instants: usize,
    /// Rows handed over.
    pub rows: u64,
    /// Requests that read the source.
    pub requests: u64,
    /// The time from the opening to the last frame.
    pub took: Duration,
}

/// The rows of a feature set as data frames, in the order of the grid times.
///
/// All rows are computed from the state that the source had when the stream was opened.
/// Dropping the stream ends the searches and frees that state. After an error the stream
/// ends.
pub struct FeatureStream {
    frames: BoxStream<'static, Result<DataFrame, Error>>,
    schema: SchemaRef,
    instants: usize,
    progress: Arc<Progress>,
}

#[derive(Default)]
struct Progress(Mutex<FeatureSummary>);

/// All that a search needs.
struct Job {
    set: FeatureSet,
    source: String,
    plan: Plan,
    entity: Vec<KeyType>,
    settings: Settings,
    point_in_time: PointInTime,
    progress: Arc<Progress>,
}

impl FeatureStream {
    /// Checks the feature set against the source, an index, an alias or a list of them,
    /// and prepares the computation. An empty source makes an empty stream.
    ///
    /// # Errors
    /// Any kind: this is where a wrong field or script shows.
    pub async fn open(client: &Client, source: &str, set: &FeatureSet, settings: Settings) -> Result<Self, Error> {
        let started = Instant::now();
        let plan = Plan::new(set)?;
        let failed = |action: &str| {
            let action = format!("{action} {source}");
            move |error| Error::elasticsearch(action, error)
        };
        let indices = client.indices().describe(source).await.map_err(failed("reading the mapping of"))?;
        if indices.is_empty() {
            return Err(Error::SourceMissing { index: source.to_owned() });
        }
        let mappings: Vec<_> = indices.into_iter().map(|index| (index.name, index.mapping)).collect();
        let entity = source::check(set, source, &mappings)?;
        script::check(client, source, set, &json!({"match_none": {}})).await?;
        let point_in_time = client
            .open_point_in_time(source, settings.keep_alive)
            .await
            .map_err(failed("opening a point in time on"))?;
        let schema = frame::schema(set, &plan, &entity);
        let progress = Arc::<Progress>::default();
        let settings = Settings { page_size: settings.page_size.clamp(1, MAX_PAGE_SIZE), ..settings };
        let job = Job { set: set.clone(), source: source.to_owned(), plan, entity, settings, point_in_time, progress };
        let extent = job.extent().await?;
        job.progress.update(|summary| {
            summary.documents = extent.documents;
            summary.documents_without_entity = extent.without_entity;
            summary.documents_without_time = extent.without_time;
        });
        let grid_times = job.grid_times(&extent)?;
        debug!(source, grid_times = grid_times.len(), documents = extent.documents, "computing features");
        Ok(Self {
            schema: schema.clone(),
            instants: grid_times.len(),
            progress: job.progress.clone(),
            frames: frames(job, schema, grid_times, started).boxed(),
        })
    }

    /// The columns of every frame: the entity's fields, the time, the features.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// How many grid times there are; [`FeatureSummary::grid_instants`] of them are done.
    pub fn grid_instants(&self) -> usize {
        self.instants
    }

    /// What was computed so far; when the stream has ended, what was computed.
    pub fn summary(&self) -> FeatureSummary {
        *self.progress.lock()
    }
}

impl Stream for FeatureStream {
    type Item = Result<DataFrame, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.frames.poll_next_unpin(context)
    }
}

impl Progress {
    fn lock(&self) -> std::sync::MutexGuard<'_, FeatureSummary> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update(&self, change: impl FnOnce(&mut FeatureSummary)) {
        change(&mut self.lock());
    }
}

impl Job {
    async fn extent(&self) -> Result<Extent, Error> {
        let action = format!("reading the extent of {}", self.source);
        let body = self.search(request::extent(&self.set), &action).await?;
        let extent = response::extent(&body).map_err(|unusable| unusable.into_error(&action))?;
        self.renew(extent.pit_id.as_deref());
        Ok(extent)
    }

    fn grid_times(&self, extent: &Extent) -> Result<Vec<GridTime>, Error> {
        let Some((oldest, newest)) = extent.times else { return Ok(Vec::new()) };
        let grid = &self.set.grid;
        let limit = self.settings.max_instants;
        let times: Vec<GridTime> = grid
            .instants(oldest, newest)
            .take(limit.saturating_add(1))
            .map(|time| GridTime { time, previous: grid.last_before(time).unwrap_or(Timestamp::MIN) })
            .collect();
        if times.len() > limit {
            return Err(Error::TooManyInstants { index: self.source.clone(), oldest, newest, limit });
        }
        Ok(times)
    }

    /// One page of the entities of a grid time.
    async fn page(&self, at: GridTime, after: Option<&[KeyValue]>) -> Result<Page, Error> {
        let action = format!("computing the features of {} at {}", self.source, at.time);
        let body = request::page(&self.set, &self.plan, at, after, self.settings.page_size);
        let answer = match self.search(body, &action).await {
            Ok(answer) => answer,
            Err(error) => {
                self.explain(&error, at).await?;
                return Err(error);
            }
        };
        let page =
            response::page(&answer, &self.plan, &self.entity).map_err(|unusable| unusable.into_error(&action))?;
        self.renew(page.pit_id.as_deref());
        Ok(page)
    }

    async fn search(&self, body: Value, action: &str) -> Result<es_core::Bytes, Error> {
        self.progress.update(|summary| summary.requests += 1);
        let page = self.point_in_time.search(&body).await.map_err(|error| Error::elasticsearch(action, error))?;
        Ok(page.body)
    }

    /// Fails with the better error where a script is why a search was refused.
    async fn explain(&self, error: &Error, at: GridTime) -> Result<(), Error> {
        let Error::Elasticsearch { source: refused, .. } = error else { return Ok(()) };
        if refused.kind() != es_core::ErrorKind::BadRequest {
            return Ok(());
        }
        let query = request::query(&self.set, &self.plan, at);
        match script::check(self.point_in_time.client(), &self.source, &self.set, &query).await {
            Err(found @ Error::Script { .. }) => Err(found),
            _ => Ok(()),
        }
    }

    fn renew(&self, pit_id: Option<&str>) {
        if let Some(id) = pit_id {
            self.point_in_time.renew(id);
        }
    }
}

/// The first page of a grid time, computed in a task of its own so that it makes progress
/// while the frames before it are written.
type FirstPage = Result<(GridTime, Page), Error>;

/// Where the stream is.
struct State {
    job: Arc<Job>,
    first_pages: BoxStream<'static, FirstPage>,
    builder: FrameBuilder,
    /// The grid time whose pages are not all read, and the last entity that was.
    unfinished: Option<(GridTime, Vec<KeyValue>)>,
    /// Grid times that are finished but whose rows are still in the builder.
    finished: usize,
    started: Instant,
}

fn frames(
    job: Job,
    schema: SchemaRef,
    grid_times: Vec<GridTime>,
    started: Instant,
) -> impl Stream<Item = Result<DataFrame, Error>> + Send + 'static {
    let builder = FrameBuilder::new(schema, &job.plan);
    let job = Arc::new(job);
    let in_flight = job.settings.searches_in_flight.max(1);
    let first_page = {
        let job = Arc::clone(&job);
        move |at: GridTime| {
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
        }
    };
    let first_pages = stream::iter(grid_times).map(first_page).buffered(in_flight).boxed();
    let state = State { job, first_pages, builder, unfinished: None, finished: 0, started };
    stream::unfold(Some(state), |state| async move {
        let mut state = state?;
        match state.next_frame().await {
            Ok(Some(frame)) => Some((Ok(frame), Some(state))),
            Ok(None) => {
                state.close().await;
                None
            }
            Err(error) => Some((Err(error), None)),
        }
    })
}

impl State {
    async fn next_frame(&mut self) -> Result<Option<DataFrame>, Error> {
        while self.builder.rows() < self.job.settings.frame_rows.max(1) {
            let (at, page) = match self.unfinished.take() {
                Some((at, after)) => (at, self.job.page(at, Some(&after)).await?),
                None => match self.first_pages.next().await {
                    Some(first) => first?,
                    None => break,
                },
            };
            let is_full = page.buckets.len() >= self.job.settings.page_size;
            let last = page.buckets.last().map(|bucket| bucket.key.clone());
            self.builder.push(at.time, page.buckets, &self.job.plan);
            match last {
                Some(after) if is_full => self.unfinished = Some((at, after)),
                _ => self.finished += 1,
            }
        }
        let rows = self.builder.rows();
        let finished = std::mem::take(&mut self.finished);
        let took = self.started.elapsed();
        self.job.progress.update(|summary| {
            summary.rows += rows as u64;
            summary.grid_instants += finished;
            summary.took = took;
        });
        if rows == 0 { Ok(None) } else { self.builder.take().map(Some) }
    }

    /// Frees the state that was read, now that all of it was.
    async fn close(self) {
        drop(self.first_pages);
        if let Some(job) = Arc::into_inner(self.job)
            && let Err(error) = job.point_in_time.close().await
        {
            warn!(%error, "a point in time was left to expire");
        }
    }
}
