//! Files that appear complete or not at all.
//!
//! An export works in a hidden folder beside its destination, `.NAME.staging`. The files of
//! the export are in `files` there, and what it needs to resume after a kill is beside
//! them. When all files are complete and on disk, they change places with the destination,
//! so that a reader always finds one whole export: a folder in one step, a single file in
//! one step after its manifest.
//!
//! The state of a killed export is `export::state`'s.

mod lock;
mod staged;
mod swap;

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, ErrorKind};
use lock::Lock;
pub use staged::StagedFolder;

/// The manifest's file name in a folder. It is written last: a folder without it is no export.
pub const MANIFEST_FILE: &str = "_manifest.json";

/// The destination of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A folder with a folder for each part, and `_manifest.json`.
    Folder(PathBuf),
    /// A single file, with its manifest beside it as `NAME.manifest.json`. The manifest is
    /// there before the file: a reader of the file finds its manifest, whose checksum does not
    /// match the file of an earlier export after a kill between the two.
    File(PathBuf),
}

impl Destination {
    /// The path of the folder or the file.
    pub fn path(&self) -> &Path {
        match self {
            Self::Folder(path) | Self::File(path) => path,
        }
    }

    /// The path of the manifest.
    pub fn manifest(&self) -> PathBuf {
        match self {
            Self::Folder(folder) => folder.join(MANIFEST_FILE),
            Self::File(file) => {
                let mut name = file.file_name().unwrap_or_default().to_owned();
                name.push(".manifest.json");
                file.with_file_name(name)
            }
        }
    }
}

/// The folder that an export works in. When it is dropped, the folder is removed; a killed
/// export leaves it to the next.
pub(crate) struct Staging {
    destination: Destination,
    folder: PathBuf,
    files: PathBuf,
    /// `true` if the folder stays for the next export.
    stays: AtomicBool,
    /// Held as long as the folder is worked in.
    _lock: Lock,
}

/// The folder of the export's files within the staging folder.
const FILES: &str = "files";

impl Staging {
    /// Enters the staging folder of a destination, with whatever a killed export left in it.
    ///
    /// # Errors
    /// [`ErrorKind::Destination`] when something that is no export is at the destination,
    /// [`ErrorKind::Locked`] while another export works on it.
    pub(crate) fn enter(destination: &Destination) -> Result<Self, Error> {
        let destination = followed(destination);
        let path = destination.path();
        let name = path.file_name().ok_or_else(|| {
            let what = format!("{} is not the path of a {}", path.display(), destination.noun());
            Error::new(ErrorKind::Destination, what)
        })?;
        let hidden = |ending: &str| path.with_file_name(format!(".{}.{ending}", name.to_string_lossy()));
        let folder = hidden("staging");
        let lock = Lock::of_folder(&folder).map_err(|source| Error::writing(&folder, source))?;
        let Some(lock) = lock else {
            return Err(Error::new(ErrorKind::Locked, format!("another export to {} is running", path.display()))
                .with_help("wait until it has ended, or choose another path"));
        };
        let files = folder.join(FILES);
        let staging = Self { destination, folder, files, stays: AtomicBool::new(false), _lock: lock };
        // The folder is removed again if the destination is not ours.
        swap::restore(&staging.folder, staging.destination.path())
            .and_then(|()| remove_left_behind(staging.destination.path()))
            .map_err(|source| Error::writing(&staging.folder, source))?;
        refuse_to_replace_others(&staging.destination)?;
        fs::create_dir_all(&staging.files).map_err(|source| Error::writing(&staging.files, source))?;
        Ok(staging)
    }

    /// The folder of the files.
    pub(crate) fn files(&self) -> &Path {
        &self.files
    }

