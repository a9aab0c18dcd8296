//! The training set of the flights pipeline, made by the program out of an Elasticsearch.
//!
//! The example pipeline runs in a copy, under a prefix of its own, with one asset more: the same
//! training set as TFRecord files.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::compile::ProgramArgs;
use crate::scope::IndexScope;
use crate::terminal::heading;
use crate::{es, example, process};

/// The selected assets, with their dependencies.
const SELECTION: &str = "+training_set,+training_records";

/// The changes that turn the training set into its copy.
const RECORDS: [(&str, &str); 3] = [
    ("  training_set:\n", "  training_records:\n"),
    ("path: out/training_set,", "path: out/training_records,"),
    ("format: parquet", "format: tfrecord"),
];

/// The exported files, and the environment that points at their indices.
pub(super) struct TrainingSet {
    /// The copy of the example, with the files in its `out`.
    pub(super) project: PathBuf,
    pub(super) program: PathBuf,
    pub(super) variables: Vec<(&'static str, String)>,
}

/// Makes the training set, lets `read` happen, and removes the indices.
pub(super) fn with_training_set<T>(
    folder: &Path,
    program: &ProgramArgs,
    read: impl FnOnce(&TrainingSet) -> Result<T>,
) -> Result<T> {
    let program = program.orchestrator()?;
    let variables = es::elasticsearch()?;
    let scope = IndexScope::connect(&variables, "consumers")?;
    let at_signal = scope.clone();
    process::at_interrupt(move || {
        // The program got the signal too, and settles what it has in flight.
        std::thread::sleep(Duration::from_secs(2));
        at_signal.leave();
    })?;
    let set = TrainingSet { project: folder.join("flights"), program, variables };
    let done = set.make(scope.prefix()).and_then(|()| read(&set));
    scope.leave();
    done
}

impl TrainingSet {
    /// Copies the example and runs it before the reader's eyes.
    fn make(&self, prefix: &str) -> Result<()> {
        example::copy_to(&self.project, with_records)?;
        heading("the training set");
        let status = Command::new(&self.program)
            .arg("-C")
            .arg(&self.project)
            .args(["run", SELECTION])
            .envs(self.variables.iter().cloned())
            .env("ELASTICSEARCH_INDEX_PREFIX", prefix)
            .stdin(Stdio::null())
            .status()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        if !status.success() {
            bail!("the run of {} ended with {status}", self.project.display());
        }
        heading("who reads it");
        Ok(())
    }
}

/// The pipeline with the same training set as TFRecord files.
fn with_records(pipeline: &str) -> Result<String> {
    let mut records = example::asset(pipeline, "training_set")?.to_owned();
    for (is, becomes) in RECORDS {
        if !records.contains(is) {
            bail!("its training set lacks `{}`", is.trim());
        }
        records = records.replace(is, becomes);
    }
    example::with_asset(pipeline, &records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_training_set_is_written_twice() {
        let set =
            "  training_set:\n    kind: export\n    to: { path: out/training_set, format: parquet }\n    split: {}\n";
        let pipeline = format!("version: 1\n\nassets:\n{set}\n  monitor:\n    kind: monitor\n");
        let text = with_records(&pipeline).unwrap();
        let records = "  training_records:\n    kind: export\n    to: { path: out/training_records, format: tfrecord }\n    split: {}\n";
        assert_eq!(text, pipeline.replace(set, &format!("{records}\n{set}")));
        let error = with_records(&pipeline.replace("parquet", "csv")).unwrap_err();
        assert_eq!(error.to_string(), "its training set lacks `format: parquet`");
    }
}
