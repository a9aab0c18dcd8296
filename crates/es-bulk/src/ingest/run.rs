//! The orchestration of a load: inspect the index and the files, create or extend the index, load,
//! make the documents searchable, and leave a checkpoint if that was cut off.

use std::path::PathBuf;
use std::sync::Arc;

use es_core::{Client, NewIndex};
use es_frame::VectorForm;
use jiff::Timestamp;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::checkpoint::{CheckpointFile, CheckpointWriter, SavedLoad};
use super::load::{load_with_checkpoints, written_dead_letter};
use super::request::{DryRun, IngestOutcome, IngestRequest, check_resumable};
use super::target::Target;
use crate::error::{Error, ErrorKind};
use crate::files::{DocumentReader, FileInput, PartRequest, Source, panic_text};
use crate::initial_load::{InitialLoad, InitialLoadOptions};
use crate::load::BulkLoader;
use crate::progress::Progress;

type Observer = Box<dyn Fn(Progress) + Send + Sync>;
type StartObserver = Box<dyn FnOnce(IngestStart) + Send>;

/// A load of files into an index.
///
/// ```no_run
/// use es_bulk::files::FileInput;
/// use es_bulk::ingest::{Ingest, IngestRequest};
///
/// # async fn example(client: es_core::Client) -> Result<(), Box<dyn std::error::Error>> {
/// let mut request = IngestRequest::new("flights", FileInput::expand(&["data/flights-*.parquet"])?);
/// request.documents.writer.id = vec!["carrier".into(), "flight".into(), "time_hour".into()];
/// let outcome = Ingest::new(&client, request)
///     .with_checkpoints("state/loads")
///     .with_dead_letters("state/rejected")
///     .run()
///     .await?;
/// println!("{}", outcome.whole);
/// # Ok(())
/// # }
/// ```
pub struct Ingest {
    client: Client,
    request: IngestRequest,
    run: String,
    owner: Value,
    checkpoints: Option<PathBuf>,
    dead_letters: Option<PathBuf>,
    observer: Option<Observer>,
    start_observer: Option<StartObserver>,
    cancel: CancellationToken,
}

/// The facts about a load when its first document is about to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngestStart {
    /// The number of rows, where the format has it.
    pub rows: Option<u64>,
    /// The number of rows that an earlier process settled.
    pub resumed_after: u64,
    /// Findings about the values, see [`DocumentOptions::inferred`](crate::files::DocumentOptions::inferred).
    pub notes: Vec<String>,
}

/// The state of a load before its first document.
struct Prepared {
    target: Target,
    source: Source,
    body: NewIndex,
    notes: Vec<String>,
}

impl Ingest {
    /// A load that is described by a request.
    pub fn new(client: &Client, request: IngestRequest) -> Self {
        Self {
            client: client.clone(),
            request,
            run: Timestamp::now().strftime("%Y%m%dT%H%M%S%3fZ").to_string(),
            owner: Value::Null,
            checkpoints: None,
            dead_letters: None,
            observer: None,
            start_observer: None,
            cancel: CancellationToken::new(),
        }
    }

    /// Names the run, after which the dead letter is named. Default: the present moment.
    #[must_use]
    pub fn with_run(mut self, run: impl Into<String>) -> Self {
        self.run = run.into();
        self
    }

    /// Notes in the checkpoint who loads.
    #[must_use]
    pub fn with_owner(mut self, owner: Value) -> Self {
        self.owner = owner;
        self
    }

    /// Keeps the checkpoint of the load in a folder, under [`IngestRequest::name`]: a load that was cut
    /// off is resumed by the next one of the same name. Standard input has no checkpoint. Two processes
    /// must not run the same load at once; this is for the caller to prevent.
    #[must_use]
    pub fn with_checkpoints(mut self, folder: impl Into<PathBuf>) -> Self {
        self.checkpoints = Some(folder.into());
        self
    }

    /// Keeps rejected documents in a folder, under the names of the index and the run.
    #[must_use]
    pub fn with_dead_letters(mut self, folder: impl Into<PathBuf>) -> Self {
        self.dead_letters = Some(folder.into());
        self
    }

