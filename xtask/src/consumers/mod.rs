//! `cargo xtask consumers`: the packages that people read exports with read what exports write.
//!
//! They read a file of each format and compare every row: the files come from an example of
//! `es-export`, which needs no Elasticsearch. Or they read the training set of the example
//! pipeline, which [`flights`] has the program make, and compare rows, dtypes and sums. The
//! programs that read are in the `tests/consumers` of `es-export`, and import the examples of
//! `examples/consumers`.

mod flights;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::compile::{self, Executable, ProgramArgs};
use crate::workspace::{self, empty_folder};
use crate::{process, venv};
use flights::TrainingSet;

/// The programs, from the workspace's root.
const CHECKERS: &str = "crates/es-export/tests/consumers";
/// The modules that they import.
const EXAMPLES: &str = "examples/consumers";
/// The time limit for the example and for each program.
const LIMIT: Duration = Duration::from_secs(300);

/// Programs that share an environment.
struct Group {
    name: &'static str,
    requirements: &'static str,
    /// Those that read a file of each format.
    formats: &'static [&'static str],
    /// Those that read the training set; what the first of all finds, the others compare with.
    flights: &'static [&'static str],
}

const USUAL: Group = Group {
    name: "the consumers' packages",
    requirements: "requirements.txt",
    formats: &["pyarrow", "pandas", "polars", "duckdb", "fastavro", "numpy", "safetensors", "sklearn"],
    flights: &["pyarrow", "pandas", "polars", "duckdb", "sklearn"],
};
const TORCH: Group =
    Group { name: "PyTorch", requirements: "requirements-torch.txt", formats: &["torch"], flights: &["torch"] };
const TENSORFLOW: Group = Group {
    name: "TensorFlow",
    requirements: "requirements-tensorflow.txt",
    formats: &["tensorflow"],
    flights: &["tensorflow"],
};

#[derive(Args)]
pub(crate) struct ConsumersArgs {
    /// PyTorch as well, whose packages take several gigabytes where pip finds no build for the
    /// CPU alone
    #[arg(long)]
    torch: bool,
    /// TensorFlow as well, whose packages take more than a gigabyte
    #[arg(long)]
    tensorflow: bool,
    /// Read the training set of the flights pipeline, which the program makes out of an
    /// Elasticsearch, in place of a file of each format
    #[arg(long)]
    flights: bool,
    /// Read the files of this folder, which the example has written, and build nothing
    #[arg(long, value_name = "FOLDER", conflicts_with = "flights")]
    files: Option<PathBuf>,
    #[command(flatten)]
    program: ProgramArgs,
}

pub(crate) fn run(args: &ConsumersArgs) -> Result<()> {
    let wanted = [Some(USUAL), args.torch.then_some(TORCH), args.tensorflow.then_some(TENSORFLOW)];
    let groups: Vec<Group> = wanted.into_iter().flatten().collect();
    let outcome = if args.flights {
        // Slow steps that may fail come before the work on Elasticsearch.
        for group in &groups {
            group.interpreter()?;
        }
        flights::with_training_set(&folder()?, &args.program, |set| read(&groups, &Subject::Flights(set)))?
    } else {
        let files = match &args.files {
            Some(files) => std::path::absolute(files).with_context(|| format!("cannot find {}", files.display()))?,
            None => write_files()?,
        };
        read(&groups, &Subject::Formats(files))?
    };
    outcome.verdict()
}

/// Makes the environment of the packages that [`read_formats`] needs, unless it is there.
pub(crate) fn install_usual() -> Result<()> {
    USUAL.interpreter().map(drop)
}

/// Lets the usual packages read a file of each format.
pub(crate) fn read_formats() -> Result<Outcome> {
    read(&[USUAL], &Subject::Formats(write_files()?))
}

/// The number of packages that agreed, and the names of the others.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) agreed: usize,
    pub(crate) failed: Vec<&'static str>,
}

impl Outcome {
    /// An error that names those that did not agree.
    pub(crate) fn verdict(&self) -> Result<()> {
        if self.failed.is_empty() { Ok(()) } else { bail!("{} did not agree", self.failed.join(", ")) }
    }
}

