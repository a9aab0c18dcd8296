//! Why reading stops.

use crate::error::{Error, ErrorKind};

/// The answer cannot be read on.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It is not JSON, or not the answer to a search.
    Broken { at: usize, what: &'static str },
    /// A value is refused. Boxed, as results pass through every level of a document.
    Refused(Box<Error>),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Refused(Box::new(error))
    }
}

impl From<Stop> for Error {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Broken { at, what } => {
                Self::new(ErrorKind::Malformed, format!("the answer to a search cannot be read: {what} at byte {at}"))
                    .with_help("the connection or something between may have cut it off; ask again")
            }
            Stop::Refused(error) => *error,
        }
    }
}

/// Why a value was not taken.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// It does not fit the column.
    Misfit,
    /// The answer cannot be read on.
    Stop(Stop),
}

impl From<Misfit> for Trouble {
    fn from(Misfit: Misfit) -> Self {
        Self::Misfit
    }
}

impl From<Stop> for Trouble {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

/// The value does not fit the column.
#[derive(Debug)]
pub(crate) struct Misfit;
