//! The error of everything that happens after a pipeline file has been read.

/// A selection of assets or partitions that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    message: String,
    help: Option<String>,
}

/// The sort of problem that an [`Error`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The text of a selection does not follow its grammar.
    Syntax,
    /// There is no asset of that name.
    UnknownAsset,
    /// There is no asset with that tag.
    UnknownTag,
    /// There is no partition of that key, or none in that range.
    UnknownPartition,
    /// The partitions are too many, or reach beyond the calendar.
    PartitionRange,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { kind, message: message.into(), help: Some(help.into()) }
    }

    /// The sort of problem.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The next step for a person.
    #[must_use]
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }
}
