//! Lets as many requests through at once as the controller allows.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tracing::debug;

use super::controller::{Controller, Observation};
use crate::options::{BulkOptions, Concurrency};

/// A limit on the requests in flight, which adapts to what the server takes. Clones share it:
/// given to several loads, it bounds the requests of all of them together.
#[derive(Clone, Debug)]
pub struct ConcurrencyLimiter(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    started: Instant,
    open: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    controller: Controller,
    in_flight: usize,
    /// Permits that are out, and those that are free.
    issued: usize,
    /// The most requests that were in flight at once.
    highest: usize,
}

/// The permission to send one request; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Permit {
    limiter: ConcurrencyLimiter,
    sent: Instant,
}

impl ConcurrencyLimiter {
    /// A limiter with the concurrency of these options.
    pub fn new(options: &BulkOptions) -> Self {
        Self::with_concurrency(options.concurrency())
    }

    pub(crate) fn with_concurrency(concurrency: Concurrency) -> Self {
        let controller = Controller::new(concurrency);
        let issued = controller.limit();
        let state = State { controller, in_flight: 0, issued, highest: 0 };
        Self(Arc::new(Inner { started: Instant::now(), open: Semaphore::new(issued), state: Mutex::new(state) }))
    }

    /// The most requests that were in flight at once.
    pub fn highest(&self) -> usize {
        self.lock().highest
    }

    /// The number of requests that may be in flight now.
    pub fn limit(&self) -> usize {
        self.lock().controller.limit()
    }

    /// Waits for a permit.
    pub(crate) async fn acquire(&self) -> Permit {
        // The semaphore is never closed.
        if let Ok(permit) = self.0.open.acquire().await {
            permit.forget();
        }
        let mut state = self.lock();
        state.in_flight += 1;
        state.highest = state.highest.max(state.in_flight);
        Permit { limiter: self.clone(), sent: Instant::now() }
    }

    /// Sets the number of requests for which there is memory.
    pub(crate) fn set_room(&self, requests: usize) {
        self.adapt(|state| state.controller.set_room(requests));
    }

    /// Runs what may change the limit, and logs a change.
    fn adapt(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        let before = state.controller.limit();
        change(&mut state);
        let limit = state.controller.limit();
        // Logging must not hold up the other requests.
        drop(state);
        if limit != before {
            debug!(limit, before, "the limit of requests in flight has changed");
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// Reports what came back: the bytes that were acknowledged, and the share of the documents
    /// that the server had no room for.
    pub(crate) fn answered(self, bytes: u64, refused: f64) {
        let now = self.limiter.0.started.elapsed();
        let round_trip: Duration = self.sent.elapsed();
        self.limiter.adapt(|state| {
            let saturated = state.in_flight >= state.controller.limit();
            state.controller.observe(Observation { now, round_trip, bytes, refused, saturated });
        });
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.limiter.lock();
        state.in_flight -= 1;
        state.issued -= 1;
        let (limit, open) = (state.controller.limit(), &self.limiter.0.open);
        if state.issued > limit {
            state.issued -= open.forget_permits(state.issued - limit);
        }
        if state.issued < limit {
            open.add_permits(limit - state.issued);
            state.issued = limit;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn no_more_requests_pass_than_the_limit_and_each_gives_its_permit_back() {
        let limiter = ConcurrencyLimiter::with_concurrency(Concurrency::Fixed(2));
        let first = limiter.acquire().now_or_never().unwrap();
        let _second = limiter.clone().acquire().now_or_never().unwrap();
        assert!(limiter.acquire().now_or_never().is_none());
        first.answered(1, 0.0);
        let _third = limiter.acquire().now_or_never().unwrap();
        assert!(limiter.acquire().now_or_never().is_none());
        assert_eq!((limiter.highest(), limiter.limit()), (2, 2));
    }

    #[test]
    fn refusals_remove_permits() {
        let limiter = ConcurrencyLimiter::with_concurrency(Concurrency::default());
        let all: Vec<_> = (0..2).map(|_| limiter.acquire().now_or_never().unwrap()).collect();
        assert!(limiter.acquire().now_or_never().is_none());
        for permit in all {
            permit.answered(0, 1.0);
        }
        assert_eq!((limiter.highest(), limiter.limit()), (2, 1));
        let held = limiter.acquire().now_or_never().unwrap();
        assert!(limiter.acquire().now_or_never().is_none());
        drop(held);
        assert_eq!(limiter.0.open.available_permits(), 1);
    }
}
