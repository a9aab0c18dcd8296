//! Loads in one line.

use std::path::PathBuf;
use std::sync::Arc;

use es_core::{Client, NewIndex};
use es_frame::{DocumentWriter, MappingOptions, VectorForm, WriterOptions, infer_mapping_of};
use futures::stream;
use polars::prelude::DataFrame;
use tokio_util::sync::CancellationToken;

use super::load::load_with_checkpoints;
use super::run::opening_failed;
use super::target::Target;
use super::{CheckpointWriter, SavedLoad};
use crate::batch::BatchBuilder;
use crate::error::Error;
use crate::files::{DocumentOptions, DocumentReader, FileInput, PartRequest, ReadOptions, Source};
use crate::initial_load::{Finish, InitialLoad, InitialLoadOptions};
use crate::load::BulkLoader;
use crate::options::BulkOptions;
use crate::progress::{Observer, Progress};
use crate::summary::Summary;

/// The options of [`load_files`].
#[derive(Clone, Default)]
pub struct LoadOptions {
    /// The options of turning rows into documents.
    pub documents: DocumentOptions,
    /// The options of reading files.
    pub read: ReadOptions,
    /// The size of requests, the limits of the load, and what is done when a new index is filled.
    pub bulk: BulkOptions,
    /// The path of the dead letter, without extension. Default: rejected documents are only counted.
    pub dead_letter: Option<PathBuf>,
    observer: Option<Observer>,
    cancel: CancellationToken,
}

impl LoadOptions {
    /// Makes the id of a document of the values of these columns, so that the same row is the same
    /// document, and a load can be repeated.
    #[must_use]
    pub fn with_id<T: AsRef<str>>(mut self, columns: &[T]) -> Self {
        self.documents.writer.id = columns.iter().map(|name| name.as_ref().to_owned()).collect();
        self
    }

    /// Sets how rows become documents.
    #[must_use]
    pub fn with_documents(mut self, documents: DocumentOptions) -> Self {
        self.documents = documents;
        self
    }

    /// Sets the format and the size of pieces.
    #[must_use]
    pub fn with_read(mut self, read: ReadOptions) -> Self {
        self.read = read;
        self
    }

    /// Sets the size of requests and the limits of the load.
    #[must_use]
    pub fn with_bulk(mut self, bulk: BulkOptions) -> Self {
        self.bulk = bulk;
        self
    }

    /// Keeps rejected documents in a dead letter at this path, without extension.
    #[must_use]
    pub fn with_dead_letter(mut self, path: impl Into<PathBuf>) -> Self {
        self.dead_letter = Some(path.into());
        self
    }

