//! The one error of this crate.

/// What went wrong, in the terms a caller decides by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A text is not the reference to a model.
    ModelReference,
    /// A tensor's shape and data do not fit, or its data do not fit its type.
    Tensor,
    /// A request or an answer does not keep to the protocol: tensors without a name or
    /// with the same one, an answer without a tensor that was asked for.
    Protocol,
}

/// Why a model could not be named, or a message is not what it should be.
///
/// `Display` is one line; [`Error::help`] is the next step for a person, where there is one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    message: String,
    help: Option<&'static str>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), help: None }
    }

    pub(crate) fn with_help(mut self, help: &'static str) -> Self {
        self.help = Some(help);
        self
    }

    /// What a caller can decide by.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The next step for a person, where one is known.
    pub fn help(&self) -> Option<&str> {
        self.help
    }
}
