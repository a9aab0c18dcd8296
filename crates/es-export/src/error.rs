//! The error of this crate.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use polars::error::PolarsError;
use polars::prelude::PlSmallStr;

/// The kind of a failure, for callers to decide by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The index or alias does not exist.
    NotFound,
    /// The request contradicts itself.
    Request,
    /// The cluster does not have a feature that the read needs.
    FeatureMissing,
    /// The server truncated the result.
    Truncated,
    /// A column or field does not exist, or has no column type.
    Column,
    /// A document holds a value that its column cannot hold.
    Value,
    /// Elasticsearch failed, and the retries are used up.
    Elasticsearch,
    /// The point in time was lost while it was read: a node with one of its shards is gone, an
    /// index was removed, or it expired. A new read starts from scratch.
    PointInTimeLost,
    /// The number of rows that were read is not the number of documents that match.
    Incomplete,
    /// The format of the files cannot hold a column, or lacks an option.
    Format,
    /// The split cannot be made.
    Split,
    /// Rows cannot be put into folders by their values.
    Partition,
    /// Something that is not an export is at the destination.
    Destination,
    /// Another export to the same destination is running.
    Locked,
    /// The disk or a quota is full.
    DiskFull,
    /// A file cannot be written.
    Io,
    /// The reader of the stream closed it.
    Closed,
    /// The export was cancelled; nothing was changed.
    Interrupted,
}

/// A failure to read an index or to write files.
///
/// `{}` prints the message, `{:#}` the message and the help, and `{:?}` both with all sources, a
/// line each.
pub struct Error {
    kind: ErrorKind,
    message: String,
    help: Option<String>,
    path: Option<PathBuf>,
    source: Option<Source>,
}

/// The error beneath an error.
enum Source {
    /// The message does not contain it.
    Separate(Box<dyn StdError + Send + Sync>),
    /// The message contains its text, so that a chain of sources goes on after it.
    Quoted(Box<dyn StdError + Send + Sync>),
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), help: None, path: None, source: None }
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds the error beneath, whose text is not in the message.
    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(Source::Separate(source.into()));
        self
    }

    /// Adds the error beneath, whose text the message contains.
    pub(crate) fn quoting(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(Source::Quoted(source.into()));
        self
    }

    /// A column that is not among those that exist; `purpose` says what it was needed for.
    pub(crate) fn no_column<'a>(name: &str, purpose: &str, columns: impl IntoIterator<Item = &'a PlSmallStr>) -> Self {
        let columns = columns.into_iter().map(|column| column.as_str());
        Self::new(ErrorKind::Column, format!("there is no column {name} {purpose}"))
            .with_help(es_values::suggestion(name, "columns", columns))
    }

    /// A file that could not be written. A full disk has a kind of its own.
    pub(crate) fn writing(path: &Path, source: io::Error) -> Self {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        let full = matches!(source.kind(), StorageFull | QuotaExceeded | FileTooLarge);
        let (kind, help) = if full {
            (ErrorKind::DiskFull, "free some space, or choose another path: what was there before is unchanged")
        } else {
            (ErrorKind::Io, "check the path and its permissions: what was there before is unchanged")
        };
        let message = format!("{} cannot be written: {source}", path.display());
        Self { path: Some(path.to_owned()), ..Self::new(kind, message) }.with_help(help).quoting(source)
    }

    /// A stream that could not be written to. A reader that closed it has a kind of its own.
    pub(crate) fn streaming(source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::BrokenPipe {
            return Self::new(ErrorKind::Closed, "the reader closed the stream").with_source(source);
        }
        let kind = Self::writing(Path::new("-"), io::Error::from(source.kind())).kind;
        Self::new(kind, format!("the stream cannot be written: {source}")).quoting(source)
    }

    /// A page of a point in time that could not be read. The index existed when the read began, so
    /// what is missing is the point in time, or a shard of it.
    pub(crate) fn reading_page(source: es_core::Error) -> Self {
        let is_lost = match source.kind() {
            es_core::ErrorKind::NotFound => true,
            // Of a search that timed out the shards are there.
            es_core::ErrorKind::PartialResult => !source.failed_shards().is_empty(),
            _ => source.failed_shards().iter().any(|shard| is_lost_shard(&shard.reason.error_type)),
        };
        let is_cut_off = source.kind() == es_core::ErrorKind::Decode;
        let error = Self::from(source);
        if is_cut_off {
            return Self { kind: ErrorKind::Incomplete, ..error };
        }
        if is_lost {
            let help = "the point in time is gone: a node with one of its shards left, its index was removed, or it \
                        expired; read again from the beginning";
            return Self { kind: ErrorKind::PointInTimeLost, ..error }.with_help(help);
        }
        error
    }

    /// The kind of the failure.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The next step for a person, where one is known.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// The file that it is about.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The error of Elasticsearch or of the connection beneath, where there is one.
    pub fn elasticsearch(&self) -> Option<&es_core::Error> {
        self.beneath()
    }

    /// The error beneath, if it is of a type.
    pub(crate) fn beneath<E: StdError + 'static>(&self) -> Option<&E> {
        match self.source.as_ref()? {
            Source::Separate(source) | Source::Quoted(source) => source.downcast_ref(),
        }
    }

    /// Returns `true` if the same export may succeed later without a change.
    pub fn is_retryable(&self) -> bool {
        match (self.kind, self.elasticsearch()) {
            (ErrorKind::PointInTimeLost | ErrorKind::Incomplete, _) => true,
            (_, Some(source)) => source.is_retryable(),
            (_, None) => false,
        }
    }
}

