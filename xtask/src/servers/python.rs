//! Interpreters of Python by their versions: servers do not take every one.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::process;

/// The time limit for an interpreter to tell its version.
const LIMIT: Duration = Duration::from_secs(20);

/// The version, and a failure without the modules that make environments.
const ASK: &str = "import sys; print(sys.version_info[1]); import venv, ensurepip";

/// An interpreter of Python 3, with the least and the greatest minor version.
#[derive(Clone, Copy)]
pub(super) enum Python {
    OnPath(u32, u32),
    /// That of the operating system.
    OfTheSystem(u32, u32),
}

/// An interpreter as it tells of itself.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Found {
    minor: u32,
    makes_environments: bool,
}

impl Python {
    /// Finds the interpreter.
    ///
    /// # Errors
    /// When there is none of these versions, with those that there are.
    pub(super) fn find(self) -> Result<PathBuf> {
        let (Self::OnPath(least, greatest) | Self::OfTheSystem(least, greatest)) = self;
        let candidates: Vec<PathBuf> = match self {
            Self::OnPath(..) => {
                let names = (least..=greatest).rev().map(|minor| format!("python3.{minor}"));
                std::iter::once("python3".to_owned())
                    .chain(names)
                    .filter_map(|name| process::find_on_path(&name))
                    .collect()
            }
            Self::OfTheSystem(..) => vec![PathBuf::from("/usr/bin/python3")],
        };
        let found: Vec<(PathBuf, Option<Found>)> =
            candidates.into_iter().map(|python| (python.clone(), ask(&python))).collect();
        match choose(&found, least, greatest) {
            Some(python) => Ok(python.to_owned()),
            None => bail!("{}", lacking(self, &found)),
        }
    }
}

fn ask(python: &Path) -> Option<Found> {
    let finished = process::run_within(Command::new(python).args(["-c", ASK]), LIMIT, || ()).ok()??;
    let minor = finished.stdout.trim().parse().ok()?;
    Some(Found { minor, makes_environments: finished.status.success() })
}

/// The first that fits.
fn choose(found: &[(PathBuf, Option<Found>)], least: u32, greatest: u32) -> Option<&Path> {
    let fits = |found: &Found| (least..=greatest).contains(&found.minor) && found.makes_environments;
    found.iter().find(|(_, found)| found.as_ref().is_some_and(fits)).map(|(python, _)| python.as_path())
}

/// The message for a machine without a fitting one.
fn lacking(wanted: Python, found: &[(PathBuf, Option<Found>)]) -> String {
    let (least, greatest, place) = match wanted {
        Python::OnPath(least, greatest) => (least, greatest, "on the PATH"),
        Python::OfTheSystem(least, greatest) => (least, greatest, "as /usr/bin/python3"),
    };
    let told: Vec<String> = found
        .iter()
        .filter_map(|(python, found)| {
            let found = found.as_ref()?;
            let without = if found.makes_environments { "" } else { " without the modules venv and ensurepip" };
            Some(format!("{} is 3.{}{without}", python.display(), found.minor))
        })
        .collect();
    let told = if told.is_empty() { "there is none".to_owned() } else { told.join(", ") };
    format!(
        "it needs Python 3.{least} to 3.{greatest} {place}, and {told}: install python3.{greatest} with its venv module \
         (on Debian, the package python3-venv)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_interpreter_that_fits_is_taken() {
        let found = |minor, makes_environments| Some(Found { minor, makes_environments });
        let all = [
            (PathBuf::from("/a/python3"), found(14, true)),
            (PathBuf::from("/a/python3.13"), None),
            (PathBuf::from("/a/python3.12"), found(12, false)),
            (PathBuf::from("/b/python3.11"), found(11, true)),
        ];
        assert_eq!(choose(&all, 9, 12), Some(Path::new("/b/python3.11")));
        assert_eq!(choose(&all, 9, 14), Some(Path::new("/a/python3")));
        assert_eq!(choose(&all[..3], 9, 12), None);
        assert_eq!(
            lacking(Python::OnPath(9, 12), &all[..3]),
            "it needs Python 3.9 to 3.12 on the PATH, and /a/python3 is 3.14, /a/python3.12 is 3.12 without the modules \
             venv and ensurepip: install python3.12 with its venv module (on Debian, the package python3-venv)"
        );
        assert!(lacking(Python::OfTheSystem(9, 13), &[]).contains("as /usr/bin/python3, and there is none: install"));
    }
}
