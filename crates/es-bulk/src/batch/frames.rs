//! Batches of a stream of frames.

use std::pin::Pin;
use std::sync::Arc;

use es_frame::{DocumentWriter, WriterOptions};
use futures::{Stream, StreamExt as _, stream};
use polars::prelude::DataFrame;

use super::{Batch, BatchBuilder, BatchLimits, RefusedRow};
use crate::error::{BoxError, Error, ErrorKind};
use crate::files::FilePlace;

/// Rows to load: those of a frame, and those that are refused before they become documents, such as rows
/// that a model cannot score.
#[derive(Clone, Debug)]
pub struct FrameInput {
    /// The rows that become documents.
    pub frame: DataFrame,
    /// The rows that do not, in their order. They are counted as read and as rejected, and written to the dead
    /// letter.
    pub refused: Vec<RefusedRow>,
}

impl From<DataFrame> for FrameInput {
    fn from(frame: DataFrame) -> Self {
        Self { frame, refused: Vec::new() }
    }
}

/// Turns a stream of frames into batches. The id of a document is made of the values of the `ids`
/// columns; without any, the server chooses it. Rows are encoded on the runtime's threads for
/// blocking work, one batch at a time, and frames of several chunks are joined first.
///
/// A document comes from a row of `frame N`, both counted from 1: dead letters, summaries and
/// checkpoints name it so. Errors of the stream are of any type, as with
/// [`batched`](crate::batched).
///
/// ```
/// use es_bulk::{BatchLimits, batched_frames};
/// use futures::{StreamExt as _, stream};
/// use polars::prelude::*;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let frame = df!("flight" => ["UA1545", "B6725"], "departs" => [517, 544])?;
/// let frames = stream::iter([Ok::<_, PolarsError>(frame)]);
/// let batches: Vec<_> = batched_frames(frames, &["flight"], BatchLimits::default()).collect().await;
/// assert_eq!(batches[0].as_ref().unwrap().len(), 2);
/// # Ok::<(), PolarsError>(()) }).unwrap();
/// ```
pub fn batched_frames<F: Into<FrameInput> + Send, E: Into<BoxError>>(
    frames: impl Stream<Item = Result<F, E>> + Send,
    ids: &[impl AsRef<str>],
    limits: BatchLimits,
) -> impl Stream<Item = Result<Batch, Error>> + Send {
    let id = ids.iter().map(|name| name.as_ref().to_owned()).collect();
    batched_frames_with(frames, WriterOptions { id, ..WriterOptions::default() }, limits)
}

/// Turns a stream of frames into batches, as [`batched_frames`] does, with all options of the
/// writer.
pub fn batched_frames_with<F: Into<FrameInput> + Send, E: Into<BoxError>>(
    frames: impl Stream<Item = Result<F, E>> + Send,
    options: WriterOptions,
    limits: BatchLimits,
) -> impl Stream<Item = Result<Batch, Error>> + Send {
    let state = State {
        frames: Box::pin(frames.fuse()),
        encoder: Encoder { builder: BatchBuilder::new(limits), frame: None, options: Arc::new(options) },
        number: 0,
        failed: None,
        has_ended: false,
    };
    stream::unfold(state, |mut state| async move { state.next().await.map(|batch| (batch, state)) }).fuse()
}

struct State<S> {
    frames: Pin<Box<S>>,
    encoder: Encoder,
    /// The number of the last frame, from 1.
    number: u64,
    /// An error that follows the batch before it.
    failed: Option<Error>,
    has_ended: bool,
}

/// The part that works outside of the threads of the runtime.
struct Encoder {
    builder: BatchBuilder,
    /// A frame that is being encoded, and the first row that is not yet.
    frame: Option<(DataFrame, usize)>,
    options: Arc<WriterOptions>,
}

impl<F: Into<FrameInput>, E: Into<BoxError>, S: Stream<Item = Result<F, E>>> State<S> {
    async fn next(&mut self) -> Option<Result<Batch, Error>> {
        loop {
            if let Some(error) = self.failed.take() {
                return Some(Err(error));
            }
            if self.encoder.frame.is_some() {
                match self.encode().await {
                    Ok(Some(batch)) => return Some(Ok(batch)),
                    Ok(None) => continue,
                    Err(error) => self.failed = Some(error),
                }
            } else if self.has_ended {
                return None;
            } else {
                let builder = &mut self.encoder.builder;
                let frame = match builder.old_at() {
                    None => self.frames.next().await,
                    Some(old) => match tokio::time::timeout_at(old, self.frames.next()).await {
                        Ok(frame) => frame,
                        Err(_) => match builder.finish() {
                            Some(batch) => return Some(Ok(batch)),
                            None => continue,
                        },
                    },
                };
                match frame {
                    Some(Ok(frame)) => {
                        self.number += 1;
                        builder.source(format!("frame {}", self.number).into(), FilePlace::default());
                        let FrameInput { frame, refused } = frame.into();
                        refused.into_iter().for_each(|row| builder.refuse(row));
                        self.encoder.frame = Some((frame, 0));
                        continue;
                    }
                    Some(Err(error)) => self.failed = Some(Error::from_input(error)),
                    None => self.has_ended = true,
                }
            }
            if let Some(batch) = self.encoder.builder.finish() {
                return Some(Ok(batch));
            }
        }
    }

