//! Batches of a stream that may be slow: full ones, and old ones.

use std::pin::Pin;

use futures::{Stream, StreamExt as _, stream};

use super::{Batch, BatchBuilder, BatchLimits};
use crate::error::Error;

/// Batches of a stream of anything. `push` puts an item into the builder, as a document of any
/// type, as JSON, or as the rows of a frame. A batch ends when it is full, when its first
/// document is [`BatchLimits::age`] old, and with the stream; an error comes after the batch of
/// what was read before it.
///
/// ```
/// use es_bulk::{Action, BatchLimits, Operation, batched};
/// use futures::{StreamExt as _, stream};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let flights = stream::iter([Ok(("UA1545", 517)), Ok(("B6725", 544))]);
/// let batches = batched(flights, BatchLimits::default(), |builder, (id, departs)| {
///     let source = serde_json::json!({"departs": departs});
///     builder.push_document(&Action::new(Operation::Index, id), &source)
/// });
/// let all: Vec<_> = batches.collect().await;
/// assert_eq!(all[0].as_ref().unwrap().len(), 2);
/// # });
/// ```
pub fn batched<T>(
    items: impl Stream<Item = Result<T, Error>>,
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
    /// An error that is told after the batch before it.
    failed: Option<Error>,
    has_ended: bool,
}

impl<T, S, F> State<S, F>
where
    S: Stream<Item = Result<T, Error>>,
    F: FnMut(&mut BatchBuilder, T) -> Result<Option<Batch>, Error>,
{
    async fn next(&mut self) -> Option<Result<Batch, Error>> {
        loop {
            if let Some(error) = self.failed.take() {
                return Some(Err(error));
            }
            if self.has_ended {
                return None;
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
                Some(Err(error)) => Err(error),
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
