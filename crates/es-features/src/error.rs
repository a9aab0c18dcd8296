//! The error type of this crate.

use std::error::Error as StdError;
use std::fmt;

use polars::prelude::PolarsError;

use es_values::Problem;

/// The cause of a failure, in the terms a caller decides by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The feature set contradicts itself.
    Definition,
    /// The source does not exist, or lacks a field that the feature set needs.
    Source,
    /// A script does not compile, or fails on a document.
    Script,
    /// The grid has more times than allowed.
    TooManyInstants,
    /// A request to Elasticsearch failed; [`Error::elasticsearch`] is its error.
    Elasticsearch,
    /// Some shards failed or timed out, so the answer is incomplete.
    PartialResult,
    /// The answer does not have the expected form.
    Decode,
    /// Rows could not be turned into a data frame.
    Frame,
    /// Feature rows and other rows cannot be joined.
    Join,
    /// The computation was cancelled.
    Cancelled,
}

/// A failure to compute features.
///
/// `Display` is one line; its alternate form (`{:#}`) and `Debug` add [`Error::help`].
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    help: Option<String>,
    script: Option<ScriptError>,
    elasticsearch: Option<es_core::Error>,
}

/// A script that does not compile, or fails on a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptError {
    /// The feature that the script belongs to.
    pub feature: String,
    /// The reason that Elasticsearch gives.
    pub reason: String,
    /// The position of the failure in the source, in characters from its start, where
    /// Elasticsearch names one.
    pub position: Option<usize>,
    /// The part of the source around the position, and a pointer to it below.
    pub excerpt: Vec<String>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), help: None, script: None, elasticsearch: None }))
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// The error of a request, which failed while `action` was tried.
    pub(crate) fn request(action: &str, error: es_core::Error) -> Self {
        let kind = match error.kind() {
            es_core::ErrorKind::PartialResult => ErrorKind::PartialResult,
            es_core::ErrorKind::Decode => ErrorKind::Decode,
            _ => ErrorKind::Elasticsearch,
        };
        let mut wrapped = Self::new(kind, format!("{action} failed: {error}"));
        if is_expired(&error) {
            wrapped = wrapped.with_help(
                "the server lost the state of the source, as when a node restarts: compute the features again",
            );
        }
        wrapped.0.elasticsearch = Some(error);
        wrapped
    }

    pub(crate) fn decode(action: &str, reason: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Decode, format!("the answer to {action} cannot be read: {reason}"))
    }

    pub(crate) fn join(reason: impl Into<String>) -> Self {
        Self::new(ErrorKind::Join, reason)
    }

    pub(crate) fn cancelled() -> Self {
        Self::new(ErrorKind::Cancelled, "the computation of features was cancelled")
    }

    /// The cause, in the terms a caller decides by.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns true when the same call may succeed later without a change by hand.
    pub fn is_retryable(&self) -> bool {
        match &self.0.elasticsearch {
            Some(error) => self.0.kind == ErrorKind::PartialResult || error.is_retryable() || is_expired(error),
            None => self.0.kind == ErrorKind::PartialResult,
        }
    }

    /// The next step for a person, where one is known.
    pub fn help(&self) -> Option<&str> {
        self.0.help.as_deref().or_else(|| self.0.elasticsearch.as_ref()?.help())
    }

    /// The script that failed, for [`ErrorKind::Script`].
    pub fn script(&self) -> Option<&ScriptError> {
        self.0.script.as_ref()
    }

    /// The error of the request to Elasticsearch that failed, where one did.
    pub fn elasticsearch(&self) -> Option<&es_core::Error> {
        self.0.elasticsearch.as_ref()
    }
}

/// Returns true when the point in time was gone before everything was read.
fn is_expired(error: &es_core::Error) -> bool {
    error.kind() == es_core::ErrorKind::NotFound
        && error.server().is_some_and(|server| {
            server.root_causes.iter().any(|cause| cause.error_type == "search_context_missing_exception")
        })
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        match self.help() {
            Some(help) if f.alternate() => write!(f, "\nhelp: {help}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:#}")?;
        let mut source = self.source();
        while let Some(error) = source {
            write!(f, "\ncaused by: {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

impl StdError for Error {
    /// The cause of the failed request; its own message is part of this error's.
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.elasticsearch.as_ref().and_then(StdError::source)
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::new(ErrorKind::Definition, problem.to_string()).with_help(problem.help)
    }
}

impl From<ScriptError> for Error {
    fn from(script: ScriptError) -> Self {
        let place = match (script.position, script.excerpt.first()) {
            (Some(position), Some(line)) => format!(", at character {position}: `{}`", line.trim()),
            (Some(position), None) => format!(", at character {position}"),
            (None, _) => String::new(),
        };
        let message = format!("the script of feature `{}` fails: {}{place}", script.feature, script.reason);
        let mut error = Self::new(ErrorKind::Script, message);
        if script.reason.contains("script_lang not supported") {
            error = error.with_help("use features without scripts, or a node with the module lang-painless");
        }
        error.0.script = Some(script);
        error
    }
}

impl From<PolarsError> for Error {
    fn from(error: PolarsError) -> Self {
        Self::new(ErrorKind::Frame, format!("the rows cannot be turned into a data frame: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_request_prints_its_message_once_and_its_help() {
        let cause = es_core::Error::new(es_core::ErrorKind::Connect, "no node answered")
            .with_help("start Elasticsearch")
            .with_source(std::io::Error::other("connection refused"));
        let error = Error::request("reading the mapping of flights", cause);
        assert_eq!(error.to_string(), "reading the mapping of flights failed: no node answered");
        assert_eq!(
            format!("{error:#}"),
            "reading the mapping of flights failed: no node answered\nhelp: start Elasticsearch"
        );
        assert_eq!(
            format!("{error:?}"),
            "reading the mapping of flights failed: no node answered\nhelp: start Elasticsearch\n\
             caused by: connection refused"
        );
        assert_eq!(error.source().unwrap().to_string(), "connection refused");
        assert_eq!(error.elasticsearch().unwrap().kind(), es_core::ErrorKind::Connect);
        assert!(error.is_retryable());
    }

    #[test]
    fn an_incomplete_answer_may_be_asked_for_again() {
        let partial = es_core::Error::partial_result("2 shards failed", vec![]);
        let error = Error::request("counting", partial);
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::PartialResult, true));
        assert!(!Error::cancelled().is_retryable());
    }
}