    /// A path beside the files, for what is not part of the export.
    pub(crate) fn aside(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Leaves the folder as it is for the next export, as a kill does.
    pub(crate) fn stay(&self) {
        self.stays.store(true, Ordering::Relaxed);
    }

    /// Removes what a killed export left.
    pub(crate) fn clear(&self) -> Result<(), Error> {
        let cleared = fs::read_dir(&self.folder).and_then(|mut entries| {
            entries.try_for_each(|entry| {
                let path = entry?.path();
                if Lock::is(&path) { Ok(()) } else { remove_if_there(&path) }
            })
        });
        cleared.and_then(|()| fs::create_dir(&self.files)).map_err(|source| Error::writing(&self.folder, source))
    }

    /// Removes all files in one of its folders but these, named from there.
    pub(crate) fn keep_only(&self, folder: &Path, kept: &[String]) -> Result<(), Error> {
        for path in files_in(folder).map_err(|source| Error::writing(folder, source))? {
            let is_kept = kept.iter().any(|name| folder.join(name) == path);
            if !is_kept {
                fs::remove_file(&path).map_err(|source| Error::writing(&path, source))?;
            }
        }
        Ok(())
    }

    /// Writes the manifest and lets the files take their place.
    pub(crate) fn commit(&self, manifest: &[u8]) -> Result<(), Error> {
        let name = self.destination.manifest();
        let path = self.files.join(name.file_name().unwrap_or_default());
        let written = File::create(&path).and_then(|mut file| {
            file.write_all(manifest)?;
            file.sync_all()
        });
        written.map_err(|source| Error::writing(&path, source))?;
        sync_folders(&self.files).map_err(|source| Error::writing(&self.files, source))?;
        let taken = match &self.destination {
            Destination::Folder(folder) => swap::folders(&self.files, folder, &self.folder),
            Destination::File(file) => swap::file(&self.files, file),
        };
        taken.map_err(|source| Error::writing(self.destination.path(), source))
        // What was there before now is in the staging folder, and goes with it.
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if self.stays.load(Ordering::Relaxed) {
            return;
        }
        // Renamed before it is removed, so that an export that begins meanwhile finds either
        // all of it with its lock held, or nothing. What a failure leaves, the next removes.
        let gone = self.folder.with_file_name(left_behind_name(self.destination.path(), std::process::id()));
        let _ = fs::rename(&self.folder, &gone).and_then(|()| remove_if_there(&gone));
    }
}

impl Destination {
    fn noun(&self) -> &'static str {
        match self {
            Self::Folder(_) => "folder",
            Self::File(_) => "file",
        }
    }
}

/// The destination that a symbolic link leads to: it is not the link that is to be replaced.
fn followed(destination: &Destination) -> Destination {
    let is_link = fs::symlink_metadata(destination.path()).is_ok_and(|found| found.is_symlink());
    let target = is_link.then(|| fs::canonicalize(destination.path()).ok()).flatten();
    match (target, destination) {
        (Some(target), Destination::Folder(_)) => Destination::Folder(target),
        (Some(target), Destination::File(_)) => Destination::File(target),
        (None, _) => destination.clone(),
    }
}

fn refuse_to_replace_others(destination: &Destination) -> Result<(), Error> {
    let path = destination.path();
    let in_the_way = |what: &str| {
        Error::new(ErrorKind::Destination, format!("{} {what} and is not overwritten", path.display()))
            .with_help("move it away, or choose another path")
    };
    let Ok(found) = fs::metadata(path) else { return Ok(()) };
    let is_export = destination.manifest().exists();
    match destination {
        Destination::Folder(_) if !found.is_dir() => Err(in_the_way("is a file")),
        Destination::Folder(_) => {
            let mut entries = fs::read_dir(path).map_err(|source| Error::writing(path, source))?;
            if entries.next().is_some() && !is_export {
                return Err(in_the_way("holds files but no manifest of an export"));
            }
            Ok(())
        }
        Destination::File(_) if found.is_dir() => Err(in_the_way("is a folder")),
        Destination::File(_) if !found.is_file() => Err(in_the_way("is not a regular file")),
        Destination::File(_) if !is_export => Err(in_the_way("is a file without a manifest of an export")),
        Destination::File(_) => Ok(()),
    }
}

/// The name that a staging folder has while it is removed.
fn left_behind_name(destination: &Path, process: u32) -> String {
    format!("{}{process}", left_behind_prefix(destination))
}

fn left_behind_prefix(destination: &Path) -> String {
    format!(".{}.removed-", destination.file_name().unwrap_or_default().to_string_lossy())
}

/// Removes staging folders whose removal was cut off by a kill.
fn remove_left_behind(destination: &Path) -> io::Result<()> {
    let prefix = left_behind_prefix(destination);
    for entry in fs::read_dir(swap::parent(destination))? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            remove_if_there(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes a file or a folder with all that is in it.
fn remove_if_there(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Writes a file so that a reader finds what was in it before or all that is now. It is not
/// put on disk at once: for what a killed process leaves, not a machine without power.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    fs::write(&new, bytes)?;
    fs::rename(&new, path)
}

/// All files under a folder.
fn files_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(files_in(&entry.path())?);
        } else {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn sync_folders(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_folders(&entry.path())?;
        }
    }
    swap::sync_folder(folder)
}

#[cfg(test)]
mod tests;
