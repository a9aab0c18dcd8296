//! Reads the input as fast as its batches can be held, and no faster.

use std::pin::Pin;
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::{BatchPermit, BytesPermit, Flow};
use crate::batch::Batch;
use crate::error::{BoxError, Error};

/// The expected size of a batch shrinks by one part in this many with each smaller batch: a
/// single huge document must not hold back all that come after it.
const FORGOTTEN: usize = 32;

/// The longest time that memory is reserved for a batch that does not come. Other loads may
/// share the budget, and need not wait for an input that is slow.
const LONGEST_RESERVATION: Duration = Duration::from_secs(1);

/// The reading of the next batch. It keeps what it has waited for when the wait is broken off.
#[derive(Default)]
pub(crate) struct BatchReader {
    ahead: Option<OwnedSemaphorePermit>,
    bytes: Option<BytesPermit>,
    batch: Option<Batch>,
    /// The expected size of the next batch, at most.
    expected: usize,
    /// The time since which memory is reserved, or the input was found to be slow.
    reserved: Option<Instant>,
}

impl BatchReader {
    /// Returns the next batch once there is room for it.
    pub(crate) async fn next<E: Into<BoxError>>(
        &mut self,
        flow: &Flow,
        batches: Pin<&mut (impl Stream<Item = Result<Batch, E>> + ?Sized)>,
    ) -> Option<Result<(Batch, BatchPermit), Error>> {
        if self.ahead.is_none() {
            // The semaphore is never closed.
            self.ahead = flow.ahead.clone().acquire_owned().await.ok();
        }
        if self.batch.is_none() {
            match self.read(flow, batches).await? {
                Ok(batch) => {
                    self.expected = batch.memory().max(self.expected - self.expected / FORGOTTEN);
                    if flow.owns_limiter {
                        flow.limiter.set_room(flow.budget.permits_of(self.expected));
                    }
                    (self.batch, self.reserved) = (Some(batch), None);
                }
                Err(error) => return Some(Err(Error::from_input(error))),
            }
        }
        let memory = self.batch.as_ref().map_or(0, Batch::memory);
        let is_enough = self.bytes.as_mut().is_some_and(|bytes| bytes.try_grow(memory));
        if !is_enough {
            // Two loads that both hold a part and wait for more would wait for each other, so
            // the part is given back first.
            self.bytes = None;
            self.bytes = Some(flow.budget.acquire(memory).await);
        }
        let (batch, mut bytes) = (self.batch.take()?, self.bytes.take()?);
        bytes.shrink(memory);
        Some(Ok((batch, BatchPermit { bytes, ahead: self.ahead.take() })))
    }

    /// Reads a batch, with memory reserved for it unless the input is slow.
    async fn read<E>(
        &mut self,
        flow: &Flow,
        mut batches: Pin<&mut (impl Stream<Item = Result<Batch, E>> + ?Sized)>,
    ) -> Option<Result<Batch, E>> {
        if self.bytes.is_none() && self.reserved.is_none() {
            self.bytes = Some(flow.budget.acquire(self.expected).await);
        }
        let reserved = *self.reserved.get_or_insert_with(Instant::now);
        if self.bytes.is_some() {
            match tokio::time::timeout_at(reserved + LONGEST_RESERVATION, batches.next()).await {
                Ok(read) => return read,
                Err(_) => self.bytes = None,
            }
        }
        batches.next().await
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures::FutureExt as _;
    use futures::stream;

    use super::*;
    use crate::batch::{Action, BatchBuilder, BatchLimits};
    use crate::flow::tests::flow;
    use crate::options::Concurrency;

    /// A clock for the time limits of reading; what is polled by hand runs outside of it.
    fn clock() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
    }

    fn batch(bytes: usize) -> Batch {
        let mut builder = BatchBuilder::new(BatchLimits::default());
        builder.push_document(&Action::default(), &"x".repeat(bytes)).unwrap();
        builder.finish().unwrap()
    }

