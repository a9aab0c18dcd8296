//! The decision to retry a failed request, and the wait before it. Pure: the clock and the random
//! number are parameters. The choice of the next node is left to `nodes`.

use std::time::Duration;

use crate::error::ErrorKind;

/// The growth of waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The upper bound of the first wait.
    pub first: Duration,
    /// The upper bound of every wait.
    pub longest: Duration,
}

impl Backoff {
    /// The wait before the given retry, counted from 0: a random share (`0.0..=1.0`) of a bound that
    /// doubles each time. Full jitter keeps clients that failed together from returning together.
    pub fn wait(&self, retry: u32, random: f64) -> Duration {
        let bound = self.first.saturating_mul(2_u32.saturating_pow(retry)).min(self.longest);
        bound.mul_f64(random.clamp(0.0, 1.0))
    }
}

/// The limits of retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The number of retries after the first failure. Default: 3.
    pub max: u32,
    /// The latest start of a retry, counted from the start of the first attempt. Default: 2 minutes.
    pub total: Duration,
    /// The waits. Default: from 200 ms, doubling, up to 20 s.
    pub backoff: Backoff,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max: 3,
            total: Duration::from_secs(120),
            backoff: Backoff { first: Duration::from_millis(200), longest: Duration::from_secs(20) },
        }
    }
}

impl RetryPolicy {
    /// No retries.
    pub const NEVER: Self =
        Self { max: 0, total: Duration::ZERO, backoff: Backoff { first: Duration::ZERO, longest: Duration::ZERO } };
}

/// A failed attempt, in the terms of the decision.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    pub(crate) kind: ErrorKind,
    /// `true` if the request may be applied twice.
    pub(crate) repeatable: bool,
    /// The retries before this failure.
    pub(crate) retries: u32,
    /// Time since the first attempt started.
    pub(crate) elapsed: Duration,
    /// The wait that the server asked for.
    pub(crate) retry_after: Option<Duration>,
    /// `true` if a circuit breaker refused the request, and the caller can request less.
    pub(crate) wants_less: bool,
    /// `true` if there is a node that is not known to be down and that this request was not sent to.
    pub(crate) untried_node: bool,
}

/// The wait before the next attempt, or `None` to give up.
pub(crate) fn next_wait(policy: &RetryPolicy, attempt: Attempt, random: f64) -> Option<Duration> {
    if attempt.retries >= policy.max || attempt.wants_less {
        return None;
    }
    let may_repeat = match attempt.kind {
        // Nothing was sent, or the server refused it before it did anything.
        ErrorKind::Connect | ErrorKind::Overloaded => true,
        // It may have been applied: only what may be applied twice is sent again.
        ErrorKind::Interrupted | ErrorKind::TimedOut | ErrorKind::Unavailable => attempt.repeatable,
        _ => false,
    };
    if !may_repeat {
        return None;
    }
    let wait = match attempt.retry_after {
        Some(asked) => asked.max(policy.backoff.wait(attempt.retries, random)),
        // The failure of one node is no evidence about another. Overload is.
        None if attempt.untried_node && attempt.kind != ErrorKind::Overloaded => Duration::ZERO,
        None => policy.backoff.wait(attempt.retries, random),
    };
    (attempt.elapsed.saturating_add(wait) <= policy.total).then_some(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(kind: ErrorKind, repeatable: bool) -> Attempt {
        Attempt {
            kind,
            repeatable,
            retries: 0,
            elapsed: Duration::ZERO,
            retry_after: None,
            wants_less: false,
            untried_node: false,
        }
    }

    #[test]
    fn a_refusal_is_returned_to_a_caller_that_can_request_less() {
        for wants_less in [false, true] {
            let attempt = Attempt { wants_less, ..attempt(ErrorKind::Overloaded, true) };
            assert_eq!(next_wait(&RetryPolicy::default(), attempt, 0.5).is_none(), wants_less);
        }
    }

    #[test]
    fn only_what_may_be_repeated_is_repeated() {
        use ErrorKind::*;
        let table = [
            (Connect, true, true),
            (Connect, false, true),
            (Overloaded, true, true),
            (Overloaded, false, true),
            (Interrupted, true, true),
            (Interrupted, false, false),
            (TimedOut, true, true),
            (TimedOut, false, false),
            (Unavailable, true, true),
            (Unavailable, false, false),
            (BadRequest, true, false),
            (Unauthorized, true, false),
            (Forbidden, true, false),
            (NotFound, true, false),
            (Conflict, true, false),
            (TooLarge, true, false),
            (Tls, true, false),
            (Server, true, false),
            (Decode, true, false),
            (NotElasticsearch, true, false),
            (AnswerTooLarge, true, false),
            (LicenceMissing, true, false),
            (FeatureMissing, true, false),
            (PartialResult, true, false),
            (UnsupportedVersion, true, false),
            (Config, true, false),
        ];
        for (kind, repeatable, expected) in table {
            let decided = next_wait(&RetryPolicy::default(), attempt(kind, repeatable), 0.5);
            assert_eq!(decided.is_some(), expected, "{kind:?} repeatable={repeatable}");
        }
    }

    #[test]
    fn attempts_and_total_time_are_limits() {
        let policy = RetryPolicy::default();
        let last = Attempt { retries: policy.max, ..attempt(ErrorKind::Connect, true) };
        assert_eq!(next_wait(&policy, last, 0.0), None);
        let late = Attempt { elapsed: policy.total, ..attempt(ErrorKind::Connect, true) };
        assert_eq!(next_wait(&policy, late, 0.5), None);
        assert_eq!(next_wait(&RetryPolicy::NEVER, attempt(ErrorKind::Connect, true), 0.5), None);
    }

    #[test]
    fn the_server_may_ask_for_more_but_not_past_the_total() {
        let policy = RetryPolicy::default();
        let asked = |seconds| Attempt {
            retry_after: Some(Duration::from_secs(seconds)),
            ..attempt(ErrorKind::Overloaded, false)
        };
        assert_eq!(next_wait(&policy, asked(7), 0.5), Some(Duration::from_secs(7)));
        assert_eq!(next_wait(&policy, asked(500), 0.5), None);
    }

    #[test]
    fn another_node_is_tried_at_once() {
        use ErrorKind::*;
        let at_once = Some(Duration::ZERO);
        let backed_off = Some(Duration::from_millis(100));
        let asked = Duration::from_secs(7);
        let table = [
            (Connect, false, None, at_once),
            (Interrupted, true, None, at_once),
            (TimedOut, true, None, at_once),
            (Unavailable, true, None, at_once),
            (Interrupted, false, None, None),
            (Unavailable, true, Some(asked), Some(asked)),
            (Overloaded, false, None, backed_off),
        ];
        for (kind, repeatable, retry_after, expected) in table {
            let untried = Attempt { untried_node: true, retry_after, ..attempt(kind, repeatable) };
            assert_eq!(next_wait(&RetryPolicy::default(), untried, 0.5), expected, "{kind:?} {repeatable}");
            assert_eq!(next_wait(&RetryPolicy::NEVER, untried, 0.5), None);
        }
        assert_eq!(next_wait(&RetryPolicy::default(), attempt(Connect, false), 0.5), backed_off);
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let backoff = RetryPolicy::default().backoff;
        assert_eq!(backoff.wait(0, 1.0), Duration::from_millis(200));
        assert_eq!(backoff.wait(1, 1.0), Duration::from_millis(400));
        assert_eq!(backoff.wait(40, 1.0), Duration::from_secs(20));
        assert_eq!(backoff.wait(3, 0.0), Duration::ZERO);
    }
}
