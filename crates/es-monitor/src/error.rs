//! The error type of this crate: the reason that an evaluation could not be made at all. A single
//! field that could not be measured is not an error but a [`crate::Verdict`].

use std::error::Error as StdError;
use std::fmt;

use es_values::Problem;

/// The cause of a failure, in the terms a caller decides by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The monitor contradicts itself: a window that ends before it starts, a threshold out of
    /// range.
    Definition,
    /// The index does not exist.
    IndexNotFound,
    /// The index has no such field.
    FieldNotFound,
    /// The field has a type that the method, or any method, cannot measure.
    FieldType,
    /// A request to Elasticsearch failed; [`Error::elasticsearch`] is its error.
    Elasticsearch,
    /// Some shards failed or timed out, so counts would be short.
    PartialResult,
    /// The answer does not have the expected form.
    Decode,
    /// The edges and counts of a histogram do not fit each other.
    Histogram,
    /// The evaluation was cancelled.
    Cancelled,
}

/// The reason that a monitor could not be evaluated.
///
/// `Display` is one line; its alternate form (`{:#}`) and `Debug` add [`Error::help`].
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    help: Option<String>,
    elasticsearch: Option<es_core::Error>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), help: None, elasticsearch: None }))
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    pub(crate) fn cancelled() -> Self {
        Self::new(ErrorKind::Cancelled, "the evaluation of the monitor was cancelled")
    }

    /// The cause, in the terms a caller decides by.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The next step for a person, where one is known.
    pub fn help(&self) -> Option<&str> {
        self.0.help.as_deref().or_else(|| self.0.elasticsearch.as_ref()?.help())
    }

    /// Returns true when the same evaluation may succeed later without a change by hand.
    pub fn is_retryable(&self) -> bool {
        let passes = self.0.elasticsearch.as_ref().is_some_and(es_core::Error::is_retryable);
        passes || self.0.kind == ErrorKind::PartialResult
    }

    /// The error of the request to Elasticsearch that failed, where one did.
    pub fn elasticsearch(&self) -> Option<&es_core::Error> {
        self.0.elasticsearch.as_ref()
    }
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
    /// The cause of the failed request, whose own message is this error's.
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.elasticsearch.as_ref().and_then(StdError::source)
    }
}

impl From<es_core::Error> for Error {
    fn from(error: es_core::Error) -> Self {
        let kind = match error.kind() {
            es_core::ErrorKind::PartialResult => ErrorKind::PartialResult,
            es_core::ErrorKind::Decode => ErrorKind::Decode,
            _ => ErrorKind::Elasticsearch,
        };
        let mut wrapped = Self::new(kind, error.to_string());
        wrapped.0.elasticsearch = Some(error);
        wrapped
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::new(ErrorKind::Definition, problem.to_string()).with_help(problem.help)
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
        let error = Error::from(cause);
        assert_eq!(error.to_string(), "no node answered");
        assert_eq!(format!("{error:#}"), "no node answered\nhelp: start Elasticsearch");
        assert_eq!(format!("{error:?}"), "no node answered\nhelp: start Elasticsearch\ncaused by: connection refused");
        assert_eq!(error.elasticsearch().unwrap().kind(), es_core::ErrorKind::Connect);
        assert!(error.is_retryable());
    }

    #[test]
    fn an_incomplete_answer_may_be_asked_for_again() {
        let error = Error::from(es_core::Error::partial_result("2 shards failed", vec![]));
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::PartialResult, true));
        assert!(!Error::cancelled().is_retryable());
    }
}
