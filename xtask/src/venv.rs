//! Python virtual environments with a fixed list of packages.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::terminal::Progress;

/// The time limit for creating a virtual environment.
const INSTALL_LIMIT: Duration = Duration::from_secs(1_200);

/// The interpreter that creates the environments.
///
/// # Errors
/// When `python3` is not on `PATH`.
pub fn base() -> Result<PathBuf> {
    process::find_on_path("python3")
        .context("python3 is not on PATH: install Python 3.11 or newer, with its venv module")
}

/// The interpreter of an environment.
#[must_use]
pub fn interpreter(folder: &Path) -> PathBuf {
    folder.join("bin/python")
}

/// Creates an environment with these packages beside pip, unless it exists.
///
/// # Errors
/// When Python is missing or a package cannot be installed.
pub fn ensure(folder: &Path, label: &str, requirements: &str) -> Result<()> {
    ensure_by(base, folder, label, requirements)
}

/// As [`ensure`], with the interpreter that `find` returns, which is called when it is needed.
///
/// # Errors
/// Those of `find`, and when a package cannot be installed.
pub fn ensure_by(find: impl Fn() -> Result<PathBuf>, folder: &Path, label: &str, requirements: &str) -> Result<()> {
    // Written last, so that an environment with this file is complete.
    let stamp = folder.join("requirements.txt");
    if std::fs::read_to_string(&stamp).is_ok_and(|kept| kept == requirements) {
        return Ok(());
    }
    let mut create = Command::new(find()?);
    create.args(["-m", "venv", "--clear"]).arg(folder);
    let mut install = Command::new(interpreter(folder));
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    install.args(requirements.lines().filter(|line| !line.starts_with('#')));
    let is_empty = requirements.lines().all(|line| line.starts_with('#'));
    let mut progress = Progress::new(label);
    let steps = [("creating it", create), ("installing packages", install)];
    for (what, mut command) in steps.into_iter().take(if is_empty { 1 } else { 2 }) {
        let finished = process::run_within(&mut command, INSTALL_LIMIT, || progress.update(what))?;
        match finished {
            Some(finished) if finished.status.success() => {}
            Some(finished) => bail!(
                "{what} failed (on Debian, `python3 -m venv` needs the package python3-venv):\n{}",
                finished.tail()
            ),
            None => bail!("{what} did not end within {} s", INSTALL_LIMIT.as_secs()),
        }
    }
    std::fs::write(&stamp, requirements).with_context(|| format!("cannot write {}", stamp.display()))?;
    progress.finish("ready");
    Ok(())
}
