//! The error type of this crate.

use std::fmt;

use polars::error::PolarsError;

/// The kind of a failure, for callers that decide by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A column has a type that has no counterpart on the other side.
    UnsupportedType,
    /// A requested column does not exist.
    UnknownColumn,
    /// A row cannot become a document, such as one with a null in its id.
    Row,
    /// A document holds a value that its column cannot take.
    Value,
    /// A search answer is cut off or not what the protocol promises.
    Malformed,
    /// Some shards failed or timed out, so rows would be missing.
    Partial,
    /// An operation of Polars failed.
    Polars,
}

/// A failure to turn rows into documents or hits into rows.
///
/// `{}` prints the message, `{:#}` the help below it, and `{:?}`, as `?` from `main` does, the
/// sources as well.
pub struct Error {
    kind: ErrorKind,
    row: Option<usize>,
    message: String,
    help: Option<String>,
    /// An error whose message this one's is: it stands in for it.
    wrapped: Option<PolarsError>,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(row) = self.row {
            write!(f, "row {row} of the frame: ")?;
        }
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
        let mut next = std::error::Error::source(self);
        while let Some(source) = next {
            write!(f, "\ncaused by: {source}")?;
            next = source.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.wrapped.as_ref()?.source()
    }
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, row: None, message: message.into(), help: None, wrapped: None }
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

    /// The kind of the failure.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The next step, where one is known.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// True if the same request may succeed later: only for answers that shards left incomplete.
    pub fn is_retryable(&self) -> bool {
        self.kind == ErrorKind::Partial
    }
}

impl From<PolarsError> for Error {
    fn from(error: PolarsError) -> Self {
        Self { kind: ErrorKind::Polars, row: None, message: error.to_string(), help: None, wrapped: Some(error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_printed_once_and_help_on_request() {
        let error = Error::new(ErrorKind::Row, "the id is null").with_row(3).with_help("filter such rows out");
        assert_eq!(error.to_string(), "row 3 of the frame: the id is null");
        let whole = "row 3 of the frame: the id is null\nhelp: filter such rows out";
        assert_eq!((format!("{error:#}"), format!("{error:?}")), (whole.to_owned(), whole.to_owned()));
        let polars = Error::from(PolarsError::NoData("nothing".into()));
        assert_eq!(format!("{polars:?}"), polars.to_string());
    }
}
