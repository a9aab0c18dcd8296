//! The error of this crate, and the kinds a caller decides by.

pub(crate) mod absent;
mod advice;
pub(crate) mod failed_shard;
pub(crate) mod privilege;
pub(crate) mod server_error;

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

pub use crate::error::failed_shard::FailedShard;
pub use crate::error::privilege::{MissingPrivilege, PrivilegeScope};
pub use crate::error::server_error::{RootCause, ServerError};

/// The kind of a failure, in the terms a caller decides by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The configuration contradicts itself or cannot be used.
    Config,
    /// No connection could be made: nothing of the request was sent.
    Connect,
    /// The server's certificate is not trusted, or it does not speak TLS.
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
    /// It exists already, or another client changed it (409, or 400
    /// `resource_already_exists_exception`).
    Conflict,
    /// The request was larger than the server accepts (413).
    TooLarge,
    /// The server is overloaded (429).
    Overloaded,
    /// The server, or a proxy before it, cannot serve the request now (502, 503, 504).
    Unavailable,
    /// The server lacks the feature: a module or plugin is missing, or it is switched off.
    FeatureMissing,
    /// The server has the feature, but its licence does not cover it.
    LicenceMissing,
    /// The server refused the request as wrong (other 4xx).
    BadRequest,
    /// The server failed (500 and other 5xx).
    Server,
    /// Some shards failed or timed out, so documents are missing from the answer.
    PartialResult,
    /// The index was created, and a primary shard of it has no node, so that writes would wait.
    NotAllocated,
    /// The answer was not as documented: not valid JSON, cut off, a field missing.
    Decode,
    /// The answer was larger than [`crate::ClusterConfig::max_response_size`]; the request was
    /// applied.
    AnswerTooLarge,
}

impl ErrorKind {
    /// Returns `true` where the same request may succeed later without a change by hand. It does
    /// not say whether the request may be sent twice: see [`crate::Request::is_repeatable`].
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Connect | Self::Interrupted | Self::TimedOut | Self::Overloaded | Self::Unavailable)
    }
}

/// A failure of the connection, of a request, or of the configuration.
///
/// `Display` is one line with what failed and why. The alternate form, `{:#}`, adds a line
/// `help: ...` with the next step for a person, where one is known. `Debug`, which `?` in `main`
/// prints, adds the sources and the request as well.
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
    /// Creates an error. The message is one line, in lower case, without a full stop.
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

    /// Creates the error of an answer that some shards are missing from. The message names the
    /// answer; the first failed shard is added to it.
    pub fn partial_result(message: &str, failed_shards: Vec<FailedShard>) -> Self {
        let message = match failed_shards.first() {
            Some(first) => format!("{message}: {first}"),
            None => message.to_owned(),
        };
        Self::new(ErrorKind::PartialResult, message)
            .with_server(ServerError { failed_shards, ..ServerError::default() })
    }

    /// Sets the next step for a person.
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Adds another step for a person.
    pub(crate) fn with_more_help(mut self, help: &str) -> Self {
        self.0.help = Some(match self.0.help.take() {
            Some(first) => format!("{first}; {help}"),
            None => help.to_owned(),
        });
        self
    }

    /// Sets the error that this one came from.
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

    /// The kind of the failure.
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

    /// The error that Elasticsearch returned: type, reason, root causes.
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

    /// The node that the request was sent to, without user information.
    pub fn node(&self) -> Option<&str> {
        self.0.node.as_deref()
    }

    /// The time that the server asked to wait for (`Retry-After`).
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
        f.write_str(&self.0.message)?;
        match &self.0.help {
            Some(help) if f.alternate() => write!(f, "\nhelp: {help}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, request, node, status, .. } = &*self.0;
        write!(f, "{self:#}")?;
        let mut source = self.source();
        while let Some(cause) = source {
            write!(f, "\ncaused by: {cause}")?;
            source = cause.source();
        }
        write!(f, "\nkind: {kind:?}")?;
        if let Some(status) = status {
            write!(f, ", status {status}")?;
        }
        if let (Some(request), Some(node)) = (request, node) {
            write!(f, ", {request} at {node}")?;
        }
        Ok(())
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
    fn a_person_reads_the_help_and_the_causes_and_a_log_line_the_message() {
        let cause = Error::new(ErrorKind::Decode, "inside").with_source(std::io::Error::other("deepest"));
        let error = Error::new(ErrorKind::Connect, "no connection").with_help("start the node").with_source(cause);
        assert_eq!(format!("{error}"), "no connection");
        assert_eq!(format!("{error:#}"), "no connection\nhelp: start the node");
        let lines = "no connection\nhelp: start the node\ncaused by: inside\ncaused by: deepest\nkind: Connect";
        assert_eq!(format!("{error:?}"), lines);
        let answered = Error::new(ErrorKind::Server, "x").with_request("GET", "/a", "http://n:1").with_status(500);
        assert_eq!(format!("{answered:?}"), "x\nkind: Server, status 500, GET /a at http://n:1");
        assert_eq!(format!("{answered:#}"), "x");
    }

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
