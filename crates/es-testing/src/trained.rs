//! Trained models with the answers of the libraries that trained them: see `make.py` beside them.

#![expect(clippy::unwrap_used, reason = "a file that is missing fails the test")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

/// The rows that each model has answers for.
pub const ROWS: usize = 5000;

/// The numbers of a row, beside its text.
pub const COLUMNS: usize = 7;

/// A model, with the form of the rows that it is given.
#[derive(Debug, Deserialize)]
pub struct TrainedModel {
    /// The rows that it is given, `rows` or `missing`: the second lack some numbers.
    pub rows: String,
    /// The classes that its file tells, of a classifier.
    pub classes: Option<Vec<String>>,
    /// It is given the texts as well, and a tensor a column.
    #[serde(default)]
    pub texts: bool,
}

/// The folder of the models.
#[must_use]
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../es-serving/tests/models")
}

/// All models, by name.
///
/// # Panics
/// When they cannot be read.
#[must_use]
pub fn models() -> BTreeMap<String, TrainedModel> {
    serde_json::from_slice(&std::fs::read(folder().join("models.json")).unwrap()).unwrap()
}

/// The numbers of a file of the folder, row by row.
///
/// # Panics
/// When it cannot be read.
#[must_use]
pub fn floats(name: &str) -> Vec<f32> {
    let bytes = std::fs::read(folder().join(name)).unwrap();
    bytes.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
}

/// The lines of a file of the folder.
///
/// # Panics
/// When it cannot be read.
#[must_use]
pub fn lines(name: &str) -> Vec<String> {
    std::fs::read_to_string(folder().join(name)).unwrap().lines().map(str::to_owned).collect()
}
