//! Opening a read: its columns, indices and slices, and the way of reading.

use std::sync::Arc;

use es_core::{Client, PageSize, PointInTime};
use es_frame::{DecodeOptions, HitDecoder, Retrieval};
use jiff::Timestamp;
use polars::prelude::Schema;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::fingerprint;
use super::indices::Indices;
use super::notes;
use super::origin::{Origin, ReadBy, SavedRead};
use super::pit::PitRead;
use super::request::{Esql, ReadFrom, ReadRequest, Search, Sql, Through};
use super::scroll::ScrollRead;
use super::sql::SqlRead;
use super::{IndexReader, Source, body, esql, slices};
use crate::error::{Error, ErrorKind};
use crate::options::{ReadOptions, bytes};
use crate::progress::Observer;

/// The number of times that an alias may move while a point in time is opened on it.
const MAX_MOVES: usize = 3;

impl IndexReader {
    /// Plans the columns, opens the read and counts its rows where that is possible. A query in
    /// ES|QL is run to its end.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::Column`], [`ErrorKind::Request`],
    /// [`ErrorKind::FeatureMissing`] where the cluster has no ES|QL or SQL,
    /// [`ErrorKind::Truncated`] where the server truncated a result, [`ErrorKind::Elasticsearch`].
    pub async fn open(client: &Client, request: ReadRequest) -> Result<Self, Error> {
        let ReadRequest { from, options } = request;
        match from {
            ReadFrom::Search(search) => Self::open_search(client, &search, options).await,
            ReadFrom::Esql(query) => Self::open_esql(client, &query, options).await,
            ReadFrom::Sql(query) => Self::open_sql(client, &query, options).await,
        }
    }

    async fn open_search(client: &Client, search: &Search, options: ReadOptions) -> Result<Self, Error> {
        body::check(search)?;
        let mut indices = Indices::of(client, &search.index, &search.columns).await?;
        if search.through == Through::Scroll {
            return SearchPlan::new(client, search, options, indices)?.open_scroll().await;
        }
        for _ in 0..MAX_MOVES {
            // Fields that do not exist are reported before anything is opened.
            let plan = SearchPlan::new(client, search, options, indices)?;
            let opened_at = Timestamp::now();
            let keep_alive = options.keep_alive.to_duration();
            let point_in_time = match client.open_point_in_time(&search.index, keep_alive).await {
                Err(error) if search.through == Through::Auto && is_refused(&error) => {
                    info!(%error, index = search.index, "no point in time may be opened: scrolling instead");
                    return plan.open_scroll().await;
                }
                opened => opened?,
            };
            // An alias may have moved between the two requests, and then columns and rows would be
            // of different indices.
            if !plan.indices.is_exactly(&search.index) {
                let now = Indices::of(client, &search.index, &search.columns).await?;
                if now.names != plan.indices.names {
                    indices = now;
                    point_in_time.close().await?;
                    continue;
                }
            }
            let matched = point_in_time.count_of(body::matching(search)).await?;
            let slices = match body::is_in_order(search) {
                true => 1,
                false => slices::number_of_slices(&options, matched, &plan.indices.shards, plan.indices.max_slices),
            };
            return Ok(plan.read_slices(OpenSlices {
                point_in_time: Arc::new(point_in_time),
                slices,
                matched,
                opened_at,
            }));
        }
        Err(Error::new(ErrorKind::Elasticsearch, format!("{} keeps moving from index to index", search.index))
            .with_help("read it while nothing publishes to it, or read one of its indices by name"))
    }

    async fn open_esql(client: &Client, query: &Esql, options: ReadOptions) -> Result<Self, Error> {
        let opened_at = Timestamp::now();
        let table = esql::run(client, query).await?;
        let rows = table.frame.height() as u64;
        let origin = Origin {
            matched: Some(rows),
            parameters: parameters(&[("params", &query.params)], query.filter.as_ref()),
            ..query_origin(client, ReadBy::Esql, &query.query, opened_at)
        };
        let known =
            KnownRows { schema: table.frame.schema().as_ref().clone(), field_types: table.types, count: Some(rows) };
        let source = Source::Table { frame: table.frame, page_rows: options.page_size as usize };
        Ok(known.reader(source, origin, String::new()))
    }

