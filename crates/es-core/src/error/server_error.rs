//! The error object of an Elasticsearch answer, and the kind it means.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use crate::error::ErrorKind;
use crate::error::failed_shard::FailedShard;

/// The error object of a failed request, as Elasticsearch returned it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerError {
    /// The exception's type, such as `index_not_found_exception`.
    pub error_type: String,
    /// The reason, in the server's words.
    pub reason: String,
    /// The root causes that the server names.
    pub root_causes: Vec<RootCause>,
    /// The index, where the server names one.
    pub index: Option<String>,
    /// The failed shards of a search, or of another request that shards answer.
    pub failed_shards: Vec<FailedShard>,
    /// The durability of an open circuit breaker, where the server names it: `TRANSIENT` memory is
    /// freed in time, `PERMANENT` memory is not.
    pub durability: Option<String>,
}

/// One root cause.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct RootCause {
    /// The exception's type.
    #[serde(rename = "type", default)]
    pub error_type: String,
    /// The reason, in the server's words.
    #[serde(default)]
    pub reason: String,
}

impl fmt::Display for RootCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if self.error_type.is_empty() || self.reason.is_empty() { "" } else { ": " };
        write!(f, "{}{separator}{}", self.error_type, self.reason)
    }
}

impl ServerError {
    /// Reads the error of a response body. `None` when the body is not an Elasticsearch
    /// error: an HTML page of a proxy, a cut off answer, something else.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        Self::from_value(body.get("error")?)
    }

    /// Reads the error object itself, which bulk items and failed shards have too.
    pub fn from_value(error: &Value) -> Option<Self> {
        match error {
            // The oldest form, which some plugins still use: only the reason.
            Value::String(reason) => Some(Self { reason: reason.clone(), ..Self::default() }),
            Value::Object(fields) => {
                let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
                let mut root_causes: Vec<RootCause> = fields
                    .get("root_cause")
                    .and_then(|causes| Vec::<RootCause>::deserialize(causes).ok())
                    .unwrap_or_default();
                let mut cause = fields.get("caused_by");
                while let Some(inner) = cause {
                    if let Ok(found) = RootCause::deserialize(inner) {
                        root_causes.push(found);
                    }
                    cause = inner.get("caused_by");
                }
                root_causes.retain(|cause| !cause.reason.is_empty());
                root_causes.dedup();
                Some(Self {
                    error_type: text("type"),
                    reason: text("reason"),
                    root_causes,
                    index: fields.get("index").and_then(Value::as_str).map(str::to_owned),
                    failed_shards: FailedShard::list(fields.get("failed_shards")),
                    durability: fields.get("durability").and_then(Value::as_str).map(str::to_owned),
                })
            }
            _ => None,
        }
    }

    /// The most informative sentence: the deepest cause that adds something to the reason.
    pub fn summary(&self) -> String {
        match self.root_causes.iter().rev().find(|cause| !self.reason.contains(&cause.reason)) {
            Some(cause) if self.reason.is_empty() => cause.reason.clone(),
            Some(cause) => format!("{}: {}", self.reason, cause.reason),
            None => self.reason.clone(),
        }
    }

    /// The feature that the cluster's licence does not cover, such as `ml`, if that is the error.
    pub fn unlicensed_feature(&self) -> Option<&str> {
        let (_, rest) = self.reason.split_once("license is non-compliant for [")?;
        rest.split_once(']').map(|(feature, _)| feature)
    }

    /// Returns `true` if a circuit breaker refused the request because it needs too much memory: a
    /// smaller one may succeed. The breaker of a shard is among the causes of the search's failure.
    pub fn is_circuit_breaker(&self) -> bool {
        let types = self.root_causes.iter().map(|cause| cause.error_type.as_str());
        types.chain([self.error_type.as_str()]).any(|error_type| error_type == "circuit_breaking_exception")
    }

    /// Returns `true` if the error means a missing module or endpoint rather than a wrong request.
    /// Without their module, endpoints look like names of indices, which allow other methods.
    fn is_feature_missing(&self) -> bool {
        self.error_type == "api_not_available_exception"
            || FEATURE_MISSING.iter().any(|words| self.reason.contains(words))
    }
}

/// The server's words for a missing feature. An API may be known while its action is not
/// (`failed to find action`), or be disabled by a setting (`must be explicitly enabled`).
const FEATURE_MISSING: [&str; 5] = [
    "no handler found for uri [",
    "Incorrect HTTP method for uri [",
    "script_lang not supported",
    "failed to find action",
    "must be explicitly enabled",
];

