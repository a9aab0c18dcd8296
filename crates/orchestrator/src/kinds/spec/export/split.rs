//! How exported rows are divided into parts.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use es_values::TimePoint;
use es_values::schema::FieldNames;

/// How rows are divided into parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "by", rename_all = "snake_case", deny_unknown_fields)]
pub enum Split {
    /// By a hash of each row's key, so that a row stays in its part when the data grows.
    Hash {
        /// The fields that are hashed.
        #[schemars(with = "FieldNames")]
        key: Vec<String>,
        /// Another seed gives another division.
        #[serde(default)]
        seed: u64,
        /// The parts and their shares, which sum to 1.
        #[schemars(with = "Shares")]
        parts: IndexMap<String, f64>,
    },
    /// By a hash of the group that a row belongs to: no group is in two parts.
    Group {
        /// The fields that make up a group.
        #[schemars(with = "FieldNames")]
        key: Vec<String>,
        /// Another seed gives another division.
        #[serde(default)]
        seed: u64,
        /// The parts and their shares of the groups, which sum to 1.
        #[schemars(with = "Shares")]
        parts: IndexMap<String, f64>,
    },
    /// By a hash of each row's key, with the shares kept in each stratum.
    Stratified {
        /// The fields that are hashed.
        #[schemars(with = "FieldNames")]
        key: Vec<String>,
        /// The fields whose values make up the strata.
        #[schemars(with = "FieldNames")]
        strata: Vec<String>,
        /// Another seed gives another division.
        #[serde(default)]
        seed: u64,
        /// The parts and their shares, which sum to 1.
        #[schemars(with = "Shares")]
        parts: IndexMap<String, f64>,
    },
    /// By time.
    Time {
        /// The field with the time.
        #[schemars(extend("format" = "text", "minLength" = 1))]
        field: String,
        /// The parts, from the earliest to the latest; only the last one has no end.
        #[schemars(extend(
            "propertyNames" = { "format": "name", "pattern": "^[a-z0-9_]+$" },
            "minProperties" = 2
        ))]
        parts: IndexMap<String, TimePart>,
    },
}

impl Split {
    /// The shares of the parts, where the split goes by shares.
    #[must_use]
    pub fn shares(&self) -> Option<&IndexMap<String, f64>> {
        match self {
            Self::Hash { parts, .. } | Self::Group { parts, .. } | Self::Stratified { parts, .. } => Some(parts),
            Self::Time { .. } => None,
        }
    }
}

/// A part of a split by time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimePart {
    /// Its rows are earlier than this, in UTC unless it names an offset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<TimePoint>,
}

/// The schema of parts with shares.
struct Shares;

impl JsonSchema for Shares {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Shares".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "object",
            "propertyNames": { "format": "name", "pattern": "^[a-z0-9_]+$" },
            "additionalProperties": { "type": "number", "exclusiveMinimum": 0, "maximum": 1 },
            "minProperties": 1,
        })
    }
}
