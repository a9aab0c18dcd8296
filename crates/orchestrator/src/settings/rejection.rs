//! How many documents a load may have rejected.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use es_values::{InvalidValue, text_or_number};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How many documents a bulk transfer may have rejected before it fails.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub enum RejectionLimit {
    /// At most so many documents.
    Count(u64),
    /// At most this share of all documents, from 0 to 1; written `1%`.
    Share(f64),
}

impl fmt::Display for RejectionLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => count.fmt(f),
            Self::Share(share) => write!(f, "{}%", share * 100.0),
        }
    }
}

impl FromStr for RejectionLimit {
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

impl TryFrom<Value> for RejectionLimit {
    type Error = InvalidValue;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        text_or_number(&value).parse()
    }
}

impl From<RejectionLimit> for Value {
    fn from(limit: RejectionLimit) -> Self {
        match limit {
            RejectionLimit::Count(count) => Value::from(count),
            RejectionLimit::Share(_) => Value::from(limit.to_string()),
        }
    }
}

impl JsonSchema for RejectionLimit {
    fn schema_name() -> Cow<'static, str> {
        "RejectionLimit".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "format": "rejection-limit",
            "pattern": "^[0-9]+$|^[0-9]+(\\.[0-9]+)?%$",
            "minimum": 0,
            "description": "How many documents may be rejected: a count, or a share of all documents.",
            "examples": [100, "1%"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rejection_limits_count_or_divide() {
        let count: RejectionLimit = serde_json::from_value(json!(5)).unwrap();
        assert_eq!(count, RejectionLimit::Count(5));
        let share: RejectionLimit = serde_json::from_value(json!("1%")).unwrap();
        assert_eq!(share, RejectionLimit::Share(0.01));
        assert_eq!(serde_json::to_value(share).unwrap(), json!("1%"));
        assert_eq!(serde_json::to_value(count).unwrap(), json!(5));
        for text in ["", "%", "101%", "-1", "-1%", "nan%", "many"] {
            assert!(text.parse::<RejectionLimit>().is_err(), "{text}");
        }
    }
}
