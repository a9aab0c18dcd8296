//! The error type of this crate.

use std::fmt;

/// The cause of a failure, in the terms a caller decides by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A text is not the reference to a model.
    ModelReference,
    /// A file is no model, or one that cannot be scored here.
    ModelFile,
    /// The library that scores models is not there.
    Runtime,
    /// A model failed on a batch, or its answer is not one.
    Scoring,
    /// Columns, tensors and a model do not fit each other.
    Signature,
    /// The shape and data of a tensor do not fit, or its data do not fit its type.
    Tensor,
    /// A request or an answer breaks the protocol: tensors without a name or with the same one, an
    /// answer without a requested tensor.
    Protocol,
}

/// The reason that a text is not a model, or that a message is not valid.
///
/// `Display` is one line; its alternate form (`{:#}`) and `Debug` add [`Error::help`].
pub struct Error {
    kind: ErrorKind,
    message: String,
    help: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), help: None, source: None }
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
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

    /// Returns false: the same text or message stays as it is.
    pub fn is_retryable(&self) -> bool {
        false
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
        write!(f, "{self:#}")
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
