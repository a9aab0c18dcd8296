//! What one process takes, from its start to its end.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::python::Python;
use crate::process::last_lines;

/// What a process took. The process and those of its children that it waited for count.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Measured {
    pub(super) wall_seconds: f64,
    pub(super) user_seconds: f64,
    pub(super) system_seconds: f64,
    pub(super) peak_rss_bytes: u64,
}

impl Measured {
    pub(super) fn cpu_seconds(&self) -> f64 {
        self.user_seconds + self.system_seconds
    }

    pub(super) fn peak_rss_megabytes(&self) -> f64 {
        self.peak_rss_bytes as f64 / 1e6
    }
}

impl std::fmt::Display for Measured {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "wall {:.2} s, CPU {:.2} s, peak RSS {:.0} MB",
            self.wall_seconds,
            self.cpu_seconds(),
            self.peak_rss_megabytes()
        )
    }
}

/// A program and its arguments, with the environment that it needs beside this one's.
pub(super) struct Job<'a> {
    pub(super) arguments: Vec<&'a std::ffi::OsStr>,
    pub(super) variables: Vec<(&'a str, &'a str)>,
    /// Where the log of the program goes.
    pub(super) folder: &'a Path,
    pub(super) name: String,
}

/// Runs the program to its end; it has to end well.
///
/// A small parent of its own starts it and asks the kernel, because what a process
/// needed is told to its parent alone, and its peak memory counts that of its parent.
pub(super) fn measure(python: &Python, job: &Job<'_>) -> Result<Measured> {
    let result = job.folder.join(format!("{}.json", job.name));
    let log = job.folder.join(format!("{}.log", job.name));
    let output = File::create(&log).with_context(|| format!("cannot create {}", log.display()))?;
    let status = Command::new(python.base())
        .args(["-I", "-S"])
        .arg(python.script("measure.py"))
        .arg(&result)
        .args(&job.arguments)
        .envs(job.variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .status()
        .context("cannot start python3")?;
    if !status.success() {
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        bail!("{} ended with {status}:\n{}", job.name, last_lines(&said, 15));
    }
    let text = std::fs::read(&result).with_context(|| format!("cannot read {}", result.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} holds no measurement", result.display()))
}
