//! Rows to a pipe: each is written once, as soon as it is read.

use std::io::Write;

use es_core::Client;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use futures::StreamExt as _;
use polars::prelude::{DataFrame, Schema};

use super::run::close;
use crate::cancel::unless;
use crate::error::{Error, ErrorKind};
use crate::progress::{Observer, Phase, Progress};
use crate::read::{IndexReader, Origin, ReadRequest};
#[cfg(doc)]
use crate::write::Format;
use crate::write::{FileOptions, StreamSummary, StreamWriter};

/// The totals of a stream and the source of its rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Streamed {
    /// The number of rows.
    pub rows: u64,
    /// The number of bytes.
    pub bytes: u64,
    /// The source of the rows.
    pub source: Origin,
}

/// Rows to a pipe, or to anything that can be written to.
///
/// ```no_run
/// use es_export::{Format, ReadRequest, StreamExport};
///
/// # async fn example(client: es_core::Client) -> Result<(), es_export::Error> {
/// let request = ReadRequest::new("flights");
/// let streamed = StreamExport::new(request, Format::Ndjson).run(&client, std::io::stdout()).await?;
/// eprintln!("{} rows", streamed.rows);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct StreamExport {
    request: ReadRequest,
    format: FileOptions,
    observer: Observer,
    cancellation: CancellationToken,
}

impl StreamExport {
    /// A stream of a format that can be written as rows come: see [`Format::is_stream`].
    pub fn new(request: impl Into<ReadRequest>, format: impl Into<FileOptions>) -> Self {
        let (request, format) = (request.into(), format.into());
        Self { request, format, observer: Observer::default(), cancellation: CancellationToken::new() }
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

    /// Reads and writes. Memory holds two pages of each slice and one frame; while the pipe is full,
    /// no pages are requested.
    ///
    /// A failure in the middle is an error, and leaves the stream without its end: an Arrow reader
    /// that requires the end-of-stream marker sees that rows are missing; for the other formats,
    /// only the exit code of the caller can tell. The marker is written only after all rows. As rows
    /// are written at once, a lost point in time is not replaced by a new one.
    ///
    /// # Errors
    /// As [`Export::run`](super::Export::run); [`ErrorKind::Closed`] when the reader of the pipe
    /// closed it.
    pub async fn run(self, client: &Client, out: impl Write + Send + 'static) -> Result<Streamed, Error> {
        if !self.format.format.is_stream() {
            // Its error names the formats that are, before anything is opened.
            StreamWriter::new(self.format, &Schema::default(), std::io::sink())?;
        }
        let reader = IndexReader::open(client, self.request.clone()).await?;
        let outcome = self.forward(&reader, out).await;
        let source = reader.origin().clone();
        close(reader).await;
        let StreamSummary { rows, bytes } = outcome?;
        Ok(Streamed { rows, bytes, source })
    }

    async fn forward(&self, reader: &IndexReader, out: impl Write + Send + 'static) -> Result<StreamSummary, Error> {
        let (schema, format) = (reader.schema(), self.format);
        format.check(&schema)?;
        let (frames, receiver) = mpsc::channel::<Step>(1);
        let (ended, end) = oneshot::channel();
        let (steps, mut written) = mpsc::unbounded_channel::<(u64, u64)>();
        // A thread of the system, and not of the runtime: a write to a pipe that is full cannot be
        // stopped, and the program must be able to end all the same.
        let thread = std::thread::Builder::new().name("export-stream".to_owned()).spawn(move || {
            // The receiver is gone when this was cancelled.
            let _ = ended.send(write(format, &schema, out, receiver, &steps));
        });
        thread.map_err(|source| Error::new(ErrorKind::Io, "a thread cannot be started").with_source(source))?;
        let mut notify = || {
            while let Ok((rows, bytes)) = written.try_recv() {
                let total = reader.count();
                self.observer.notify(Progress { phase: Phase::Reading, rows, bytes, total, restarts: 0 });
            }
        };
        let mut rows = 0;
        let read = async {
            let mut stream = std::pin::pin!(reader.frames());
            while let Some(frame) = stream.next().await.transpose()? {
                rows += frame.height() as u64;
                if frames.send(Step::Rows(frame)).await.is_err() {
                    // The writing failed, and reports why.
                    return Ok(());
                }
                notify();
            }
            reader.reconcile(rows)?;
            // Only a stream with all rows gets its end.
            let _ = frames.send(Step::End).await;
            Ok::<_, Error>(())
        };
        let read = unless(&self.cancellation, read).await?;
        drop(frames);
        let written = unless(&self.cancellation, end).await?;
        notify();
        let lost = |source| Error::new(ErrorKind::Io, "writing the stream failed").with_source(source);
        let written = written.map_err(lost)??;
        read?;
        written.ok_or_else(|| Error::new(ErrorKind::Io, "the stream was not finished"))
    }
}

/// A step of the reading side.
enum Step {
    Rows(DataFrame),
    End,
}

fn write(
    format: FileOptions,
    schema: &Schema,
    out: impl Write,
    mut frames: mpsc::Receiver<Step>,
    steps: &mpsc::UnboundedSender<(u64, u64)>,
) -> Result<Option<StreamSummary>, Error> {
    let mut writer = StreamWriter::new(format, schema, out)?;
    loop {
        match frames.blocking_recv() {
            Some(Step::Rows(frame)) => {
                writer.push(&frame)?;
                let _ = steps.send((frame.height() as u64, writer.written().bytes));
            }
            Some(Step::End) => return writer.finish().map(Some),
            // The end is not written to a stream that is not whole.
            None => return Ok(None),
        }
    }
}
