//! Opening a read: which columns, which indices, which slices, and what it is read through.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use es_core::{Client, PointInTime};
use es_frame::{DecodeOptions, HitDecoder, Retrieval};
use jiff::Timestamp;
use polars::prelude::Schema;
use serde_json::{Map, Value, json};
use tracing::{debug, info};

use super::indices::Indices;
use super::origin::{self, Origin, ReadBy, SavedRead};
use super::pit::PitRead;
use super::request::{Esql, ReadFrom, ReadRequest, Search, Sql, Through};
use super::scroll::ScrollRead;
use super::size::PageSize;
use super::sql::SqlRead;
use super::{IndexReader, Source, body, esql, slices};
use crate::error::{Error, ErrorKind};
use crate::options::{ReadOptions, bytes};

/// How often an alias may move while a point in time is opened on it.
const MOVES: usize = 3;

impl IndexReader {
    /// Plans the columns, opens what the rows are read from and counts them where that can be
    /// done. A query in ES|QL is run to its end.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::Column`], [`ErrorKind::Request`],
    /// [`ErrorKind::FeatureMissing`] where the cluster has no ES|QL or SQL,
    /// [`ErrorKind::Truncated`] where the server cut a result off, [`ErrorKind::Elasticsearch`].
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
            let decoder = decoder(client, &indices, search)?;
            return Self::open_scroll(client, search, options, (&indices, decoder)).await;
        }
        for _ in 0..MOVES {
            // Fields that are not there are told before anything is opened.
            let decoder = decoder(client, &indices, search)?;
            let opened_at = Timestamp::now();
            let point_in_time = match client.open_point_in_time(&search.index, options.keep_alive.to_duration()).await {
                Err(error) if search.through == Through::Auto && is_refused(&error) => {
                    info!(%error, index = search.index, "no point in time may be opened: scrolling instead");
                    return Self::open_scroll(client, search, options, (&indices, decoder)).await;
                }
                opened => opened?,
            };
            // An alias may have moved between the two, and then columns and rows would be of
            // different indices.
            if !indices.is_exactly(&search.index) {
                let now = Indices::of(client, &search.index, &search.columns).await?;
                if now.names != indices.names {
                    indices = now;
                    point_in_time.close().await?;
                    continue;
                }
            }
            let matched = point_in_time.count_of(body::matching(search)).await?;
            let slices = match body::is_in_order(search) {
                true => 1,
                false => slices::number_of_slices(&options, matched, &indices.shards, indices.most_slices),
            };
            let state = (slices, matched, opened_at);
            return Ok(Self::of_slices(client, search, options, (&indices, decoder), point_in_time, state));
        }
        Err(Error::new(ErrorKind::Elasticsearch, format!("{} keeps moving from index to index", search.index))
            .with_help("read it when nothing publishes to it, or read one of its indices by name"))
    }

    /// A reader of a point in time that is open.
    pub(super) fn of_slices(
        client: &Client,
        search: &Search,
        options: ReadOptions,
        (indices, decoder): (&Indices, HitDecoder),
        point_in_time: PointInTime,
        (slices, matched, opened_at): (usize, u64, Timestamp),
    ) -> Self {
        let mut body = body::pages(search);
        decoder.ask(&mut body);
        let reader = Planned::of(&decoder, search, matched);
        let origin = origin(client, search, indices, &decoder, ReadBy::PointInTime, (slices, matched, opened_at));
        let read = Arc::new(PitRead {
            point_in_time,
            decoder,
            body,
            size: PageSize::new((options.page_size as usize).min(indices.most_page_rows), bytes(options.page_bytes)),
            slices,
            concurrency: options.concurrency as usize,
            keep_alive: options.keep_alive.to_duration(),
            limit: search.limit,
            asked_at: Mutex::new(Instant::now()),
        });
        let alive = PitRead::keep_alive(&read, options.keep_alive.to_duration());
        reader.from(Source::Slices { read, _alive: alive }, origin, origin::of_search(client, search))
    }

    async fn open_scroll(
        client: &Client,
        search: &Search,
        options: ReadOptions,
        (indices, decoder): (&Indices, HitDecoder),
    ) -> Result<Self, Error> {
        let mut body = body::pages(search);
        decoder.ask(&mut body);
        let opened_at = Timestamp::now();
        let read = ScrollRead::open(client, search, indices, body, decoder, &options).await?;
        let reader = Planned::of(read.decoder(), search, read.matched);
        let origin = origin(client, search, indices, read.decoder(), ReadBy::Scroll, (1, read.matched, opened_at));
        Ok(reader.from(Source::Scroll(read), origin, origin::of_search(client, search)))
    }

    async fn open_esql(client: &Client, query: &Esql, options: ReadOptions) -> Result<Self, Error> {
        let opened_at = Timestamp::now();
        let table = esql::run(client, query).await?;
        let rows = table.frame.height() as u64;
        let origin = Origin {
            matched: Some(rows),
            parameters: parameters(&[("params", &query.params)], query.filter.as_ref()),
            ..of_query(client, ReadBy::Esql, &query.query, opened_at)
        };
        let planned =
            Planned { schema: table.frame.schema().as_ref().clone(), field_types: table.types, count: Some(rows) };
        let source = Source::Table { frame: table.frame, page_rows: options.page_size as usize };
        Ok(planned.from(source, origin, String::new()))
    }

    async fn open_sql(client: &Client, query: &Sql, options: ReadOptions) -> Result<Self, Error> {
        let opened_at = Timestamp::now();
        let read = SqlRead::open(client, query, &options).await?;
        let mut parameters = parameters(&[("params", &query.params)], query.filter.as_ref());
        if let Some(zone) = &query.time_zone {
            parameters.insert("time_zone".to_owned(), json!(zone));
        }
        let origin = Origin { parameters, ..of_query(client, ReadBy::Sql, &query.query, opened_at) };
        let planned =
            Planned { schema: read.decoder.schema(), field_types: read.decoder.field_types().to_vec(), count: None };
        Ok(planned.from(Source::Sql(read), origin, String::new()))
    }

    /// Takes up a read that was saved: in the same point in time, with the same slices. `None`
    /// when there is nothing to take up: the point in time is gone, or the request or the
    /// columns are others by now.
    ///
    /// # Errors
    /// As [`IndexReader::open`].
    pub async fn resume(client: &Client, request: ReadRequest, saved: &SavedRead) -> Result<Option<Self>, Error> {
        let Some(search) = request.search() else { return Ok(None) };
        if origin::of_search(client, search) != saved.request {
            return Ok(None);
        }
        // An alias may have moved on: the point in time has not.
        let indices = match Indices::of(client, &saved.indices.join(","), &search.columns).await {
            Ok(indices) if indices.names == saved.indices => indices,
            Ok(_) => return Ok(None),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let point_in_time = client.point_in_time(&saved.point_in_time, request.options.keep_alive.to_duration());
        let is_whole = match point_in_time.count_of(body::matching(search)).await {
            Ok(matched) => matched == saved.matched,
            Err(error) if error.kind() == es_core::ErrorKind::NotFound => false,
            Err(error) => {
                // It is not this reader's to close before it was taken up.
                point_in_time.detach();
                return Err(error.into());
            }
        };
        if !is_whole {
            return Ok(None);
        }
        let state = (saved.slices.max(1), saved.matched, saved.opened_at);
        let decoder = decoder(client, &indices, search)?;
        let reader = Self::of_slices(client, search, request.options, (&indices, decoder), point_in_time, state);
        Ok((origin::of_columns(&reader.schema, &reader.field_types) == saved.columns).then_some(reader))
    }
}

