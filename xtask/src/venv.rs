//! Virtual environments of Python with exactly the packages that a file names.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::terminal::Progress;

/// How long making a virtual environment may take.
const INSTALL_LIMIT: Duration = Duration::from_secs(1_200);

/// The interpreter that environments are made with.
pub(crate) fn base() -> Result<PathBuf> {
    process::find_on_path("python3")
        .context("python3 is not on PATH: install Python 3.11 or newer, with its venv module")
}

/// The interpreter of an environment.
pub(crate) fn interpreter(folder: &Path) -> PathBuf {
    folder.join("bin/python")
}

/// Makes an environment with these packages, unless it is there.
pub(crate) fn ensure(folder: &Path, label: &str, requirements: &str) -> Result<()> {
    // Written last, so that an environment with it is whole.
    let stamp = folder.join("requirements.txt");
    if std::fs::read_to_string(&stamp).is_ok_and(|kept| kept == requirements) {
        return Ok(());
    }
    let mut progress = Progress::new(label);
    let mut create = Command::new(base()?);
    create.args(["-m", "venv", "--clear"]).arg(folder);
    let mut install = Command::new(interpreter(folder));
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    install.args(requirements.lines().filter(|line| !line.starts_with('#')));
    for (what, mut command) in [("creating it", create), ("installing packages", install)] {
        let finished = process::run_within(&mut command, INSTALL_LIMIT, || progress.update(what))?;
        match finished {
            Some(finished) if finished.status.success() => {}
            Some(finished) => bail!(
                "{what} failed (on Debian, `python3 -m venv` needs the package python3-venv):\n{}",
                finished.tail()
            ),
            None => bail!("{what} does not end"),
        }
    }
    std::fs::write(&stamp, requirements).with_context(|| format!("cannot write {}", stamp.display()))?;
    progress.finish("ready");
    Ok(())
}
