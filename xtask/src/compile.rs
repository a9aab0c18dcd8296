//! Programs and examples of the workspace, built by cargo.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;

use crate::terminal::heading;
use crate::workspace;

/// The choice of the program that a command works with.
#[derive(Args)]
pub struct ProgramArgs {
    /// Use this program instead of building one
    #[arg(long, value_name = "PATH")]
    program: Option<PathBuf>,
    /// Build with this profile
    #[arg(long, default_value = "release")]
    profile: String,
}

impl ProgramArgs {
    /// The program `orchestrator`, built unless a path was given.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn orchestrator(&self) -> Result<PathBuf> {
        match &self.program {
            Some(path) => std::path::absolute(path).with_context(|| format!("cannot find {}", path.display())),
            None => orchestrator(&self.profile),
        }
    }

    /// The profile of everything that is built.
    #[must_use]
    pub fn profile(&self) -> &str {
        &self.profile
    }
}

/// An executable that cargo builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Executable {
    kind: &'static str,
    name: &'static str,
}

impl Executable {
    /// The program.
    pub const ORCHESTRATOR: Self = Self { kind: "bin", name: "orchestrator" };

    /// The example of `es-export` that writes a file of each format.
    pub const WRITE_FORMATS: Self = Self::example("write_formats");

    /// An example of a crate.
    #[must_use]
    pub const fn example(name: &'static str) -> Self {
        Self { kind: "example", name }
    }
}

/// Builds the program with a profile.
///
/// # Errors
/// When it does not compile.
pub fn orchestrator(profile: &str) -> Result<PathBuf> {
    heading("building the program (some minutes the first time)");
    let messages = build(&["--package", "orchestrator", "--profile", profile])?;
    executable_in(&messages, Executable::ORCHESTRATOR)
}

/// Runs `cargo build`, and returns its JSON messages.
///
/// # Errors
/// When something does not compile.
pub fn build(arguments: &[&str]) -> Result<Vec<u8>> {
    let output = workspace::cargo()
        .current_dir(workspace::root())
        .arg("build")
        .args(arguments)
        .arg("--message-format=json-render-diagnostics")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    if !output.status.success() {
        bail!("`cargo build {}` failed", arguments.join(" "));
    }
    Ok(output.stdout)
}

/// The path of an executable, from the JSON messages of its build.
///
/// # Errors
/// When the build did not produce it.
pub fn executable_in(messages: &[u8], wanted: Executable) -> Result<PathBuf> {
    String::from_utf8_lossy(messages)
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .find_map(|message| path_in(&message, wanted))
        .with_context(|| format!("the build produced no {} named {}", wanted.kind, wanted.name))
}

/// The path of an executable, if this message of cargo is about it.
fn path_in(message: &Value, wanted: Executable) -> Option<PathBuf> {
    let target = &message["target"];
    let is_wanted = message["reason"] == "compiler-artifact"
        && target["name"] == wanted.name
        && target["kind"][0] == wanted.kind
        && message["profile"]["test"] == false;
    is_wanted.then(|| message["executable"].as_str().map(PathBuf::from))?
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_program_and_not_its_tests_is_found() {
        let message = |kind: &str, test: bool| {
            json!({
                "reason": "compiler-artifact",
                "target": { "name": "orchestrator", "kind": [kind] },
                "profile": { "test": test },
                "executable": "/t/orchestrator"
            })
        };
        let found = |message: &Value| path_in(message, Executable::ORCHESTRATOR);
        assert_eq!(found(&message("bin", false)), Some("/t/orchestrator".into()));
        assert_eq!(found(&message("bin", true)), None);
        assert_eq!(found(&message("lib", false)), None);
        assert_eq!(found(&json!({ "reason": "build-finished" })), None);
        assert_eq!(path_in(&message("bin", false), Executable::example("replay")), None);
        let error = executable_in(b"{}\n", Executable::example("replay")).unwrap_err();
        assert_eq!(error.to_string(), "the build produced no example named replay");
    }
}
