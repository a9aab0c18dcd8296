//! New files take the place of old ones.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// The place of the old folder within the staging folder, on systems that cannot exchange two
/// folders in one step.
const PREVIOUS: &str = "previous";

/// Lets a folder take the place of another, in one step where the system can.
pub(super) fn folders(new: &Path, destination: &Path, staging: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    if !destination.exists() {
        fs::rename(new, destination)?;
        return sync_folder(parent(destination));
    }
    match renameat_with(CWD, new, CWD, destination, RenameFlags::EXCHANGE) {
        Ok(()) => {}
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP) => {
            // In two steps: for a moment there is nothing, but never half an export. A kill
            // in that moment is repaired by `restore`.
            fs::rename(destination, staging.join(PREVIOUS))?;
            fs::rename(new, destination)?;
        }
        Err(errno) => return Err(errno.into()),
    }
    sync_folder(parent(destination))
}

/// Puts the folder back that a killed export had taken away before it put another there.
pub(super) fn restore(staging: &Path, destination: &Path) -> io::Result<()> {
    let previous = staging.join(PREVIOUS);
    if previous.exists() && !destination.exists() {
        fs::rename(previous, destination)?;
    }
    Ok(())
}

/// Lets a file and what belongs to it take their places, the file last: it comes with all
/// that describes it.
pub(super) fn file(folder: &Path, destination: &Path) -> io::Result<()> {
    let into = parent(destination);
    let name = destination.file_name().unwrap_or_default();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name() != name {
            fs::rename(entry.path(), destination.with_file_name(entry.file_name()))?;
        }
    }
    sync_folder(into)?;
    fs::rename(folder.join(name), destination)?;
    sync_folder(into)
}

/// The folder that a path is in.
pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