    /// Reports progress; called from the task that loads, so it must be quick.
    #[must_use]
    pub fn with_observer(mut self, observer: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// Reports what is known when the first document is about to be sent.
    #[must_use]
    pub fn with_start_observer(mut self, observer: impl FnOnce(IngestStart) + Send + 'static) -> Self {
        self.start_observer = Some(Box::new(observer));
        self
    }

    /// Stops reading when the token is cancelled; requests in flight are settled first.
    #[must_use]
    pub fn with_cancellation(mut self, cancel: CancellationToken) -> Self {
        self.cancel = cancel;
        self
    }

    /// Inspects everything and changes nothing. `None` when it was cancelled.
    ///
    /// # Errors
    /// As [`Self::run`], before its first document.
    pub async fn dry_run(self) -> Result<Option<DryRun>, Error> {
        let Some(Prepared { target, source, body, notes }) = self.prepare().await? else { return Ok(None) };
        let new_index = (!target.exists()).then_some(body);
        Ok(Some(DryRun { new_index, files: source.input().names(), rows: source.rows(), notes }))
    }

    /// Loads. A load that was cancelled ends with [`Summary::interrupted`](crate::Summary::interrupted).
    ///
    /// # Errors
    /// Those before the first document: [`ErrorKind::File`] and [`ErrorKind::Format`] for the files,
    /// [`ErrorKind::Request`] when columns, index or an earlier load do not fit the request,
    /// [`ErrorKind::Elasticsearch`]. An error after it is in the [`IngestOutcome`].
    pub async fn run(mut self) -> Result<IngestOutcome, Error> {
        self.request.documents.writer.vectors = VectorForm::best_for(self.client.info().version);
        let Some(Prepared { mut target, source, body, notes }) = self.prepare().await? else {
            return Ok(interrupted());
        };
        target.check(self.request.documents.writer.operation)?;
        let (client, index) = (self.client.clone(), self.request.index.clone());

        let file = self.checkpoint_file();
        let definition = self.request.definition();
        let earlier = file.as_ref().map(CheckpointFile::read).transpose()?.flatten();
        // An index that was created again since has nothing of an earlier load.
        let earlier = earlier.filter(|earlier| target.exists() && earlier.index_uuid == target.uuid());
        if let Some(earlier) = earlier.as_ref().filter(|_| !self.request.restart) {
            check_resumable(earlier, &definition, source.identities())?;
        }
        let is_new = !target.exists();
        if is_new {
            target.create(&client, &body).await?;
        } else {
            target.extend(&client, &self.request.documents.mapping).await?;
        }
        let mut initial = match earlier.as_ref().and_then(|earlier| earlier.settings.clone()) {
            Some(settings) => Some(InitialLoad::resume(&client, &index, settings)),
            None if is_new => Some(InitialLoad::new(&client, &index, InitialLoadOptions::default()).await?),
            None => None,
        };
        let earlier = earlier.filter(|_| !self.request.restart);
        let load = SavedLoad {
            index: index.clone(),
            index_uuid: target.uuid(),
            definition,
            files: source.identities().to_vec(),
            owner: self.owner.take(),
            run: earlier.as_ref().map_or_else(|| self.run.clone(), |earlier| earlier.run.clone()),
            repeatable: !self.request.documents.writer.id.is_empty(),
            settled: false,
            settings: initial.as_ref().map(|initial| initial.original().clone()),
            reached: earlier.map(|earlier| earlier.reached).unwrap_or_default(),
        };
        let dead_letter = self.dead_letters.as_ref().map(|folder| folder.join(format!("{index}-{}", load.run)));
        let (rows, reader) = (source.rows(), DocumentReader::new(source, &self.request.documents)?);
        let reader = reader.with_limits(self.request.bulk.batch_limits());
        let checkpoints = Arc::new(CheckpointWriter::start(file, load, false)?);
        if let Some(initial) = &mut initial {
            initial.begin().await?;
        }

        let before = checkpoints.before();
        if let Some(observer) = self.start_observer.take() {
            observer(IngestStart { rows, resumed_after: before.summary.read, notes });
        }
        let loader = self.loader();
        let batches = reader.stream(PartRequest { from: before.start(), ..PartRequest::default() });
        let loaded = load_with_checkpoints(loader, dead_letter.as_deref(), &checkpoints, batches).await;
        let (here, mut error) = match loaded {
            Ok(summary) => (summary, None),
            Err(error) => (error.summary().cloned().unwrap_or_default(), Some(error)),
        };
        let is_whole = error.is_none() && !here.interrupted;
        if let Err(failed) = self.make_searchable(initial, is_whole).await {
            error.get_or_insert(failed);
        }
        let mut whole = before.summary;
        whole.merge(&here);
        // Of a load that sent nothing there is nothing to resume.
        if is_whole && error.is_none() || whole.read == 0 {
            checkpoints.remove();
        } else {
            checkpoints.keep_after(&whole);
        }
        let dead_letter = dead_letter.as_deref().and_then(written_dead_letter);
        Ok(IngestOutcome { whole, here, dead_letter, error })
    }

    /// Opens the files and finds out what the index would be made of; `None` when it was cancelled.
    async fn prepare(&self) -> Result<Option<Prepared>, Error> {
        let target = Target::inspect(&self.client, &self.request.index).await?;
        let request = self.request.clone();
        let read = target.typed(request.read, &request.documents);
        let opened = tokio::task::spawn_blocking(move || {
            let source = Source::open(request.input, &read)?;
            let (mapping, inferred) = request.documents.inferred(&source)?;
            let notes = [source.notes(), &inferred].concat();
            // Columns that do not fit are an error before anything is changed.
            source.schema().map(|schema| request.documents.columns(schema)).transpose()?;
            Ok((source, NewIndex { mapping, settings: request.settings }, notes))
        });
        // The beginning of standard input may never come.
        let opened = tokio::select! {
            opened = opened => opened,
            () = self.cancel.cancelled() => return Ok(None),
        };
        let opened = opened.map_err(opening_failed)?;
        opened.map(|(source, body, notes)| Some(Prepared { target, source, body, notes }))
    }

    /// Puts the settings of the index back, and makes its documents searchable.
    async fn make_searchable(&self, initial: Option<InitialLoad>, is_whole: bool) -> Result<(), Error> {
        let finish = self.request.bulk.finish();
        match initial {
            Some(initial) if is_whole => initial.finish(finish).await,
            Some(initial) => initial.restore().await,
            None => Ok(self.client.with_retry(finish.retry).indices().refresh(&self.request.index).await?),
        }
    }

    fn checkpoint_file(&self) -> Option<CheckpointFile> {
        match (&self.checkpoints, &self.request.input) {
            (Some(folder), FileInput::Files(_)) => Some(CheckpointFile::new(folder, &self.request.name())),
            _ => None,
        }
    }

    fn loader(&mut self) -> BulkLoader {
        let request = &self.request;
        let mut loader = BulkLoader::new(self.client.clone(), &request.index, request.bulk.clone())
            .with_cancellation(self.cancel.clone());
        if let Some(pipeline) = &request.pipeline {
            loader = loader.with_pipeline(pipeline);
        }
        if let Some(observer) = self.observer.take() {
            loader = loader.with_observer(observer);
        }
        loader
    }
}

fn interrupted() -> IngestOutcome {
    let summary = crate::Summary { interrupted: true, ..crate::Summary::default() };
    IngestOutcome { whole: summary.clone(), here: summary, dead_letter: None, error: None }
}

/// The error of a task that opens files and ended in a panic.
pub(super) fn opening_failed(error: tokio::task::JoinError) -> Error {
    let text = match error.try_into_panic() {
        Ok(panic) => panic_text(&*panic).to_owned(),
        Err(error) => error.to_string(),
    };
    Error::new(ErrorKind::Input, format!("the files cannot be opened: {text}"))
        .with_help("this is a defect; report it with the file that was read")
}