    async fn open_sql(client: &Client, query: &Sql, options: ReadOptions) -> Result<Self, Error> {
        let opened_at = Timestamp::now();
        let read = SqlRead::open(client, query, &options).await?;
        let mut parameters = parameters(&[("params", &query.params)], query.filter.as_ref());
        if let Some(zone) = &query.time_zone {
            parameters.insert("time_zone".to_owned(), json!(zone));
        }
        let origin = Origin { parameters, ..query_origin(client, ReadBy::Sql, &query.query, opened_at) };
        let known =
            KnownRows { schema: read.decoder.schema(), field_types: read.decoder.field_types().to_vec(), count: None };
        Ok(known.reader(Source::Sql(read), origin, String::new()))
    }

    /// Resumes a read that was saved, in the same point in time and with the same slices. `None`
    /// when that is not possible: the point in time is gone, or the request or the columns have
    /// changed.
    ///
    /// # Errors
    /// As [`IndexReader::open`].
    pub async fn resume(client: &Client, request: ReadRequest, saved: &SavedRead) -> Result<Option<Self>, Error> {
        let Some(search) = request.search() else { return Ok(None) };
        if fingerprint::of_search(client, search) != saved.request {
            return Ok(None);
        }
        // An alias may have moved since; the point in time has not.
        let indices = match Indices::of(client, &saved.indices.join(","), &search.columns).await {
            Ok(indices) if indices.names == saved.indices => indices,
            Ok(_) => return Ok(None),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let point_in_time = client.point_in_time(&saved.point_in_time, request.options.keep_alive.to_duration());
        let is_whole = match point_in_time.count_of(body::matching(search)).await {
            Ok(matched) => matched == saved.matched,
            Err(error) => match Error::reading_page(error) {
                error if error.kind() == ErrorKind::PointInTimeLost => false,
                error => {
                    // It is not this reader's to close before it was resumed.
                    point_in_time.detach();
                    return Err(error);
                }
            },
        };
        if !is_whole {
            return Ok(None);
        }
        let plan = SearchPlan::new(client, search, request.options, indices)?;
        let reader = plan.read_slices(OpenSlices {
            point_in_time: Arc::new(point_in_time),
            slices: saved.slices.max(1),
            matched: saved.matched,
            opened_at: saved.opened_at,
        });
        Ok((fingerprint::of_columns(&reader.schema, &reader.field_types) == saved.columns).then_some(reader))
    }
}

/// An open point in time, and the rows to read from it.
pub(super) struct OpenSlices {
    pub(super) point_in_time: Arc<PointInTime>,
    pub(super) slices: usize,
    pub(super) matched: u64,
    pub(super) opened_at: Timestamp,
}

/// A search whose columns are planned.
pub(super) struct SearchPlan<'a> {
    client: &'a Client,
    search: &'a Search,
    options: ReadOptions,
    indices: Indices,
    decoder: HitDecoder,
}

impl<'a> SearchPlan<'a> {
    pub(super) fn new(
        client: &'a Client,
        search: &'a Search,
        options: ReadOptions,
        indices: Indices,
    ) -> Result<Self, Error> {
        let decode = DecodeOptions {
            columns: search.columns.clone(),
            runtime: search.runtime.clone(),
            retrieval: search.source,
            policy: search.policy,
            policies: search.policies.clone(),
            stored_source: indices.stored_source,
            version: Some(client.info().version),
        };
        let decoder = HitDecoder::with_options(&indices.mapping, &decode)?;
        Ok(Self { client, search, options, indices, decoder })
    }

    /// The body of pages.
    fn body(&self) -> Value {
        let mut body = body::pages(self.search);
        self.decoder.ask(&mut body);
        body
    }

    /// A reader of a point in time.
    pub(super) fn read_slices(self, open: OpenSlices) -> IndexReader {
        let OpenSlices { point_in_time, slices, matched, opened_at } = open;
        let known = KnownRows::of_search(&self.decoder, self.search, matched);
        let origin = self.origin(ReadBy::PointInTime, opened_at, matched);
        let request = fingerprint::of_search(self.client, self.search);
        let page_rows = (self.options.page_size as usize).min(self.indices.max_page_rows);
        let read = PitRead {
            _keep_open: point_in_time.keep_open(),
            point_in_time,
            body: self.body(),
            decoder: self.decoder,
            size: PageSize::new(page_rows, bytes(self.options.page_bytes)),
            slices,
            concurrency: self.options.concurrency as usize,
            limit: self.search.limit,
        };
        known.reader(Source::Slices(Arc::new(read)), Origin { slices, ..origin }, request)
    }

