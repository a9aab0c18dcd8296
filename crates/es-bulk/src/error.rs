//! The error of this crate.

use std::error::Error as StdError;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::summary::Summary;

/// Any error that can cross threads. Streams of input may end with whatever converts into it.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// The failures that a caller can tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A file does not exist or cannot be opened.
    File,
    /// A file is damaged or is not in the expected format.
    Format,
    /// A row cannot become a document.
    Row,
    /// More documents were rejected than the limit allows.
    TooManyRejected,
    /// Elasticsearch failed and the retries are used up, or it refuses to write to the index.
    Elasticsearch,
    /// The dead letter cannot be written.
    DeadLetter,
    /// The input ended with an error of its own.
    Input,
    /// The request does not fit the columns, the index, or an earlier load of the same files.
    Request,
    /// The work was cancelled before it ended.
    Cancelled,
}

/// A failure to read files or to load documents.
///
/// `{}` prints the message, `{:#}` the help on a second line, and `{:?}` the message, the help
/// and all sources.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    help: Option<String>,
    path: Option<PathBuf>,
    summary: Option<Summary>,
    remedy: Option<Remedy>,
    cause: Option<Cause>,
}

/// An option that would let the same work succeed, for a program that calls it by another name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remedy {
    /// The files are read in this format.
    #[cfg(feature = "frames")]
    Format(crate::files::FileFormat),
    /// The field of this name, `_id`, `_routing` or `_version`, is taken as what it says.
    Metadata(String),
}

/// The error beneath. One that is only passed on already prints its own message.
enum Cause {
    Elasticsearch(es_core::Error),
    #[cfg(feature = "frames")]
    Frame(es_frame::Error),
    Other(BoxError),
}

impl Error {
    /// Creates an error. The message is lower case, one line, without a full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            help: None,
            path: None,
            summary: None,
            remedy: None,
            cause: None,
        }))
    }

    /// Creates an error of an input from whatever the input ended with. An error of this crate
    /// stays as it is; any other becomes the source, from which
    /// [`Error::downcast_source`] gives it back.
    pub fn from_input(error: impl Into<BoxError>) -> Self {
        match error.into().downcast::<Self>() {
            Ok(error) => *error,
            Err(source) => Self::new(ErrorKind::Input, "the input of the load failed").with_source(source),
        }
    }

    pub(crate) fn of_file(kind: ErrorKind, path: &Path, message: impl Into<String>) -> Self {
        let mut error = Self::new(kind, message);
        error.0.path = Some(path.to_owned());
        error
    }

    /// Adds the next step for a person.
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Adds the error that this one came from.
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.0.cause = Some(match source.into().downcast::<es_core::Error>() {
            Ok(source) => Cause::Elasticsearch(*source),
            Err(source) => Cause::Other(source),
        });
        self
    }

    /// Adds another step to the help.
    pub(crate) fn with_more_help(mut self, more: &str) -> Self {
        self.0.help = Some(match self.0.help.take() {
            Some(first) => format!("{first}; {more}"),
            None => more.to_owned(),
        });
        self
    }

    #[cfg(feature = "frames")]
    pub(crate) fn with_remedy(mut self, remedy: Remedy) -> Self {
        self.0.remedy = Some(remedy);
        self
    }

    pub(crate) fn with_summary(mut self, summary: Summary) -> Self {
        self.0.summary = Some(summary);
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

    /// The option that would help, where one is known.
    pub fn remedy(&self) -> Option<&Remedy> {
        self.0.remedy.as_ref()
    }

    /// The file that it is about.
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// The account of the documents that were read before the load failed.
    pub fn summary(&self) -> Option<&Summary> {
        self.0.summary.as_ref()
    }

    /// The error of the connection beneath this one.
    pub fn elasticsearch(&self) -> Option<&es_core::Error> {
        match &self.0.cause {
            Some(Cause::Elasticsearch(error)) => Some(error),
            _ => None,
        }
    }

    /// Takes out the error that the input ended with, if it is an `E`.
    ///
    /// # Errors
    /// This error, when its source is something else.
    pub fn downcast_source<E: StdError + Send + Sync + 'static>(mut self) -> Result<E, Self> {
        let source = match self.0.cause.take() {
            Some(Cause::Other(source)) => source,
            cause => {
                self.0.cause = cause;
                return Err(self);
            }
        };
        source.downcast::<E>().map(|error| *error).map_err(|source| {
            self.0.cause = Some(Cause::Other(source));
            self
        })
    }

    /// Tells whether the same work may succeed later without a change by hand.
    pub fn is_retryable(&self) -> bool {
        self.elasticsearch().is_some_and(es_core::Error::is_retryable)
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
        f.write_str(&self.0.message)?;
        let mut source = self.source();
        while let Some(error) = source {
            write!(f, "\ncaused by: {error}")?;
            source = error.source();
        }
        match &self.0.help {
            Some(help) => write!(f, "\nhelp: {help}"),
            None => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self.0.cause.as_ref()? {
            Cause::Elasticsearch(error) if error.to_string() == self.0.message => error.source(),
            Cause::Elasticsearch(error) => Some(error),
            #[cfg(feature = "frames")]
            Cause::Frame(error) => error.source(),
            Cause::Other(error) => Some(&**error),
        }
    }
}

