//! Batches of a stream of documents that may be slow: full ones, and old ones.

use std::pin::Pin;
use std::time::Duration;

use futures::{Stream, StreamExt as _, stream};
use serde::Serialize;
use tokio::time::Instant;

use super::{Action, Batch, BatchBuilder, BatchLimits};
use crate::error::{BoxError, Error};

/// The longest work without giving other tasks of the runtime a turn.
const LONGEST_TURN: Duration = Duration::from_millis(1);

/// The clock is read once in this many items.
const ITEMS_PER_CLOCK: u32 = 16;

/// Turns a stream of documents, of any type that serializes to a JSON object, into batches.
/// `action` returns the operation and the id of a document. A batch ends when it is full, when
/// its first document is [`BatchLimits::age`] old, and with the stream. An error of the stream,
/// of any type, comes after the batch of what was read before it; [`Error::downcast_source`]
/// gives it back.
///
/// ```
/// use es_bulk::{Action, BatchLimits, Operation, batched};
/// use futures::{StreamExt as _, stream};
///
/// #[derive(serde::Serialize)]
/// struct Flight {
///     number: String,
///     departs: u32,
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let flights = [("UA1545", 517), ("B6725", 544)].map(|(number, departs)| Flight { number: number.to_owned(), departs });
/// let flights = stream::iter(flights.map(Ok::<_, std::io::Error>));
/// let batches = batched(flights, BatchLimits::default(), |flight| Action::new(Operation::Index, &flight.number));
/// let all: Vec<_> = batches.collect().await;
/// assert_eq!(all[0].as_ref().unwrap().len(), 2);
/// # });
/// ```
pub fn batched<T: Serialize, E: Into<BoxError>>(
    documents: impl Stream<Item = Result<T, E>>,
    limits: BatchLimits,
    mut action: impl for<'a> FnMut(&'a T) -> Action<'a>,
) -> impl Stream<Item = Result<Batch, Error>> {
    batched_with(documents, limits, move |builder, document| builder.push_document(&action(&document), &document))
}

/// Turns a stream of anything into batches, as [`batched`] does. `push` adds an item to the
/// builder: as a document of any type, as JSON, or as the rows of a frame.
///
/// ```
/// use es_bulk::{Action, BatchLimits, Operation, batched_with};
/// use futures::{StreamExt as _, stream};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let lines = stream::iter([Ok::<_, std::io::Error>(r#"{"departs":517}"#)]);
/// let batches = batched_with(lines, BatchLimits::default(), |builder, line| {
///     builder.push_json(&Action::default(), line.as_bytes())
/// });
/// let all: Vec<_> = batches.collect().await;
/// assert_eq!(all[0].as_ref().unwrap().len(), 1);
/// # });
/// ```
pub fn batched_with<T, E: Into<BoxError>>(
    items: impl Stream<Item = Result<T, E>>,
    limits: BatchLimits,
    push: impl FnMut(&mut BatchBuilder, T) -> Result<Option<Batch>, Error>,
) -> impl Stream<Item = Result<Batch, Error>> {
    let state = State {
        items: Box::pin(items.fuse()),
        builder: BatchBuilder::new(limits),
        push,
        failed: None,
        has_ended: false,
    };
    stream::unfold(state, |mut state| async move { state.next().await.map(|batch| (batch, state)) }).fuse()
}

struct State<S, F> {
    items: Pin<Box<S>>,
    builder: BatchBuilder,
    push: F,
    /// An error that follows the batch before it.
    failed: Option<Error>,
    has_ended: bool,
}

impl<T, E, S, F> State<S, F>
where
    E: Into<BoxError>,
    S: Stream<Item = Result<T, E>>,
    F: FnMut(&mut BatchBuilder, T) -> Result<Option<Batch>, Error>,
{
    async fn next(&mut self) -> Option<Result<Batch, Error>> {
        let (mut turn, mut items) = (Instant::now(), 0_u32);
        loop {
            if let Some(error) = self.failed.take() {
                return Some(Err(error));
            }
            if self.has_ended {
                return None;
            }
            // A stream that is always ready would keep its thread until the batch is full.
            items += 1;
            if items.is_multiple_of(ITEMS_PER_CLOCK) && turn.elapsed() >= LONGEST_TURN {
                tokio::task::yield_now().await;
                turn = Instant::now();
            }
            let item = match self.builder.old_at() {
                None => self.items.next().await,
                Some(old) => match tokio::time::timeout_at(old, self.items.next()).await {
                    Ok(item) => item,
                    Err(_) => match self.builder.finish() {
                        Some(batch) => return Some(Ok(batch)),
                        None => continue,
                    },
                },
            };
            let pushed = match item {
                None => {
                    self.has_ended = true;
                    return self.builder.finish().map(Ok);
                }
                Some(Ok(item)) => (self.push)(&mut self.builder, item),
                Some(Err(error)) => Err(Error::from_input(error)),
            };
            match pushed {
                Ok(Some(batch)) => return Some(Ok(batch)),
                Ok(None) => {}
                Err(error) => {
                    self.failed = Some(error);
                    if let Some(batch) = self.builder.finish() {
                        return Some(Ok(batch));
                    }
                }
            }
        }
    }
}
