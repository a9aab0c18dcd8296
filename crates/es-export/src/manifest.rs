//! What an export holds and where it came from: `_manifest.json` beside the files.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, ErrorKind};

/// The manifest's file name. It is written last: a folder without it is no export.
pub const MANIFEST_FILE: &str = "_manifest.json";

/// The manifest of an export.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of this layout: 1.
    pub manifest_version: u32,
    /// When the export was written, in UTC.
    pub created: jiff::Timestamp,
    /// The program and version that wrote it.
    pub written_by: String,
    /// What was read.
    pub source: ManifestSource,
    /// The rows of all parts; equal to what the query matches in the point in time.
    pub rows: u64,
    /// The columns of every file.
    pub columns: Vec<ManifestColumn>,
    /// How rows were assigned to parts, if they were.
    pub split: Option<Value>,
    /// The parts, in the order of the split. Without a split there is one, `data`.
    pub parts: Vec<ManifestPart>,
    /// What the caller notes, such as the definition that this export fulfils.
    pub notes: Value,
}

/// Where the rows came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ManifestSource {
    /// The unique id of the cluster.
    pub cluster_uuid: String,
    /// The version of Elasticsearch.
    pub elasticsearch: String,
    /// The index, alias or pattern that was read.
    pub index: String,
    /// The physical indices behind it.
    pub indices: Vec<String>,
    /// The query.
    pub query: Value,
    /// When the point in time was opened, in UTC.
    pub point_in_time: jiff::Timestamp,
    /// Documents that the query matches in the point in time.
    pub matched: u64,
    /// How many slices it was read in.
    pub slices: usize,
    /// Where the server took the values from, `doc_values` or `_source`, with the reason.
    pub retrieval: String,
    /// A fingerprint of the mapping.
    pub mapping: String,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ManifestColumn {
    /// Its name.
    pub name: String,
    /// Its Elasticsearch type.
    pub elasticsearch: String,
    /// Its Polars type.
    pub polars: String,
    /// Its Arrow type.
    pub arrow: String,
}

/// A part of the rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ManifestPart {
    /// Its name.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// Its files.
    pub files: Vec<ManifestFile>,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ManifestFile {
    /// Its path within the folder, with `/`.
    pub path: String,
    /// Its rows.
    pub rows: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// The SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
    /// The description of its features beside it, if it holds tensors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl Manifest {
    /// Reads the manifest of a folder; `None` when there is none.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] when it cannot be read or is damaged.
    pub fn read(folder: &Path) -> Result<Option<Self>, Error> {
        let path = folder.join(MANIFEST_FILE);
        let damaged = |source: Box<dyn std::error::Error + Send + Sync>| {
            Error::new(ErrorKind::Io, format!("{} cannot be read: {source}", path.display()))
                .with_help("remove the folder, or put the file back")
                .with_source(source)
        };
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|source| damaged(source.into())),
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(damaged(source.into())),
        }
    }

    /// Whether every file of the manifest is in the folder with its size.
    pub fn files_are_there(&self, folder: &Path) -> bool {
        self.parts
            .iter()
            .flat_map(|part| &part.files)
            .all(|file| std::fs::metadata(folder.join(&file.path)).is_ok_and(|found| found.len() == file.bytes))
    }
}
