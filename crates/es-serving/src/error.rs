//! The error type of this crate.

use std::fmt;

/// The cause of a failure, in the terms a caller decides by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A text is not the reference to a model.
    ModelReference,
    /// Columns, tensors and a model do not fit each other.
    Signature,
    /// The shape and data of a tensor do not fit, or its data do not fit its type.
    Tensor,
    /// A request or an answer breaks the protocol: tensors without a name or with the same one, an
    /// answer without a requested tensor.
    Protocol,
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
}

/// The reason that a text is not a model, or that a message is not valid.
///
/// `Display` is one line; its alternate form (`{:#}`) and `Debug` add [`Error::help`].
pub struct Error {
    kind: ErrorKind,
    message: String,
    help: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
    is_retryable: bool,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), help: None, source: None, is_retryable: false }
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
        self.help.as_deref()
    }

    /// Returns true when the same call may succeed later without a change by hand.
    pub fn is_retryable(&self) -> bool {
        self.is_retryable
    }
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
        let mut source = std::error::Error::source(self);
        while let Some(error) = source {
            write!(f, "\ncaused by: {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
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
}
