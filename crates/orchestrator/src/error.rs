//! The error of this crate: a kind to act on, a message and the next step for a person, and the
//! error beneath. Which exit code it becomes is known to [`exit`](crate::exit) alone.

use std::fmt;

use es_assets::Diagnostics;

use crate::models::INSTALL_ONNX_RUNTIME;

/// The kinds of an [`Error`], by what a caller can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The configuration or the request is wrong: it fails again until it is changed.
    Config,
    /// Something failed; [`Error::is_retryable`] says whether the same may succeed later.
    Failed,
    /// A check of severity `error` failed on data that was not published.
    CheckFailed,
    /// The work was cancelled, after what was under way was settled.
    Interrupted,
    /// Another process took over the lease of a part; nothing of the part was published.
    LeaseLost,
    /// A defect of this program.
    Defect,
}

/// An error of this crate.
pub struct Error {
    kind: ErrorKind,
    message: String,
    help: Option<String>,
    is_retryable: bool,
    diagnostics: Option<Box<Diagnostics>>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The result of most functions of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error with a message: lower case, one line, without a full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let is_retryable = kind == ErrorKind::LeaseLost;
        Self { kind, message: message.into(), help: None, is_retryable, diagnostics: None, source: None }
    }

    /// A failure of the work itself.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Failed, message)
    }

    /// A mistake in the command line, the configuration or the request.
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Config, message)
    }

    /// A task that ended in a panic.
    pub fn defect(doing: &str, error: &tokio::task::JoinError) -> Self {
        Self::new(ErrorKind::Defect, format!("{doing} ended in a defect of this program: {error}"))
            .with_help(Some("please report it, with the log of `-vv`"))
    }

    /// An interruption that came before anything was changed.
    pub fn interrupted_early() -> Self {
        Self::new(ErrorKind::Interrupted, "interrupted before any work started")
    }

    /// The same error once more, without the one beneath.
    #[must_use]
    pub fn again(&self) -> Self {
        Self {
            kind: self.kind,
            message: self.message.clone(),
            help: self.help.clone(),
            is_retryable: self.is_retryable,
            diagnostics: self.diagnostics.clone(),
            source: None,
        }
    }

    /// Sets the next step, where there is one.
    #[must_use]
    pub fn with_help(mut self, help: Option<impl Into<String>>) -> Self {
        if let Some(help) = help {
            self.help = Some(help.into());
        }
        self
    }

    /// Keeps the error beneath.
    #[must_use]
    pub fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// Says whether the same may succeed later without a change.
    #[must_use]
    pub fn retryable(mut self, is_retryable: bool) -> Self {
        self.is_retryable = is_retryable;
        self
    }

    /// Puts the work that failed before the message.
    #[must_use]
    pub fn within(mut self, context: &str) -> Self {
        if self.diagnostics.is_none() {
            self.message = format!("{context}: {}", self.message);
        }
        self
    }

    /// The kind.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The next step, for a person.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// Returns whether the same may succeed later without a change.
    pub fn is_retryable(&self) -> bool {
        self.is_retryable
    }

    /// The places in the pipeline file, where the error is a mistake in it.
    pub fn diagnostics(&self) -> Option<&Diagnostics> {
        self.diagnostics.as_deref()
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

impl From<Diagnostics> for Error {
    fn from(diagnostics: Diagnostics) -> Self {
        let mut error = Self::config(diagnostics.to_string());
        error.diagnostics = Some(Box::new(diagnostics));
        error
    }
}

impl From<es_assets::Error> for Error {
    fn from(error: es_assets::Error) -> Self {
        Self::config(error.to_string()).with_help(error.help())
    }
}

impl From<es_core::Error> for Error {
    fn from(error: es_core::Error) -> Self {
        let kind = if error.kind() == es_core::ErrorKind::Config { ErrorKind::Config } else { ErrorKind::Failed };
        Self::new(kind, error.to_string()).with_help(error.help()).retryable(error.is_retryable()).with_source(error)
    }
}

impl From<es_bulk::Error> for Error {
    fn from(error: es_bulk::Error) -> Self {
        let account = error.summary().map(|summary| format!(" ({summary})")).unwrap_or_default();
        let kind = match error.kind() {
            // The request asks for something that cannot be.
            es_bulk::ErrorKind::Request => ErrorKind::Config,
            es_bulk::ErrorKind::Cancelled => ErrorKind::Interrupted,
            _ => ErrorKind::Failed,
        };
        Self::new(kind, format!("{error}{account}"))
            .with_help(error.help())
            .retryable(error.is_retryable())
            .with_source(error)
    }
}

impl From<es_frame::Error> for Error {
    fn from(error: es_frame::Error) -> Self {
        Self::failed(error.to_string()).with_help(error.help()).retryable(error.is_retryable()).with_source(error)
    }
}

impl From<es_export::Error> for Error {
    fn from(error: es_export::Error) -> Self {
        let kind = match error.kind() {
            es_export::ErrorKind::Interrupted => ErrorKind::Interrupted,
            // The request asks for something that cannot be.
            es_export::ErrorKind::Format | es_export::ErrorKind::Split => ErrorKind::Config,
            _ => ErrorKind::Failed,
        };
        Self::new(kind, error.to_string()).with_help(error.help()).retryable(error.is_retryable()).with_source(error)
    }
}

impl From<es_serving::Error> for Error {
    fn from(error: es_serving::Error) -> Self {
        let help = match error.kind() {
            es_serving::ErrorKind::Runtime => {
                Some(format!("{INSTALL_ONNX_RUNTIME}; `orchestrator doctor` says where it is looked for"))
            }
            _ => error.help().map(str::to_owned),
        };
        Self::failed(error.to_string()).with_help(help).retryable(error.is_retryable()).with_source(error)
    }
}

impl From<es_features::Error> for Error {
    fn from(error: es_features::Error) -> Self {
        Self::failed(error.to_string()).with_help(error.help()).retryable(error.is_retryable()).with_source(error)
    }
}

impl From<es_monitor::Error> for Error {
    fn from(error: es_monitor::Error) -> Self {
        Self::failed(error.to_string()).with_help(error.help()).retryable(error.is_retryable()).with_source(error)
    }
}
