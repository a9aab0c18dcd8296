//! What a query matches, as a stream of frames from one point in time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use es_core::{Client, IndexDescription, Mapping, PointInTime};
use es_frame::{ColumnRequest, HitDecoder, HitPage};
use futures::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use polars::prelude::{DataFrame, Schema};
use serde_json::{Value, json};
use tracing::debug;

use crate::error::{Error, ErrorKind};

/// What to read.
#[derive(Clone, Debug)]
pub struct ReadRequest {
    /// An index, an alias, or a pattern.
    pub index: String,
    /// An Elasticsearch query.
    pub query: Value,
    /// The columns.
    pub columns: ColumnRequest,
    /// The limits.
    pub options: ReadOptions,
}

/// The limits of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadOptions {
    /// Documents of one page, at most 10,000. Default: 5,000.
    pub page_rows: usize,
    /// Slices the point in time is read in. Default: as many as the index has shards, and
    /// at least [`ReadOptions::concurrency`].
    pub slices: Option<usize>,
    /// Slices that are read at the same time; memory holds about two pages of each.
    /// Default: 3.
    pub concurrency: usize,
    /// How long the server keeps the point in time between two requests. Default: 2 minutes.
    pub keep_alive: Duration,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self { page_rows: 5_000, slices: None, concurrency: 3, keep_alive: Duration::from_secs(120) }
    }
}

/// The server refuses more slices than this.
const MOST_SLICES: usize = 1024;

impl ReadRequest {
    /// Everything in an index or alias.
    pub fn new(index: impl Into<String>) -> Self {
        Self {
            index: index.into(),
            query: json!({"match_all": {}}),
            columns: ColumnRequest::All,
            options: ReadOptions::default(),
        }
    }
}

/// An open point in time with a planned schema.
pub struct IndexReader {
    shared: Arc<Shared>,
    indices: Vec<String>,
    mapping: Mapping,
    slices: usize,
    count: u64,
}

struct Shared {
    point_in_time: PointInTime,
    decoder: HitDecoder,
    query: Value,
    options: ReadOptions,
}

impl IndexReader {
    /// Plans the columns, opens the point in time and counts what the query matches in it.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::Column`], [`ErrorKind::Elasticsearch`].
    pub async fn open(client: &Client, request: ReadRequest) -> Result<Self, Error> {
        let mut described = client.indices().describe(&request.index).await?;
        if request.index.contains('*') {
            // A point in time on a pattern leaves hidden indices out.
            described.retain(|index| index.settings.get("hidden").and_then(Value::as_str) != Some("true"));
        }
        let mapping = one_mapping(&request.index, &described)?;
        let decoder = HitDecoder::new(&mapping, &request.columns)?;
        let shards = described.iter().map(shards).sum();
        let slices = request.options.slices.unwrap_or_else(|| request.options.concurrency.max(shards));
        let point_in_time = client.open_point_in_time(&request.index, request.options.keep_alive).await?;
        // Scores are of no use here; in filter context none are computed.
        let query = json!({"bool": {"filter": [request.query]}});
        let count = point_in_time.count(&query).await?;
        debug!(index = request.index, count, slices, retrieval = ?decoder.retrieval(), "reading");
        Ok(Self {
            shared: Arc::new(Shared { point_in_time, decoder, query, options: request.options }),
            indices: described.into_iter().map(|index| index.name).collect(),
            mapping,
            slices: slices.clamp(1, MOST_SLICES),
            count,
        })
    }

    /// The schema of every frame.
    pub fn schema(&self) -> Schema {
        self.shared.decoder.schema()
    }

    /// How the columns are read.
    pub fn decoder(&self) -> &HitDecoder {
        &self.shared.decoder
    }

    /// How many documents the query matches in the point in time.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The physical indices that are read.
    pub fn indices(&self) -> &[String] {
        &self.indices
    }

    /// Their common mapping.
    pub fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// The number of slices.
    pub fn slices(&self) -> usize {
        self.slices
    }

    /// The rows, in no particular order, a page a frame. A slow consumer slows the readers:
    /// no page is asked for before one was taken.
    ///
    /// Dropping the stream ends the reading; close the reader afterwards.
    pub fn frames(&self) -> impl Stream<Item = Result<DataFrame, Error>> + Send + use<> {
        let slices = self.slices;
        let shared = self.shared.clone();
        stream::iter(0..slices)
            .map(move |slice| Box::pin(slice_frames(shared.clone(), slice, slices)))
            .flatten_unordered(self.shared.options.concurrency.max(1))
    }

