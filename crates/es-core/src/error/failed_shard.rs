//! Shards that failed, as an error or a partial answer lists them.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use crate::error::Error;
use crate::error::server_error::RootCause;

/// A shard that failed to do its part of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct FailedShard {
    /// The index that it belongs to.
    #[serde(default)]
    pub index: Option<String>,
    /// Its number; `None` where the failure does not belong to a single shard.
    #[serde(default, deserialize_with = "shard_number")]
    pub shard: Option<u32>,
    /// The id of its node; `None` where it has none.
    #[serde(default)]
    pub node: Option<String>,
    /// The reason of the failure.
    #[serde(default, deserialize_with = "reason")]
    pub reason: RootCause,
}

impl FailedShard {
    /// Reads the failed shards of a successful answer: its `_shards.failures`.
    pub fn of_answer(answer: &Value) -> Vec<Self> {
        Self::list(answer.pointer("/_shards/failures"))
    }

    /// Reads a list of failures. Entries that cannot be read are left out.
    pub(crate) fn list(failures: Option<&Value>) -> Vec<Self> {
        let failures = failures.and_then(Value::as_array).into_iter().flatten();
        failures.filter_map(|failure| Self::deserialize(failure).ok()).collect()
    }
}

impl fmt::Display for FailedShard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("shard ")?;
        if let Some(index) = &self.index {
            write!(f, "[{index}]")?;
        }
        if let Some(shard) = self.shard {
            write!(f, "[{shard}]")?;
        }
        if let Some(node) = &self.node {
            write!(f, " on node {node}")?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// The `_shards` of an answer: the number of shards that took part.
#[derive(Debug, Deserialize)]
pub(crate) struct Shards {
    #[serde(default)]
    pub(crate) total: u32,
    #[serde(default)]
    pub(crate) successful: u32,
    failed: u32,
    #[serde(default)]
    failures: Value,
}

impl Shards {
    /// Returns itself, or an error of kind [`crate::ErrorKind::PartialResult`] if some failed. `what`
    /// names the operation, as in "the count of flights".
    pub(crate) fn whole(self, what: &str) -> Result<Self, Error> {
        if self.failed == 0 {
            return Ok(self);
        }
        let message = format!("{what} failed on {} of {} shards", self.failed, self.total.max(self.failed));
        Err(Error::partial_result(&message, FailedShard::list(Some(&self.failures))))
    }
}

/// Reads a number of a shard: the server writes -1 where there is none.
fn shard_number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let number = Option::<i64>::deserialize(deserializer)?;
    Ok(number.and_then(|number| u32::try_from(number).ok()))
}

/// Reads a reason: an exception, or in some APIs only its text.
fn reason<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<RootCause, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(reason) => RootCause { error_type: String::new(), reason },
        other => RootCause::deserialize(other).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn failures_are_read_and_named() {
        let answer = json!({"_shards": {"total": 3, "failed": 3, "failures": [
            {"shard": 1, "index": "flights", "node": "vSxLkM3uQ0mJ", "reason":
                {"type": "script_exception", "reason": "runtime error", "caused_by": {"type": "x"}}},
            {"shard": -1, "index": "flights", "node": null, "reason": "no shard copy is left", "status": "NOT_FOUND"},
            7,
        ]}});
        let failed = FailedShard::of_answer(&answer);
        assert_eq!(failed.len(), 2);
        assert_eq!(failed[0].to_string(), "shard [flights][1] on node vSxLkM3uQ0mJ: script_exception: runtime error");
        assert_eq!(failed[1].to_string(), "shard [flights]: no shard copy is left");
        for none in [json!({}), json!(null), json!({"_shards": {"failures": {}}})] {
            assert_eq!(FailedShard::of_answer(&none), []);
        }
    }
}
