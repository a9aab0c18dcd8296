//! Sizes in bytes.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{InvalidValue, text_or_number};

/// The units of [`ByteSize`], of which the first of a size is the one printed.
const UNITS: [(&str, u64); 8] = [
    ("gb", 1 << 30),
    ("gib", 1 << 30),
    ("mb", 1 << 20),
    ("mib", 1 << 20),
    ("kb", 1 << 10),
    ("kib", 1 << 10),
    ("b", 1),
    ("", 1),
];

/// A positive number of bytes, such as `8mb`.
///
/// As in Elasticsearch, `1kb` is 1024 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "String")]
pub struct ByteSize(u64);

impl ByteSize {
    /// `bytes` bytes.
    #[must_use]
    pub const fn bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// `count` times 1024 times 1024 bytes.
    #[must_use]
    pub const fn mebibytes(count: u32) -> Self {
        Self((count as u64) << 20)
    }

    /// The number of bytes.
    #[must_use]
    pub const fn as_bytes(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fitting = UNITS.iter().find(|(_, size)| self.0 >= *size && self.0.is_multiple_of(*size));
        let (unit, size) = fitting.copied().unwrap_or(("b", 1));
        write!(f, "{}{unit}", self.0 / size)
    }
}

impl FromStr for ByteSize {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let lower = text.to_ascii_lowercase();
        let digits = lower.len() - lower.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (count, suffix) = lower.split_at(digits);
        let unit = UNITS.iter().find(|(unit, _)| *unit == suffix);
        let bytes = unit.zip(count.parse::<u64>().ok()).and_then(|((_, size), count)| count.checked_mul(*size));
        match bytes {
            Some(bytes) if bytes > 0 => Ok(Self(bytes)),
            Some(_) => Err(InvalidValue::new(
                format!("`{text}` must be greater than zero"),
                "write a positive size, such as `8mb`",
            )),
            None => Err(InvalidValue::new(
                format!("`{text}` is not a size"),
                "write a whole number and one unit of b, kb, mb or gb, such as `8mb`",
            )),
        }
    }
}

impl TryFrom<Value> for ByteSize {
    type Error = InvalidValue;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        text_or_number(&value).parse()
    }
}

impl From<ByteSize> for String {
    fn from(size: ByteSize) -> Self {
        size.to_string()
    }
}

impl JsonSchema for ByteSize {
    fn schema_name() -> Cow<'static, str> {
        "ByteSize".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "format": "byte-size",
            "pattern": "^0*[1-9][0-9]*([kKmMgG]?[bB]|[kKmMgG][iI][bB])?$",
            "minimum": 1,
            "description": "A size in bytes, or in kb (1024 bytes), mb or gb.",
            "examples": ["512kb", "8mb"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sizes_are_read_and_printed() {
        for (text, bytes, printed) in [
            ("8mb", 8 << 20, "8mb"),
            ("8MiB", 8 << 20, "8mb"),
            ("1536", 1536, "1536b"),
            ("2048b", 2048, "2kb"),
            ("1gb", 1 << 30, "1gb"),
        ] {
            let size: ByteSize = text.parse().unwrap();
            assert_eq!(size.as_bytes(), bytes, "{text}");
            assert_eq!(size.to_string(), printed, "{text}");
        }
        assert_eq!(serde_json::from_value::<ByteSize>(json!(4096)).unwrap(), ByteSize::bytes(4096));
    }

    #[test]
    fn other_sizes_are_refused() {
        for text in ["", "mb", "0mb", "8 mb", "8tb", "-1", "1.5mb", "99999999999gb"] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
        assert!(serde_json::from_value::<ByteSize>(json!([1])).is_err());
    }
}
