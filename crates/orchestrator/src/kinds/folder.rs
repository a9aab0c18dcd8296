//! Files that a kind makes itself, in a folder that appears whole or not at all, and the manifest
//! that says which asset made them, and of what. The files of an `export` have the manifest of
//! es-export.

use std::io;
use std::path::Path;

use es_assets::{Inputs, Published};
use es_export::{MANIFEST_FILE, StagedFolder};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::work::{Notes, ReadyResult};
use super::{Built, Outcome, Part, Subject, Work};
use crate::error::{Error, Result};
use crate::terminal::table::{counted, size};

/// The version of the manifest of files that an `export` did not write.
const MANIFEST_VERSION: u32 = 0;

/// The manifest of a folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct FolderManifest {
    manifest_version: u32,
    #[serde(flatten)]
    notes: Notes,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rows: Option<u64>,
    files: Vec<FolderFile>,
}

/// A file of a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct FolderFile {
    path: String,
    bytes: u64,
    sha256: String,
}

/// Returns what is published in the folder of an asset: nothing where there is no such folder, where
/// another asset wrote it, or where a file of it is missing or of another size.
///
/// # Errors
/// When the manifest cannot be read.
pub fn observe<D>(asset: &Subject<'_, D>, path: &str) -> Result<Vec<Part>> {
    let folder = asset.project.path(path);
    let manifest = folder.join(MANIFEST_FILE);
    let failed = |error: &dyn std::fmt::Display| {
        Error::failed(format!("{} cannot be read: {error}", manifest.display()))
            .with_help(Some("remove the folder, or put the file back"))
    };
    let text = match std::fs::read(&manifest) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(&error)),
    };
    let value: serde_json::Value = serde_json::from_slice(&text).map_err(|error| failed(&error))?;
    if value["manifest_version"] != json!(MANIFEST_VERSION) {
        return Ok(Vec::new());
    }
    let manifest: FolderManifest = serde_json::from_value(value).map_err(|error| failed(&error))?;
    let is_mine = manifest.notes.are_of(asset.project.pipeline.name(), asset.name);
    let is_whole = || manifest.files.iter().all(|file| file.is_in(&folder));
    Ok(if is_mine && is_whole() { vec![(None, manifest.published())] } else { Vec::new() })
}

/// Makes the files of a staged folder a result that is ready to be published. `inputs` are the
/// versions of what they were made of, taken before.
///
/// # Errors
/// When a file cannot be read.
pub async fn ready(
    work: &Work<'_>,
    path: &str,
    staged: StagedFolder,
    rows: Option<u64>,
    inputs: Inputs,
) -> Result<Built> {
    let hashing = tokio::task::spawn_blocking(move || {
        let files: Result<Vec<FolderFile>> = staged.files()?.iter().map(|file| hash(staged.path(), file)).collect();
        files.map(|files| (staged, files))
    });
    let (staged, files) = hashing.await.map_err(|error| Error::defect("reading the files", &error))??;
    let bytes: u64 = files.iter().map(|file| file.bytes).sum();
    let manifest = FolderManifest { manifest_version: MANIFEST_VERSION, notes: Notes::of(work, inputs), rows, files };
    let contents = match rows {
        Some(rows) => counted(rows, "row"),
        None => counted(manifest.files.len() as u64, "file"),
    };
    let published = Box::new(manifest.published());
    let commit = move || tokio::task::spawn_blocking(move || staged.commit(&json!(manifest)).map_err(Error::from));
    Ok(Built {
        rows,
        detail: format!("{path}: {contents} ({})", size(bytes)),
        summary: json!({ "path": path, "rows": rows, "bytes": bytes }),
        outcome: Outcome::Ready(ReadyResult {
            published,
            publish: Box::new(move || {
                Box::pin(async move { commit().await.map_err(|error| Error::defect("publishing the files", &error))? })
            }),
        }),
        ..Built::default()
    })
}

impl FolderManifest {
    fn published(&self) -> Published {
        let mut sums = Sha256::new();
        for file in &self.files {
            sums.update(format!("{} {}\n", file.sha256, file.path));
        }
        Published {
            fingerprint: self.notes.fingerprint.clone(),
            inputs: self.notes.inputs.clone(),
            version: hex::encode(sums.finalize()),
            generation: None,
            rows: self.rows,
        }
    }
}

impl FolderFile {
    fn is_in(&self, folder: &Path) -> bool {
        std::fs::metadata(folder.join(&self.path)).is_ok_and(|found| found.len() == self.bytes)
    }
}

fn hash(folder: &Path, file: &Path) -> Result<FolderFile> {
    let read = checksum(file);
    let (bytes, sha256) = read.map_err(|error| Error::failed(format!("{} cannot be read: {error}", file.display())))?;
    let path = file.strip_prefix(folder).unwrap_or(file);
    let path = path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
    Ok(FolderFile { path, bytes, sha256 })
}

/// The size of a file in bytes, and the SHA-256 of its content in hexadecimal digits. Blocks.
pub(super) fn checksum(path: &Path) -> io::Result<(u64, String)> {
    let mut sum = Sha256::new();
    let bytes = io::copy(&mut std::fs::File::open(path)?, &mut sum)?;
    Ok((bytes, hex::encode(sum.finalize())))
}
