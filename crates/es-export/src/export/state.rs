//! The state that a killed export leaves for the next one: its finished files, and where to resume.
//!
//! It is written beside the files after each group of slices, once the files of the group are on
//! disk. Only files in the state are trusted; all others are removed.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tracing::debug;

use crate::commit::{self, Staging};
use crate::error::Error;
use crate::read::SavedRead;
use crate::split::Split;
use crate::split::proof::Proof;
use crate::write::ManifestFile;

/// The state's name in the staging folder.
const STATE: &str = "state.json";

/// The name of the hashes of groups that were seen.
const GROUPS: &str = "groups";

/// The state of an export between two groups.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct State {
    /// See [`super::plan::fingerprint`].
    pub(super) fingerprint: String,
    /// The point in time.
    pub(super) read: SavedRead,
    /// The split, with its strata.
    pub(super) split: Option<Split>,
    /// The number of groups of slices.
    pub(super) groups: usize,
    /// `true` for files that wait to be encoded.
    pub(super) is_spooled: bool,
    /// The finished files.
    pub(super) finished: Finished,
}

/// The part of an export that is written.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Finished {
    /// The number of finished groups of slices.
    pub(super) groups: usize,
    /// Their rows.
    pub(super) rows: u64,
    /// Their files.
    pub(super) files: Vec<PartFile>,
    /// The number of the next file of each part.
    pub(super) next_file: u32,
    /// The number of times that the export was resumed.
    pub(super) resumed: u32,
    /// The number of restarts from scratch.
    #[serde(default)]
    pub(super) restarted: u32,
    /// The account of the split.
    pub(super) proof: Option<Proof>,
}

/// A file of a part.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PartFile {
    /// The place of the part.
    pub(super) part: usize,
    /// The file.
    pub(super) file: ManifestFile,
}

/// The paths of files, descriptions included.
pub(super) fn paths(files: &[PartFile]) -> Vec<String> {
    let paths = |PartFile { file, .. }: &PartFile| [Some(file.path.clone()), file.description.clone()];
    files.iter().flat_map(paths).flatten().collect()
}

impl Finished {
    /// The same with what [`Finished::save_groups`] wrote; `None` where that is not whole.
    pub(super) fn with_groups(self, staging: &Staging) -> Option<Self> {
        let proof = match self.proof {
            Some(proof) => Some(proof.with_groups(&staging.aside(GROUPS))?),
            None => None,
        };
        Some(Self { proof, ..self })
    }

    /// Writes the hashes of the groups of a split, which have a file of their own.
    pub(super) fn save_groups(&self, staging: &Staging) -> Result<(), Error> {
        let Some(proof) = &self.proof else { return Ok(()) };
        let path = staging.aside(GROUPS);
        proof.save_groups(&path).map_err(|source| Error::writing(&path, source))
    }
}

impl State {
    /// The state that a killed export left; `None` where there is none that can be trusted.
    pub(super) fn read(staging: &Staging) -> Option<Self> {
        let bytes = fs::read(staging.aside(STATE)).ok()?;
        let read: Result<Self, _> = serde_json::from_slice(&bytes);
        let mut state = read.inspect_err(|error| debug!(%error, "the state of a killed export cannot be read")).ok()?;
        state.finished = state.finished.with_groups(staging)?;
        Some(state)
    }

    /// Writes the state in one step.
    pub(super) fn save(&self, staging: &Staging) -> Result<(), Error> {
        self.finished.save_groups(staging)?;
        let path = staging.aside(STATE);
        let text = serde_json::to_vec(self).map_err(std::io::Error::from);
        text.and_then(|text| commit::replace(&path, &text)).map_err(|source| Error::writing(&path, source))
    }

    /// The folder of the finished files.
    pub(super) fn folder(&self, staging: &Staging) -> PathBuf {
        if self.is_spooled { spool(staging) } else { staging.files().to_owned() }
    }

    /// Returns `true` if every finished file exists with its size.
    pub(super) fn is_whole(&self, folder: &Path) -> bool {
        self.finished.files.iter().all(|PartFile { file, .. }| file.is_in(folder))
    }
}

/// The folder of files that wait to be encoded.
pub(super) fn spool(staging: &Staging) -> PathBuf {
    staging.aside("spool")
}
