//! One budget of bytes for everything that a load holds.

use tokio::sync::{Semaphore, SemaphorePermit};

/// Bytes are counted in pieces of this size, as a semaphore counts to less than 2^32.
const UNIT: usize = 1024;

/// The bytes that may be held at once.
#[derive(Debug)]
pub(crate) struct Budget {
    units: usize,
    free: Semaphore,
}

/// Bytes taken from the budget; they are given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Share<'a> {
    budget: &'a Budget,
    permit: Option<SemaphorePermit<'a>>,
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        let units = bytes.div_ceil(UNIT).clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        Self { units, free: Semaphore::new(units) }
    }

    /// Waits until so many bytes are free and takes them. More than all of them is all of them.
    pub(crate) async fn take(&self, bytes: usize) -> Share<'_> {
        let units = self.units_of(bytes);
        // The semaphore is never closed, so there is always a permit in the end.
        let permit = self.free.acquire_many(u32::try_from(units).unwrap_or(u32::MAX)).await.ok();
        Share { budget: self, permit }
    }

    /// How many such shares there can be at once.
    pub(crate) fn shares_of(&self, bytes: usize) -> usize {
        self.units / self.units_of(bytes)
    }

    fn units_of(&self, bytes: usize) -> usize {
        bytes.div_ceil(UNIT).clamp(1, self.units)
    }
}

impl Share<'_> {
    /// Makes it a share of so many bytes: waits for what it lacks, gives back what is too much.
    pub(crate) async fn resize(&mut self, bytes: usize) {
        self.shrink(bytes);
        let lacks = self.budget.units_of(bytes).saturating_sub(self.units());
        if lacks == 0 {
            return;
        }
        let more = self.budget.free.acquire_many(u32::try_from(lacks).unwrap_or(u32::MAX)).await.ok();
        match (&mut self.permit, more) {
            (Some(permit), Some(more)) => permit.merge(more),
            (permit, more) => *permit = more,
        }
    }

    /// Gives back what is more than so many bytes.
    pub(crate) fn shrink(&mut self, bytes: usize) {
        let too_much = self.units().saturating_sub(self.budget.units_of(bytes));
        if let Some(permit) = &mut self.permit {
            drop(permit.split(too_much));
        }
    }

    fn units(&self) -> usize {
        self.permit.as_ref().map_or(0, SemaphorePermit::num_permits)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn bytes_are_taken_until_there_are_none() {
        let budget = Budget::new(10 * UNIT);
        let mut first = budget.take(6 * UNIT).now_or_never().unwrap();
        assert!(budget.take(5 * UNIT).now_or_never().is_none());
        let second = budget.take(4 * UNIT).now_or_never().unwrap();
        assert!(budget.take(1).now_or_never().is_none());
        first.shrink(2 * UNIT);
        assert!(first.resize(7 * UNIT).now_or_never().is_none());
        drop(second);
        first.resize(7 * UNIT).now_or_never().unwrap();
        assert_eq!((first.units(), budget.free.available_permits()), (7, 3));
        drop(first);
        assert_eq!(budget.free.available_permits(), 10);
    }

    #[test]
    fn what_is_larger_than_the_budget_goes_alone() {
        let budget = Budget::new(2 * UNIT);
        let all = budget.take(100 * UNIT).now_or_never().unwrap();
        assert!(budget.take(1).now_or_never().is_none());
        drop(all);
        let mut one = budget.take(1).now_or_never().unwrap();
        one.resize(100 * UNIT).now_or_never().unwrap();
        assert_eq!(one.units(), 2);
    }
}
