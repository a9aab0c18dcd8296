//! Lets requests through, as many at once as the controller says.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tracing::debug;

use super::controller::{Controller, Observation};
use crate::load::Concurrency;

/// A gate before the server.
#[derive(Debug)]
pub(crate) struct Gate {
    began: Instant,
    open: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    controller: Controller,
    under_way: usize,
    /// Permits that are out, and those that are free.
    issued: usize,
    /// The most requests that were under way at once.
    highest: usize,
}

/// A request's way through the gate. It is over when this is dropped.
#[derive(Debug)]
pub(crate) struct Passage<'a> {
    gate: &'a Gate,
    sent: Instant,
}

impl Gate {
    pub(crate) fn new(concurrency: Concurrency) -> Self {
        let controller = Controller::new(concurrency);
        let issued = controller.limit();
        let state = State { controller, under_way: 0, issued, highest: 0 };
        Self { began: Instant::now(), open: Semaphore::new(issued), state: Mutex::new(state) }
    }

    /// Waits for its turn.
    pub(crate) async fn pass(&self) -> Passage<'_> {
        // The semaphore is never closed.
        if let Ok(permit) = self.open.acquire().await {
            permit.forget();
        }
        let mut state = self.lock();
        state.under_way += 1;
        state.highest = state.highest.max(state.under_way);
        Passage { gate: self, sent: Instant::now() }
    }

    /// Says for how many requests there is memory.
    pub(crate) fn has_room_for(&self, requests: usize) {
        self.adapt(|state| state.controller.has_room_for(requests));
    }

    /// The most requests that were under way at once, and how many may be now.
    pub(crate) fn reached(&self) -> (usize, usize) {
        let state = self.lock();
        (state.highest, state.controller.limit())
    }

    /// Does what may change the limit, and tells if it did.
    fn adapt(&self, to: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        let before = state.controller.limit();
        to(&mut state);
        let limit = state.controller.limit();
        // Nobody waits for what is logged.
        drop(state);
        if limit != before {
            debug!(limit, before, "another number of requests may be under way");
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Passage<'_> {
    /// Tells what came back: bytes that were acknowledged, and the share of the documents that
    /// the server had no room for.
    pub(crate) fn answered(self, bytes: u64, refused: f64) {
        let now = self.gate.began.elapsed();
        let round_trip: Duration = self.sent.elapsed();
        self.gate.adapt(|state| {
            let saturated = state.under_way >= state.controller.limit();
            state.controller.observe(Observation { now, round_trip, bytes, refused, saturated });
        });
    }
}

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        let mut state = self.gate.lock();
        state.under_way -= 1;
        state.issued -= 1;
        let limit = state.controller.limit();
        if state.issued > limit {
            state.issued -= self.gate.open.forget_permits(state.issued - limit);
        }
        if state.issued < limit {
            self.gate.open.add_permits(limit - state.issued);
            state.issued = limit;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn no_more_pass_than_the_limit_and_each_one_gives_its_place_back() {
        let gate = Gate::new(Concurrency::Fixed(2));
        let first = gate.pass().now_or_never().unwrap();
        let _second = gate.pass().now_or_never().unwrap();
        assert!(gate.pass().now_or_never().is_none());
        first.answered(1, 0.0);
        let _third = gate.pass().now_or_never().unwrap();
        assert!(gate.pass().now_or_never().is_none());
        assert_eq!(gate.reached(), (2, 2));
    }

    #[test]
    fn refusals_close_places_for_good() {
        let gate = Gate::new(Concurrency::default());
        let all: Vec<_> = (0..2).map(|_| gate.pass().now_or_never().unwrap()).collect();
        assert!(gate.pass().now_or_never().is_none());
        for passage in all {
            passage.answered(0, 1.0);
        }
        assert_eq!(gate.reached(), (2, 1));
        let held = gate.pass().now_or_never().unwrap();
        assert!(gate.pass().now_or_never().is_none());
        drop(held);
        assert_eq!(gate.open.available_permits(), 1);
    }
}