/// Returns `true` for a failure of a shard by which its part of a point in time is gone, with its
/// node or on it.
fn is_lost_shard(error_type: &str) -> bool {
    matches!(
        error_type,
        "search_context_missing_exception"
            | "no_shard_available_action_exception"
            | "node_not_connected_exception"
            | "node_disconnected_exception"
            | "node_closed_exception"
            | "shard_not_found_exception"
            | "illegal_index_shard_state_exception"
    )
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) if f.alternate() => write!(f, "\nhelp: {help}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:#}")?;
        let mut source = StdError::source(self);
        while let Some(error) = source {
            write!(f, "\ncaused by: {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self.source.as_ref()? {
            Source::Separate(source) => Some(source.as_ref()),
            Source::Quoted(source) => source.source(),
        }
    }
}

impl From<es_core::Error> for Error {
    fn from(source: es_core::Error) -> Self {
        let kind = match source.kind() {
            es_core::ErrorKind::NotFound => ErrorKind::NotFound,
            es_core::ErrorKind::FeatureMissing => ErrorKind::FeatureMissing,
            es_core::ErrorKind::PartialResult => ErrorKind::Incomplete,
            _ => ErrorKind::Elasticsearch,
        };
        let help = source.help().map(str::to_owned);
        let error = Self::new(kind, source.to_string()).quoting(source);
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
        let error = Self::new(kind, source.to_string()).quoting(source);
        Self { help, ..error }
    }
}

impl From<PolarsError> for Error {
    fn from(source: PolarsError) -> Self {
        Self::new(ErrorKind::Value, source.to_string()).quoting(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_message_is_printed_twice() {
        let beneath = es_core::Error::new(es_core::ErrorKind::Overloaded, "the server is busy")
            .with_help("wait")
            .with_source(io::Error::other("429"));
        let error = Error::from(beneath);
        assert_eq!(error.to_string(), "the server is busy");
        assert_eq!(format!("{error:#}"), "the server is busy\nhelp: wait");
        assert_eq!(format!("{error:?}"), "the server is busy\nhelp: wait\ncaused by: 429");
        assert_eq!(error.elasticsearch().unwrap().kind(), es_core::ErrorKind::Overloaded);
        assert!(error.is_retryable());

        let error = Error::writing(Path::new("a/b"), io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!((error.kind(), error.path()), (ErrorKind::DiskFull, Some(Path::new("a/b"))));
        assert_eq!(format!("{error:?}").lines().count(), 2, "{error:?}");
        assert!(!error.is_retryable() && error.elasticsearch().is_none());
    }
}
