//! The formats that files can have.

use std::fmt;
use std::path::Path;

use crate::error::{Error, ErrorKind};

/// A file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// Apache Parquet.
    Parquet,
    /// Comma-separated values with a header line.
    Csv,
    /// Newline-delimited JSON.
    Ndjson,
    /// The Arrow IPC file format (Feather version 2).
    Ipc,
}

impl FileFormat {
    /// The format that a name's extension tells.
    ///
    /// # Errors
    /// [`ErrorKind::Format`] for an extension that is not known.
    pub fn of_name(path: &Path) -> Result<Self, Error> {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        match extension.to_ascii_lowercase().as_str() {
            "parquet" | "pq" => Ok(Self::Parquet),
            "csv" => Ok(Self::Csv),
            "ndjson" | "jsonl" => Ok(Self::Ndjson),
            "arrow" | "ipc" | "feather" => Ok(Self::Ipc),
            _ => Err(Error::of_file(
                ErrorKind::Format,
                path,
                format!("the name {} does not tell the file's format", path.display()),
            )
            .with_help("set `format` to parquet, csv, ndjson or ipc")),
        }
    }
}

impl fmt::Display for FileFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Parquet => "Parquet",
            Self::Csv => "CSV",
            Self::Ndjson => "NDJSON",
            Self::Ipc => "Arrow IPC",
        })
    }
}
