//! A budget of bytes for everything that one or several loads hold.

use std::sync::Arc;

use es_values::ByteSize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::options::to_usize;

/// Bytes are counted in units of this size, as a semaphore counts to less than 2^32.
const UNIT: usize = 1024;

/// A budget of bytes. Clones share it: given to several loads, it bounds the memory of all of
/// them together.
///
/// ```
/// use es_bulk::MemoryBudget;
/// use es_values::ByteSize;
///
/// let budget = MemoryBudget::new(ByteSize::mebibytes(40));
/// assert_eq!(budget.free_bytes(), 40 << 20);
/// ```
#[derive(Clone, Debug)]
pub struct MemoryBudget {
    units: usize,
    free: Arc<Semaphore>,
}

/// Bytes taken from a budget; dropping it gives them back.
#[derive(Debug)]
pub struct BytesPermit {
    budget: MemoryBudget,
    permit: Option<OwnedSemaphorePermit>,
}

impl MemoryBudget {
    /// A budget of this many bytes, rounded up to the next KiB.
    pub fn new(bytes: ByteSize) -> Self {
        Self::of_bytes(to_usize(bytes))
    }

    pub(crate) fn of_bytes(bytes: usize) -> Self {
        let units = bytes.div_ceil(UNIT).clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        Self { units, free: Arc::new(Semaphore::new(units)) }
    }

    /// The bytes that nobody holds now.
    pub fn free_bytes(&self) -> u64 {
        (self.free.available_permits() * UNIT) as u64
    }

    /// Waits until this many bytes are free and takes them. A request for more than the whole
    /// budget gets the whole budget.
    pub async fn acquire(&self, bytes: usize) -> BytesPermit {
        let units = self.units_of(bytes);
        let free = self.free.clone();
        // The semaphore is never closed, so a permit always comes in the end.
        let permit = free.acquire_many_owned(u32::try_from(units).unwrap_or(u32::MAX)).await.ok();
        BytesPermit { budget: self.clone(), permit }
    }

    /// The number of such permits that fit at once.
    pub(crate) fn permits_of(&self, bytes: usize) -> usize {
        self.units / self.units_of(bytes)
    }

    fn units_of(&self, bytes: usize) -> usize {
        bytes.div_ceil(UNIT).clamp(1, self.units)
    }
}

impl BytesPermit {
    /// Adds what is missing to this many bytes if it is free now.
    pub(crate) fn try_grow(&mut self, bytes: usize) -> bool {
        let missing = self.budget.units_of(bytes).saturating_sub(self.units());
        if missing == 0 {
            return true;
        }
        let free = self.budget.free.clone();
        match (&mut self.permit, free.try_acquire_many_owned(u32::try_from(missing).unwrap_or(u32::MAX))) {
            (Some(permit), Ok(more)) => permit.merge(more),
            (permit @ None, Ok(more)) => *permit = Some(more),
            (_, Err(_)) => return false,
        }
        true
    }

    /// Gives back what exceeds this many bytes.
    pub fn shrink(&mut self, bytes: usize) {
        let excess = self.units().saturating_sub(self.budget.units_of(bytes));
        if let Some(permit) = &mut self.permit {
            drop(permit.split(excess));
        }
    }

    fn units(&self) -> usize {
        self.permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn bytes_are_taken_until_none_are_left() {
        let budget = MemoryBudget::of_bytes(10 * UNIT);
        let mut first = budget.acquire(6 * UNIT).now_or_never().unwrap();
        assert!(budget.acquire(5 * UNIT).now_or_never().is_none());
        let second = budget.clone().acquire(4 * UNIT).now_or_never().unwrap();
        assert!(budget.acquire(1).now_or_never().is_none());
        first.shrink(2 * UNIT);
        assert!(!first.try_grow(7 * UNIT));
        drop(second);
        assert!(first.try_grow(7 * UNIT));
        assert_eq!((first.units(), budget.free_bytes()), (7, 3 << 10));
        drop(first);
        assert_eq!(budget.free_bytes(), 10 << 10);
    }

    #[test]
    fn a_request_larger_than_the_budget_is_served_alone() {
        let budget = MemoryBudget::of_bytes(2 * UNIT);
        let all = budget.acquire(100 * UNIT).now_or_never().unwrap();
        assert!(budget.acquire(1).now_or_never().is_none());
        drop(all);
        let mut one = budget.acquire(1).now_or_never().unwrap();
        assert!(one.try_grow(100 * UNIT));
        assert_eq!(one.units(), 2);
    }
}
