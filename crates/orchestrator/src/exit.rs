//! Exit codes, known to the command line alone.

use crate::engine::Verdict;
use crate::error::{Error, ErrorKind};

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
    /// It failed for a passing reason, such as an overloaded cluster: the same command may succeed
    /// later.
    TryAgain,
    /// The command was interrupted, after what was under way was settled.
    Interrupted,
}

impl Exit {
    /// The code. That of [`Exit::TryAgain`] is `EX_TEMPFAIL` of `sysexits.h`.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::CheckFailed => 3,
            Self::NotMeasured => 4,
            Self::TryAgain => 75,
            Self::Interrupted => 130,
        }
    }

    /// The code of two results together: the graver one.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let gravity = |exit| match exit {
            Self::Done => 0,
            Self::NotMeasured => 1,
            Self::CheckFailed => 2,
            Self::TryAgain => 3,
            Self::Failed => 4,
            Self::Usage => 5,
            Self::Interrupted => 6,
        };
        if gravity(self) >= gravity(other) { self } else { other }
    }
}

impl From<&Error> for Exit {
    fn from(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::Config => Self::Usage,
            ErrorKind::CheckFailed => Self::CheckFailed,
            ErrorKind::Interrupted => Self::Interrupted,
            _ if error.is_retryable() => Self::TryAgain,
            ErrorKind::Failed | ErrorKind::LeaseLost | ErrorKind::Defect => Self::Failed,
        }
    }
}

impl From<Verdict> for Exit {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Passed => Self::Done,
            Verdict::Failed => Self::CheckFailed,
            Verdict::NotMeasured => Self::NotMeasured,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Exit::*;
    use super::*;

    #[test]
    fn the_graver_exit_wins() {
        assert_eq!(Done.and(NotMeasured), NotMeasured);
        assert_eq!(CheckFailed.and(NotMeasured), CheckFailed);
        assert_eq!(TryAgain.and(CheckFailed), TryAgain);
        assert_eq!(Failed.and(TryAgain), Failed);
        assert_eq!(Interrupted.and(Failed), Interrupted);
        assert_eq!(
            [Done, Failed, Usage, CheckFailed, NotMeasured, TryAgain, Interrupted].map(Exit::code),
            [0, 1, 2, 3, 4, 75, 130]
        );
    }

    #[test]
    fn a_passing_failure_asks_to_try_again() {
        assert_eq!(Exit::from(&Error::failed("x")), Failed);
        assert_eq!(Exit::from(&Error::failed("x").retryable(true)), TryAgain);
        assert_eq!(Exit::from(&Error::config("x").retryable(true)), Usage);
        assert_eq!(Exit::from(&Error::new(ErrorKind::LeaseLost, "x")), TryAgain);
    }
}
