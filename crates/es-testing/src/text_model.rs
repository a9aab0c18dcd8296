//! The model of texts that tests of embeddings run.

use std::path::{Path, PathBuf};

use crate::ledger;

/// The files of the model all-MiniLM-L6-v2, which takes 256 tokens and whose vectors are the normalized mean of
/// those of the tokens.
#[derive(Clone, Debug)]
pub struct TextModel {
    /// The model in the format ONNX.
    pub model: PathBuf,
    /// Its `tokenizer.json`.
    pub tokenizer: PathBuf,
}

/// The model in the folder that `TEXT_MODEL` names, or else that of `cargo xtask text-model`. Without one, tests
/// are to return.
///
/// # Panics
/// Without one where `CI=true`, and when `TEXT_MODEL` names a folder without one.
#[must_use]
pub fn text_model() -> Option<TextModel> {
    let named = std::env::var_os("TEXT_MODEL").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let folder = named.clone().unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.text-model"));
    let found = TextModel { model: folder.join("model.onnx"), tokenizer: folder.join("tokenizer.json") };
    if found.model.exists() && found.tokenizer.exists() {
        return Some(found);
    }
    assert!(named.is_none(), "TEXT_MODEL is {}, where no model of texts is", folder.display());
    assert!(std::env::var("CI").as_deref() != Ok("true"), "no model of texts for tests: cargo xtask text-model");
    ledger::say("SKIPPED test: no model of texts (cargo xtask text-model)");
    None
}
