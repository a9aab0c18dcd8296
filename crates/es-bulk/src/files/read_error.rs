//! Failures inside a file, and the errors that name the file.

use std::fmt;
use std::io;
use std::path::Path;

use arrow_schema::ArrowError;
use parquet::errors::ParquetError;
use polars::prelude::PolarsError;

use super::format::FileFormat;
use super::place::FilePlace;
use crate::error::{Error, ErrorKind};

/// A failure to read a file, without its name.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// The file system failed, or the program that writes to standard input did.
    Read(io::Error),
    /// The content does not follow the format.
    Content { message: String, source: Option<Box<dyn std::error::Error + Send + Sync>> },
    /// A value that cannot be handed on as it is.
    Value(String),
    /// The file has no such place, or cannot return to it.
    Position(String),
}

impl ReadError {
    pub(crate) fn content(message: impl Into<String>) -> Self {
        Self::Content { message: message.into(), source: None }
    }

    fn with_source(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        // Some libraries add advice for their own callers after a line break.
        let text = error.to_string();
        let message = text.lines().next().unwrap_or_default().trim_end_matches('.').to_owned();
        Self::Content { message, source: Some(Box::new(error)) }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => error.fmt(f),
            Self::Content { message, .. } | Self::Value(message) | Self::Position(message) => f.write_str(message),
        }
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        // A failure of the system has a code; one that a decoder found has none.
        match error.raw_os_error() {
            Some(_) => Self::Read(error),
            None if error.kind() == io::ErrorKind::UnexpectedEof => Self::content("it ends too early"),
            None => Self::with_source(error),
        }
    }
}

impl From<PolarsError> for ReadError {
    fn from(error: PolarsError) -> Self {
        Self::with_source(error)
    }
}

impl From<ArrowError> for ReadError {
    fn from(error: ArrowError) -> Self {
        match error {
            ArrowError::IoError(_, error) => error.into(),
            error => Self::with_source(error),
        }
    }
}

impl From<ParquetError> for ReadError {
    fn from(error: ParquetError) -> Self {
        Self::with_source(error)
    }
}

/// The error of reading a file after a place.
pub(crate) fn damaged(path: &Path, place: FilePlace, error: ReadError) -> Error {
    let read = match place.bytes {
        Some(bytes) => format!("{} rows and {bytes} bytes of text", place.rows),
        None => format!("{} rows", place.rows),
    };
    let (kind, what) = match &error {
        ReadError::Content { .. } => (ErrorKind::Format, format!("is damaged: {error}, after {read}")),
        ReadError::Read(_) => (ErrorKind::File, format!("cannot be read: {error}, after {read}")),
        ReadError::Value(_) => (ErrorKind::Format, format!("cannot be loaded as it is: {error}, after {read}")),
        ReadError::Position(_) => (ErrorKind::File, format!("cannot be read from there: {error}")),
    };
    let named = Error::of_file(kind, path, format!("{} {what}", path.display()));
    match error {
        ReadError::Read(source) => named.with_source(source),
        ReadError::Content { source: Some(source), .. } => named.with_source(source),
        ReadError::Content { source: None, .. } => named,
        ReadError::Value(_) => named.with_help("correct the file, or leave the column out (`ReadOptions::leave_out`)"),
        ReadError::Position(_) => named.with_help("the file has changed; load it from its start"),
    }
}

/// The error of a file whose beginning does not follow its format.
pub(crate) fn not_of_format(path: &Path, format: FileFormat, error: ReadError) -> Error {
    if matches!(error, ReadError::Read(_)) {
        return damaged(path, FilePlace::default(), error);
    }
    let message = format!("{} is not {} file: {error}", path.display(), with_article(format));
    let named = Error::of_file(ErrorKind::Format, path, message)
        .with_help("check the file, or set its format if its extension is misleading");
    match error {
        ReadError::Content { source: Some(source), .. } => named.with_source(source),
        _ => named,
    }
}

/// The title of a format with its article, such as `an Arrow IPC`.
pub(crate) fn with_article(format: FileFormat) -> String {
    let article = match format {
        FileFormat::Ipc | FileFormat::IpcStream | FileFormat::Ndjson | FileFormat::Elasticdump => "an",
        FileFormat::Parquet | FileFormat::Csv | FileFormat::Json | FileFormat::Bulk => "a",
    };
    format!("{article} {}", format.title())
}
