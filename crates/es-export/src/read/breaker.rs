//! What is done about a page that a circuit breaker of the server refused for want of memory.
//! Pure.

use std::time::Duration;

use es_core::Backoff;

/// No page is asked to have fewer rows than this because of refusals. Below that the memory of
/// a page is not what the server lacks.
const LEAST_ROWS: usize = 100;

/// The waits before a page is asked for again: a breaker closes when what is under way ends.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(200), longest: Duration::from_secs(5) };

/// Whether the server refused a request for want of memory.
pub(crate) fn is_refusal(error: &es_core::Error) -> bool {
    error.kind() == es_core::ErrorKind::Overloaded && error.server().is_some_and(|server| server.is_circuit_breaker())
}

/// The rows to ask for after a page of so many was refused.
pub(crate) fn fewer(rows: usize) -> usize {
    (rows / 2).max(LEAST_ROWS).min(rows)
}

/// How long to wait after so many refusals of a page, the first of which was that long ago; or
/// `None` once that is as long as a page is asked for. `random` is a share from 0 to 1.
pub(crate) fn wait(refusals: u32, elapsed: Duration, longest: Duration, random: f64) -> Option<Duration> {
    let wait = BACKOFF.wait(refusals, random);
    (elapsed.saturating_add(wait) <= longest).then_some(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_page_is_halved_down_to_a_hundred_rows() {
        let table = [(5_000, 2_500), (300, 150), (199, 100), (101, 100), (100, 100), (99, 99), (7, 7), (1, 1)];
        for (rows, expected) in table {
            assert_eq!(fewer(rows), expected, "{rows}");
        }
    }

    #[test]
    fn waits_grow_until_the_time_is_over() {
        let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
        assert_eq!(wait(0, Duration::ZERO, minute, 1.0), Some(Duration::from_millis(200)));
        assert_eq!(wait(2, second, minute, 1.0), Some(Duration::from_millis(800)));
        assert_eq!(wait(2, second, minute, 0.5), Some(Duration::from_millis(400)));
        assert_eq!(wait(40, second, minute, 1.0), Some(Duration::from_secs(5)));
        assert_eq!(wait(40, minute, minute, 0.5), None);
        assert_eq!(wait(u32::MAX, Duration::MAX, minute, 1.0), None);
    }
}
