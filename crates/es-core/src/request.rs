//! A request, and the answer to it.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{HeaderMap, WARNING};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::connection::credentials::Secret;
use crate::connection::headers;
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

/// A request: method, path, query, headers, body, and its retries.
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
    pub(crate) query: Vec<(Cow<'static, str>, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The first thing that is wrong with the request: returned when it is sent, so that building
    /// one stays a chain of calls.
    unusable: Option<String>,
    pub(crate) format: BodyFormat,
    pub(crate) repeatable: bool,
    pub(crate) timeout: Option<Duration>,
    pub(crate) retry: Option<RetryPolicy>,
    pub(crate) can_ask_for_less: bool,
    pub(crate) likely_bytes: usize,
}

impl Request {
    /// Creates a request for a path, which starts with `/` and whose variable parts are percent-encoded.
    /// GET and HEAD may be sent again after any failure; others only when they certainly did not arrive,
    /// unless they are marked [`Request::repeatable`].
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            query: Vec::new(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            unusable: None,
            format: BodyFormat::Json,
            repeatable: matches!(method, Method::Get | Method::Head),
            timeout: None,
            retry: None,
            can_ask_for_less: false,
            likely_bytes: 0,
        }
    }

    /// Adds a query parameter; the value is encoded when the request is sent.
    pub fn query(mut self, name: impl Into<Cow<'static, str>>, value: impl ToString) -> Self {
        self.query.push((name.into(), value.to_string()));
        self
    }

    /// Adds a header, which replaces one of the client's with the same name. Its value counts as a
    /// secret and is not printed. A name or value that cannot be sent, or a header that the client
    /// sets itself, makes sending the request fail with [`ErrorKind::BadRequest`].
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        match headers::header(name, &Secret::new(value)) {
            Ok((name, value)) => drop(self.headers.insert(name, value)),
            Err(error) => drop(self.unusable.get_or_insert_with(|| format!("cannot be sent: {error}"))),
        }
        self
    }

    /// Sets a JSON body. A value that cannot be written as JSON, such as a map whose keys are not text,
    /// makes sending the request fail with [`ErrorKind::BadRequest`].
    pub fn json(mut self, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(bytes) => self.body = bytes.into(),
            Err(error) => {
                self.unusable.get_or_insert_with(|| format!("has a body that cannot be written as JSON: {error}"));
            }
        }
        self
    }

    /// Sets a body that is JSON already.
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

    /// Declares that sending the request twice has the same effect as sending it once.
    pub fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// Returns `true` if the request may be sent again although it may have arrived.
    pub fn is_repeatable(&self) -> bool {
        self.repeatable
    }

    /// Checks that the request can be sent as it was built.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let wrong =
            |why: String| Error::new(ErrorKind::BadRequest, format!("{} {} {why}", self.method.as_str(), self.path));
        if self.has_dot_segment() {
            return Err(wrong("has a name in it that is only dots".to_owned())
                .with_help("no URL can have such a name: choose another one"));
        }
        match &self.unusable {
            Some(why) => Err(wrong(why.clone())),
            None => Ok(()),
        }
    }

    /// Returns `true` if a URL would resolve a part of the path, so that the request would mean something
    /// else: deleting the document `..` would delete its index. Encoded dots are resolved as well.
    fn has_dot_segment(&self) -> bool {
        let is_dots = |part: &str| matches!(part.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..");
        self.path.split('/').any(is_dots)
    }

    /// Sets the time limit of one attempt, instead of the configuration's.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// Sets the retries of this request, instead of the client's.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = Some(policy);
        self
    }

    /// Declares that the caller can request less: a refusal by a circuit breaker of the server is returned
    /// at once, instead of being retried.
    pub fn can_ask_for_less(mut self) -> Self {
        self.can_ask_for_less = true;
        self
    }

    /// Sets the likely size of the answer, in bytes. The server does not announce the size of a large
    /// answer, so its memory grows as it arrives: a good estimate avoids the copies.
    pub fn likely_bytes(mut self, bytes: usize) -> Self {
        self.likely_bytes = bytes;
        self
    }
}

/// A successful answer, with its complete body.
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

    /// A header, if it exists and is text. The name is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The warnings of the server, without the code and the agent before each (RFC 7234, section 5.5).
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

/// The quoted text of a warning, unescaped; all of it where nothing is quoted.
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
    fn a_body_that_cannot_be_json_fails_when_it_is_sent() {
        let request = Request::new(Method::Post, "/a/_doc").json(&BTreeMap::from([((1, 2), 3)]));
        let error = request.check().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadRequest);
        assert_eq!(error.to_string(), "POST /a/_doc has a body that cannot be written as JSON: key must be a string");
        Request::new(Method::Post, "/a/_doc").json(&[1]).check().unwrap();
    }

    #[test]
    fn a_header_that_cannot_be_sent_fails_when_the_request_is_sent() {
        let table = [
            ("two words", "x", "cannot be sent: \"two words\" is not a name of an HTTP header"),
            ("a", "x\ny", "cannot be sent: the value of the header a has characters that a header cannot have"),
            (
                "Authorization",
                "x",
                "cannot be sent: the header authorization cannot be added: it is set by the credentials",
            ),
        ];
        for (name, value, why) in table {
            let error = Request::new(Method::Get, "/a").header(name, value).check().unwrap_err();
            assert_eq!((error.kind(), error.to_string()), (ErrorKind::BadRequest, format!("GET /a {why}")));
        }
        let request = Request::new(Method::Get, "/a").header("X-Opaque-Id", "canary");
        request.check().unwrap();
        assert!(!format!("{request:?}").contains("canary"), "{request:?}");
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
