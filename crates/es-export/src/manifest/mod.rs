//! The content and the origin of an export: `_manifest.json` in its folder, or
//! `NAME.manifest.json` beside its file.
//!
//! A reader needs no more than the folder. `v1` reads manifests of the layout before.

mod schema;
mod v1;

use std::path::Path;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use crate::commit::MANIFEST_FILE;
use crate::encode::Encoders;
use crate::error::{Error, ErrorKind};
use crate::read::Origin;
use crate::schemas::Instant;
use crate::split::Split;
pub use crate::split::proof::{ManifestKeys, ManifestProof};
pub use crate::write::ManifestFile;

/// The layout that is written.
pub(crate) const MANIFEST_VERSION: u32 = 2;

/// The version of manifests that others write, in a [`StagedFolder`](crate::StagedFolder).
const FOREIGN_VERSION: u32 = 0;

/// The manifest of an export, layout 2.
///
/// Fields may be added to the layout, and readers must not mind those that they do not know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Manifest {
    /// The version of this layout: 2. [`Manifest::read`] reads layout 1 as well.
    #[schemars(extend("const" = 2))]
    pub manifest_version: u32,
    /// When the export was written, in UTC.
    #[schemars(with = "Instant")]
    pub created: Timestamp,
    /// The programs that wrote it.
    pub versions: ManifestVersions,
    /// The source of the rows, and the time and way of reading them.
    pub source: Origin,
    /// The rows of all parts. Where the source says how many rows there should be (`matched`,
    /// counted in the same point in time), they are as many.
    pub rows: u64,
    /// The number of times that the export was killed and resumed after its finished files.
    #[serde(default)]
    pub resumed: u32,
    /// The number of restarts from scratch, because the point in time was lost.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub restarted: u32,
    /// The format of the files.
    pub format: ManifestFormat,
    /// The columns of every file, in their order. With encoders these are the encoded ones.
    pub columns: Vec<ManifestColumn>,
    /// The columns that are not in the files but in the names of their folders, as Hive has
    /// them: `column=value`.
    #[serde(default)]
    pub partition_by: Vec<ManifestColumn>,
    /// The change of the rows between reading and writing, if there was one, such as the features
    /// that were joined to them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transform: Option<Value>,
    /// The assignment of rows to parts, if there was one: with this alone any row can be put
    /// where this export would have put it.
    pub split: Option<Split>,
    /// The proof that the parts of the split are disjoint and complete.
    #[serde(default)]
    pub proof: Option<ManifestProof>,
    /// The parts, in the order of the split. Without a split there is one, `data`.
    pub parts: Vec<ManifestPart>,
    /// The encoding of columns as numbers, with all that it takes to do the same with other
    /// rows: learnt from the training part alone.
    #[serde(default)]
    pub encoders: Option<Encoders>,
    /// A note of the caller, such as the definition that this export fulfils.
    pub notes: Value,
}

/// The programs that wrote an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ManifestVersions {
    /// The version of `es-export`.
    pub es_export: String,
    /// The version of Polars, which wrote the columns. Not said in layout 1.
    #[serde(default)]
    pub polars: Option<String>,
}

/// The format of an export's files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ManifestFormat {
    /// Its name, such as `parquet`.
    pub name: String,
    /// The compression, or `none`.
    #[serde(default)]
    pub compression: Option<String>,
    /// Rows of a row group, in Parquet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_group_rows: Option<usize>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ManifestColumn {
    /// Its name.
    pub name: String,
    /// Its type in Elasticsearch; empty for a column that an encoding has made.
    pub elasticsearch: String,
    /// Its Polars type.
    pub polars: String,
    /// Its Arrow type.
    pub arrow: String,
}

/// A part of the rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ManifestPart {
    /// Its name.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// The sums of their keys, in a split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<ManifestKeys>,
    /// Its files, in the order in which they were written. With partition columns a part
    /// without rows has none.
    pub files: Vec<ManifestFile>,
}

impl Manifest {
    /// Reads the manifest of an export's folder, or of its file; `None` when there is none, or when
    /// its version is 0: the files of a [`StagedFolder`](crate::StagedFolder) are no export.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] when it cannot be read, is damaged, or is of a layout that this
    /// version does not know.
    pub fn read(path: &Path) -> Result<Option<Self>, Error> {
        let manifest = if path.is_file() {
            crate::commit::Destination::File(path.to_owned()).manifest()
        } else {
            path.join(MANIFEST_FILE)
        };
        let failed = |source: Box<dyn std::error::Error + Send + Sync>, help: &str| {
            Error::new(ErrorKind::Io, format!("{} cannot be read: {source}", manifest.display()))
                .with_help(help)
                .quoting(source)
        };
        let bytes = match std::fs::read(&manifest) {
            Ok(bytes) => bytes,
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(failed(source.into(), DAMAGED)),
        };
        #[derive(Deserialize)]
        struct Version {
            manifest_version: u32,
        }
        let version = serde_json::from_slice(&bytes).map_err(|source| failed(source.into(), DAMAGED))?;
        let read = match version {
            Version { manifest_version: FOREIGN_VERSION } => return Ok(None),
            Version { manifest_version: 1 } => v1::read(&bytes),
            Version { manifest_version: MANIFEST_VERSION } => serde_json::from_slice(&bytes),
            Version { manifest_version } => {
                let what = format!("layout {manifest_version} is not known to this version");
                return Err(failed(what.into(), "read it with the version that wrote it, or export again"));
            }
        };
        read.map(Some).map_err(|source| failed(source.into(), DAMAGED))
    }

    /// The files of all parts, part after part.
    pub fn files(&self) -> impl Iterator<Item = &ManifestFile> {
        self.parts.iter().flat_map(|part| &part.files)
    }

    /// Returns whether every file of the manifest is in the folder with its size.
    pub fn files_are_there(&self, folder: &Path) -> bool {
        self.files().all(|file| file.is_in(folder))
    }
}

const DAMAGED: &str = "remove the folder, or put the file back";

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}
