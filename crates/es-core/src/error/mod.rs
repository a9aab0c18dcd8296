//! The one error of this crate.

pub(crate) mod absent;
pub(crate) mod failed_shard;
pub(crate) mod privilege;
pub(crate) mod server_error;

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use crate::error::failed_shard::FailedShard;
use crate::error::privilege::MissingPrivilege;
use crate::error::server_error::ServerError;

/// What went wrong, in the terms a caller decides by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The configuration contradicts itself or cannot be used.
    Config,
    /// No connection could be made: nothing of the request was sent.
    Connect,
    /// The far side could not be trusted, or does not speak TLS.
    Tls,
    /// The connection broke after the request was sent; it may have been applied.
    Interrupted,
    /// No answer came in time; the request may have been applied.
    TimedOut,
    /// Something answered that is not Elasticsearch.
    NotElasticsearch,
    /// Elasticsearch answered, in a version that is not supported.
    UnsupportedVersion,
    /// The credentials were missing or wrong (401).
    Unauthorized,
    /// The credentials lack a privilege (403).
    Forbidden,
    /// The index, alias or document does not exist (404).
    NotFound,
    /// The thing exists already or was changed by somebody else (409, or 400
    /// `resource_already_exists_exception`).
    Conflict,
    /// The request was larger than the server takes (413).
    TooLarge,
    /// The server has too much to do (429).
    Overloaded,
    /// The server, or a proxy before it, cannot serve the request now (502, 503, 504).
    Unavailable,
    /// The server has no such feature: a module or plugin is missing, or it is switched off.
    FeatureMissing,
    /// The server has the feature, and its licence does not cover it.
    LicenceMissing,
    /// The server refused the request as wrong (other 4xx).
    BadRequest,
    /// The server failed (500 and other 5xx).
    Server,
    /// Some shards failed or timed out, so the answer would have been thinned.
    PartialResult,
    /// The answer was not what the protocol promises: not JSON, cut off, a field missing.
    Decode,
    /// The answer was larger than the configuration allows; the request was applied.
    AnswerTooLarge,
}

impl ErrorKind {
    /// Whether the same request may succeed later without anything being changed by hand.
    /// It does not say whether the request may be sent twice: see [`crate::Request`].
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Connect | Self::Interrupted | Self::TimedOut | Self::Overloaded | Self::Unavailable)
    }
}

/// A failure of the connection, of a request, or of the configuration.
///
/// `Display` is one line that says what failed and why. [`Error::help`] is the next step
/// for a person, where there is one.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    help: Option<String>,
    request: Option<String>,
    node: Option<String>,
    status: Option<u16>,
    server: Option<ServerError>,
    retry_after: Option<Duration>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of the given kind. The message is lower case, one line, without a full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            help: None,
            request: None,
            node: None,
            status: None,
            server: None,
            retry_after: None,
            source: None,
        }))
    }

    /// The error of an answer that some shards are missing from. The message says what the
    /// answer was to be; the first failed shard is added to it.
    pub fn partial_result(message: &str, failed_shards: Vec<FailedShard>) -> Self {
        let message = match failed_shards.first() {
            Some(first) => format!("{message}: {first}"),
            None => message.to_owned(),
        };
        Self::new(ErrorKind::PartialResult, message)
            .with_server(ServerError { failed_shards, ..ServerError::default() })
    }

    /// Adds what a person can do about it.
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Adds another step to what a person can do about it.
    pub(crate) fn with_more_help(mut self, help: &str) -> Self {
        self.0.help = Some(match self.0.help.take() {
            Some(first) => format!("{first}; {help}"),
            None => help.to_owned(),
        });
        self
    }

    /// Adds the error that this one came from.
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    pub(crate) fn with_request(mut self, method: &str, path: &str, node: &str) -> Self {
        self.0.request = Some(format!("{method} {path}"));
        self.0.node = Some(node.to_owned());
        self
    }

    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.0.status = Some(status);
        self
    }

    pub(crate) fn with_server(mut self, server: ServerError) -> Self {
        self.0.server = Some(server);
        self
    }

    pub(crate) fn with_retry_after(mut self, after: Option<Duration>) -> Self {
        self.0.retry_after = after;
        self
    }

    /// What a caller can decide by.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The next step for a person, where one is known.
    pub fn help(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    /// The HTTP status, if the server answered.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// What Elasticsearch said of it: type, reason, root causes.
    pub fn server(&self) -> Option<&ServerError> {
        self.0.server.as_ref()
    }

    /// Method and path of the request, without its body.
    pub fn request(&self) -> Option<&str> {
        self.0.request.as_deref()
    }

    /// The shards that failed, where the server named them.
    pub fn failed_shards(&self) -> &[FailedShard] {
        self.server().map_or(&[], |server| &server.failed_shards)
    }

    /// The privilege that the credentials lack, where the server named it.
    pub fn missing_privilege(&self) -> Option<MissingPrivilege> {
        (self.kind() == ErrorKind::Forbidden).then(|| MissingPrivilege::parse(&self.server()?.reason)).flatten()
    }

    /// The node that was asked, without user information.
    pub fn node(&self) -> Option<&str> {
        self.0.node.as_deref()
    }

    /// How long the server asked to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// See [`ErrorKind::is_retryable`].
    pub fn is_retryable(&self) -> bool {
        self.0.kind.is_retryable()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("request", &self.0.request)
            .field("node", &self.0.node)
            .field("status", &self.0.status)
            .field("server", &self.0.server)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_partial_result_names_its_shards() {
        let answer = json!({"_shards": {"failures": [{"shard": 1, "index": "a", "reason": {"reason": "no"}}]}});
        let error = Error::partial_result("not all shards of a answered", FailedShard::of_answer(&answer));
        assert_eq!(error.to_string(), "not all shards of a answered: shard [a][1]: no");
        assert_eq!((error.kind(), error.failed_shards().len()), (ErrorKind::PartialResult, 1));
        assert_eq!(Error::partial_result("not all answered", vec![]).to_string(), "not all answered");
        assert_eq!(Error::new(ErrorKind::Server, "x").failed_shards(), []);
    }
}