    async fn open_scroll(self) -> Result<IndexReader, Error> {
        let opened_at = Timestamp::now();
        let body = self.body();
        let page_rows = (self.options.page_size as usize).min(self.indices.max_page_rows);
        let read =
            ScrollRead::open(self.client, self.search, body, self.decoder.clone(), &self.options, page_rows).await?;
        let known = KnownRows::of_search(&self.decoder, self.search, read.matched);
        let origin = self.origin(ReadBy::Scroll, opened_at, read.matched);
        let request = fingerprint::of_search(self.client, self.search);
        Ok(known.reader(Source::Scroll(read), origin, request))
    }

    /// The origin of rows that are read in one slice.
    fn origin(&self, read_by: ReadBy, opened_at: Timestamp, matched: u64) -> Origin {
        let Self { client, search, indices, decoder, .. } = self;
        let mut parameters = parameters(&[("sort", &search.sort)], None);
        if !search.runtime.is_empty() {
            parameters.insert("runtime_mappings".to_owned(), Value::Object(search.runtime.clone()));
        }
        Origin {
            index: Some(search.index.clone()),
            indices: indices.names.clone(),
            query: search.query.clone(),
            parameters,
            limit: search.limit,
            sample: search.sample,
            retrieval: Some(match decoder.retrieval() {
                Retrieval::DocValues => "doc_values".to_owned(),
                Retrieval::Source { because } => format!("_source: {because}"),
            }),
            notes: notes::of(decoder, indices, client.info().version),
            matched: Some(matched),
            mapping: Some(fingerprint::of_mapping(&indices.mapping)),
            ..query_origin(client, read_by, "", opened_at)
        }
    }
}

/// The properties of rows that are known before the first one.
struct KnownRows {
    schema: Schema,
    field_types: Vec<(String, String)>,
    count: Option<u64>,
}

impl KnownRows {
    fn of_search(decoder: &HitDecoder, search: &Search, matched: u64) -> Self {
        let owned = |(name, field_type): (&str, &str)| (name.to_owned(), field_type.to_owned());
        Self {
            schema: decoder.schema(),
            field_types: decoder.field_types().map(owned).collect(),
            count: Some(search.limit.map_or(matched, |limit| limit.min(matched))),
        }
    }

    fn reader(self, source: Source, origin: Origin, request: String) -> IndexReader {
        let Self { schema, field_types, count } = self;
        debug!(read_by = ?origin.read_by, ?count, slices = origin.slices, retrieval = origin.retrieval, "reading");
        let (observer, cancellation) = (Observer::default(), CancellationToken::new());
        IndexReader { source, origin, schema, field_types, count, request, observer, cancellation }
    }
}

/// Returns `true` if the cluster does not let this user open a point in time. Anything that it refuses for
/// another reason it would refuse to a scroll as well.
fn is_refused(error: &es_core::Error) -> bool {
    match error.kind() {
        es_core::ErrorKind::FeatureMissing => true,
        es_core::ErrorKind::Forbidden => {
            error.missing_privilege().is_none_or(|missing| missing.action.contains("point_in_time"))
        }
        _ => false,
    }
}

/// The origin of the rows of a query.
fn query_origin(client: &Client, read_by: ReadBy, query: &str, opened_at: Timestamp) -> Origin {
    Origin {
        cluster_uuid: client.info().cluster_uuid.clone(),
        elasticsearch: client.info().known_version(),
        read_by,
        index: None,
        indices: Vec::new(),
        query: Value::from(query),
        parameters: Map::new(),
        limit: None,
        sample: None,
        retrieval: None,
        notes: Vec::new(),
        opened_at,
        slices: 1,
        matched: None,
        mapping: None,
    }
}

fn parameters(lists: &[(&str, &Vec<Value>)], filter: Option<&Value>) -> Map<String, Value> {
    let lists = lists.iter().filter(|(_, list)| !list.is_empty());
    let mut parameters: Map<String, Value> = lists.map(|(name, list)| ((*name).to_owned(), json!(list))).collect();
    if let Some(filter) = filter {
        parameters.insert("filter".to_owned(), filter.clone());
    }
    parameters
}
