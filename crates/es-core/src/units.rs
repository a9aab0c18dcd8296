//! Durations and sizes as Elasticsearch writes them: `30d`, `1500ms`, `50gb`.
//!
//! Source: "API conventions", units, of the Elasticsearch reference.

use std::time::Duration;

use serde::{Deserialize as _, Deserializer, Serializer};

const AGES: [(&str, u128); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("micros", 1_000),
    ("nanos", 1),
];

const SIZES: [(&str, u64); 6] =
    [("pb", 1 << 50), ("tb", 1 << 40), ("gb", 1 << 30), ("mb", 1 << 20), ("kb", 1 << 10), ("b", 1)];

/// Reads a duration.
pub(crate) fn parse_age(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let (number, unit) = split(text)?;
    let (_, nanos) = AGES.iter().find(|(name, _)| *name == unit)?;
    let nanos = number.parse::<u128>().ok()?.checked_mul(*nanos)?;
    Some(Duration::new((nanos / 1_000_000_000).try_into().ok()?, (nanos % 1_000_000_000).try_into().ok()?))
}

/// Writes a duration in milliseconds, at least 1, for parameters to which zero means something else.
pub(crate) fn milliseconds(duration: Duration) -> String {
    format!("{}ms", duration.as_millis().max(1))
}

/// Writes a duration in the largest unit that holds it exactly.
pub(crate) fn age(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    if nanos == 0 {
        return "0ms".to_owned();
    }
    let (unit, size) = AGES.iter().find(|(_, size)| nanos.is_multiple_of(*size)).unwrap_or(&AGES[6]);
    format!("{}{unit}", nanos / size)
}

/// Reads a size in bytes.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let (number, unit) = split(&lower)?;
    let (_, bytes) = SIZES.iter().find(|(name, _)| *name == unit)?;
    match number.parse::<u64>() {
        Ok(whole) => whole.checked_mul(*bytes),
        // Sizes may have a fraction: `1.5gb`.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        Err(_) => number.parse::<f64>().ok().filter(|size| *size >= 0.0).map(|size| (size * *bytes as f64) as u64),
    }
}

/// Writes a size in the largest unit that holds it exactly.
pub(crate) fn size(bytes: u64) -> String {
    if bytes == 0 {
        return "0b".to_owned();
    }
    let (unit, size) = SIZES.iter().find(|(_, size)| bytes.is_multiple_of(*size)).unwrap_or(&SIZES[5]);
    format!("{}{unit}", bytes / size)
}

fn split(text: &str) -> Option<(&str, &str)> {
    Some(text.split_at(text.find(|c: char| c.is_ascii_alphabetic())?))
}

/// `serde` for a duration that may be missing.
pub(crate) mod optional_age {
    use super::{Deserializer, Duration, Serializer};
    use serde::de::Error as _;

    pub(crate) fn serialize<S: Serializer>(value: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.serialize_str(&super::age(*value)),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        let text = super::optional_text(deserializer)?;
        text.map(|text| super::parse_age(&text).ok_or_else(|| D::Error::custom(format!("{text:?} is not a duration"))))
            .transpose()
    }
}

/// `serde` for a size in bytes that may be missing.
pub(crate) mod optional_size {
    use super::{Deserializer, Serializer};
    use serde::de::Error as _;

    pub(crate) fn serialize<S: Serializer>(value: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.serialize_str(&super::size(*value)),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
        let text = super::optional_text(deserializer)?;
        text.map(|text| super::parse_size(&text).ok_or_else(|| D::Error::custom(format!("{text:?} is not a size"))))
            .transpose()
    }
}

fn optional_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Option::<String>::deserialize(deserializer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_and_sizes_are_read_and_written() {
        let ages = [("30d", 2_592_000), ("90m", 5400), ("1h", 3600), ("5s", 5), ("0ms", 0)];
        for (text, seconds) in ages {
            assert_eq!(parse_age(text), Some(Duration::from_secs(seconds)), "{text}");
            assert_eq!(age(Duration::from_secs(seconds)), text);
        }
        assert_eq!(age(Duration::from_nanos(1_500_000)), "1500micros");
        assert_eq!(parse_age("0"), Some(Duration::ZERO));
        let sizes = [("50gb", 50 << 30), ("1500b", 1500), ("1kb", 1024), ("0b", 0)];
        for (text, bytes) in sizes {
            assert_eq!((parse_size(text), size(bytes)), (Some(bytes), text.to_owned()));
        }
        assert_eq!(parse_size("1.5GB"), Some(1_610_612_736));
        for text in ["", "d", "-1", "5", "5 apples", "99999999999999999999999999999999999d", "1.5h"] {
            assert_eq!(parse_age(text), None, "{text}");
        }
        assert_eq!((parse_size("-1gb"), parse_size("7")), (None, None));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(nanos in any::<u64>(), bytes in any::<u64>()) {
            let duration = Duration::from_nanos(nanos);
            prop_assert_eq!(parse_age(&age(duration)), Some(duration));
            prop_assert_eq!(parse_size(&size(bytes)), Some(bytes));
        }
    }
}