    /// Reads everything into one frame and closes the point in time. Memory grows with the
    /// result: for large ones take [`IndexReader::frames`].
    ///
    /// # Errors
    /// As the stream, and [`ErrorKind::Incomplete`] when rows are missing.
    pub async fn collect(self) -> Result<DataFrame, Error> {
        let mut whole = self.shared.decoder.empty_frame();
        {
            // The stream ends here: it holds the point in time, which is to be closed below.
            let mut frames = std::pin::pin!(self.frames());
            while let Some(frame) = frames.try_next().await? {
                whole.vstack_mut(&frame)?;
            }
        }
        self.reconcile(whole.height() as u64)?;
        self.close().await?;
        whole.rechunk_mut();
        Ok(whole)
    }

    /// Checks that as many rows were read as the query matched.
    ///
    /// # Errors
    /// [`ErrorKind::Incomplete`] with both numbers.
    pub fn reconcile(&self, rows: u64) -> Result<(), Error> {
        if rows == self.count {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Incomplete,
            format!("{rows} rows were read, and the query matches {} documents", self.count),
        )
        .with_help("this should not happen: the slices of one point in time did not add up; try again"))
    }

    /// Frees the point in time on the server. Dropping the reader does so in the background.
    ///
    /// # Errors
    /// [`ErrorKind::Elasticsearch`].
    pub async fn close(self) -> Result<(), Error> {
        match Arc::try_unwrap(self.shared) {
            Ok(shared) => Ok(shared.point_in_time.close().await?),
            // A stream still holds it and closes it when it is dropped.
            Err(_) => Ok(()),
        }
    }
}

/// The pages of one slice.
fn slice_frames(shared: Arc<Shared>, slice: usize, slices: usize) -> impl Stream<Item = Result<DataFrame, Error>> {
    stream::try_unfold(Some(None), move |after: Option<Option<String>>| {
        let shared = shared.clone();
        async move {
            let Some(after) = after else { return Ok(None) };
            let HitPage { frame, last_sort, pit_id, .. } = shared.page(slice, slices, after).await?;
            if let Some(id) = pit_id {
                shared.point_in_time.renew(&id);
            }
            // Only an empty page is the end: a short one can be followed by more.
            Ok(last_sort.map(|last| (frame, Some(Some(last)))))
        }
    })
}

impl Shared {
    async fn page(self: &Arc<Self>, slice: usize, slices: usize, after: Option<String>) -> Result<HitPage, Error> {
        let mut body = json!({
            "size": self.options.page_rows,
            "query": self.query,
            // Index order; the server adds its own tie-breaker. Sorting by the tie-breaker
            // alone would make servers before 9.4 walk over all matches for each page.
            "sort": ["_doc"],
            "track_total_hits": false,
        });
        if slices > 1 {
            body["slice"] = json!({"id": slice, "max": slices});
        }
        if let Some(after) = after {
            body["search_after"] = serde_json::from_str(&after).map_err(|source| {
                Error::new(ErrorKind::Incomplete, "the sort values of a page cannot be read").with_source(source)
            })?;
        }
        self.decoder.ask(&mut body);
        let page = self.point_in_time.search(body).await.map_err(Error::of_page)?;
        let shared = self.clone();
        // Parsing a page takes milliseconds, which the asynchronous threads must not spend.
        let decoded = tokio::task::spawn_blocking(move || shared.decoder.decode(&page.body)).await;
        match decoded {
            Ok(page) => Ok(page?),
            Err(source) => Err(Error::new(ErrorKind::Incomplete, "reading a page failed").with_source(source)),
        }
    }
}

fn shards(index: &IndexDescription) -> usize {
    index.settings.get("number_of_shards").and_then(Value::as_str).and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// The mapping that all indices share, as far as types go.
fn one_mapping(name: &str, indices: &[IndexDescription]) -> Result<Mapping, Error> {
    if indices.is_empty() {
        return Err(Error::new(ErrorKind::NotFound, format!("there is no index or alias {name}"))
            .with_help("check the name and the index prefix, or run what writes it first"));
    }
    let mut known = HashMap::new();
    for index in indices {
        for (path, field) in index.mapping.fields() {
            let (field_type, first) = *known.entry(path.clone()).or_insert((field.field_type(), &index.name));
            if field_type != field.field_type() {
                return Err(Error::new(
                    ErrorKind::Column,
                    format!("field {path} is {field_type} in {first} and {} in {}", field.field_type(), index.name),
                )
                .with_help("rebuild one of the indices, or leave the field out"));
            }
        }
    }
    Ok(indices.iter().fold(Mapping::default(), |all, index| all.overridden_by(&index.mapping)))
}
