//! The one error of this crate.

use std::path::{Path, PathBuf};

use polars::error::PolarsError;

use crate::summary::Summary;

/// What went wrong, in the terms a caller decides by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A file does not exist or cannot be opened.
    File,
    /// A file is not of the format it should be, or is damaged.
    Format,
    /// A row cannot become a document.
    Row,
    /// More documents were rejected than the limit allows.
    TooManyRejected,
    /// Elasticsearch failed and the retries are used up.
    Elasticsearch,
    /// The dead letter cannot be written.
    DeadLetter,
    /// The input ended with an error of its own.
    Input,
    /// What is asked for does not fit the columns, the index, or an earlier load of the same files.
    Request,
}

/// A failure to read files or to load documents.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    message: String,
    help: Option<String>,
    path: Option<PathBuf>,
    summary: Option<Box<Summary>>,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of the given kind. The message is lower case, one line, without a full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), help: None, path: None, summary: None, source: None }
    }

    pub(crate) fn of_file(kind: ErrorKind, path: &Path, message: impl Into<String>) -> Self {
        Self { path: Some(path.to_owned()), ..Self::new(kind, message) }
    }

    /// Adds what a person can do about it.
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds the error that this one came from.
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds another step to what a person can do about it.
    pub(crate) fn with_more_help(mut self, more: &str) -> Self {
        self.help = Some(match self.help.take() {
            Some(first) => format!("{first}; {more}"),
            None => more.to_owned(),
        });
        self
    }

    pub(crate) fn with_summary(mut self, summary: Summary) -> Self {
        self.summary = Some(Box::new(summary));
        self
    }

    /// What a caller can decide by.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The next step for a person, where one is known.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// The file it is about.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// What became of the documents that were read before the load failed.
    pub fn summary(&self) -> Option<&Summary> {
        self.summary.as_deref()
    }

    /// Whether the same load may succeed later without anything being changed by hand.
    pub fn is_retryable(&self) -> bool {
        match std::error::Error::source(self).and_then(|source| source.downcast_ref::<es_core::Error>()) {
            Some(source) => source.is_retryable(),
            None => false,
        }
    }
}

impl From<es_core::Error> for Error {
    fn from(source: es_core::Error) -> Self {
        let error = Self::new(ErrorKind::Elasticsearch, source.to_string());
        let error = match source.help() {
            Some(help) => error.with_help(help),
            None => error,
        };
        error.with_source(source)
    }
}

impl From<es_frame::Error> for Error {
    fn from(source: es_frame::Error) -> Self {
        // Whoever fills batches knows the row by its number in the file.
        let error = Self::new(ErrorKind::Row, source.message());
        let error = match source.help() {
            Some(help) => error.with_help(help),
            None => error,
        };
        error.with_source(source)
    }
}

impl From<PolarsError> for Error {
    fn from(source: PolarsError) -> Self {
        Self::new(ErrorKind::Format, source.to_string()).with_source(source)
    }
}
