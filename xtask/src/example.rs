//! Copies of the example pipeline with other assets.

use std::path::Path;

use anyhow::{Context, Result};

use crate::workspace::{self, empty_folder};

/// The pipeline and its data, from the workspace's root.
pub const FLIGHTS: &str = "examples/flights";

/// The line before the assets.
const ASSETS: &str = "\nassets:\n";

/// Copies the pipeline, its model and its data to an empty folder, and applies `change` to the pipeline's text.
///
/// # Errors
/// When a file cannot be read or written, or `change` fails.
pub fn copy_to(project: &Path, change: impl FnOnce(&str) -> Result<String>) -> Result<()> {
    let flights = workspace::root().join(FLIGHTS);
    let text = std::fs::read_to_string(flights.join("pipeline.yaml"))
        .with_context(|| format!("cannot read {FLIGHTS}/pipeline.yaml"))?;
    let text = change(&text).with_context(|| format!("cannot change {FLIGHTS}/pipeline.yaml"))?;
    let data = project.join("data");
    empty_folder(project)?;
    empty_folder(&data)?;
    std::fs::write(project.join("pipeline.yaml"), text)?;
    std::fs::copy(flights.join("model.onnx"), project.join("model.onnx"))?;
    for entry in std::fs::read_dir(flights.join("data"))? {
        let entry = entry?;
        std::fs::copy(entry.path(), data.join(entry.file_name()))?;
    }
    Ok(())
}

/// The text of a pipeline with an additional asset, given as YAML lines.
///
/// # Errors
/// When the pipeline has no line `assets:`.
pub fn with_asset(pipeline: &str, asset: &str) -> Result<String> {
    let (before, after) = pipeline.split_once(ASSETS).context("it has no line `assets:`")?;
    Ok(format!("{before}{ASSETS}{asset}\n{after}"))
}

/// The YAML lines of an asset, beginning with its name.
///
/// # Errors
/// When the pipeline has no such asset.
pub fn asset<'a>(pipeline: &'a str, name: &str) -> Result<&'a str> {
    let (_, assets) = pipeline.split_once(ASSETS).context("it has no line `assets:`")?;
    let head = format!("  {name}:\n");
    let start = assets
        .match_indices(&head)
        .map(|(start, _)| start)
        .find(|start| *start == 0 || assets[..*start].ends_with('\n'))
        .with_context(|| format!("it has no asset {name}"))?;
    let body = &assets[start + head.len()..];
    let length: usize = body.split_inclusive('\n').take_while(|line| line.starts_with("    ")).map(str::len).sum();
    Ok(&assets[start..start + head.len() + length])
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIPELINE: &str =
        "version: 1\nassets:\n  set_a:\n    kind: a\n      a:\n\n  a:\n    kind: b\n    to: c\n\n  d: {}\n";

    #[test]
    fn an_asset_is_added() {
        let text = with_asset("version: 1\nassets:\n  a: {}\n", "  b:\n    kind: export\n").unwrap();
        assert_eq!(text, "version: 1\nassets:\n  b:\n    kind: export\n\n  a: {}\n");
        with_asset("version: 1\n", "  b: {}\n").unwrap_err();
    }

    #[test]
    fn an_asset_ends_where_the_next_begins() {
        assert_eq!(asset(PIPELINE, "a").unwrap(), "  a:\n    kind: b\n    to: c\n");
        assert_eq!(asset(PIPELINE, "set_a").unwrap(), "  set_a:\n    kind: a\n      a:\n");
        for name in ["b", "kind", "d"] {
            asset(PIPELINE, name).unwrap_err();
        }
    }
}
