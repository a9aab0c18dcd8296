//! The description of a finished file.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ManifestFile {
    /// Its path within the folder, with `/`, as it is on disk.
    pub path: String,
    /// Its rows.
    pub rows: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// The SHA-256 of its bytes, in hexadecimal digits.
    #[schemars(extend("pattern" = "^[0-9a-f]{64}$"))]
    pub sha256: String,
    /// The path of the file that describes its features, for formats of tensors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl ManifestFile {
    /// Returns whether the file is in a folder with its size, and its description.
    pub(crate) fn is_in(&self, folder: &Path) -> bool {
        std::fs::metadata(folder.join(&self.path)).is_ok_and(|found| found.len() == self.bytes)
            && self.description.as_ref().is_none_or(|path| folder.join(path).is_file())
    }
}
