//! The description of a file's tensors: `NAME.features.json` beside it.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use polars::prelude::Schema;
use serde::{Deserialize, Serialize};

use super::ManifestFile;
use crate::encode::{EncodedFrom, Encoders};
use crate::error::{Error, ErrorKind};

/// The extension of a description.
const EXTENSION: &str = "features.json";

/// The description of a file of tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeatureDescription {
    /// The version of this layout: 1.
    pub version: u32,
    /// The name of the file, which is in the same folder.
    pub file: String,
    /// Its format, as [`Format::as_str`](crate::Format::as_str) gives it.
    pub format: String,
    /// Its rows.
    pub rows: u64,
    /// The features, in the order of the columns.
    pub features: Vec<Feature>,
}

/// A feature: one tensor of a file, or some columns of its matrix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Feature {
    /// The name of the column, of the tensor, and of the feature.
    pub name: String,
    /// The type of its elements in the file, as NumPy, PyTorch and TensorFlow call it; `bytes`
    /// in a TFRecord for texts (in UTF-8) and bytes.
    pub dtype: String,
    /// The shape of a row: `[]` one element, `[n]` a vector; null where each row has its own.
    pub shape: Option<Vec<u64>>,
    /// The first of its columns in a matrix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matrix_column: Option<u64>,
    /// The type of the column in Polars.
    pub polars: String,
    /// Of instants, the unit that is counted since 1970-01-01 in UTC: `ms`, `us` or `ns`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The form of a null.
    pub null_policy: NullPolicy,
    /// Elements that were null.
    pub nulls: u64,
    /// The column and encoding that it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoded: Option<EncodedFrom>,
}

/// The form of a null in a file of tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NullPolicy {
    /// NaN.
    Nan,
    /// NumPy's "not a time".
    Nat,
    /// The feature is missing from the row's example.
    LeftOut,
    /// Nothing: an export with a null fails.
    Refused,
}

/// The start of a feature, for the writers to complete.
pub(super) fn feature(name: &str, schema: &Schema, encoders: Option<&Encoders>) -> Feature {
    Feature {
        name: name.to_owned(),
        dtype: String::new(),
        shape: None,
        matrix_column: None,
        polars: schema.get(name).map(ToString::to_string).unwrap_or_default(),
        unit: None,
        null_policy: NullPolicy::Refused,
        nulls: 0,
        encoded: encoders.and_then(|encoders| encoders.made(name)),
    }
}

impl FeatureDescription {
    /// Reads the description of a file.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] when there is none, or it is damaged.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let read = std::fs::read(path).map_err(|source| source.to_string());
        let found = read.and_then(|bytes| serde_json::from_slice(&bytes).map_err(|source| source.to_string()));
        found.map_err(|why| Error::new(ErrorKind::Io, format!("{} cannot be read: {why}", path.display())))
    }

    pub(super) fn new(format: &str, name: &str, rows: u64, features: Vec<Feature>) -> Self {
        let file = name.rsplit('/').next().unwrap_or(name).to_owned();
        Self { version: 1, file, format: format.to_owned(), rows, features }
    }

    /// Writes it beside its file, and notes it there.
    pub(super) fn write(&self, folder: &Path, mut file: ManifestFile) -> Result<ManifestFile, Error> {
        let name = format!("{}.{EXTENSION}", file.path);
        let path = folder.join(&name);
        let text = serde_json::to_vec_pretty(self).map_err(std::io::Error::other);
        let written = text.and_then(|text| {
            let mut file = File::create(&path)?;
            file.write_all(&text)?;
            file.sync_all()
        });
        written.map_err(|source| Error::writing(&path, source))?;
        file.description = Some(name);
        Ok(file)
    }
}
