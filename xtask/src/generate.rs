//! Files that the program itself writes, and that are checked in so that
//! readers and editors find them without building it.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{process, workspace};

/// A generated file, from the workspace's root, and the arguments of
/// `orchestrator` that print it.
struct Generated {
    file: &'static str,
    arguments: &'static [&'static str],
}

const FILES: [Generated; 5] = [
    Generated { file: "docs/reference/pipeline.schema.json", arguments: &["schema"] },
    Generated { file: "docs/reference/cli.md", arguments: &["reference", "cli"] },
    Generated { file: "docs/reference/environment.md", arguments: &["reference", "environment"] },
    Generated { file: "docs/reference/settings.md", arguments: &["reference", "settings"] },
    Generated { file: ".env.example", arguments: &["reference", "env-example"] },
];

/// How long printing one file may take.
const PRINT_LIMIT: Duration = Duration::from_secs(60);

/// Writes every generated file anew.
pub(crate) fn write() -> Result<()> {
    let program = build()?;
    for generated in &FILES {
        let path = workspace::root().join(generated.file);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&path, print(&program, generated)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
        println!("wrote {}", generated.file);
    }
    Ok(())
}

/// Compares every generated file with what the program prints now.
pub(crate) fn check() -> Result<()> {
    let program = build()?;
    let mut stale = Vec::new();
    for generated in &FILES {
        let kept = std::fs::read_to_string(workspace::root().join(generated.file)).ok();
        if kept.as_deref() == Some(print(&program, generated)?.as_str()) {
            println!("{} is up to date", generated.file);
        } else {
            stale.push(generated.file);
        }
    }
    if !stale.is_empty() {
        bail!("not up to date: {}; run `cargo xtask generate`", stale.join(", "));
    }
    Ok(())
}

fn print(program: &PathBuf, generated: &Generated) -> Result<String> {
    let finished = process::run_within(Command::new(program).args(generated.arguments), PRINT_LIMIT, || ())?;
    match finished {
        Some(finished) if finished.status.success() => Ok(finished.stdout),
        Some(finished) => bail!("orchestrator {} failed: {}", generated.arguments.join(" "), finished.tail()),
        None => bail!("orchestrator {} does not end", generated.arguments.join(" ")),
    }
}

/// The program, with its dependencies built as the tests build them.
///
/// There are no examples; asking for them makes cargo choose the dependencies'
/// features as for the tests, and not compile them once more.
fn build() -> Result<PathBuf> {
    let output = workspace::cargo()
        .current_dir(workspace::root())
        .args(["build", "--workspace", "--bins", "--examples"])
        .arg("--message-format=json-render-diagnostics")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    if !output.status.success() {
        bail!("the workspace does not build");
    }
    executable_in(&output.stdout)
}

/// The program in the JSON messages that a build has printed.
pub(crate) fn executable_in(messages: &[u8]) -> Result<PathBuf> {
    String::from_utf8_lossy(messages)
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .find_map(|message| executable(&message))
        .context("the build left no program named orchestrator")
}

/// The path of the program in a message of cargo, if the message is about it.
fn executable(message: &Value) -> Option<PathBuf> {
    let target = &message["target"];
    let is_program = message["reason"] == "compiler-artifact"
        && target["name"] == "orchestrator"
        && target["kind"][0] == "bin"
        && message["profile"]["test"] == false;
    is_program.then(|| message["executable"].as_str().map(PathBuf::from))?
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
        assert_eq!(executable(&message("bin", false)), Some("/t/orchestrator".into()));
        assert_eq!(executable(&message("bin", true)), None);
        assert_eq!(executable(&message("lib", false)), None);
        assert_eq!(executable(&json!({ "reason": "build-finished" })), None);
    }
}
