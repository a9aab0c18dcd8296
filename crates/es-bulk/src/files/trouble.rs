//! What can go wrong inside of a file, before it is told which file that is.

use std::fmt;
use std::io;

use arrow_schema::ArrowError;
use parquet::errors::ParquetError;
use polars::prelude::PolarsError;

/// A failure to read on.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The file system, or whoever writes to standard input, failed.
    Read(io::Error),
    /// The content is not what the format says.
    Content { message: String, source: Option<Box<dyn std::error::Error + Send + Sync>> },
    /// The caller asks for what this file cannot do.
    Place(String),
}

impl Trouble {
    pub(crate) fn content(message: impl Into<String>) -> Self {
        Self::Content { message: message.into(), source: None }
    }

    fn with_source(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        // Some libraries add advice for their own callers, after a line break.
        let text = error.to_string();
        let message = text.lines().next().unwrap_or_default().trim_end_matches('.').to_owned();
        Self::Content { message, source: Some(Box::new(error)) }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => error.fmt(f),
            Self::Content { message, .. } | Self::Place(message) => f.write_str(message),
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        // What the system refuses has a code; what a decoder finds has none.
        match error.raw_os_error() {
            Some(_) => Self::Read(error),
            None if error.kind() == io::ErrorKind::UnexpectedEof => Self::content("it ends too early"),
            None => Self::with_source(error),
        }
    }
}

impl From<PolarsError> for Trouble {
    fn from(error: PolarsError) -> Self {
        Self::with_source(error)
    }
}

impl From<ArrowError> for Trouble {
    fn from(error: ArrowError) -> Self {
        match error {
            ArrowError::IoError(_, error) => error.into(),
            error => Self::with_source(error),
        }
    }
}

impl From<ParquetError> for Trouble {
    fn from(error: ParquetError) -> Self {
        Self::with_source(error)
    }
}