/// The kind of an HTTP status and the server's error.
pub(crate) fn kind_of(status: u16, error: Option<&ServerError>) -> ErrorKind {
    if error.is_some_and(|error| error.unlicensed_feature().is_some()) {
        return ErrorKind::LicenceMissing;
    }
    if error.is_some_and(ServerError::is_feature_missing) {
        return ErrorKind::FeatureMissing;
    }
    let error_type = error.map_or("", |error| error.error_type.as_str());
    match status {
        400 if error_type == "resource_already_exists_exception" => ErrorKind::Conflict,
        // Only proxies answer 407.
        401 | 407 => ErrorKind::Unauthorized,
        403 => ErrorKind::Forbidden,
        404 => ErrorKind::NotFound,
        408 => ErrorKind::TimedOut,
        409 => ErrorKind::Conflict,
        413 => ErrorKind::TooLarge,
        429 => ErrorKind::Overloaded,
        502..=504 => ErrorKind::Unavailable,
        400..=499 => ErrorKind::BadRequest,
        500..=599 => ErrorKind::Server,
        _ => ErrorKind::Decode,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn statuses_and_types_become_kinds() {
        // As Elasticsearch 9.4.3 answered; the last one as its serverless form does.
        let unlicensed =
            json!({"type": "security_exception", "reason": "current license is non-compliant for [security tokens]"});
        let no_handler = json!("no handler found for uri [/_ml/info] and method [GET]");
        let no_method =
            json!("Incorrect HTTP method for uri [/_sql] and method [POST], allowed: [GET, PUT, DELETE, HEAD]");
        let serverless = json!({"type": "api_not_available_exception", "reason":
            "Request for uri [/_ilm/policy] with method [GET] exists but is not available when running in serverless mode"});
        let exists = json!({"type": "resource_already_exists_exception", "reason": "index [a] already exists"});
        let table = [
            (400, json!({"type": "parsing_exception"}), ErrorKind::BadRequest),
            (400, exists, ErrorKind::Conflict),
            (400, no_handler, ErrorKind::FeatureMissing),
            (405, no_method, ErrorKind::FeatureMissing),
            (410, serverless, ErrorKind::FeatureMissing),
            (401, json!({}), ErrorKind::Unauthorized),
            (403, json!({"type": "security_exception"}), ErrorKind::Forbidden),
            (403, unlicensed, ErrorKind::LicenceMissing),
            (404, json!({}), ErrorKind::NotFound),
            (407, json!(null), ErrorKind::Unauthorized),
            (409, json!({}), ErrorKind::Conflict),
            (413, json!({}), ErrorKind::TooLarge),
            (429, json!({"type": "circuit_breaking_exception"}), ErrorKind::Overloaded),
            (500, json!({}), ErrorKind::Server),
            (502, json!(null), ErrorKind::Unavailable),
            (503, json!({}), ErrorKind::Unavailable),
            (302, json!(null), ErrorKind::Decode),
        ];
        for (status, error, kind) in table {
            let parsed = ServerError::from_value(&error);
            assert_eq!(kind_of(status, parsed.as_ref()), kind, "{status} {error}");
        }
    }

    #[test]
    fn the_summary_names_the_deepest_cause() {
        let body = json!({"status": 400, "error": {
            "type": "search_phase_execution_exception", "reason": "all shards failed",
            "root_cause": [{"type": "script_exception", "reason": "compile error"}],
            "caused_by": {"type": "script_exception", "reason": "compile error",
                "caused_by": {"type": "illegal_argument_exception", "reason": "cannot resolve symbol [dox]"}}
        }});
        let error = ServerError::parse(body.to_string().as_bytes()).unwrap();
        assert_eq!(error.summary(), "all shards failed: cannot resolve symbol [dox]");
        assert_eq!(error.root_causes.len(), 2);
    }

    #[test]
    fn a_body_that_is_not_an_elasticsearch_error_is_none() {
        for body in [&b"<html>502 Bad Gateway</html>"[..], b"", b"{\"error\":", b"[]", b"{\"error\":7}", b"{}"] {
            assert_eq!(ServerError::parse(body), None);
        }
    }

    #[test]
    fn failed_shards_are_kept() {
        // As Elasticsearch 8.19 answers a sort by a field of the wrong type.
        let body = json!({"status": 400, "error": {
            "type": "search_phase_execution_exception", "reason": "all shards failed", "phase": "query", "grouped": true,
            "root_cause": [{"type": "illegal_argument_exception", "reason": "no fielddata", "index": "flights"}],
            "failed_shards": [{"shard": 2, "index": "flights", "node": "n1", "reason":
                {"type": "illegal_argument_exception", "reason": "no fielddata"}}],
        }});
        let error = ServerError::parse(body.to_string().as_bytes()).unwrap();
        let shown: Vec<String> = error.failed_shards.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["shard [flights][2] on node n1: illegal_argument_exception: no fielddata"]);
    }

    fn json_values() -> impl Strategy<Value = Value> {
        let words = "type|reason|error|root_cause|caused_by|failed_shards|shard|index|node|[a-z]{0,3}";
        let leaves = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,8}".prop_map(Value::from),
        ];
        leaves.prop_recursive(5, 40, 5, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::vec((words, inner), 0..5).prop_map(|fields| fields.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_body_is_read_or_not(bytes: Vec<u8>, value in json_values()) {
            let _ = ServerError::parse(&bytes);
            let body = json!({"error": value}).to_string();
            for cut in [body.len(), body.len() / 2] {
                // In the middle of a character too.
                if let Some(error) = ServerError::parse(&body.as_bytes()[..cut]) {
                    let _ = (error.summary(), kind_of(400, Some(&error)), format!("{error:?}"));
                }
            }
        }
    }
}
