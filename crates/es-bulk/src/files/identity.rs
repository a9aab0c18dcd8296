//! The identity of a file, by which a changed one is recognized.

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};

/// The size and the time of a file. While they stay the same, its content counts as unchanged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileIdentity {
    /// The path, as the caller names it.
    pub path: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// The time of its last modification, in UTC.
    pub modified: Timestamp,
}

impl FileIdentity {
    /// The identity of a file, which is called `name` in it.
    ///
    /// # Errors
    /// [`ErrorKind::File`] when the file does not exist or cannot be inspected, and for anything that
    /// cannot be read again, such as a pipe with a path.
    pub fn of(path: &Path, name: impl Into<String>) -> Result<Self, Error> {
        let failed = |error: &dyn std::fmt::Display| {
            Error::of_file(ErrorKind::File, path, format!("{} cannot be inspected: {error}", path.display()))
                .with_help("check the path and its permissions")
        };
        let metadata = std::fs::metadata(path).map_err(|error| failed(&error))?;
        if !metadata.is_file() {
            let message = format!("{} is not a regular file and cannot be read twice", path.display());
            return Err(Error::of_file(ErrorKind::File, path, message)
                .with_help("copy it to a file, or load it as standard input"));
        }
        let modified = metadata.modified().map_err(|error| failed(&error))?;
        let modified = Timestamp::try_from(modified).map_err(|error| failed(&error))?;
        Ok(Self { path: name.into(), bytes: metadata.len(), modified })
    }

    /// Compares size and time. The path does not matter, so that a folder may be moved.
    pub fn is_same(&self, other: &Self) -> bool {
        (self.bytes, self.modified) == (other.bytes, other.modified)
    }
}
