//! The library of ONNX Runtime that tests of inference load.

use std::path::{Path, PathBuf};

use crate::ledger;

/// The library that `ORT_DYLIB_PATH` names, or else that of `cargo xtask onnxruntime`. Without one, tests
/// are to return.
///
/// # Panics
/// Without one where `CI=true`.
#[must_use]
pub fn onnxruntime() -> Option<PathBuf> {
    let found = find_onnxruntime();
    if found.is_some() {
        return found;
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "no ONNX Runtime for tests: cargo xtask onnxruntime");
    ledger::say("SKIPPED test: no ONNX Runtime (cargo xtask onnxruntime)");
    None
}

/// As [`onnxruntime`], for tests that are about something else: without a library, nothing happens.
///
/// # Panics
/// When `ORT_DYLIB_PATH` names a file that is not there.
#[must_use]
pub fn find_onnxruntime() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()).map(PathBuf::from) {
        assert!(path.exists(), "ORT_DYLIB_PATH is {}, which is not there", path.display());
        return Some(path);
    }
    let name = format!("{}onnxruntime{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.onnxruntime").join(name);
    fetched.exists().then_some(fetched)
}
