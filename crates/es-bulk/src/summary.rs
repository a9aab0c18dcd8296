//! What became of the documents of a load, in numbers that add up.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// The account of a load: `read = created + updated + unchanged + rejected + unknown`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Documents handed to the loader.
    pub read: u64,
    /// Acknowledged as new.
    pub created: u64,
    /// Acknowledged as written over an older version.
    pub updated: u64,
    /// Acknowledged as there already.
    pub unchanged: u64,
    /// Refused, by the exception's type.
    pub rejected: BTreeMap<String, u64>,
    /// Sent without an answer that says what became of them.
    pub unknown: u64,
    /// How often a single document was sent again.
    pub sent_again: u64,
    /// Bulk requests that were answered.
    pub requests: u64,
    /// Bytes of the bodies of these requests.
    pub bytes: u64,
    /// Time from the first batch to the last answer, in milliseconds.
    #[serde(rename = "took_ms", serialize_with = "milliseconds")]
    pub took: Duration,
    /// Whether the load was stopped before its input ended.
    pub interrupted: bool,
}

fn milliseconds<S: serde::Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(value.as_millis().try_into().unwrap_or(u64::MAX))
}

impl Summary {
    /// Documents that are in the index: created, updated or unchanged.
    pub fn acknowledged(&self) -> u64 {
        self.created + self.updated + self.unchanged
    }

    /// Documents that were refused.
    pub fn rejections(&self) -> u64 {
        self.rejected.values().sum()
    }

    /// Whether every document that was read is accounted for.
    pub fn adds_up(&self) -> bool {
        self.read == self.acknowledged() + self.rejections() + self.unknown
    }

    /// Documents acknowledged a second.
    pub fn rate(&self) -> f64 {
        self.acknowledged() as f64 / self.took.as_secs_f64().max(1e-9)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} read = {} acknowledged + {} rejected + {} unknown",
            self.read,
            self.acknowledged(),
            self.rejections(),
            self.unknown
        )
    }
}