    #[test]
    fn nothing_is_read_while_there_is_no_room() {
        let clock = clock();
        let _guard = clock.enter();
        let flow = flow(Concurrency::default(), 10 << 10);
        let read = Cell::new(0);
        let sizes = [4 << 10, 4 << 10, 1 << 10, 60 << 10, 10];
        let input = stream::iter(sizes).map(|size| {
            read.set(read.get() + 1);
            Ok::<_, Error>(batch(size))
        });
        let mut input = std::pin::pin!(input);
        let mut reader = BatchReader::default();
        let mut next = |ahead: bool| {
            let found = reader.next(&flow, input.as_mut()).now_or_never()?;
            let (_, mut permit) = found.unwrap().unwrap();
            if !ahead {
                permit.ahead = None;
            }
            Some(permit)
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
        let small = flow.budget.acquire(1).now_or_never().unwrap();
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
        let clock = clock();
        let _guard = clock.enter();
        let flow = flow(Concurrency::Adaptive { max: 2 }, 1 << 20);
        let sizes = [10, 1 << 20].into_iter().chain(std::iter::repeat_n(10, 30));
        let mut input = std::pin::pin!(stream::iter(sizes).map(|size| Ok::<_, Error>(batch(size))));
        let mut reader = BatchReader::default();
        let mut limits = Vec::new();
        while let Some(Some(found)) = reader.next(&flow, input.as_mut()).now_or_never() {
            drop(found.unwrap());
            limits.push(flow.limiter.limit());
        }
        assert_eq!((limits.len(), limits[0], limits[1], limits[31]), (32, 2, 1, 2));
    }

    #[test]
    fn few_are_read_before_they_can_be_sent() {
        let clock = clock();
        let _guard = clock.enter();
        let flow = flow(Concurrency::default(), 1 << 20);
        let mut input = std::pin::pin!(stream::repeat_with(|| Ok::<_, Error>(batch(10))));
        let mut reader = BatchReader::default();
        let mut held: Vec<BatchPermit> = Vec::new();
        while let Some(found) = reader.next(&flow, input.as_mut()).now_or_never() {
            held.push(found.unwrap().unwrap().1);
        }
        assert_eq!(held.len(), super::super::READ_AHEAD);
        held[0].ahead = None;
        assert!(reader.next(&flow, input.as_mut()).now_or_never().is_some());
    }

    #[test]
    fn two_inputs_of_one_budget_do_not_wait_for_each_other() {
        let clock = clock();
        let _guard = clock.enter();
        let first = flow(Concurrency::default(), 16 << 10);
        let second = Flow::new(first.limiter.clone(), false, first.budget.clone());
        let flows = [&first, &second];
        let (senders, mut inputs): (Vec<_>, Vec<_>) = (0..2).map(|_| futures::channel::mpsc::unbounded()).unzip();
        let mut readers = [0, 1].map(|_| BatchReader::default());
        let send = |load: usize, size| senders[load].unbounded_send(Ok::<_, Error>(batch(size))).unwrap();
        let mut next = |load: usize| readers[load].next(flows[load], Pin::new(&mut inputs[load])).now_or_never();
        // Both expect 7 KiB again, reserve it, and then read 12 KiB.
        for load in [0, 1] {
            send(load, 7 << 10);
            drop(next(load).unwrap());
        }
        for load in [0, 1] {
            assert!(next(load).is_none());
        }
        for load in [0, 1] {
            send(load, 12 << 10);
            assert!(next(load).is_none());
        }
        let held = next(0).unwrap();
        assert!(next(1).is_none());
        drop(held);
        drop(next(1).unwrap());
        assert_eq!(first.budget.free_bytes(), 16 << 10);
    }

    #[tokio::test]
    async fn a_slow_input_does_not_keep_the_memory_of_others() {
        let flow = flow(Concurrency::default(), 16 << 10);
        let (sender, receiver) = futures::channel::mpsc::unbounded();
        let mut receiver = std::pin::pin!(receiver);
        let mut reader = BatchReader::default();
        sender.unbounded_send(Ok::<_, Error>(batch(12 << 10))).unwrap();
        drop(reader.next(&flow, receiver.as_mut()).await);
        let waiting = tokio::time::timeout(LONGEST_RESERVATION / 2, reader.next(&flow, receiver.as_mut()));
        assert!(waiting.await.is_err());
        assert!(flow.budget.free_bytes() < 4 << 10);
        let waiting = tokio::time::timeout(LONGEST_RESERVATION, reader.next(&flow, receiver.as_mut()));
        assert!(waiting.await.is_err());
        assert_eq!(flow.budget.free_bytes(), 16 << 10);
        sender.unbounded_send(Ok(batch(12 << 10))).unwrap();
        let found = reader.next(&flow, receiver.as_mut()).await.unwrap().unwrap();
        assert!(flow.budget.free_bytes() < 4 << 10);
        drop(found);
    }
}
