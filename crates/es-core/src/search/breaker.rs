//! The policy for a page that a circuit breaker of the server refused: fewer rows, after a wait.
//! Pure.

use std::time::Duration;

use crate::connection::retry::Backoff;
use crate::error::server_error::ServerError;
use crate::error::{Error, ErrorKind};

/// Refusals never shrink a page below this many rows: the server then lacks memory for something
/// else than the page.
const MIN_ROWS: usize = 100;

/// The waits before a page is requested again: a breaker closes when other requests end.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(200), longest: Duration::from_secs(5) };

/// Whether the server refused a request because it lacks memory for it.
pub(super) fn is_refusal(error: &Error) -> bool {
    error.kind() == ErrorKind::Overloaded && error.server().is_some_and(ServerError::is_circuit_breaker)
}

/// The rows to request after a page of `rows` was refused.
pub(super) fn fewer(rows: usize) -> usize {
    (rows / 2).max(MIN_ROWS).min(rows)
}

/// The wait after the given number of earlier refusals, `elapsed` after the page was first
/// requested; `None` when it would end later than `limit`. `random` is a share from 0 to 1.
pub(super) fn wait(refusals: u32, elapsed: Duration, limit: Duration, random: f64) -> Option<Duration> {
    let wait = BACKOFF.wait(refusals, random);
    (elapsed.saturating_add(wait) <= limit).then_some(wait)
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
    fn waits_grow_until_the_limit() {
        let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
        assert_eq!(wait(0, Duration::ZERO, minute, 1.0), Some(Duration::from_millis(200)));
        assert_eq!(wait(2, second, minute, 1.0), Some(Duration::from_millis(800)));
        assert_eq!(wait(2, second, minute, 0.5), Some(Duration::from_millis(400)));
        assert_eq!(wait(40, second, minute, 1.0), Some(Duration::from_secs(5)));
        assert_eq!(wait(40, minute, minute, 0.5), None);
        assert_eq!(wait(u32::MAX, Duration::MAX, minute, 1.0), None);
    }

    #[test]
    fn only_a_breaker_is_a_refusal() {
        let server = |error_type: &str| ServerError { error_type: error_type.to_owned(), ..ServerError::default() };
        let error = |kind, error_type| Error::new(kind, "x").with_server(server(error_type));
        assert!(is_refusal(&error(ErrorKind::Overloaded, "circuit_breaking_exception")));
        assert!(!is_refusal(&error(ErrorKind::Overloaded, "es_rejected_execution_exception")));
        assert!(!is_refusal(&error(ErrorKind::Server, "circuit_breaking_exception")));
        assert!(!is_refusal(&Error::new(ErrorKind::Overloaded, "x")));
    }
}
