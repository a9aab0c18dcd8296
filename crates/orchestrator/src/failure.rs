//! What ends a command: an exit code, and what a person needs to go on.

use std::fmt;

use es_assets::Diagnostics;

/// The exit codes of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Everything asked for was done.
    Done,
    /// A run failed.
    Failed,
    /// The command line or the configuration is wrong.
    Usage,
    /// A check or a monitor of severity `error` failed.
    CheckFailed,
    /// A monitor of severity `error` could not be measured.
    NotMeasured,
    /// The command was interrupted, after what was under way was settled.
    Interrupted,
}

impl Exit {
    /// The code.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::CheckFailed => 3,
            Self::NotMeasured => 4,
            Self::Interrupted => 130,
        }
    }

    /// The code of two things together: the graver one.
    pub fn and(self, other: Self) -> Self {
        let gravity = |exit| match exit {
            Self::Done => 0,
            Self::NotMeasured => 1,
            Self::CheckFailed => 2,
            Self::Failed => 3,
            Self::Usage => 4,
            Self::Interrupted => 5,
        };
        if gravity(self) >= gravity(other) { self } else { other }
    }
}

/// A failure, ready to be shown.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What failed.
    pub what: What,
    /// Whether the same may succeed later without anything being changed by hand.
    pub retryable: bool,
}

/// What is shown of a failure.
#[derive(Debug)]
pub enum What {
    /// One sentence, and what to do.
    Message {
        /// What failed, where, and why: lower case, one line, without a full stop.
        message: String,
        /// The next step.
        help: Option<String>,
    },
    /// Places in the pipeline file.
    Diagnostics(Box<Diagnostics>),
}

impl Failure {
    /// A failure with a message.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, what: What::Message { message: message.into(), help: None }, retryable: false }
    }

    /// A mistake in the command line or the configuration.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// An interruption that came before the command had changed anything.
    pub fn interrupted_early() -> Self {
        Self::new(Exit::Interrupted, "interrupted before anything was begun")
    }

    /// Adds the next step, where there is one.
    pub fn with_help(mut self, help: Option<impl Into<String>>) -> Self {
        if let (What::Message { help: current, .. }, Some(help)) = (&mut self.what, help) {
            *current = Some(help.into());
        }
        self
    }

    /// Says what was being done.
    pub fn within(mut self, context: &str) -> Self {
        if let What::Message { message, .. } = &mut self.what {
            *message = format!("{context}: {message}");
        }
        self
    }

    /// What failed, in one line.
    pub fn summary(&self) -> String {
        match &self.what {
            What::Message { message, .. } => message.clone(),
            What::Diagnostics(diagnostics) => diagnostics.to_string(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.summary())
    }
}

impl From<Diagnostics> for Failure {
    fn from(diagnostics: Diagnostics) -> Self {
        Self { exit: Exit::Usage, what: What::Diagnostics(Box::new(diagnostics)), retryable: false }
    }
}

impl From<es_assets::Error> for Failure {
    fn from(error: es_assets::Error) -> Self {
        Self::usage(error.to_string()).with_help(error.help())
    }
}

impl From<es_core::Error> for Failure {
    fn from(error: es_core::Error) -> Self {
        let exit = if error.kind() == es_core::ErrorKind::Config { Exit::Usage } else { Exit::Failed };
        Self { retryable: error.is_retryable(), ..Self::new(exit, error.to_string()).with_help(error.help()) }
    }
}

impl From<es_bulk::Error> for Failure {
    fn from(error: es_bulk::Error) -> Self {
        let account = error.summary().map(|summary| format!(" ({summary})")).unwrap_or_default();
        let failure = Self::new(Exit::Failed, format!("{error}{account}")).with_help(error.help());
        Self { retryable: error.is_retryable(), ..failure }
    }
}

impl From<es_frame::Error> for Failure {
    fn from(error: es_frame::Error) -> Self {
        Self { retryable: error.is_retryable(), ..Self::new(Exit::Failed, error.to_string()).with_help(error.help()) }
    }
}

impl From<es_export::Error> for Failure {
    fn from(error: es_export::Error) -> Self {
        let exit = match error.kind() {
            es_export::ErrorKind::Interrupted => Exit::Interrupted,
            // What the command line or the definition asks for cannot be.
            es_export::ErrorKind::Format | es_export::ErrorKind::Split => Exit::Usage,
            _ => Exit::Failed,
        };
        Self { retryable: error.is_retryable(), ..Self::new(exit, error.to_string()).with_help(error.help()) }
    }
}

impl From<es_features::Error> for Failure {
    fn from(error: es_features::Error) -> Self {
        Self { retryable: error.is_retryable(), ..Self::new(Exit::Failed, error.to_string()).with_help(error.help()) }
    }
}

impl From<es_monitor::Error> for Failure {
    fn from(error: es_monitor::Error) -> Self {
        Self { retryable: error.is_retryable(), ..Self::new(Exit::Failed, error.to_string()).with_help(error.help()) }
    }
}

#[cfg(test)]
mod tests {
    use super::Exit::*;

    #[test]
    fn the_graver_exit_wins() {
        assert_eq!(Done.and(NotMeasured), NotMeasured);
        assert_eq!(CheckFailed.and(NotMeasured), CheckFailed);
        assert_eq!(Failed.and(CheckFailed), Failed);
        assert_eq!(Interrupted.and(Failed), Interrupted);
        assert_eq!(
            [Done, Failed, Usage, CheckFailed, NotMeasured, Interrupted].map(super::Exit::code),
            [0, 1, 2, 3, 4, 130]
        );
    }
}
