//! `cargo xtask demo`: from nothing to a monitored dataset, on real data.
//!
//! Starts an Elasticsearch, builds the program, runs the flights pipeline, and shows the results
//! and the next steps.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};

use anyhow::{Context, Result, bail};

use crate::example::FLIGHTS as PIPELINE;
use crate::terminal::{heading, human_bytes};
use crate::{compile, es, workspace};

/// The fastest profile from a fresh clone to the end of the demo: an optimised build alone takes
/// longer than a development build and the run together.
const PROFILE: &str = "dev";

/// The program's exit code for a failed check or monitor.
const CHECK_FAILED: i32 = 3;

/// The program's exit code for a monitor that could not be measured.
const NOT_MEASURED: i32 = 4;

pub(crate) fn run() -> Result<ExitCode> {
    let variables = es::elasticsearch()?;
    let program = compile::orchestrator(PROFILE)?;
    let demo = Demo { program, variables };

    demo.show("is the pipeline well formed?", &["validate"])?.must_succeed()?;
    demo.show("what would a run do?", &["plan"])?.must_succeed()?;
    let run = demo.show("the run", &["run"])?;
    if run.code() != Some(CHECK_FAILED) {
        run.must_succeed()?;
    }
    demo.show("the assets now", &["status"])?.must_succeed()?;
    let check = demo.show("what the monitor says", &["check"])?;
    let verdict = verdict(check.code()).context("the check ended in an unexpected way")?;

    heading("what came out");
    println!("monitor: {verdict}");
    show_files(&workspace::root().join(PIPELINE).join("out"))?;
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
}

/// The verdict on the monitor by the exit code of `check`.
fn verdict(code: Option<i32>) -> Option<&'static str> {
    match code {
        Some(0) => Some("every check and monitor passed"),
        Some(CHECK_FAILED) => Some("a check or monitor failed: the lines above say which, and by how much"),
        Some(NOT_MEASURED) => Some("a monitor could not be measured: the lines above say why"),
        _ => None,
    }
}

fn show_files(folder: &Path) -> Result<()> {
    let mut files = Vec::new();
    collect(folder, &mut files)?;
    files.sort();
    for (path, size) in files {
        let name = path.strip_prefix(workspace::root()).unwrap_or(&path);
        println!("{:>10}  {}", human_bytes(size), name.display());
    }
    Ok(())
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
eval \"$(cargo xtask es env)\"                    # this shell talks to the same Elasticsearch
{program} -C {PIPELINE} run        # a second run: nothing to do, and it says so
{program} -C {PIPELINE} graph      # what depends on what
{program} -C {PIPELINE} plan       # after an edit of {PIPELINE}/pipeline.yaml
cargo xtask es down                              # stop the Elasticsearch; its data stays
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
