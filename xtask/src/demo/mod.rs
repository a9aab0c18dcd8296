//! `cargo xtask demo`: from nothing to a monitored dataset, on real data.
//!
//! Starts an Elasticsearch, builds the program, runs the flights pipeline, and shows what came out:
//! a short summary, a picture of the data, and the next steps.

mod chart;
mod findings;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::example::FLIGHTS as PIPELINE;
use crate::scope::IndexScope;
use crate::terminal::{columns, heading, human_bytes, is_unicode};
use crate::{compile, es, onnxruntime, text_model, workspace};
use findings::{delays, documents, with_commas};

/// The fastest profile from a fresh clone to the end of the demo: an optimised build alone takes
/// longer than a development build and the run together.
const PROFILE: &str = "dev";

/// The prefix of the pipeline's indices, unless the environment names another.
const PREFIX: &str = "flights-";

/// The indices of the pipeline, and what their documents are.
const INDICES: [(&str, &str); 5] = [
    ("departures", "departures of 2013, a document each"),
    ("weather", "hours of weather at three airports"),
    ("departures_weather", "departures joined with their weather"),
    ("route_delays", "rows of features, one a route and day"),
    ("late_scores", "predictions of late departures, October to December"),
];

/// The folder of the export, from the pipeline's.
const TRAINING_SET: &str = "out/training_set";

/// The program's exit code for a failed check or monitor.
const CHECK_FAILED: i32 = 3;

/// The program's exit code for a monitor that could not be measured.
const NOT_MEASURED: i32 = 4;

pub(crate) fn run() -> Result<ExitCode> {
    let started = Instant::now();
    let mut variables = es::elasticsearch()?;
    let library = onnxruntime::library()?;
    variables.push((onnxruntime::VARIABLE, library.display().to_string()));
    match text_model::folder() {
        Ok(folder) => variables.push((text_model::VARIABLE, folder.display().to_string())),
        Err(error) => println!("no model of texts: {error:#}"),
    }
    let program = compile::orchestrator(PROFILE)?;
    let demo = Demo { program, variables };

    demo.show("is the pipeline well formed?", &["validate"])?.must_succeed()?;
    demo.show("what would a run do?", &["plan"])?.must_succeed()?;
    let run = demo.show("the run", &["run"])?;
    let Some(verdict) = verdict(run.code()) else {
        run.must_succeed()?;
        bail!("`{}` ended in an unexpected way", run.command);
    };

    demo.show("the model", &["models", "show", "late/1"])?.must_succeed()?;
    demo.show("what has it scored?", &["models", "scored-by", "late@champion"])?.must_succeed()?;

    heading("what came out");
    print!("{}", demo.summary(verdict, started.elapsed())?);
    heading("what the data say");
    print!("{}", demo.picture()?);
    heading("what to try next");
    print!("{}", next_steps(&demo.program));
    Ok(ExitCode::SUCCESS)
}

struct Demo {
    program: PathBuf,
    variables: Vec<(&'static str, String)>,
}

/// A command of the program and its exit status.
struct Ended {
    command: String,
    status: ExitStatus,
}

impl Ended {
    fn code(&self) -> Option<i32> {
        self.status.code()
    }

    fn must_succeed(&self) -> Result<()> {
        if !self.status.success() {
            bail!("`{}` ended with {}", self.command, self.status);
        }
        Ok(())
    }
}

impl Demo {
    /// Runs a command of the program, and shows it with its output.
    fn show(&self, title: &str, arguments: &[&str]) -> Result<Ended> {
        heading(title);
        let command = format!("orchestrator -C {PIPELINE} {}", arguments.join(" "));
        println!("$ {command}");
        let status = Command::new(&self.program)
            .current_dir(workspace::root())
            .args(["-C", PIPELINE])
            .args(arguments)
            .envs(self.variables.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .status()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        Ok(Ended { command, status })
    }

    /// The alias of an asset.
    fn alias(&self, asset: &str) -> String {
        let prefix = std::env::var("ELASTICSEARCH_INDEX_PREFIX").unwrap_or_else(|_| PREFIX.to_owned());
        format!("{prefix}{asset}")
    }

    /// The present indices, in a few lines.
    fn summary(&self, verdict: &str, took: Duration) -> Result<String> {
        let scope = IndexScope::connect(&self.variables, "demo")?;
        let mut text = String::new();
        let mut line = |name: &str, found: String| text.push_str(&format!("{name:<20}{found}\n"));
        for (asset, what) in INDICES {
            let documents = documents(scope.client(), &self.alias(asset))?;
            line(asset, format!("{:>9} {what}", with_commas(documents)));
        }
        let (files, bytes) = size_of(&workspace::root().join(PIPELINE).join(TRAINING_SET))?;
        line("training_set", format!("{files:>9} files, {}, in {TRAINING_SET}", human_bytes(bytes)));
        line("checks, monitors", format!("          {verdict}"));
        line("in all", format!("          {} s", took.as_secs()));
        Ok(text)
    }

    /// The delays of the year as a picture.
    fn picture(&self) -> Result<String> {
        let scope = IndexScope::connect(&self.variables, "demo")?;
        Ok(delays(scope.client(), &self.alias("departures"))?.picture(columns(), is_unicode()))
    }
}

/// The verdict on checks and monitors by the exit code of a run.
fn verdict(code: Option<i32>) -> Option<&'static str> {
    match code {
        Some(0) => Some("passed, or told above as a warning"),
        Some(CHECK_FAILED) => Some("a check or monitor failed: the lines above say which, and by how much"),
        Some(NOT_MEASURED) => Some("a monitor could not be measured: the lines above say why"),
        _ => None,
    }
}

/// The number of files in a folder, and their bytes.
fn size_of(folder: &Path) -> Result<(usize, u64)> {
    let mut files = Vec::new();
    collect(folder, &mut files)?;
    Ok((files.len(), files.iter().map(|(_, bytes)| bytes).sum()))
}

fn collect(folder: &Path, files: &mut Vec<(PathBuf, u64)>) -> Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.is_dir() {
            collect(&entry.path(), files)?;
        } else {
            files.push((entry.path(), metadata.len()));
        }
    }
    Ok(())
}

fn next_steps(program: &Path) -> String {
    let program = program.strip_prefix(workspace::root()).unwrap_or(program).display();
    format!(
        "\
# this shell talks to the same Elasticsearch
eval \"$(cargo xtask es env)\"
# what is published, and what the monitor says
{program} -C {PIPELINE} status
# a second run: nothing to do, and it says so
{program} -C {PIPELINE} run
# what depends on what
{program} -C {PIPELINE} graph
# what a run would do after an edit of {PIPELINE}/pipeline.yaml
{program} -C {PIPELINE} plan
# stop the Elasticsearch; its data stays
cargo xtask es down
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_is_the_verdict() {
        assert!(verdict(Some(0)).unwrap().contains("passed"));
        assert!(verdict(Some(3)).unwrap().contains("failed"));
        assert!(verdict(Some(4)).unwrap().contains("not be measured"));
        assert_eq!(verdict(Some(1)), None);
        assert_eq!(verdict(None), None);
    }
}
