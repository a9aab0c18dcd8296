//! The meaning of a status, and the wait before a request is repeated. Pure: the clock and the random
//! number are parameters. Scoring changes nothing, so that every request may be repeated.

use std::time::{Duration, SystemTime};

use super::quote;
use crate::error::ErrorKind;

/// The meaning of an answer's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The answer of the model.
    Answer,
    /// The model was not asked, or its answer was lost: the request is repeated.
    NoAnswer,
    /// The request failed, perhaps by some of its rows.
    Failed,
    /// The request fails for every row alike.
    Model(ErrorKind),
}

/// The meaning of a status with the server's words.
pub(super) fn meaning(status: u16, words: &str) -> Meaning {
    match status {
        200..=299 => Meaning::Answer,
        408 | 425 | 429 | 502..=504 => Meaning::NoAnswer,
        401 | 403 | 407 => Meaning::Model(ErrorKind::Unauthorized),
        404 => Meaning::Model(ErrorKind::UnknownModel),
        // Too large, or not as the model takes it.
        400 | 409 | 413 | 422 | 424 | 500 | 507 if !quote::is_about_the_model(words) => Meaning::Failed,
        _ => Meaning::Model(ErrorKind::Server),
    }
}

/// The wait before the given retry, counted from 0: a random share (`0.0..=1.0`) of a bound that doubles
/// each time, but not less than the server asks for, and never more than `longest`.
pub(super) fn wait(first: Duration, longest: Duration, retry: u32, asked: Option<Duration>, random: f64) -> Duration {
    let bound = first.saturating_mul(2_u32.saturating_pow(retry));
    bound.min(longest).mul_f64(random.clamp(0.0, 1.0)).max(asked.unwrap_or_default()).min(longest)
}

/// Reads `Retry-After`: seconds, or a date.
pub(super) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    Some(httpdate::parse_http_date(value.trim()).ok()?.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_whether_to_repeat_to_halve_or_to_stop() {
        use ErrorKind::{Server, Unauthorized, UnknownModel};
        let table = [
            (200, "", Meaning::Answer),
            (503, "busy", Meaning::NoAnswer),
            (502, "`<html>`", Meaning::NoAnswer),
            (429, "", Meaning::NoAnswer),
            (408, "", Meaning::NoAnswer),
            (500, "Input X contains infinity", Meaning::Failed),
            (500, "X has 2 features, but Linear is expecting 3 features as input.", Meaning::Model(Server)),
            (400, "unexpected shape for input 'rows'", Meaning::Model(Server)),
            (422, "a value is not a number", Meaning::Failed),
            (413, "too large", Meaning::Failed),
            // Inference failed, of text-embeddings-inference.
            (424, "", Meaning::Failed),
            (401, "", Meaning::Model(Unauthorized)),
            (403, "", Meaning::Model(Unauthorized)),
            (404, "", Meaning::Model(UnknownModel)),
            (302, "", Meaning::Model(Server)),
            (405, "", Meaning::Model(Server)),
            (501, "", Meaning::Model(Server)),
        ];
        for (status, words, expected) in table {
            assert_eq!(meaning(status, words), expected, "{status} {words}");
        }
    }

    #[test]
    fn a_wait_is_as_long_as_the_server_asks_up_to_the_limit() {
        let milliseconds = Duration::from_millis;
        let table = [
            (0, None, 1.0, 200),
            (2, None, 1.0, 800),
            (9, None, 1.0, 5_000),
            (0, None, 0.0, 0),
            (0, Some(3_000), 0.5, 3_000),
            (3, Some(100), 1.0, 1_600),
            (0, Some(60_000), 0.5, 5_000),
        ];
        for (retry, asked, random, expected) in table {
            let found = wait(milliseconds(200), milliseconds(5_000), retry, asked.map(milliseconds), random);
            assert_eq!(found, milliseconds(expected), "{retry} {asked:?}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let table = [
            ("7", Some(7)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:49:57 GMT", Some(20)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ];
        for (value, expected) in table {
            assert_eq!(retry_after(value, now), expected.map(Duration::from_secs), "{value}");
        }
    }
}
