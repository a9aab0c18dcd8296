//! What keeps a load in bounds: how many requests are under way, and how many bytes are held.
//!
//! A [`Gate`] lets as many requests through as the [`controller`] says; a [`Budget`] counts the
//! bytes of all batches, whether they are read ahead, under way or waiting to be sent again;
//! [`Reading`] reads the input no faster than both allow.

mod budget;
mod controller;
mod gate;
mod reading;

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;

use crate::load::Concurrency;
pub(crate) use budget::{Budget, Share};
pub(crate) use gate::Gate;
pub(crate) use reading::Reading;

/// Batches that are read before there is a request for them, so that none has to be waited for.
const READ_AHEAD: usize = 2;

/// The bounds of one load.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) gate: Gate,
    budget: Budget,
    ahead: Semaphore,
    stop: CancellationToken,
    stopped: OnceLock<Instant>,
}

/// What a batch holds while it is not settled.
#[derive(Debug)]
pub(crate) struct Hold<'a> {
    /// Its bytes.
    pub(crate) share: Share<'a>,
    /// Its place among those that are read ahead, until it is sent the first time.
    pub(crate) ahead: Option<SemaphorePermit<'a>>,
}

impl Flow {
    pub(crate) fn new(concurrency: Concurrency, bytes: usize) -> Self {
        Self {
            gate: Gate::new(concurrency),
            budget: Budget::new(bytes),
            ahead: Semaphore::new(READ_AHEAD),
            stop: CancellationToken::new(),
            stopped: OnceLock::new(),
        }
    }

    /// Says that the load is to end as soon as what is under way is settled.
    pub(crate) fn stop(&self) {
        self.stopped.get_or_init(Instant::now);
        self.stop.cancel();
    }

    /// Waits before something is sent again. False if there is no time for that any more: the
    /// load was stopped, and goes on for `grace` at most.
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

    #[tokio::test]
    async fn a_pause_ends_soon_after_the_load_was_stopped() {
        let flow = Flow::new(Concurrency::default(), 1);
        let (short, long) = (Duration::from_millis(200), Duration::from_secs(3600));
        assert!(flow.pause(Duration::ZERO, short).await);
        flow.stop();
        assert!(flow.pause(Duration::ZERO, long).await);
        assert!(!flow.pause(long, short).await);
    }
}