    /// Encodes rows until a batch is full or the frame ends.
    async fn encode(&mut self) -> Result<Option<Batch>, Error> {
        let empty = BatchBuilder::new(BatchLimits::default());
        let encoder = Encoder {
            builder: std::mem::replace(&mut self.encoder.builder, empty),
            frame: self.encoder.frame.take(),
            options: self.encoder.options.clone(),
        };
        match tokio::task::spawn_blocking(move || encoder.run()).await {
            Ok((encoder, encoded)) => {
                self.encoder = encoder;
                encoded
            }
            Err(error) => {
                self.has_ended = true;
                Err(Error::new(ErrorKind::Row, "a frame could not be encoded").with_source(error))
            }
        }
    }
}

impl Encoder {
    fn run(mut self) -> (Self, Result<Option<Batch>, Error>) {
        let Some((mut frame, row)) = self.frame.take() else { return (self, Ok(None)) };
        if row == 0 {
            frame.rechunk_mut();
        }
        let mut next = row;
        let encoded = DocumentWriter::with_options(&frame, &self.options).map_err(Error::from).and_then(|writer| {
            while next < writer.rows() {
                next += 1;
                if let Some(batch) = self.builder.push_row(&writer, next - 1)? {
                    return Ok(Some(batch));
                }
            }
            Ok(None)
        });
        // A frame of which no row can be written is passed over, and so is a single such row.
        let is_left = next < frame.height() && next > row;
        self.frame = is_left.then_some((frame, next));
        (self, encoded)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use polars::prelude::df;

    use super::*;

    fn limits(documents: usize) -> BatchLimits {
        BatchLimits { documents, ..BatchLimits::default() }
    }

    #[derive(Debug, thiserror::Error)]
    #[error("the database went away")]
    struct Gone;

    #[tokio::test]
    async fn frames_of_many_chunks_become_batches_that_know_their_rows() {
        let mut chunked = df!("k" => ["a", "b"]).unwrap();
        chunked.vstack_mut(&df!("k" => ["c"]).unwrap()).unwrap();
        let frames = [Ok(chunked), Ok(df!("k" => ["d", "e"]).unwrap()), Err(Gone), Ok(df!("k" => ["f"]).unwrap())];
        let found: Vec<_> = batched_frames(stream::iter(frames), &["k"], limits(2)).collect().await;
        let lengths: Vec<_> = found.iter().map(|batch| batch.as_ref().map_or(0, Batch::len)).collect();
        assert_eq!(lengths, [2, 2, 1, 0, 1]);
        let second = found[1].as_ref().unwrap();
        assert_eq!(second.lines(0), b"{\"index\":{\"_id\":\"c\"}}\n{\"k\":\"c\"}\n");
        let origins = [0, 1].map(|document| second.origin(document).unwrap());
        assert_eq!((&*origins[0].file, origins[0].row), ("frame 1", 3));
        assert_eq!((&*origins[1].file, origins[1].row), ("frame 2", 1));
        let checkpoint = second.checkpoint().unwrap();
        assert_eq!((&*checkpoint.file, checkpoint.row), ("frame 2", 1));
        let mut found = found;
        let error = found.remove(3).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input);
        error.downcast_source::<Gone>().unwrap();
    }

    #[tokio::test]
    async fn rows_and_frames_that_cannot_be_written_are_errors_after_what_came_before() {
        let frames = [df!("k" => [Some("a"), None, Some("c")]).unwrap(), df!("x" => [1]).unwrap()];
        let frames = stream::iter(frames.map(Ok::<_, Gone>));
        let found: Vec<_> = batched_frames(frames, &["k"], limits(10)).collect().await;
        let outcomes: Vec<_> = found.iter().map(|found| found.as_ref().map(Batch::len).map_err(Error::kind)).collect();
        assert_eq!(outcomes, [Ok(1), Err(ErrorKind::Row), Ok(1), Err(ErrorKind::Row)]);
        let third = found[2].as_ref().unwrap();
        assert_eq!(third.origin(0).unwrap().row, 3);
    }

    #[tokio::test]
    async fn refused_rows_come_with_the_batches_and_are_no_documents() {
        let refused = |row, text: &str| RefusedRow { row, text: text.to_owned(), reason: "no value".to_owned() };
        let first =
            FrameInput { frame: df!("k" => ["a", "b"]).unwrap(), refused: vec![refused(2, "x"), refused(9, "y")] };
        let last = FrameInput { frame: df!("k" => [""; 0]).unwrap(), refused: vec![refused(1, "z")] };
        let frames = stream::iter([Ok::<_, Gone>(first), Ok(last)]);
        let batches: Vec<_> = batched_frames(frames, &["k"], limits(10)).collect().await;
        let batches: Vec<_> = batches.into_iter().map(Result::unwrap).collect();
        assert_eq!(batches.iter().map(Batch::len).sum::<usize>(), 2);
        let texts: Vec<&str> = batches.iter().flat_map(Batch::refused).map(|row| row.text.as_str()).collect();
        assert_eq!(texts, ["x", "y", "z"]);
    }

    #[tokio::test]
    async fn rows_wait_for_a_slow_stream_no_longer_than_their_age() {
        let (sender, receiver) = futures::channel::mpsc::unbounded();
        let young = BatchLimits { age: Duration::from_millis(30), ..limits(10) };
        let mut batches = std::pin::pin!(batched_frames(receiver, &["k"], young));
        sender.unbounded_send(Ok::<_, Gone>(df!("k" => ["a"]).unwrap())).unwrap();
        assert_eq!(batches.next().await.unwrap().unwrap().len(), 1);
        drop(sender);
        assert!(batches.next().await.is_none());
    }
}
