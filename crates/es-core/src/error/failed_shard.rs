//! Shards that failed: what an error or a thinned answer says of each.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use crate::error::Error;
use crate::error::server_error::RootCause;

/// A shard that did not do its part of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct FailedShard {
    /// The index that it belongs to.
    #[serde(default)]
    pub index: Option<String>,
    /// Its number; `None` where the failure is of no single one.
    #[serde(default, deserialize_with = "shard_number")]
    pub shard: Option<u32>,
    /// The id of the node that it is on; `None` where it is on none.
    #[serde(default)]
    pub node: Option<String>,
    /// Why it failed.
    #[serde(default, deserialize_with = "reason")]
    pub reason: RootCause,
}

impl FailedShard {
    /// The failed shards of an answer with a status of success: its `_shards.failures`.
    pub fn of_answer(answer: &Value) -> Vec<Self> {
        Self::list(answer.pointer("/_shards/failures"))
    }

    /// Those of a list of failures. What is no failure is left out.
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

/// The `_shards` of an answer: how many took part.
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
    /// Itself, or an error of kind [`crate::ErrorKind::PartialResult`] when some failed. `what`
    /// is what they were to do, as in "the count of flights".
    pub(crate) fn whole(self, what: &str) -> Result<Self, Error> {
        if self.failed == 0 {
            return Ok(self);
        }
        let message = format!("{what} failed on {} of {} shards", self.failed, self.total.max(self.failed));
        Err(Error::partial_result(&message, FailedShard::list(Some(&self.failures))))
    }
}

/// The server writes -1 where it knows no number.
fn shard_number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let number = Option::<i64>::deserialize(deserializer)?;
    Ok(number.and_then(|number| u32::try_from(number).ok()))
}

/// A reason is an exception, or in some APIs its text alone.
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