impl From<es_core::Error> for Error {
    fn from(source: es_core::Error) -> Self {
        let error = Self::new(ErrorKind::Elasticsearch, source.to_string());
        let mut error = match source.help() {
            Some(help) => error.with_help(help),
            None => error,
        };
        error.0.cause = Some(Cause::Elasticsearch(source));
        error
    }
}

#[cfg(feature = "frames")]
impl From<es_frame::Error> for Error {
    fn from(source: es_frame::Error) -> Self {
        // The caller that fills batches knows the row by its number in the file.
        let error = Self::new(ErrorKind::Row, source.message());
        let mut error = match source.help() {
            Some(help) => error.with_help(help),
            None => error,
        };
        error.0.cause = Some(Cause::Frame(source));
        error
    }
}

#[cfg(feature = "frames")]
impl From<polars::error::PolarsError> for Error {
    fn from(source: polars::error::PolarsError) -> Self {
        let message = source.to_string();
        Self::new(ErrorKind::Format, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Eq, thiserror::Error)]
    #[error("the disk went away")]
    struct DiskError(u32);

    #[test]
    fn an_error_prints_its_message_its_help_and_its_sources_once() {
        let beneath = es_core::Error::new(es_core::ErrorKind::Overloaded, "the queue is full").with_help("wait");
        let error = Error::from(beneath.with_source(std::io::Error::other("deep")));
        assert_eq!((error.to_string().as_str(), error.is_retryable()), ("the queue is full", true));
        assert_eq!(format!("{error:#}"), "the queue is full\nhelp: wait");
        assert_eq!(format!("{error:?}"), "the queue is full\ncaused by: deep\nhelp: wait");
        assert_eq!(error.elasticsearch().map(es_core::Error::kind), Some(es_core::ErrorKind::Overloaded));
        let outer =
            Error::new(ErrorKind::Input, "outer").with_source(es_core::Error::new(es_core::ErrorKind::Tls, "x"));
        assert_eq!(format!("{outer:?}"), "outer\ncaused by: x");
    }

    #[test]
    fn an_error_of_an_input_is_given_back() {
        let error = Error::from_input(DiskError(7));
        assert_eq!(format!("{error:?}"), "the input of the load failed\ncaused by: the disk went away");
        assert_eq!(error.source().unwrap().downcast_ref(), Some(&DiskError(7)));
        let error = error.downcast_source::<std::io::Error>().unwrap_err();
        assert_eq!(error.downcast_source::<DiskError>().unwrap(), DiskError(7));
        let own = Error::from_input(Error::new(ErrorKind::Format, "cut off"));
        assert_eq!((own.kind(), own.to_string().as_str()), (ErrorKind::Format, "cut off"));
    }
}
