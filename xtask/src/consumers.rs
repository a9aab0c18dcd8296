//! `cargo xtask consumers`: the packages that people read exports with read a file of each
//! format, and compare every row.
//!
//! The files come from an example of `es-export`, which needs no Elasticsearch. The programs
//! that read them are in its `tests/consumers`, and import the examples of `examples/consumers`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::compile::{self, Executable};
use crate::{process, venv, workspace};

/// The programs, from the workspace's root.
const CHECKERS: &str = "crates/es-export/tests/consumers";
/// What they import.
const EXAMPLES: &str = "examples/consumers";
/// How long the example and each program may take.
const LIMIT: Duration = Duration::from_secs(300);

/// Programs that share an environment.
struct Group {
    name: &'static str,
    requirements: &'static str,
    packages: &'static [&'static str],
}

const USUAL: Group = Group {
    name: "the consumers' packages",
    requirements: "requirements.txt",
    packages: &["pyarrow", "pandas", "polars", "duckdb", "fastavro", "numpy", "safetensors", "sklearn"],
};
const TORCH: Group = Group { name: "PyTorch", requirements: "requirements-torch.txt", packages: &["torch"] };
const TENSORFLOW: Group =
    Group { name: "TensorFlow", requirements: "requirements-tensorflow.txt", packages: &["tensorflow"] };

#[derive(Args)]
pub(crate) struct ConsumersArgs {
    /// PyTorch as well, whose packages take several gigabytes where pip finds no build for the
    /// CPU alone
    #[arg(long)]
    torch: bool,
    /// TensorFlow as well, whose packages take a gigabyte
    #[arg(long)]
    tensorflow: bool,
    /// Read the files of this folder, which the example has written, and build nothing
    #[arg(long, value_name = "FOLDER")]
    files: Option<PathBuf>,
}

pub(crate) fn run(args: &ConsumersArgs) -> Result<()> {
    let folder = workspace::root().join("target/consumers");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let files = match &args.files {
        Some(files) => std::path::absolute(files).with_context(|| format!("cannot find {}", files.display()))?,
        None => write_files(&folder)?,
    };
    let wanted = [Some(USUAL), args.torch.then_some(TORCH), args.tensorflow.then_some(TENSORFLOW)];
    let mut failed = Vec::new();
    for group in wanted.into_iter().flatten() {
        let python = group.interpreter(&folder)?;
        for package in group.packages {
            match check(&python, package, &files) {
                Ok(line) => println!("{line}"),
                Err(error) => {
                    println!("{package}: FAILED");
                    eprintln!("{error:#}");
                    failed.push(*package);
                }
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { bail!("{} did not agree", failed.join(", ")) }
}

impl Group {
    fn interpreter(&self, folder: &Path) -> Result<PathBuf> {
        let requirements = workspace::root().join(CHECKERS).join(self.requirements);
        let packages = std::fs::read_to_string(&requirements)
            .with_context(|| format!("cannot read {}", requirements.display()))?;
        let venv = folder.join(self.requirements.replace("requirements", "venv").replace(".txt", ""));
        venv::ensure(&venv, self.name, &packages)?;
        Ok(venv::interpreter(&venv))
    }
}

/// Has the example write its files anew.
fn write_files(folder: &Path) -> Result<PathBuf> {
    let messages = compile::build(&["--package", "es-export", "--example", "write_formats"])?;
    let example = compile::executable_in(&messages, Executable::WRITE_FORMATS)?;
    let files = folder.join("files");
    if files.exists() {
        std::fs::remove_dir_all(&files).with_context(|| format!("cannot remove {}", files.display()))?;
    }
    std::fs::create_dir_all(&files).with_context(|| format!("cannot create {}", files.display()))?;
    finish(Command::new(example).arg(&files), "the example")?;
    Ok(files)
}

/// Runs the program of a package, and returns the line that it printed.
fn check(python: &Path, package: &str, files: &Path) -> Result<String> {
    let script = workspace::root().join(CHECKERS).join(format!("check_{package}.py"));
    let mut command = Command::new(python);
    command.arg(script).arg(files);
    command.env("PYTHONPATH", workspace::root().join(EXAMPLES)).env("PYTHONDONTWRITEBYTECODE", "1");
    finish(&mut command, package)
}

fn finish(command: &mut Command, what: &str) -> Result<String> {
    match process::run_within(command, LIMIT, || ())? {
        Some(finished) if finished.status.success() => Ok(finished.stdout.trim().to_owned()),
        Some(finished) => bail!("{what} failed:\n{}", finished.tail()),
        None => bail!("{what} does not end within {} s", LIMIT.as_secs()),
    }
}
