//! Reads the input as fast as its batches can be held, and no faster.

use std::pin::Pin;

use futures::{Stream, StreamExt as _};
use tokio::sync::SemaphorePermit;

use super::{Flow, Hold, Share};
use crate::batch::Batch;
use crate::error::Error;

/// Of the largest batch one part in so many is forgotten with each smaller one: a single huge
/// document is not to hold back all that come after it.
const FORGOTTEN: usize = 32;

/// The reading of the next batch. What was waited for is kept when the waiting is broken off.
#[derive(Default)]
pub(crate) struct Reading<'a> {
    ahead: Option<SemaphorePermit<'a>>,
    share: Option<Share<'a>>,
    batch: Option<Batch>,
    /// What the next batch is expected to take at most.
    expected: usize,
}

impl<'a> Reading<'a> {
    /// The next batch, once there is room for it.
    pub(crate) async fn next(
        &mut self,
        flow: &'a Flow,
        mut batches: Pin<&mut (impl Stream<Item = Result<Batch, Error>> + ?Sized)>,
    ) -> Option<Result<(Batch, Hold<'a>), Error>> {
        if self.ahead.is_none() {
            // The semaphore is never closed.
            self.ahead = flow.ahead.acquire().await.ok();
        }
        if self.share.is_none() {
            self.share = Some(flow.budget.take(self.expected).await);
        }
        if self.batch.is_none() {
            match batches.next().await {
                Some(Ok(batch)) => {
                    self.expected = batch.memory().max(self.expected - self.expected / FORGOTTEN);
                    flow.gate.has_room_for(flow.budget.shares_of(self.expected));
                    self.batch = Some(batch);
                }
                Some(Err(error)) => return Some(Err(error)),
                None => return None,
            }
        }
        let memory = self.batch.as_ref().map_or(0, Batch::memory);
        // Only here a share grows, and one at a time: no two batches wait for each other.
        if let Some(share) = &mut self.share {
            share.resize(memory).await;
        }
        let (batch, share) = (self.batch.take()?, self.share.take()?);
        Some(Ok((batch, Hold { share, ahead: self.ahead.take() })))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures::FutureExt as _;
    use futures::stream;

    use super::*;
    use crate::batch::{Action, BatchBuilder, BatchLimits};
    use crate::load::Concurrency;

    fn batch(bytes: usize) -> Batch {
        let mut builder = BatchBuilder::new(BatchLimits::default());
        builder.push_document(&Action::default(), &"x".repeat(bytes)).unwrap();
        builder.finish().unwrap()
    }

    #[test]
    fn nothing_is_read_while_there_is_no_room() {
        let flow = Flow::new(Concurrency::default(), 10 << 10);
        let read = Cell::new(0);
        let sizes = [4 << 10, 4 << 10, 1 << 10, 60 << 10, 10];
        let input = stream::iter(sizes).map(|size| {
            read.set(read.get() + 1);
            Ok(batch(size))
        });
        let mut input = std::pin::pin!(input);
        let mut reading = Reading::default();
        let mut next = |ahead: bool| {
            let found = reading.next(&flow, input.as_mut()).now_or_never()?;
            let (_, mut hold) = found.unwrap().unwrap();
            if !ahead {
                hold.ahead = None;
            }
            Some(hold)
        };
        let first = next(false).unwrap();
        let second = next(false).unwrap();
        // 10 KiB are held by now, and nobody knows how large the third one is.
        assert!(next(false).is_none());
        assert_eq!(read.get(), 2);
        drop(first);
        let third = next(true).unwrap();
        drop((second, third));
        // What is larger than the budget waits until it has all of it.
        let small = flow.budget.take(1).now_or_never().unwrap();
        assert!(next(false).is_none());
        assert_eq!(read.get(), 4);
        drop(small);
        let alone = next(false).unwrap();
        assert!(next(false).is_none());
        assert_eq!(read.get(), 4);
        drop(alone);
        assert!(next(false).is_some());
    }

    #[test]
    fn batches_that_fill_the_budget_bound_the_requests_and_are_forgotten() {
        let flow = Flow::new(Concurrency::Adaptive { max: 2 }, 1 << 20);
        let sizes = [10, 1 << 20].into_iter().chain(std::iter::repeat_n(10, 30));
        let mut input = std::pin::pin!(stream::iter(sizes).map(|size| Ok(batch(size))));
        let mut reading = Reading::default();
        let mut limits = Vec::new();
        while let Some(Some(found)) = reading.next(&flow, input.as_mut()).now_or_never() {
            drop(found.unwrap());
            limits.push(flow.gate.reached().1);
        }
        assert_eq!((limits.len(), limits[0], limits[1], limits[31]), (32, 2, 1, 2));
    }

    #[test]
    fn few_are_read_before_they_can_be_sent() {
        let flow = Flow::new(Concurrency::default(), 1 << 20);
        let mut input = std::pin::pin!(stream::repeat_with(|| Ok(batch(10))));
        let mut reading = Reading::default();
        let mut held: Vec<Hold<'_>> = Vec::new();
        while let Some(found) = reading.next(&flow, input.as_mut()).now_or_never() {
            held.push(found.unwrap().unwrap().1);
        }
        assert_eq!(held.len(), super::super::READ_AHEAD);
        held[0].ahead = None;
        assert!(reading.next(&flow, input.as_mut()).now_or_never().is_some());
    }
}