/// The files to read.
enum Subject<'a> {
    /// The folder with a file of each format.
    Formats(PathBuf),
    Flights(&'a TrainingSet),
}

impl Subject<'_> {
    fn packages(&self, group: &Group) -> &'static [&'static str] {
        match self {
            Self::Formats(_) => group.formats,
            Self::Flights(_) => group.flights,
        }
    }

    /// Runs the program of a package, and returns the line that it printed.
    fn check(&self, python: &Path, package: &str) -> Result<String> {
        let root = workspace::root();
        let script = |kind| root.join(CHECKERS).join(format!("{kind}_{package}.py"));
        let mut command = Command::new(python);
        match self {
            Self::Formats(files) => command.arg(script("check")).arg(files),
            Self::Flights(set) => {
                command.arg(script("flights")).args([&set.project, &set.program]).envs(set.variables.iter().cloned())
            }
        };
        command.env("PYTHONPATH", root.join(EXAMPLES)).env("PYTHONDONTWRITEBYTECODE", "1");
        finish(&mut command, package)
    }
}

/// Lets each package of the groups read, and prints what it says.
fn read(groups: &[Group], subject: &Subject<'_>) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    for group in groups {
        let python = group.interpreter()?;
        for package in subject.packages(group) {
            match subject.check(&python, package) {
                Ok(line) => {
                    println!("{line}");
                    outcome.agreed += 1;
                }
                Err(error) => {
                    println!("{package}: FAILED");
                    eprintln!("{error:#}");
                    outcome.failed.push(package);
                }
            }
        }
    }
    Ok(outcome)
}

impl Group {
    /// The interpreter that finds the packages, which are installed unless they are there.
    fn interpreter(&self) -> Result<PathBuf> {
        let requirements = workspace::root().join(CHECKERS).join(self.requirements);
        let packages = std::fs::read_to_string(&requirements)
            .with_context(|| format!("cannot read {}", requirements.display()))?;
        let venv = folder()?.join(self.requirements.replace("requirements", "venv").replace(".txt", ""));
        venv::ensure(&venv, self.name, &packages)?;
        Ok(venv::interpreter(&venv))
    }
}

/// The folder of environments and files.
fn folder() -> Result<PathBuf> {
    let folder = workspace::root().join("target/consumers");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}

/// Runs the example that writes the files.
fn write_files() -> Result<PathBuf> {
    // Of the whole workspace: with `--package`, cargo would choose other features of the
    // dependencies than for the tests, and compile them once more.
    let messages = compile::build(&["--workspace", "--example", "write_formats"])?;
    let example = compile::executable_in(&messages, Executable::WRITE_FORMATS)?;
    let files = folder()?.join("files");
    empty_folder(&files)?;
    finish(Command::new(example).arg(&files), "the example")?;
    Ok(files)
}

fn finish(command: &mut Command, what: &str) -> Result<String> {
    match process::run_within(command, LIMIT, || ())? {
        Some(finished) if finished.status.success() => Ok(finished.stdout.trim().to_owned()),
        Some(finished) => bail!("{what} failed with {}:\n{}", finished.status, finished.tail()),
        None => bail!("{what} does not end within {} s", LIMIT.as_secs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_package_has_its_program() {
        let folder = workspace::root().join(CHECKERS);
        for group in [USUAL, TORCH, TENSORFLOW] {
            assert!(folder.join(group.requirements).is_file(), "{}", group.requirements);
            for (kind, packages) in [("check", group.formats), ("flights", group.flights)] {
                for package in packages {
                    assert!(folder.join(format!("{kind}_{package}.py")).is_file(), "{kind}_{package}.py");
                }
            }
        }
    }

    #[test]
    fn who_did_not_agree_is_named() {
        Outcome { agreed: 8, failed: Vec::new() }.verdict().unwrap();
        let error = Outcome { agreed: 6, failed: vec!["numpy", "duckdb"] }.verdict().unwrap_err();
        assert_eq!(error.to_string(), "numpy, duckdb did not agree");
    }
}
