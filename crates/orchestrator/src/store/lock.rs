//! The lock of a load of files outside of a pipeline: two processes must not run the same load at once.
//! The checkpoint that they would share is a local file, and so is the lock.

use std::fs::{File, TryLockError};
use std::path::Path;

use crate::error::{Error, Result};

/// A lock that ends with the value or the process, however it ends.
#[derive(Debug)]
pub struct LoadLock {
    _file: File,
}

impl LoadLock {
    /// Takes the lock of the load called `name` in a folder. None when another process has it.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn take(folder: &Path, name: &str) -> Result<Option<Self>> {
        let path = folder.join(format!("{name}.lock"));
        let failed = |error: std::io::Error| {
            Error::failed(format!("{} cannot be locked: {error}", path.display()))
                .with_help(Some("check who may write to the folder"))
                .with_source(error)
        };
        std::fs::create_dir_all(folder).map_err(failed)?;
        let file = File::create(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_at_a_time_has_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let first = LoadLock::take(folder.path(), "i-1").unwrap().unwrap();
        assert!(LoadLock::take(folder.path(), "i-1").unwrap().is_none());
        assert!(LoadLock::take(folder.path(), "i-2").unwrap().is_some());
        drop(first);
        assert!(LoadLock::take(folder.path(), "i-1").unwrap().is_some());
    }
}
