//! An export, which can be repeated with the same command, and its files.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::compare::{Difference, Tally};
use super::running::{Invocation, Running};
use super::source::Source;

/// The file that an export writes last.
pub(super) const MANIFEST: &str = "_manifest.json";

/// The index, the destination and the options of an export.
pub(super) struct Export {
    pub(super) program: PathBuf,
    /// The working folder.
    pub(super) folder: PathBuf,
    pub(super) index: String,
    pub(super) url: String,
    /// The folder of the rows, alone in its parent folder.
    pub(super) destination: PathBuf,
    /// The rows of a file: a few files for each export, so that some are complete when it is killed.
    pub(super) rows_per_file: u64,
}

impl Export {
    /// Starts the command.
    pub(super) fn start(&self) -> Result<Running> {
        let mut command: Vec<OsString> = vec!["export".into(), self.index.clone().into(), "--to".into()];
        command.push(self.destination.clone().into());
        command.extend(["--format", "ndjson", "--rows-per-file"].map(Into::into));
        command.push(self.rows_per_file.to_string().into());
        let (program, folder, url) = (&self.program, &self.folder, &self.url);
        Invocation { what: "export", program, folder, arguments: command, url, prefix: None }.start()
    }

    /// Runs the command, which must succeed.
    pub(super) fn run(&self) -> Result<Duration> {
        self.start()?.finish()
    }

    /// Compares every row with the source, and the manifest with the rows.
    pub(super) fn compare(&self, source: &Source) -> Result<Difference> {
        let manifest = read_manifest(&self.destination.join(MANIFEST))?;
        let mut tally = Tally::new(source)?;
        let mut rows: u64 = 0;
        for name in files(&manifest) {
            let path = self.destination.join(&name);
            let file = File::open(&path).with_context(|| format!("cannot read {}", path.display()))?;
            for line in BufReader::new(file).lines() {
                let line = line.with_context(|| format!("cannot read {}", path.display()))?;
                let row: Value = serde_json::from_str(&line).with_context(|| format!("{}: {line}", path.display()))?;
                tally.see(row["id"].as_str().unwrap_or_default(), &line);
                rows += 1;
            }
        }
        if manifest["rows"] != rows {
            bail!("the manifest has {} rows, and the files have {rows}", manifest["rows"]);
        }
        Ok(tally.finish())
    }
}

pub(super) fn read_manifest(path: &Path) -> Result<Value> {
    let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is not a manifest", path.display()))
}

/// The paths of the files that a manifest names, from its folder.
pub(super) fn files(manifest: &Value) -> Vec<String> {
    entries(manifest).into_iter().map(|(path, _)| path).collect()
}

/// The files that a manifest names, with their sizes in bytes.
pub(super) fn entries(manifest: &Value) -> Vec<(String, u64)> {
    let parts = manifest["parts"].as_array().into_iter().flatten();
    let files = parts.flat_map(|part| part["files"].as_array().into_iter().flatten());
    let entry = |file: &Value| Some((file["path"].as_str()?.to_owned(), file["bytes"].as_u64()?));
    files.filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_export_is_compared_with_its_source() {
        let folder = std::env::temp_dir().join(format!("xtask-export-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("data")).unwrap();
        let source = Source::new(1, 3);
        let export = Export {
            program: "p".into(),
            folder: folder.clone(),
            index: "i".into(),
            url: "u".into(),
            destination: folder.clone(),
            rows_per_file: 1,
        };
        let write = |numbers: &[u64], rows: u64| {
            let lines: String = numbers.iter().map(|number| format!("{}\n", source.line(*number))).collect();
            std::fs::write(folder.join("data/part.ndjson"), &lines).unwrap();
            let file = json!({ "path": "data/part.ndjson", "bytes": lines.len() });
            let manifest = json!({ "rows": rows, "parts": [{ "files": [file] }] });
            std::fs::write(folder.join(MANIFEST), manifest.to_string()).unwrap();
        };
        write(&[2, 0, 1], 3);
        assert_eq!(export.compare(&source).unwrap(), Difference::default());
        write(&[2, 0, 2], 3);
        assert_eq!(export.compare(&source).unwrap(), Difference { lost: 1, doubled: 1, changed: 0 });
        write(&[2, 0, 1], 4);
        assert!(export.compare(&source).is_err());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
