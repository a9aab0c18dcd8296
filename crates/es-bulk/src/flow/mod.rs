//! The bounds of a load: how many requests are in flight, and how many bytes are held.
//!
//! A [`ConcurrencyLimiter`] lets as many requests through as its [`controller`] allows; a
//! [`MemoryBudget`] counts the bytes of all batches, whether they are read ahead, in flight or
//! waiting to be sent again; [`BatchReader`] reads the input no faster than both allow. The
//! limiter and the budget may belong to several loads.

mod budget;
mod controller;
mod limiter;
mod reader;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

pub use budget::{BytesPermit, MemoryBudget};
pub use limiter::ConcurrencyLimiter;
pub(crate) use reader::BatchReader;

/// Batches that are read before there is a permit for them, so that no request waits for one.
const READ_AHEAD: usize = 2;

/// The bounds of one load.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) limiter: ConcurrencyLimiter,
    budget: MemoryBudget,
    /// The limiter belongs to this load alone, so that its memory bounds it.
    owns_limiter: bool,
    ahead: Arc<Semaphore>,
    stop: CancellationToken,
    stopped: OnceLock<Instant>,
}

/// The permits of a batch that is not settled.
#[derive(Debug)]
pub(crate) struct BatchPermit {
    pub(crate) bytes: BytesPermit,
    /// Its place among those that are read ahead, until it is sent the first time.
    pub(crate) ahead: Option<OwnedSemaphorePermit>,
}

impl Flow {
    pub(crate) fn new(limiter: ConcurrencyLimiter, owns_limiter: bool, budget: MemoryBudget) -> Self {
        Self {
            limiter,
            budget,
            owns_limiter,
            ahead: Arc::new(Semaphore::new(READ_AHEAD)),
            stop: CancellationToken::new(),
            stopped: OnceLock::new(),
        }
    }

    /// Ends the load as soon as what is in flight is settled.
    pub(crate) fn stop(&self) {
        self.stopped.get_or_init(Instant::now);
        self.stop.cancel();
    }

    /// Waits before something is sent again. False if there is no time left: the load was
    /// stopped, and goes on for `grace` at most.
    pub(crate) async fn pause(&self, wait: Duration, grace: Duration) -> bool {
        let over = async {
            self.stop.cancelled().await;
            let passed = self.stopped.get().map_or(Duration::ZERO, Instant::elapsed);
            tokio::time::sleep(grace.saturating_sub(passed)).await;
        };
        tokio::select! {
            biased;
            () = over => false,
            () = tokio::time::sleep(wait) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Concurrency;

    pub(super) fn flow(concurrency: Concurrency, bytes: usize) -> Flow {
        Flow::new(ConcurrencyLimiter::with_concurrency(concurrency), true, MemoryBudget::of_bytes(bytes))
    }

    #[tokio::test]
    async fn a_pause_ends_soon_after_the_load_was_stopped() {
        let flow = flow(Concurrency::default(), 1);
        let (short, long) = (Duration::from_millis(200), Duration::from_secs(3600));
        assert!(flow.pause(Duration::ZERO, short).await);
        flow.stop();
        assert!(flow.pause(Duration::ZERO, long).await);
        assert!(!flow.pause(long, short).await);
    }
}
