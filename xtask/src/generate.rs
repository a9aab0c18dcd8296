//! Files that the program itself writes, and that are checked in so that
//! readers and editors find them without building it.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::compile::{self, Executable};
use crate::{process, workspace};

/// A generated file, from the workspace's root, and the arguments of
/// `orchestrator` that print it.
struct Generated {
    file: &'static str,
    arguments: &'static [&'static str],
}

const FILES: [Generated; 6] = [
    Generated { file: "docs/reference/pipeline.schema.json", arguments: &["schema"] },
    Generated { file: "docs/reference/manifest.schema.json", arguments: &["reference", "manifest-schema"] },
    Generated { file: "docs/reference/cli.md", arguments: &["reference", "cli"] },
    Generated { file: "docs/reference/environment.md", arguments: &["reference", "environment"] },
    Generated { file: "docs/reference/settings.md", arguments: &["reference", "settings"] },
    Generated { file: ".env.example", arguments: &["reference", "env-example"] },
];

/// The time limit for printing one file.
const PRINT_LIMIT: Duration = Duration::from_secs(60);

/// Rewrites every generated file.
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
/// Asking for the examples makes cargo choose the dependencies' features as for the tests, and
/// not compile them once more.
fn build() -> Result<PathBuf> {
    let messages = compile::build(&["--workspace", "--bins", "--examples"])?;
    compile::executable_in(&messages, Executable::ORCHESTRATOR)
}
