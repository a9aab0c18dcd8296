//! The error object of an Elasticsearch answer, and the kind it means.

use serde::Deserialize;
use serde_json::Value;

use crate::error::ErrorKind;

/// What Elasticsearch said of a failed request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerError {
    /// The exception's type, such as `index_not_found_exception`.
    pub error_type: String,
    /// The reason in the server's words.
    pub reason: String,
    /// The causes that the server names as the first ones.
    pub root_causes: Vec<RootCause>,
    /// The index it is about, where the server names one.
    pub index: Option<String>,
}

/// One root cause.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct RootCause {
    /// The exception's type.
    #[serde(rename = "type", default)]
    pub error_type: String,
    /// The reason in the server's words.
    #[serde(default)]
    pub reason: String,
}

impl ServerError {
    /// Reads the error of a response body. `None` when the body is not an Elasticsearch
    /// error: an HTML page of a proxy, a cut off answer, something else.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        Self::from_value(body.get("error")?)
    }

    /// Reads the error object itself, as it also stands in bulk items and failed shards.
    pub fn from_value(error: &Value) -> Option<Self> {
        match error {
            // The oldest form, and the one of some plugins: the reason alone.
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
                })
            }
            _ => None,
        }
    }

    /// The most telling sentence: the deepest cause that adds something to the reason.
    pub fn summary(&self) -> String {
        match self.root_causes.iter().rev().find(|cause| !self.reason.contains(&cause.reason)) {
            Some(cause) if self.reason.is_empty() => cause.reason.clone(),
            Some(cause) => format!("{}: {}", self.reason, cause.reason),
            None => self.reason.clone(),
        }
    }

    /// Whether the server says that it has no such feature rather than that the request
    /// is wrong: a missing licence, module or endpoint.
    fn is_feature_missing(&self) -> bool {
        self.reason.contains("is non-compliant for [")
            || self.reason.contains("no handler found for uri")
            || self.reason.contains("script_lang not supported")
    }
}

/// The kind that an HTTP status and the server's error mean.
pub(crate) fn kind_of(status: u16, error: Option<&ServerError>) -> ErrorKind {
    if error.is_some_and(ServerError::is_feature_missing) {
        return ErrorKind::FeatureMissing;
    }
    let error_type = error.map_or("", |error| error.error_type.as_str());
    match status {
        400 if error_type == "resource_already_exists_exception" => ErrorKind::Conflict,
        401 => ErrorKind::Unauthorized,
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
    use super::*;
    use serde_json::json;

    #[test]
    fn statuses_and_types_become_kinds() {
        let missing_ml = json!({"type": "security_exception", "reason": "current license is non-compliant for [ml]"});
        let no_handler = json!("no handler found for uri [/_sql] and method [POST]");
        let exists = json!({"type": "resource_already_exists_exception", "reason": "index [a] already exists"});
        let table = [
            (400, json!({"type": "parsing_exception"}), ErrorKind::BadRequest),
            (400, exists, ErrorKind::Conflict),
            (400, no_handler, ErrorKind::FeatureMissing),
            (401, json!({}), ErrorKind::Unauthorized),
            (403, json!({"type": "security_exception"}), ErrorKind::Forbidden),
            (403, missing_ml, ErrorKind::FeatureMissing),
            (404, json!({}), ErrorKind::NotFound),
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
}
