//! One export at a time works in a folder: a lock of the operating system, which a kill
//! frees.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use tracing::warn;

/// The name of the locked file.
const LOCK: &str = "lock";

/// A lock that is held until it is dropped.
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Makes the folder if there is none and locks it; `None` while another holds it.
    pub(super) fn of_folder(folder: &Path) -> io::Result<Option<Self>> {
        let path = folder.join(LOCK);
        loop {
            fs::create_dir_all(folder)?;
            let file = match File::options().create(true).truncate(false).write(true).open(&path) {
                // Whoever held it has removed the folder just now.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                opened => opened?,
            };
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                    warn!(folder = %folder.display(), "this file system has no locks: start no second export to it");
                    return Ok(Some(Self { _file: file }));
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // The file could have been removed between opening and locking it.
            let held = file.metadata()?;
            let is_there =
                fs::metadata(&path).is_ok_and(|found| (found.dev(), found.ino()) == (held.dev(), held.ino()));
            if is_there {
                return Ok(Some(Self { _file: file }));
            }
        }
    }

    /// Returns `true` for the path of the locked file.
    pub(super) fn is(path: &Path) -> bool {
        path.file_name().is_some_and(|name| name == LOCK)
    }
}
