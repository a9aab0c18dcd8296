//! The error type of this crate.

use std::fmt;

/// The cause of a failure, in the terms a caller decides by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A text is not the reference to a model.
    ModelReference,
    /// A file is no model, or one that cannot be scored here.
    ModelFile,
    /// The library that scores models is not there.
    Runtime,
    /// A model failed on a batch, or its answer is not one.
    Scoring,
    /// Columns, tensors and a model do not fit each other.
    Signature,
    /// A tokenizer refuses a text.
    Text,
    /// The shape and data of a tensor do not fit, or its data do not fit its type.
    Tensor,
    /// A request or an answer breaks the protocol: tensors without a name or with the same one, an
    /// answer without a requested tensor.
    Protocol,
    /// A registration, a move or an option contradicts itself: a name that is none, a metric that is
    /// not finite.
    Invalid,
    /// The registry has no such model, version or alias, or the folder no such file.
    NotFound,
    /// Somebody else changed it at the same time, or it is not in the expected state.
    Conflict,
    /// A rule, or the state of a version, forbids the move of an alias.
    Refused,
    /// A file or a document of the registry is not what was written.
    Damaged,
    /// A file cannot be read or written.
    Io,
    /// A request to Elasticsearch failed; [`Error::elasticsearch`] is its error.
    Elasticsearch,
    /// A request to an MLflow tracking server failed, or its answer is not as documented.
    Mlflow,
    /// An option of a model server is no address, no header, or not one of its protocol.
    ServerOptions,
    /// A model server takes no connection, or does not answer in time.
    Unreachable,
    /// A model server does not let the client in.
    Unauthorized,
    /// A model server has no model of this name or version.
    UnknownModel,
    /// A model server, or its model, was not ready within the limit.
    NotReady,
    /// A model server refuses every request for this model, or is none.
    Server,
    /// A model server is not known to take missing numbers.
    Unsupported,
    /// The cluster lacks a processor or a script language that an ingest pipeline needs.
    Unavailable,
}

/// The reason that a text is not a model, that a message is not valid, or that the registry cannot do
/// what it was asked.
///
/// `Display` is one line; its alternate form (`{:#}`) and `Debug` add [`Error::help`].
pub struct Error {
    kind: ErrorKind,
    message: String,
    help: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
    elasticsearch: Option<Box<es_core::Error>>,
    is_retryable: bool,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), help: None, source: None, elasticsearch: None, is_retryable: false }
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    pub(crate) fn retryable(mut self, is_retryable: bool) -> Self {
        self.is_retryable = is_retryable;
        self
    }

    /// The cause, in the terms a caller decides by.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The next step for a person, where one is known.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref().or_else(|| self.elasticsearch.as_ref()?.help())
    }

    /// Returns true when the same call may succeed later without a change by hand. A conflict is not
    /// among them: somebody has to look at what changed.
    pub fn is_retryable(&self) -> bool {
        self.is_retryable || self.elasticsearch.as_ref().is_some_and(|error| error.is_retryable())
    }

    /// The error of the request to Elasticsearch that failed, where one did.
    pub fn elasticsearch(&self) -> Option<&es_core::Error> {
        self.elasticsearch.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match self.help() {
            Some(help) if f.alternate() => write!(f, "\nhelp: {help}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:#}")?;
        let mut source = std::error::Error::source(self);
        while let Some(error) = source {
            write!(f, "\ncaused by: {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    /// The cause. That of a failed request is the cause of the request's error, whose message is this
    /// error's.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.elasticsearch {
            Some(error) => error.source(),
            None => self.source.as_deref().map(|source| source as _),
        }
    }
}

impl From<es_core::Error> for Error {
    fn from(error: es_core::Error) -> Self {
        let mut wrapped = Self::new(ErrorKind::Elasticsearch, error.to_string());
        wrapped.elasticsearch = Some(Box::new(error));
        wrapped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alternate_form_and_debug_have_the_help() {
        let error = Error::new(ErrorKind::Tensor, "tensor t is empty").with_help("add an element");
        assert_eq!(error.to_string(), "tensor t is empty");
        assert_eq!(format!("{error:#}"), "tensor t is empty\nhelp: add an element");
        assert_eq!(format!("{error:?}"), "tensor t is empty\nhelp: add an element");
    }

    #[test]
    fn a_failed_request_prints_its_message_once_and_its_help() {
        let cause = es_core::Error::new(es_core::ErrorKind::Connect, "no node answered")
            .with_help("start Elasticsearch")
            .with_source(std::io::Error::other("connection refused"));
        let error = Error::from(cause);
        assert_eq!(format!("{error:?}"), "no node answered\nhelp: start Elasticsearch\ncaused by: connection refused");
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Elasticsearch, true));
    }

    #[test]
    fn a_file_that_cannot_be_read_keeps_its_cause() {
        let error = Error::new(ErrorKind::Io, "a.onnx cannot be read").with_source(std::io::Error::other("disk"));
        assert_eq!(format!("{error:?}"), "a.onnx cannot be read\ncaused by: disk");
        assert!(!error.is_retryable());
    }
}