    /// Reports progress; called from the task that loads, so it must be quick.
    #[must_use]
    pub fn with_observer(mut self, observer: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Stops reading when the token is cancelled; requests in flight are settled first.
    #[must_use]
    pub fn with_cancellation(mut self, cancel: CancellationToken) -> Self {
        self.cancel = cancel;
        self
    }
}

/// Loads files, or standard input for `-`, into an index, and makes the documents searchable. An index
/// that does not exist is created with the mapping that the files imply, and is filled without
/// refreshes and replicas. Names may be paths, folders and patterns, see
/// [`expand`](crate::files::expand).
///
/// ```no_run
/// use es_bulk::{LoadOptions, load_files};
///
/// # async fn example(client: es_core::Client) -> Result<(), es_bulk::Error> {
/// let options = LoadOptions::default().with_id(&["carrier", "flight", "time_hour"]);
/// let summary = load_files(&client, "flights", &["data/flights-*.parquet"], options).await?;
/// println!("{summary}");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As [`Ingest::run`](super::Ingest::run) and [`BulkLoader::load`].
pub async fn load_files<T: AsRef<str>>(
    client: &Client,
    index: &str,
    patterns: &[T],
    options: LoadOptions,
) -> Result<Summary, Error> {
    let target = Target::inspect(client, index).await?;
    let patterns: Vec<String> = patterns.iter().map(|name| name.as_ref().to_owned()).collect();
    let mut documents = options.documents.clone();
    documents.writer.vectors = VectorForm::best_for(client.info().version);
    let read = target.typed(options.read.clone(), &documents);
    let limits = options.bulk.batch_limits();
    let opened = tokio::task::spawn_blocking(move || {
        let source = Source::open(FileInput::expand(&patterns)?, &read)?;
        let mapping = documents.mapping(&source)?;
        Ok::<_, Error>((mapping, DocumentReader::new(source, &documents)?.with_limits(limits)))
    });
    let opened = tokio::select! {
        opened = opened => opened,
        () = options.cancel.cancelled() => return Ok(Summary { interrupted: true, ..Summary::default() }),
    };
    let (mapping, reader) = opened.map_err(opening_failed)??;
    target.check(options.documents.writer.operation)?;
    if target.exists() {
        target.extend(client, &options.documents.mapping).await?;
    }
    let new = NewIndex { mapping, ..NewIndex::default() };
    fill(client, target, new, options.bulk.finish(), async {
        let mut loader =
            BulkLoader::new(client.clone(), index, options.bulk.clone()).with_cancellation(options.cancel.clone());
        if let Some(observer) = options.observer.clone() {
            loader = loader.with_observer(move |step| observer(step));
        }
        let checkpoints = Arc::new(CheckpointWriter::start(None, SavedLoad::default(), false)?);
        let batches = reader.stream(PartRequest::default());
        load_with_checkpoints(loader, options.dead_letter.as_deref(), &checkpoints, batches).await
    })
    .await
}

/// Loads a frame into an index, and makes the documents searchable. The id of a document is made of the
/// values of the `id` columns; without any, the server makes one up. An index that does not exist is
/// created with the mapping that the frame implies, and is filled without refreshes and replicas.
///
/// ```no_run
/// use polars::prelude::*;
///
/// # async fn example(client: es_core::Client) -> Result<(), Box<dyn std::error::Error>> {
/// let frame = df!("carrier" => ["UA", "B6"], "flight" => [1545, 725], "delay" => [2, -18])?;
/// let summary = es_bulk::load_frame(&client, "departures", &frame, &["carrier", "flight"]).await?;
/// assert_eq!(summary.created, 2);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`ErrorKind::Row`](crate::ErrorKind::Row) when a row cannot become a document, and as
/// [`BulkLoader::load`].
pub async fn load_frame<T: AsRef<str>>(
    client: &Client,
    index: &str,
    frame: &DataFrame,
    id: &[T],
) -> Result<Summary, Error> {
    let id = id.iter().map(|name| name.as_ref().to_owned()).collect();
    let vectors = VectorForm::best_for(client.info().version);
    let options = WriterOptions { id, vectors, ..WriterOptions::default() };
    let mut frame = frame.clone();
    frame.rechunk_mut();
    let target = Target::inspect(client, index).await?;
    target.check(options.operation)?;
    // Only rows that are about to be sent are in batches.
    let writer = DocumentWriter::with_options(&frame, &options)?;
    let new = NewIndex { mapping: infer_mapping_of(&frame, &MappingOptions::default())?, ..NewIndex::default() };
    let mut rows = 0..writer.rows();
    let mut builder = BatchBuilder::new(BulkOptions::default().batch_limits());
    let batches = std::iter::from_fn(|| {
        for row in rows.by_ref() {
            match builder.push_row(&writer, row) {
                Ok(None) => {}
                pushed => return pushed.transpose(),
            }
        }
        builder.finish().map(Ok)
    });
    let loader = BulkLoader::new(client.clone(), index, BulkOptions::default());
    fill(client, target, new, BulkOptions::default().finish(), loader.load(stream::iter(batches))).await
}

/// Creates the index if it does not exist, loads, and makes the documents searchable.
async fn fill(
    client: &Client,
    mut target: Target,
    new: NewIndex,
    finish: Finish,
    load: impl Future<Output = Result<Summary, Error>>,
) -> Result<Summary, Error> {
    if target.exists() {
        let summary = load.await?;
        client.with_retry(finish.retry).indices().refresh(target.name()).await?;
        return Ok(summary);
    }
    target.create(client, &new).await?;
    let initial = InitialLoad::new(client, target.name(), InitialLoadOptions::default()).await?;
    initial.during(finish, load).await
}
