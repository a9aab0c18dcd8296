//! The one error of this crate.

use std::fmt;

use polars::error::PolarsError;

/// What went wrong, in the terms a caller decides by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A column has a type that has no counterpart on the other side.
    UnsupportedType,
    /// A column that is asked for does not exist.
    UnknownColumn,
    /// A row cannot become a document, such as one with a null in its id.
    Row,
    /// A document holds a value that its column cannot take.
    Value,
    /// A search answer is cut off or not what the protocol promises.
    Malformed,
    /// Some shards failed or timed out, so rows would be missing.
    Partial,
    /// Polars refused something.
    Polars,
}

/// A failure to turn rows into documents or hits into rows.
#[derive(Debug, thiserror::Error)]
#[error("{}{message}", Place(*row))]
pub struct Error {
    kind: ErrorKind,
    row: Option<usize>,
    message: String,
    help: Option<String>,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The row that a message begins with, if it is about one.
struct Place(Option<usize>);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(row) => write!(f, "row {row} of the frame: "),
            None => Ok(()),
        }
    }
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, row: None, message: message.into(), help: None, source: None }
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn with_row(mut self, row: usize) -> Self {
        self.row = Some(row);
        self
    }

    /// The row of the frame that failed, counted from 0.
    pub fn row(&self) -> Option<usize> {
        self.row
    }

    /// The message without the row, for a caller who knows it under another number.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What a caller can decide by.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The next step for a person, where one is known.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// Whether asking again may help: only for answers that shards left incomplete.
    pub fn is_retryable(&self) -> bool {
        self.kind == ErrorKind::Partial
    }
}

impl From<PolarsError> for Error {
    fn from(source: PolarsError) -> Self {
        Self {
            kind: ErrorKind::Polars,
            row: None,
            message: source.to_string(),
            help: None,
            source: Some(Box::new(source)),
        }
    }
}
