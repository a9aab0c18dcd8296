//! The one error of this crate.

use std::io;
use std::path::{Path, PathBuf};

use polars::error::PolarsError;
use polars::prelude::PlSmallStr;

/// What went wrong, in the terms a caller decides by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The index or alias does not exist.
    NotFound,
    /// The request contradicts itself.
    Request,
    /// The cluster does not have the feature that the read needs.
    FeatureMissing,
    /// The server cut the result off.
    Truncated,
    /// A column or field is not there, or has no column type.
    Column,
    /// A document holds a value that its column cannot take.
    Value,
    /// Elasticsearch failed and the retries are used up.
    Elasticsearch,
    /// The rows that were read are not as many as the query matches.
    Incomplete,
    /// The format of the files cannot hold a column, or lacks an option.
    Format,
    /// The split cannot be made.
    Split,
    /// Rows cannot be put into folders by their values.
    Partition,
    /// The destination is in the way: something that is not an export is there.
    Destination,
    /// Another export to the same destination is running.
    Locked,
    /// The disk, or a quota, is full.
    DiskFull,
    /// A file cannot be written.
    Io,
    /// Who reads the stream wants no more.
    Closed,
    /// The export was stopped; nothing was changed.
    Interrupted,
}

/// A failure to read an index or to write files.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    message: String,
    help: Option<String>,
    path: Option<PathBuf>,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), help: None, path: None, source: None }
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// A column that is not among those that there are, and what it was named for.
    pub(crate) fn no_column<'a>(name: &str, purpose: &str, columns: impl IntoIterator<Item = &'a PlSmallStr>) -> Self {
        let columns = columns.into_iter().map(|column| column.as_str());
        Self::new(ErrorKind::Column, format!("there is no column {name} {purpose}"))
            .with_help(es_values::suggestion(name, "columns", columns))
    }

    /// A file that could not be written, with the full disk told apart.
    pub(crate) fn writing(path: &Path, source: io::Error) -> Self {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        let full = matches!(source.kind(), StorageFull | QuotaExceeded | FileTooLarge);
        let (kind, help) = if full {
            (ErrorKind::DiskFull, "free some space, or choose another path: what was there before is unchanged")
        } else {
            (ErrorKind::Io, "check the path and who may write there: what was there before is unchanged")
        };
        let message = format!("{} cannot be written: {source}", path.display());
        Self { path: Some(path.to_owned()), ..Self::new(kind, message) }.with_help(help).with_source(source)
    }

    /// A stream that could not be written to, with its reader's end told apart.
    pub(crate) fn streaming(source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::BrokenPipe {
            return Self::new(ErrorKind::Closed, "the reader closed the stream").with_source(source);
        }
        let kind = Self::writing(Path::new("-"), io::Error::from(source.kind())).kind;
        Self::new(kind, format!("the stream cannot be written: {source}")).with_source(source)
    }

    /// A page that could not be read: the index was there, so what is missing is the point in
    /// time.
    pub(crate) fn of_page(source: es_core::Error) -> Self {
        let is_gone = source.kind() == es_core::ErrorKind::NotFound;
        let error = Self::from(source);
        if is_gone {
            let help =
                "the point in time is gone: its index was removed, or the server kept it for too short; try again";
            return Self { kind: ErrorKind::Elasticsearch, ..error }.with_help(help);
        }
        error
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

    /// Whether the same export may succeed later without anything being changed by hand.
    pub fn is_retryable(&self) -> bool {
        let source = std::error::Error::source(self);
        match source.and_then(|source| source.downcast_ref::<es_core::Error>()) {
            Some(source) => source.is_retryable(),
            None => self.kind == ErrorKind::Incomplete,
        }
    }
}

impl From<es_core::Error> for Error {
    fn from(source: es_core::Error) -> Self {
        let kind = match source.kind() {
            es_core::ErrorKind::NotFound => ErrorKind::NotFound,
            es_core::ErrorKind::FeatureMissing => ErrorKind::FeatureMissing,
            _ => ErrorKind::Elasticsearch,
        };
        let help = source.help().map(str::to_owned);
        let error = Self::new(kind, source.to_string()).with_source(source);
        Self { help, ..error }
    }
}

impl From<es_frame::Error> for Error {
    fn from(source: es_frame::Error) -> Self {
        use es_frame::ErrorKind as Frame;
        let kind = match source.kind() {
            Frame::UnknownColumn | Frame::UnsupportedType => ErrorKind::Column,
            Frame::Partial | Frame::Malformed => ErrorKind::Incomplete,
            _ => ErrorKind::Value,
        };
        let help = source.help().map(str::to_owned);
        let error = Self::new(kind, source.to_string()).with_source(source);
        Self { help, ..error }
    }
}

impl From<PolarsError> for Error {
    fn from(source: PolarsError) -> Self {
        Self::new(ErrorKind::Value, source.to_string()).with_source(source)
    }
}
