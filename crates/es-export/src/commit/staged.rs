//! Files that another writer makes, and that appear together like those of an export.

use std::fs::File;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Destination, Staging, files_in};
use crate::error::{Error, ErrorKind};

/// A folder of files that another writer makes: it appears complete or not at all, as the folder of
/// an [`Export`](crate::Export) does.
///
/// The files go to [`StagedFolder::path`], a hidden folder beside the destination. Dropping this
/// without [`StagedFolder::commit`] removes them.
///
/// ```
/// use es_export::StagedFolder;
/// use serde_json::json;
///
/// # fn example(parent: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
/// let staged = StagedFolder::enter(&parent.join("model"))?;
/// std::fs::write(staged.path().join("weights.bin"), [1, 2, 3])?;
/// staged.commit(&json!({ "manifest_version": 0, "files": ["weights.bin"] }))?;
/// assert!(parent.join("model/weights.bin").is_file());
/// # Ok(())
/// # }
/// # example(tempfile::tempdir().unwrap().path()).unwrap();
/// ```
pub struct StagedFolder(Staging);

impl StagedFolder {
    /// Makes the hidden folder of a destination, empty, whatever a killed process left in it.
    ///
    /// # Errors
    /// [`ErrorKind::Destination`] when something is there that has no manifest,
    /// [`ErrorKind::Locked`] while another process writes to it, and [`ErrorKind::Io`].
    pub fn enter(destination: &Path) -> Result<Self, Error> {
        let staging = Staging::enter(&Destination::Folder(destination.to_owned()))?;
        staging.clear()?;
        Ok(Self(staging))
    }

    /// The folder to write to.
    pub fn path(&self) -> &Path {
        self.0.files()
    }

    /// The files that were written, by their paths.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] when the folder cannot be read.
    pub fn files(&self) -> Result<Vec<PathBuf>, Error> {
        let mut files = files_in(self.path()).map_err(|source| Error::writing(self.path(), source))?;
        files.sort();
        Ok(files)
    }

    /// Writes the manifest, `_manifest.json`, puts everything on disk, and moves the folder to the
    /// destination in one step. Blocks.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] and [`ErrorKind::DiskFull`]; the destination is then as it was.
    pub fn commit(self, manifest: &Value) -> Result<(), Error> {
        for path in self.files()? {
            File::open(&path).and_then(|file| file.sync_all()).map_err(|source| Error::writing(&path, source))?;
        }
        let text = serde_json::to_vec_pretty(manifest)
            .map_err(|source| Error::new(ErrorKind::Io, "the manifest cannot be written").with_source(source))?;
        self.0.commit(&text)
    }
}

impl std::fmt::Debug for StagedFolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("StagedFolder").field(&self.path()).finish()
    }
}
