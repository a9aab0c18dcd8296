//! Rows to a pipe: each is handed over once, as soon as it is read.

use std::io::Write;

use es_core::Client;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use futures::StreamExt as _;
use polars::prelude::{DataFrame, Schema};

use super::forward::unless;
use super::progress::{Phase, Progress};
use crate::error::{Error, ErrorKind};
use crate::read::{IndexReader, Origin, ReadRequest};
use crate::write::{FileOptions, StreamSummary, StreamWriter};

/// What went through a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Streamed {
    /// The rows.
    pub rows: u64,
    /// The bytes.
    pub bytes: u64,
    /// Where the rows came from.
    pub source: Origin,
}

/// Reads into a pipe, or into anything that can be written to. Memory holds two pages of each
/// slice and one frame; when the pipe is full, no pages are asked for.
///
/// A failure in the middle is an error, and leaves the stream without its end: an Arrow reader
/// that insists on the end-of-stream marker sees that rows are missing, and for the others it
/// is the caller's exit code that says so. The marker is written only when all rows were.
///
/// # Errors
/// As [`Export::run`](super::Export::run); [`ErrorKind::Closed`] when the reader of the pipe
/// wants no more.
pub async fn stream(
    client: &Client,
    request: ReadRequest,
    format: impl Into<FileOptions>,
    out: impl Write + Send + 'static,
    cancel: &CancellationToken,
    observer: impl Fn(Progress),
) -> Result<Streamed, Error> {
    let format = format.into();
    if !format.format.is_stream() {
        // Says which formats are, before anything is opened.
        StreamWriter::new(format, &Schema::default(), std::io::sink())?;
    }
    let reader = IndexReader::open(client, request).await?;
    let outcome = forward(&reader, format, out, cancel, &observer).await;
    let source = reader.origin().clone();
    if let Err(error) = reader.close().await {
        tracing::warn!(%error, "a point in time was left to expire");
    }
    let StreamSummary { rows, bytes } = outcome?;
    Ok(Streamed { rows, bytes, source })
}

async fn forward(
    reader: &IndexReader,
    format: FileOptions,
    out: impl Write + Send + 'static,
    cancel: &CancellationToken,
    observer: &impl Fn(Progress),
) -> Result<StreamSummary, Error> {
    let schema = reader.schema();
    format.check(&schema)?;
    let (frames, receiver) = mpsc::channel::<Told>(1);
    let (ended, end) = oneshot::channel();
    let (told, mut written) = mpsc::unbounded_channel::<(u64, u64)>();
    // A thread of the system's, and not of the runtime's: nobody can stop a write to a pipe
    // that is full, and the program must be able to end all the same.
    let thread = std::thread::Builder::new().name("export-stream".to_owned()).spawn(move || {
        // Nobody listens any more when the export was stopped.
        let _ = ended.send(write(format, &schema, out, receiver, &told));
    });
    thread.map_err(|source| Error::new(ErrorKind::Io, "a thread cannot be started").with_source(source))?;
    let mut tell = || {
        while let Ok((rows, bytes)) = written.try_recv() {
            observer(Progress { phase: Phase::Reading, rows, bytes, total: reader.count() });
        }
    };
    let mut rows = 0;
    let read = async {
        let mut stream = std::pin::pin!(reader.frames());
        while let Some(frame) = stream.next().await.transpose()? {
            rows += frame.height() as u64;
            if frames.send(Told::Rows(frame)).await.is_err() {
                // The writing failed, and says why.
                return Ok(());
            }
            tell();
        }
        reader.reconcile(rows)?;
        // The end is told only to a stream that has all rows.
        let _ = frames.send(Told::End).await;
        Ok::<_, Error>(())
    };
    let read = unless(cancel, read).await?;
    drop(frames);
    let written = unless(cancel, end).await?;
    tell();
    let lost = |source| Error::new(ErrorKind::Io, "writing the stream failed").with_source(source);
    let written = written.map_err(lost)??;
    read?;
    written.ok_or_else(|| Error::new(ErrorKind::Io, "the stream was not finished"))
}

enum Told {
    Rows(DataFrame),
    End,
}

fn write(
    format: FileOptions,
    schema: &Schema,
    out: impl Write,
    mut frames: mpsc::Receiver<Told>,
    told: &mpsc::UnboundedSender<(u64, u64)>,
) -> Result<Option<StreamSummary>, Error> {
    let mut writer = StreamWriter::new(format, schema, out)?;
    loop {
        match frames.blocking_recv() {
            Some(Told::Rows(frame)) => {
                writer.push(&frame)?;
                let _ = told.send((frame.height() as u64, writer.written().bytes));
            }
            Some(Told::End) => return writer.finish().map(Some),
            // The end is not written to a stream that is not whole.
            None => return Ok(None),
        }
    }
}
