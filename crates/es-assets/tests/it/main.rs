//! Tests of the crate as its users see it.

mod diagnostics;
mod reference_pipeline;

/// The text of a file under `tests/fixtures`.
fn fixture(name: &str) -> String {
    let path = format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}
