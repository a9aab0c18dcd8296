//! The age of the newest document, held against its limits. Pure.

use es_values::TimeSpan;
use jiff::{SignedDuration, Timestamp};

use super::definition::Freshness;

/// The verdict about an age, in words where it is not fine.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Age {
    /// Within all limits.
    Fresh,
    /// Beyond `warn_after`.
    Late(String),
    /// Beyond `error_after`.
    TooOld(String),
}

/// Holds the newest time of a source against the limits. Without any, the source is older than any
/// limit.
pub(super) fn judge(index: &str, time: &str, limits: &Freshness, newest: Option<Timestamp>, now: Timestamp) -> Age {
    let is_beyond = |limit: TimeSpan| match newest {
        Some(newest) => now.duration_since(newest).as_millis() > i128::from(limit.milliseconds()),
        None => true,
    };
    let text = |key: &str, limit: TimeSpan| match newest {
        Some(newest) => {
            format!("the newest `{time}` of `{index}` is {}, and `{key}` is {limit}", with_age(newest, now))
        }
        None => format!("`{index}` has no document with a `{time}`, and `{key}` is {limit}"),
    };
    if let Some(limit) = limits.error_after.filter(|limit| is_beyond(*limit)) {
        return Age::TooOld(text("error_after", limit));
    }
    match limits.warn_after.filter(|limit| is_beyond(*limit)) {
        Some(limit) => Age::Late(text("warn_after", limit)),
        None => Age::Fresh,
    }
}

/// A time with its age, as in `2013-12-31T23:00:00Z (3h ago)`.
pub(super) fn with_age(time: Timestamp, now: Timestamp) -> String {
    let age = now.duration_since(time);
    match age.is_negative() {
        true => format!("{time} (in {})", span(age.abs())),
        false => format!("{time} ({} ago)", span(age)),
    }
}

/// The two largest units of a duration, as in `1d 2h`.
fn span(duration: SignedDuration) -> String {
    let seconds = duration.as_secs();
    let units = [(seconds / 86_400, "d"), (seconds / 3_600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let Some(first) = units.iter().position(|(count, _)| *count > 0) else { return "0s".to_owned() };
    let shown = units[first..].iter().take(2).filter(|(count, _)| *count > 0);
    shown.map(|(count, unit)| format!("{count}{unit}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_held_against_both_limits() {
        let now: Timestamp = "2024-01-02T12:00:00Z".parse().unwrap();
        let limits = |warn: Option<&str>, error: Option<&str>| Freshness {
            warn_after: warn.map(|text| text.parse().unwrap()),
            error_after: error.map(|text| text.parse().unwrap()),
        };
        let both = limits(Some("2h"), Some("1d"));
        let late = "the newest `t` of `logs-*` is 2024-01-02T09:00:00Z (3h ago), and `warn_after` is 2h";
        let old = "the newest `t` of `logs-*` is 2024-01-01T10:00:00Z (1d 2h ago), and `error_after` is 1d";
        let none = "`logs-*` has no document with a `t`, and `error_after` is 1d";
        let table = [
            (both, Some("2024-01-02T11:00:00Z"), Age::Fresh),
            (both, Some("2024-01-02T10:00:00Z"), Age::Fresh),
            (both, Some("2024-01-02T09:00:00Z"), Age::Late(late.to_owned())),
            (both, Some("2024-01-01T10:00:00Z"), Age::TooOld(old.to_owned())),
            (both, Some("2024-02-01T10:00:00Z"), Age::Fresh),
            (both, None, Age::TooOld(none.to_owned())),
            (limits(None, Some("1d")), Some("2024-01-02T09:00:00Z"), Age::Fresh),
            (limits(Some("2h"), None), Some("2024-01-02T09:00:00Z"), Age::Late(late.to_owned())),
        ];
        for (limits, newest, expected) in table {
            let newest = newest.map(|text| text.parse().unwrap());
            assert_eq!(judge("logs-*", "t", &limits, newest, now), expected);
        }
    }

    #[test]
    fn ages_are_short() {
        let table =
            [(0, "0s"), (59, "59s"), (60, "1m"), (61, "1m 1s"), (10_800, "3h"), (86_459, "1d"), (90_000, "1d 1h")];
        for (seconds, expected) in table {
            assert_eq!(span(SignedDuration::from_secs(seconds)), expected);
        }
        let time: Timestamp = "2024-01-02T12:00:00Z".parse().unwrap();
        let before = time - SignedDuration::from_hours(2);
        assert_eq!(with_age(time, before), "2024-01-02T12:00:00Z (in 2h)");
    }
}
