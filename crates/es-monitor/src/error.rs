//! The one error of this crate: why an evaluation could not be made at all. That a single
//! field could not be measured is no error but a [`crate::Verdict`].

/// What went wrong, in the terms a caller decides by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The monitor contradicts itself: a window that ends before it starts, a threshold
    /// that cannot be one.
    Spec,
    /// The index does not exist.
    IndexNotFound,
    /// The index has no such field.
    FieldNotFound,
    /// The field has a type that the method, or any method, cannot measure.
    FieldType,
    /// A request failed; the source says how.
    Elasticsearch,
}

/// Why a monitor could not be evaluated.
///
/// `Display` is one line; [`Error::help`] is the next step for a person, where there is one.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    message: String,
    help: Option<String>,
    source: Option<es_core::Error>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), help: None, source: None }
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// What a caller can decide by.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The next step for a person, where one is known.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref().or_else(|| self.source.as_ref()?.help())
    }

    /// Whether the same evaluation may succeed later without anything being changed by hand.
    pub fn is_retryable(&self) -> bool {
        self.source.as_ref().is_some_and(es_core::Error::is_retryable)
    }
}

impl From<es_core::Error> for Error {
    fn from(source: es_core::Error) -> Self {
        Self { kind: ErrorKind::Elasticsearch, message: source.to_string(), help: None, source: Some(source) }
    }
}
