//! The circuit breaker: after requests that failed one after another, none is sent for a while, and then
//! one is tried. Pure: the clock is a parameter.

use std::time::{Duration, Instant};

/// The state of a breaker.
#[derive(Clone, Copy, Debug)]
pub(super) struct Breaker {
    limit: u32,
    pause: Duration,
    /// Failures since the last answer.
    failures: u32,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Requests are sent.
    Closed,
    /// None is sent before this time.
    Open(Instant),
    /// One is under way, and decides.
    Trial,
}

impl Breaker {
    pub(super) fn new(limit: u32, pause: Duration) -> Self {
        Self { limit, pause, failures: 0, state: State::Closed }
    }

    /// Allows a request, or says how long none is sent yet.
    pub(super) fn ask(&mut self, now: Instant) -> Result<(), Duration> {
        match self.state {
            State::Closed => Ok(()),
            State::Open(until) if now >= until => {
                self.state = State::Trial;
                Ok(())
            }
            State::Open(until) => Err(until - now),
            State::Trial => Err(Duration::ZERO),
        }
    }

    /// Notes an answer, of whatever content.
    pub(super) fn answered(&mut self) {
        self.failures = 0;
        self.state = State::Closed;
    }

    /// Notes a request without an answer. Returns true when that begins a pause.
    pub(super) fn failed(&mut self, now: Instant) -> bool {
        self.failures = self.failures.saturating_add(1);
        let opens = self.failures >= self.limit;
        if opens {
            self.state = State::Open(now + self.pause);
        }
        opens
    }

    /// Notes a request that was given up before it ended. Another one may be tried at once.
    pub(super) fn abandoned(&mut self, now: Instant) {
        if self.state == State::Trial {
            self.state = State::Open(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_failures_in_a_row_and_closes_after_a_trial() {
        let second = Duration::from_secs(1);
        let start = Instant::now();
        let mut breaker = Breaker::new(2, 10 * second);
        assert!(!breaker.failed(start));
        breaker.answered();
        assert!(!breaker.failed(start));
        assert_eq!(breaker.ask(start), Ok(()), "an answer between two failures");
        assert!(breaker.failed(start));
        assert_eq!(breaker.ask(start + 4 * second), Err(6 * second));
        // One trial at a time.
        assert_eq!(breaker.ask(start + 10 * second), Ok(()));
        assert_eq!(breaker.ask(start + 10 * second), Err(Duration::ZERO));
        assert!(breaker.failed(start + 11 * second));
        assert_eq!(breaker.ask(start + 12 * second), Err(9 * second));
        // A trial that was given up leaves the place to another one.
        assert_eq!(breaker.ask(start + 21 * second), Ok(()));
        breaker.abandoned(start + 21 * second);
        assert_eq!(breaker.ask(start + 21 * second), Ok(()));
        breaker.answered();
        assert_eq!(breaker.ask(start + 21 * second), Ok(()));
        assert_eq!(breaker.ask(start + 21 * second), Ok(()));
    }
}
