//! A single file for another program on this machine: no manifest, no staging folder, not synced.

use std::path::{Path, PathBuf};

use es_core::Client;
use futures::StreamExt as _;
use polars::prelude::{DataFrame, Schema};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::run::{BACKOFF, close, restart_may_help};
use crate::cancel::unless;
use crate::error::{Error, ErrorKind};
use crate::progress::{Observer, Phase, Progress};
use crate::read::{IndexReader, Origin, ReadRequest};
use crate::write::{self, FileOptions, FileWriter};

/// Frames that wait between reading and writing.
const WAITING_FRAMES: usize = 2;

/// Rows in one local file for another program to read: Parquet, an Arrow IPC file or an Arrow IPC
/// stream. The file has its columns even if there are no rows.
///
/// ```no_run
/// use es_export::{ColumnRequest, Format, Search, Spool};
///
/// # async fn example(client: es_core::Client) -> Result<(), es_export::Error> {
/// let columns = ColumnRequest::Named(vec!["carrier".to_owned(), "dep_delay".to_owned()]);
/// let search = Search { columns, ..Search::new("flights") };
/// let spooled = Spool::new(search, "/tmp/flights.arrow").with_format(Format::Ipc).run(&client).await?;
/// println!("{} rows of {:?}", spooled.rows, spooled.schema);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Spool {
    request: ReadRequest,
    path: PathBuf,
    files: FileOptions,
    max_restarts: u32,
    observer: Observer,
    cancellation: CancellationToken,
}

/// A file that was spooled.
#[derive(Clone, Debug, PartialEq)]
pub struct Spooled {
    /// The number of rows.
    pub rows: u64,
    /// The size of the file in bytes.
    pub bytes: u64,
    /// The columns of the file.
    pub schema: Schema,
    /// The columns and their types in Elasticsearch, in order.
    pub field_types: Vec<(String, String)>,
    /// The source of the rows.
    pub source: Origin,
}

impl Spool {
    /// A Parquet file at a path, which is overwritten.
    pub fn new(request: impl Into<ReadRequest>, path: impl Into<PathBuf>) -> Self {
        Self {
            request: request.into(),
            path: path.into(),
            files: FileOptions::default(),
            max_restarts: 3,
            observer: Observer::default(),
            cancellation: CancellationToken::new(),
        }
    }

    /// Sets the format: Parquet, IPC or IPC stream.
    #[must_use]
    pub fn with_format(mut self, files: impl Into<FileOptions>) -> Self {
        self.files = files.into();
        self
    }

    /// Sets the maximum number of restarts from scratch when the point in time is lost. Default: 3.
    #[must_use]
    pub fn with_max_restarts(mut self, restarts: u32) -> Self {
        self.max_restarts = restarts;
        self
    }

    /// Calls `observer` with each step, from the task that runs this: it must be fast.
    #[must_use]
    pub fn with_observer(mut self, observer: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.observer = Observer::new(observer);
        self
    }

    /// Ends with [`ErrorKind::Interrupted`] once the token is cancelled.
    #[must_use]
    pub fn with_cancellation(mut self, token: CancellationToken) -> Self {
        self.cancellation = token;
        self
    }

    /// Reads and writes. Memory holds two pages of each slice that is read, two frames between
    /// reading and writing, and the row group that is being written. A file that is not complete is
    /// removed.
    ///
    /// # Errors
    /// As [`Export::run`](super::Export::run); [`ErrorKind::Format`] for other formats.
    pub async fn run(self, client: &Client) -> Result<Spooled, Error> {
        let mut restarts = 0;
        loop {
            let error = match self.attempt(client, restarts).await {
                Ok(spooled) => return Ok(spooled),
                Err(error) => error,
            };
            // A file that was not made is not there.
            let _ = std::fs::remove_file(&self.path);
            if restarts == self.max_restarts || !restart_may_help(&error, restarts) {
                return Err(error);
            }
            let wait = BACKOFF.wait(restarts, fastrand::f64());
            restarts += 1;
            let path = self.path.display();
            warn!(%error, restarts, ?wait, %path, "the point in time was lost: reading from scratch");
            unless(&self.cancellation, tokio::time::sleep(wait)).await?;
        }
    }

    async fn attempt(&self, client: &Client, restarts: u32) -> Result<Spooled, Error> {
        let reader = unless(&self.cancellation, IndexReader::open(client, self.request.clone())).await??;
        let written = self.write(&reader, &self.observer.after_restarts(restarts)).await;
        let (schema, field_types) = (reader.schema(), reader.field_types().to_vec());
        let source = reader.origin().clone();
        close(reader).await;
        let (rows, bytes) = written?;
        Ok(Spooled { rows, bytes, schema, field_types, source })
    }

    /// Writes all rows, and returns their number and the size of the file.
    async fn write(&self, reader: &IndexReader, observer: &Observer) -> Result<(u64, u64), Error> {
        let (frames, receiver) = mpsc::channel(WAITING_FRAMES);
        let (files, path, schema) = (self.files, self.path.clone(), reader.schema());
        // A thread of its own: compressing and writing take long.
        let writer = tokio::task::spawn_blocking(move || write_frames(files, &path, &schema, receiver));
        let read = async {
            let (mut rows, mut stream) = (0, std::pin::pin!(reader.frames()));
            while let Some(frame) = unless(&self.cancellation, stream.next()).await?.transpose()? {
                let height = frame.height() as u64;
                rows += height;
                if unless(&self.cancellation, frames.send(Some(frame))).await?.is_err() {
                    // The writing failed, and reports why.
                    return Ok(());
                }
                let total = reader.count();
                observer.notify(Progress { phase: Phase::Reading, rows: height, bytes: 0, total, restarts: 0 });
            }
            reader.reconcile(rows)?;
            // Only a file with all rows gets its end.
            let _ = frames.send(None).await;
            Ok::<_, Error>(())
        };
        let read = read.await;
        drop(frames);
        let written = writer
            .await
            .map_err(|source| Error::new(ErrorKind::Io, "writing the file failed").with_source(source))??;
        read?;
        written.ok_or_else(|| Error::new(ErrorKind::Io, "the file was not finished"))
    }
}

/// Writes frames up to the `None` after the last; `None` when the sender gave up before.
fn write_frames(
    files: FileOptions,
    path: &Path,
    schema: &Schema,
    mut frames: mpsc::Receiver<Option<DataFrame>>,
) -> Result<Option<(u64, u64)>, Error> {
    let mut writer: Box<dyn FileWriter> = write::create_scratch(files, path, schema)?;
    loop {
        match frames.blocking_recv() {
            Some(Some(frame)) => writer.push(&frame)?,
            Some(None) => {
                let file = writer.finish()?;
                return Ok(Some((file.rows, file.bytes)));
            }
            None => return Ok(None),
        }
    }
}
