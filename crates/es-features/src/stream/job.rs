//! The searches of a computation: the extent of the source, and pages of entities.

use std::sync::Arc;

use es_core::{Client, KeepOpen, NextPage, PageSize, PointInTime};
use jiff::Timestamp;
use serde_json::json;

use super::options::ComputeOptions;
use super::summary::SharedSummary;
use crate::error::{Error, ErrorKind};
use crate::key::{KeyType, KeyValue};
use crate::options::FeatureSet;
use crate::plan::Plan;
use crate::request::{self, GridTime};
use crate::response::{self, Bucket, Extent};
use crate::{script, source};

/// Everything that a search needs.
pub(super) struct Job {
    pub(super) set: FeatureSet,
    pub(super) source: String,
    pub(super) plan: Plan,
    pub(super) entity: Vec<KeyType>,
    pub(super) options: ComputeOptions,
    pub(super) point_in_time: PointInTime,
    pub(super) summary: Arc<SharedSummary>,
    page_size: PageSize,
    _keep_open: KeepOpen,
}

/// The end of a page, from which the next one starts.
pub(super) struct Resume {
    after: Vec<KeyValue>,
    max_rows: usize,
}

/// One page of the entities of a grid time.
pub(super) struct Page {
    pub(super) buckets: Vec<Bucket>,
    /// The start of the next page; none after the last one.
    pub(super) next: Option<Resume>,
}

impl Job {
    /// Checks a set against its source, and opens a point in time on it.
    pub(super) async fn open(
        client: &Client,
        source: &str,
        set: &FeatureSet,
        options: ComputeOptions,
    ) -> Result<Self, Error> {
        let plan = Plan::new(set, options.percentile_compression)?;
        let failed = |action: &str| {
            let action = format!("{action} {source}");
            move |error| Error::request(&action, error)
        };
        let indices = client.indices().describe(source).await.map_err(failed("reading the mapping of"))?;
        if indices.is_empty() {
            return Err(Error::new(ErrorKind::Source, format!("the source {source} of the features does not exist"))
                .with_help("create the index first, or correct its name"));
        }
        let mappings: Vec<_> = indices.into_iter().map(|index| (index.name, index.mapping)).collect();
        let entity = source::check(set, source, &mappings)?;
        script::check(client, source, set, &json!({"match_none": {}})).await?;
        let point_in_time = client
            .open_point_in_time(source, options.keep_alive)
            .await
            .map_err(failed("opening a point in time on"))?;
        Ok(Self {
            set: set.clone(),
            source: source.to_owned(),
            plan,
            entity,
            options,
            _keep_open: point_in_time.keep_open(),
            point_in_time,
            summary: Arc::default(),
            page_size: PageSize::of_rows(options.page_size),
        })
    }

    /// The grid times of the source.
    pub(super) async fn grid_times(&self) -> Result<Vec<GridTime>, Error> {
        let extent = self.extent().await?;
        self.summary.update(|summary| {
            summary.documents = extent.documents;
            summary.documents_without_entity = extent.without_entity;
            summary.documents_without_time = extent.without_time;
        });
        let Some((oldest, newest)) = extent.times else { return Ok(Vec::new()) };
        let grid = self.set.grid()?;
        let limit = self.options.max_instants;
        let times: Vec<GridTime> = grid
            .instants(oldest, newest)
            .take(limit.saturating_add(1))
            .map(|time| GridTime { time, previous: grid.last_before(time).unwrap_or(Timestamp::MIN) })
            .collect();
        if times.len() > limit {
            let message = format!(
                "the documents of {} lie between {oldest} and {newest}, which is more than {limit} grid times",
                self.source
            );
            return Err(Error::new(ErrorKind::TooManyInstants, message)
                .with_help("give the grid a start and an end, or exclude documents with wrong times by a query"));
        }
        Ok(times)
    }

    async fn extent(&self) -> Result<Extent, Error> {
        let action = format!("reading the extent of {}", self.source);
        self.summary.update(|summary| summary.requests += 1);
        let body = request::extent(&self.set);
        let answer = self.point_in_time.search(&body).await.map_err(|error| Error::request(&action, error))?;
        response::extent(answer.body()).map_err(|unusable| unusable.into_error(&action))
    }

    /// Computes one page of the entities of a grid time: the first one, or the one after another.
    pub(super) async fn page(&self, at: GridTime, resume: Option<Resume>) -> Result<Page, Error> {
        let action = format!("computing the features of {} at {}", self.source, at.time);
        let (after, max_rows) = match resume {
            Some(resume) => (Some(resume.after), resume.max_rows),
            None => (None, usize::MAX),
        };
        let body = |rows| {
            self.summary.update(|summary| summary.requests += 1);
            request::page(&self.set, &self.plan, at, after.as_deref(), rows)
        };
        let place = NextPage { after: None, max_rows };
        let sized = match self.point_in_time.search_sized(&self.page_size, place, body).await {
            Ok(sized) => sized,
            Err(error) => return Err(self.explain(Error::request(&action, error), at).await),
        };
        let body = sized.answer.body();
        let buckets =
            response::page(body, &self.plan, &self.entity).map_err(|unusable| unusable.into_error(&action))?;
        self.page_size.learn(body.len(), buckets.len());
        let last = buckets.last().filter(|_| buckets.len() >= sized.rows);
        let next =
            last.map(|bucket| Resume { after: bucket.key.clone(), max_rows: sized.refused_to.unwrap_or(max_rows) });
        Ok(Page { buckets, next })
    }

    /// Replaces the error of a refused search by that of the script at fault, where one is.
    async fn explain(&self, error: Error, at: GridTime) -> Error {
        if error.elasticsearch().is_none_or(|error| error.kind() != es_core::ErrorKind::BadRequest) {
            return error;
        }
        let query = request::query(&self.set, &self.plan, at);
        match script::check(self.point_in_time.client(), &self.source, &self.set, &query).await {
            Err(found) if found.kind() == ErrorKind::Script => found,
            _ => error,
        }
    }
}
