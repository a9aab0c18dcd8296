//! The resources of one process, from its start to its end.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::python::Python;
use xtask::process::last_lines;

/// The resources of a process and of the children that it waited for.
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
    /// The folder of the program's log.
    pub(super) folder: &'a Path,
    pub(super) name: String,
}

impl Job<'_> {
    fn log(&self) -> PathBuf {
        self.folder.join(format!("{}.log", self.name))
    }

    /// The last line of JSON with this key that the program has printed.
    pub(super) fn printed(&self, key: &str) -> Result<Value> {
        let log = self.log();
        let text = std::fs::read_to_string(&log).with_context(|| format!("cannot read {}", log.display()))?;
        last_with(&text, key).with_context(|| format!("{} printed no JSON with {key}: {}", self.name, log.display()))
    }
}

/// The last line of JSON that has this key.
pub(crate) fn last_with(text: &str, key: &str) -> Option<Value> {
    let lines = text.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.into_iter().find(|value| value.get(key).is_some())
}

/// Runs the program to its end; it has to succeed.
///
/// A small parent of its own starts it and asks the kernel, because what a process
/// needed is reported to its parent only, and its peak memory counts that of its parent.
pub(super) fn measure(python: &Python, job: &Job<'_>) -> Result<Measured> {
    let result = job.folder.join(format!("{}.json", job.name));
    let log = job.log();
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

#[cfg(test)]
mod tests {
    use super::last_with;

    #[test]
    fn the_last_line_with_the_key_counts() {
        let text = "starting\n{\"summary\":1}\n{\"other\":2}\n{\"summary\":3}\n{\"other\":4}\n7\nbye {\n";
        assert_eq!(last_with(text, "summary").unwrap()["summary"], 3);
        assert_eq!(last_with(text, "none"), None);
    }
}
