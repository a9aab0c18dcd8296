//! One request and its answer.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{HeaderMap, WARNING};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::connection::retry::RetryPolicy;
use crate::error::{Error, ErrorKind};

/// The HTTP methods that Elasticsearch uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// GET
    Get,
    /// HEAD
    Head,
    /// POST
    Post,
    /// PUT
    Put,
    /// DELETE
    Delete,
}

impl Method {
    /// The method's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }

    pub(crate) fn http(self) -> reqwest::Method {
        match self {
            Self::Get => reqwest::Method::GET,
            Self::Head => reqwest::Method::HEAD,
            Self::Post => reqwest::Method::POST,
            Self::Put => reqwest::Method::PUT,
            Self::Delete => reqwest::Method::DELETE,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyFormat {
    Json,
    NdJson,
}

/// A request: method, path, query, body, and whether it may be sent twice.
///
/// ```
/// use es_core::{Method, Request};
/// let request = Request::new(Method::Post, "/flights/_search")
///     .query("request_cache", "false")
///     .json(&serde_json::json!({"size": 0}))
///     .repeatable();
/// assert!(request.is_repeatable());
/// ```
#[derive(Clone, Debug)]
pub struct Request {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
    /// Why the body could not be written as JSON: told when the request is sent, so that
    /// building one stays a chain of calls.
    unwritable: Option<String>,
    pub(crate) format: BodyFormat,
    pub(crate) repeatable: bool,
    pub(crate) timeout: Option<Duration>,
    pub(crate) retry: Option<RetryPolicy>,
    pub(crate) can_ask_for_less: bool,
    pub(crate) likely_bytes: usize,
}

impl Request {
    /// A request for a path, which starts with `/` and whose variable parts are
    /// percent-encoded. GET and HEAD may be sent again after any failure; everything else
    /// only when it certainly did not arrive, unless [`Request::repeatable`] says otherwise.
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            query: Vec::new(),
            body: Bytes::new(),
            unwritable: None,
            format: BodyFormat::Json,
            repeatable: matches!(method, Method::Get | Method::Head),
            timeout: None,
            retry: None,
            can_ask_for_less: false,
            likely_bytes: 0,
        }
    }

    /// Adds a query parameter; the value is encoded when the request is sent.
    pub fn query(mut self, name: &'static str, value: impl ToString) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    /// Sets a JSON body. A value that cannot be written as JSON, such as a map whose keys are
    /// no text, makes sending the request fail with [`ErrorKind::BadRequest`].
    pub fn json(mut self, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(bytes) => self.body = bytes.into(),
            Err(error) => self.unwritable = Some(error.to_string()),
        }
        self
    }

    /// Sets a body that already is JSON.
    pub fn json_bytes(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets a body of newline-delimited JSON; it must end with a line break.
    pub fn ndjson(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.format = BodyFormat::NdJson;
        self
    }

    /// Says that sending the request twice has the same effect as sending it once.
    pub fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// Whether the request may be sent again although it may have arrived.
    pub fn is_repeatable(&self) -> bool {
        self.repeatable
    }

    /// Whether the request can be sent as it was meant.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let wrong =
            |why: String| Error::new(ErrorKind::BadRequest, format!("{} {} {why}", self.method.as_str(), self.path));
        if self.has_dot_segment() {
            return Err(wrong("has a name in it that is only dots".to_owned())
                .with_help("no URL can have such a name: choose another one"));
        }
        match &self.unwritable {
            Some(why) => Err(wrong(format!("has a body that cannot be written as JSON: {why}"))),
            None => Ok(()),
        }
    }

    /// Whether a URL would take a part of the path for a step up or for nothing, so that the
    /// request would be for something else: to delete the document `..` would be to delete
    /// its index. Encoding the dots does not help, as URLs treat them alike.
    fn has_dot_segment(&self) -> bool {
        let is_dots = |part: &str| matches!(part.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..");
        self.path.split('/').any(is_dots)
    }

    /// The time limit of one attempt, instead of the configuration's.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// The retries of this request, instead of the configuration's.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = Some(policy);
        self
    }

    /// The caller can ask for less: a refusal by a circuit breaker of the server is returned,
    /// where otherwise the same would be sent again.
    pub fn can_ask_for_less(mut self) -> Self {
        self.can_ask_for_less = true;
        self
    }

    /// How many bytes the answer is likely to have. The server does not say how long a large
    /// answer is, so that memory for it has to grow as it comes: that is spared where this is
    /// about right.
    pub fn likely_bytes(mut self, bytes: usize) -> Self {
        self.likely_bytes = bytes;
        self
    }
}

/// An answer with a status of success, its body whole.
#[derive(Clone, Debug)]
pub struct Response {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) request: String,
    pub(crate) node: String,
}

impl Response {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// A header, if it is there and is text. The name is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// What the server warns of, without the code and the agent that stand before it
    /// (RFC 7234, section 5.5).
    pub fn warnings(&self) -> Vec<String> {
        let values = self.headers.get_all(WARNING).iter();
        values.map(|value| warning_text(&String::from_utf8_lossy(value.as_bytes()))).collect()
    }

    /// The body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body, taken out.
    pub fn into_body(self) -> Bytes {
        self.body
    }

    /// Reads the body as JSON.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] when it is cut off, not JSON, or lacks what `T` needs.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|source| {
            let (method, path) = self.request.split_once(' ').unwrap_or(("", &self.request));
            Error::new(ErrorKind::Decode, format!("the answer to {} cannot be read: {source}", self.request))
                .with_source(source)
                .with_status(self.status)
                .with_request(method, path, &self.node)
        })
    }
}

/// The quoted text of a warning, with its escapes undone; all of it where nothing is quoted.
fn warning_text(value: &str) -> String {
    let Some((_, rest)) = value.split_once('"') else { return value.to_owned() };
    let mut text = String::with_capacity(rest.len());
    let mut characters = rest.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => break,
            '\\' => text.extend(characters.next()),
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_body_that_is_no_json_is_told_when_it_is_sent() {
        let request = Request::new(Method::Post, "/a/_doc").json(&BTreeMap::from([((1, 2), 3)]));
        let error = request.check().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadRequest);
        assert_eq!(error.to_string(), "POST /a/_doc has a body that cannot be written as JSON: key must be a string");
        Request::new(Method::Post, "/a/_doc").json(&[1]).check().unwrap();
    }

    #[test]
    fn names_of_dots_are_refused() {
        for path in ["/a/_doc/..", "/a/_doc/%2E.", "/./_search"] {
            assert_eq!(Request::new(Method::Delete, path).check().unwrap_err().kind(), ErrorKind::BadRequest);
        }
        Request::new(Method::Delete, "/a/_doc/...").check().unwrap();
    }

    #[test]
    fn the_text_of_a_warning_is_what_is_quoted() {
        let table = [
            (
                r#"299 Elasticsearch-8.19.21-4fe44c2 "No limit defined, adding default limit of [1000]""#,
                "No limit defined, adding default limit of [1000]",
            ),
            (
                r#"299 Elasticsearch-8.19.21-4fe44c2 "[TO_DOUBLE(\"NaN\")] failed" "Sat, 21 Nov 2026""#,
                r#"[TO_DOUBLE("NaN")] failed"#,
            ),
            ("bare", "bare"),
            ("299 - \"cut", "cut"),
        ];
        for (value, expected) in table {
            assert_eq!(warning_text(value), expected);
        }
    }
}