/// What is known of the rows before the first.
struct Planned {
    schema: Schema,
    field_types: Vec<(String, String)>,
    count: Option<u64>,
}

impl Planned {
    fn of(decoder: &HitDecoder, search: &Search, matched: u64) -> Self {
        let owned = |(name, field_type): (&str, &str)| (name.to_owned(), field_type.to_owned());
        Self {
            schema: decoder.schema(),
            field_types: decoder.field_types().map(owned).collect(),
            count: Some(search.limit.map_or(matched, |limit| limit.min(matched))),
        }
    }

    fn from(self, source: Source, origin: Origin, request: String) -> IndexReader {
        let Self { schema, field_types, count } = self;
        debug!(read_by = ?origin.read_by, ?count, slices = origin.slices, retrieval = origin.retrieval, "reading");
        IndexReader { source, origin, schema, field_types, count, request }
    }
}

/// Plans the columns.
pub(super) fn decoder(client: &Client, indices: &Indices, search: &Search) -> Result<HitDecoder, Error> {
    let options = DecodeOptions {
        columns: search.columns.clone(),
        runtime: search.runtime.clone(),
        retrieval: search.source,
        policy: search.policy,
        policies: search.policies.clone(),
        stored_source: indices.stored_source,
        version: Some(client.info().version),
    };
    Ok(HitDecoder::with_options(&indices.mapping, &options)?)
}

/// Whether the cluster lets this user open no point in time. What it refuses for other reasons
/// it would refuse to a scroll as well.
fn is_refused(error: &es_core::Error) -> bool {
    match error.kind() {
        es_core::ErrorKind::FeatureMissing => true,
        es_core::ErrorKind::Forbidden => {
            error.missing_privilege().is_none_or(|missing| missing.action.contains("point_in_time"))
        }
        _ => false,
    }
}

fn origin(
    client: &Client,
    search: &Search,
    indices: &Indices,
    decoder: &HitDecoder,
    read_by: ReadBy,
    (slices, matched, opened_at): (usize, u64, Timestamp),
) -> Origin {
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
        slices,
        matched: Some(matched),
        mapping: Some(origin::of_mapping(&indices.mapping)),
        ..of_query(client, read_by, "", opened_at)
    }
}

fn of_query(client: &Client, read_by: ReadBy, query: &str, opened_at: Timestamp) -> Origin {
    Origin {
        cluster_uuid: client.info().cluster_uuid.clone(),
        elasticsearch: client.info().version.to_string(),
        read_by,
        index: None,
        indices: Vec::new(),
        query: Value::from(query),
        parameters: Map::new(),
        limit: None,
        sample: None,
        retrieval: None,
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
