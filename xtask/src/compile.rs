//! Building what development commands run: the program, and the examples that are tools of theirs.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;

use crate::{demo, workspace};

/// Which program a command works with.
#[derive(Args)]
pub(crate) struct ProgramArgs {
    /// Use this program instead of building one
    #[arg(long, value_name = "PATH")]
    program: Option<PathBuf>,
    /// The profile that everything is built with
    #[arg(long, default_value = "release")]
    profile: String,
}

impl ProgramArgs {
    /// The program, built if need be.
    pub(crate) fn orchestrator(&self) -> Result<PathBuf> {
        match &self.program {
            Some(path) => std::path::absolute(path).with_context(|| format!("cannot find {}", path.display())),
            None => demo::build(&self.profile),
        }
    }

    /// The tools, built in any case.
    pub(crate) fn tools(&self) -> Result<Tools> {
        tools(&self.profile)
    }
}

/// Something that cargo makes and that can be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Executable {
    kind: &'static str,
    name: &'static str,
}

impl Executable {
    /// The program.
    pub(crate) const ORCHESTRATOR: Self = Self { kind: "bin", name: "orchestrator" };

    /// The example of `es-testing` that breaks exchanges with a node on purpose.
    const FAULT_PROXY: Self = Self { kind: "example", name: "fault_proxy" };

    /// The example of `es-export` that writes a file of each format.
    pub(crate) const WRITE_FORMATS: Self = Self { kind: "example", name: "write_formats" };

    /// The example of `es-core` that reads pages and throws them away.
    const FETCH: Self = Self { kind: "example", name: "fetch" };

    /// The example of `es-core` that sends recorded bodies.
    const REPLAY: Self = Self { kind: "example", name: "replay" };
}

/// The examples that development commands use.
pub(crate) struct Tools {
    pub(crate) fault_proxy: PathBuf,
    pub(crate) fetch: PathBuf,
    pub(crate) replay: PathBuf,
}

/// The program, built with a profile.
pub(crate) fn program(profile: &str) -> Result<PathBuf> {
    let messages = build(&["--package", "orchestrator", "--profile", profile])?;
    executable_in(&messages, Executable::ORCHESTRATOR)
}

/// The tools, built with a profile.
///
/// Apart from the program, since what examples need beside it would change the features of
/// the program's own dependencies, and so have them compiled once more.
fn tools(profile: &str) -> Result<Tools> {
    let packages = ["--package", "es-testing", "--package", "es-core"];
    let examples = ["--example", "fault_proxy", "--example", "fetch", "--example", "replay"];
    let arguments = [&packages[..], &examples].concat();
    let messages = build(&[&arguments[..], &["--profile", profile]].concat())?;
    Ok(Tools {
        fault_proxy: executable_in(&messages, Executable::FAULT_PROXY)?,
        fetch: executable_in(&messages, Executable::FETCH)?,
        replay: executable_in(&messages, Executable::REPLAY)?,
    })
}

/// Runs cargo's build, and returns its messages as JSON.
pub(crate) fn build(arguments: &[&str]) -> Result<Vec<u8>> {
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

/// Where an executable is, by the JSON messages that a build has printed.
pub(crate) fn executable_in(messages: &[u8], wanted: Executable) -> Result<PathBuf> {
    String::from_utf8_lossy(messages)
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .find_map(|message| path_in(&message, wanted))
        .with_context(|| format!("the build left no {} named {}", wanted.kind, wanted.name))
}

/// The path of an executable in a message of cargo, if the message is about it.
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
        assert_eq!(path_in(&message("bin", false), Executable::REPLAY), None);
        let error = executable_in(b"{}\n", Executable::REPLAY).unwrap_err();
        assert_eq!(error.to_string(), "the build left no example named replay");
    }
}
