//! The maximum number of rejected documents: a count or a share.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use es_values::{Format, InvalidValue, text_or_number};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A share is not checked before this many documents were read, except at the end.
const ENOUGH_FOR_A_SHARE: u64 = 10_000;

/// The maximum number of documents that a load may have rejected before it fails.
///
/// ```
/// use es_bulk::MaxRejected;
///
/// assert_eq!("1%".parse(), Ok(MaxRejected::Share(0.01)));
/// assert_eq!("100".parse(), Ok(MaxRejected::Count(100)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub enum MaxRejected {
    /// A number of documents.
    Count(u64),
    /// A share of the documents read, from 0 to 1; written `1%`. It is checked when the load
    /// ends and, once 10,000 documents were read, after each batch.
    Share(f64),
}

impl MaxRejected {
    /// The format of its texts, by the name that its JSON Schema gives it.
    pub const FORMAT: Format = Format {
        name: "rejection-limit",
        noun: "a count such as `100` or a share such as `1%`",
        check: |text| text.parse::<Self>().map(drop),
    };

    /// Tells whether more documents were rejected than this allows.
    pub(crate) fn is_exceeded(self, read: u64, rejected: u64, at_end: bool) -> bool {
        match self {
            Self::Count(most) => rejected > most,
            Self::Share(share) => (at_end || read >= ENOUGH_FOR_A_SHARE) && rejected as f64 > share * read as f64,
        }
    }
}

impl Default for MaxRejected {
    /// None.
    fn default() -> Self {
        Self::Count(0)
    }
}

impl fmt::Display for MaxRejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => count.fmt(f),
            Self::Share(share) => write!(f, "{}%", share * 100.0),
        }
    }
}

impl FromStr for MaxRejected {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let limit = match text.strip_suffix('%') {
            None => text.parse().ok().map(Self::Count),
            Some(percent) => percent
                .parse::<f64>()
                .ok()
                .filter(|percent| (0.0..=100.0).contains(percent))
                .map(|percent| Self::Share(percent / 100.0)),
        };
        limit.ok_or_else(|| {
            InvalidValue::new(
                format!("`{text}` is not a limit on rejected documents"),
                "write a count such as `100` or a share such as `1%`",
            )
        })
    }
}

impl TryFrom<Value> for MaxRejected {
    type Error = InvalidValue;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        text_or_number(&value).parse()
    }
}

impl From<MaxRejected> for Value {
    fn from(limit: MaxRejected) -> Self {
        match limit {
            MaxRejected::Count(count) => Value::from(count),
            MaxRejected::Share(_) => Value::from(limit.to_string()),
        }
    }
}

impl JsonSchema for MaxRejected {
    fn schema_name() -> Cow<'static, str> {
        "MaxRejected".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "format": Self::FORMAT.name,
            "pattern": "^[0-9]+$|^[0-9]+(\\.[0-9]+)?%$",
            "minimum": 0,
            "description": "The maximum number of rejected documents: a count, or a share of all documents.",
            "examples": [100, "1%"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn limits_are_counts_or_shares() {
        let count: MaxRejected = serde_json::from_value(json!(5)).unwrap();
        assert_eq!(count, MaxRejected::Count(5));
        let share: MaxRejected = serde_json::from_value(json!("1%")).unwrap();
        assert_eq!(share, MaxRejected::Share(0.01));
        assert_eq!(serde_json::to_value(share).unwrap(), json!("1%"));
        assert_eq!(serde_json::to_value(count).unwrap(), json!(5));
        for text in ["", "%", "101%", "-1", "-1%", "nan%", "many"] {
            assert_eq!((MaxRejected::FORMAT.check)(text), text.parse::<MaxRejected>().map(drop));
            assert!(text.parse::<MaxRejected>().is_err(), "{text}");
        }
    }
}
