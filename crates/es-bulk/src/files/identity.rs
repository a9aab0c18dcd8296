//! Whether a file is still the one that was read.

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};

/// What a file looks like from outside. While that stays the same, so does its content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileIdentity {
    /// The path as the caller names it.
    pub path: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was last modified, in UTC.
    pub modified: Timestamp,
}

impl FileIdentity {
    /// Looks at a file, which the identity calls `name`.
    ///
    /// # Errors
    /// [`ErrorKind::File`] when there is no such file, or nothing is told about it, and for what
    /// is no file that can be read again, such as a pipe with a path.
    pub fn of(path: &Path, name: impl Into<String>) -> Result<Self, Error> {
        let failed = |error: &dyn std::fmt::Display| {
            Error::of_file(ErrorKind::File, path, format!("{} cannot be looked at: {error}", path.display()))
                .with_help("check the path and who may read it")
        };
        let metadata = std::fs::metadata(path).map_err(|error| failed(&error))?;
        if !metadata.is_file() {
            let message = format!("{} is no regular file, and cannot be read twice", path.display());
            return Err(Error::of_file(ErrorKind::File, path, message)
                .with_help("copy it to a file, or give it to `orchestrator ingest -` as standard input"));
        }
        let modified = metadata.modified().map_err(|error| failed(&error))?;
        let modified = Timestamp::try_from(modified).map_err(|error| failed(&error))?;
        Ok(Self { path: name.into(), bytes: metadata.len(), modified })
    }

    /// Whether both are of the same state of one file: the same size, modified at the same
    /// time. Where it lies does not matter, so that a folder may be moved.
    pub fn is_same(&self, other: &Self) -> bool {
        (self.bytes, self.modified) == (other.bytes, other.modified)
    }
}
