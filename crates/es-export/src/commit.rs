//! A folder that appears complete or not at all.
//!
//! Files are written to a folder beside the destination. When all are complete and on disk,
//! the two folders change places in one step, so that a reader of the destination always
//! finds one whole export.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind};
use crate::manifest::MANIFEST_FILE;

/// A folder being written. Dropped without [`Staging::commit`], it is removed.
pub(crate) struct Staging {
    destination: PathBuf,
    folder: PathBuf,
}

impl Staging {
    /// Makes an empty folder beside the destination, over one that a killed export left.
    ///
    /// # Errors
    /// [`ErrorKind::Destination`] when something that is no export is at the destination.
    pub(crate) fn create(destination: &Path) -> Result<Self, Error> {
        let name = destination.file_name().ok_or_else(|| {
            Error::new(ErrorKind::Destination, format!("{} is not the path of a folder", destination.display()))
        })?;
        refuse_to_replace_others(destination)?;
        let folder = destination.with_file_name(format!(".{}.staging", name.to_string_lossy()));
        let made = remove_if_there(&folder).and_then(|()| fs::create_dir_all(&folder));
        made.map_err(|source| Error::writing(&folder, source))?;
        Ok(Self { destination: destination.to_owned(), folder })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes the manifest and lets the folder take its place.
    pub(crate) fn commit(self, manifest: &[u8]) -> Result<(), Error> {
        let path = self.folder.join(MANIFEST_FILE);
        let written = File::create(&path).and_then(|mut file| {
            file.write_all(manifest)?;
            file.sync_all()
        });
        written.map_err(|source| Error::writing(&path, source))?;
        sync_folders(&self.folder).map_err(|source| Error::writing(&self.folder, source))?;
        self.swap().map_err(|source| Error::writing(&self.destination, source))
        // What was there before now is in the staging folder, and goes with it.
    }

    fn swap(&self) -> io::Result<()> {
        if self.destination.exists() {
            exchange(&self.folder, &self.destination)?;
        } else {
            fs::rename(&self.folder, &self.destination)?;
        }
        match self.destination.parent() {
            Some(parent) if parent.as_os_str().is_empty() => sync_folder(Path::new(".")),
            Some(parent) => sync_folder(parent),
            None => Ok(()),
        }
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // A failure leaves a hidden folder that the next export removes.
        let _ = remove_if_there(&self.folder);
    }
}

/// Lets two folders change places in one step, where the system can.
fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP) => {
            // In two steps: for a moment there is nothing, but never half an export.
            let aside = one.with_extension("previous");
            remove_if_there(&aside)?;
            fs::rename(other, &aside)?;
            fs::rename(one, other)?;
            remove_if_there(&aside)
        }
        Err(errno) => Err(errno.into()),
    }
}

fn refuse_to_replace_others(destination: &Path) -> Result<(), Error> {
    let in_the_way = |what: &str| {
        Error::new(ErrorKind::Destination, format!("{} {what} and is not overwritten", destination.display()))
            .with_help("move it away, or choose another path")
    };
    let Ok(found) = fs::metadata(destination) else { return Ok(()) };
    if !found.is_dir() {
        return Err(in_the_way("is a file"));
    }
    let mut entries = fs::read_dir(destination).map_err(|source| Error::writing(destination, source))?;
    if entries.next().is_some() && !destination.join(MANIFEST_FILE).exists() {
        return Err(in_the_way("holds files but no manifest of an export"));
    }
    Ok(())
}

fn remove_if_there(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn sync_folders(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_folders(&entry.path())?;
        }
    }
    sync_folder(folder)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_commit_replaces_the_whole_folder() {
        let scratch = tempfile::tempdir().unwrap();
        let destination = scratch.path().join("set");
        for round in ["1", "2"] {
            let staging = Staging::create(&destination).unwrap();
            fs::write(staging.folder().join(format!("part-{round}")), round).unwrap();
            staging.commit(b"{}").unwrap();
            assert_eq!(names(&destination), ["_manifest.json", &format!("part-{round}")]);
            assert_eq!(names(scratch.path()), ["set"]);
        }
    }

    #[test]
    fn without_a_commit_nothing_changes() {
        let scratch = tempfile::tempdir().unwrap();
        let destination = scratch.path().join("set");
        Staging::create(&destination).unwrap().commit(b"old").unwrap();
        let staging = Staging::create(&destination).unwrap();
        fs::write(staging.folder().join("half"), "x").unwrap();
        drop(staging);
        assert_eq!(fs::read(destination.join(MANIFEST_FILE)).unwrap(), b"old");
        assert_eq!(names(scratch.path()), ["set"]);
    }

    #[test]
    fn what_is_no_export_is_not_overwritten() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("file");
        fs::write(&file, "mine").unwrap();
        let folder = scratch.path().join("folder");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("mine"), "mine").unwrap();
        for path in [file, folder] {
            assert_eq!(Staging::create(&path).err().unwrap().kind(), ErrorKind::Destination);
        }
        let empty = scratch.path().join("empty");
        fs::create_dir(&empty).unwrap();
        Staging::create(&empty).unwrap().commit(b"{}").unwrap();
    }
}
