//! The peers beside elasticsearch-py: eland in a virtual environment of its own,
//! as it wants other packages, and elasticdump from npm.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use crate::python::{Packages, Python};
use xtask::process;
use xtask::terminal::Progress;

/// The version of elasticdump.
const ELASTICDUMP: &str = "6.125.1";

/// The time limit for npm.
const INSTALL_LIMIT: Duration = Duration::from_secs(600);

/// The installed peers, and the errors of the others.
pub(super) struct Peers {
    eland: Result<Python>,
    elasticdump: Result<PathBuf>,
}

impl Peers {
    /// Installs them, unless an earlier run has. A peer that cannot be had is left out of the
    /// figures, which say why.
    pub(super) fn prepare(folder: &Path) -> Self {
        Self { eland: Python::prepare_with(folder, &Packages::ELAND), elasticdump: install_elasticdump(folder) }
    }

    /// None of them.
    pub(super) fn none() -> Self {
        Self { eland: Err(anyhow!("left out")), elasticdump: Err(anyhow!("left out")) }
    }

    pub(super) fn eland(&self) -> Result<&Python> {
        self.eland.as_ref().map_err(|error| anyhow!("{error:#}"))
    }

    pub(super) fn elasticdump(&self) -> Result<&Path> {
        // Its input is an address, in which a password would be seen by everyone on the machine.
        let asks =
            ["ELASTICSEARCH_API_KEY", "ELASTICSEARCH_USER"].into_iter().find(|name| std::env::var_os(name).is_some());
        if asks.is_some() {
            bail!("it takes passwords on its command line alone");
        }
        self.elasticdump.as_deref().map_err(|error| anyhow!("{error:#}"))
    }

    /// The versions, for the table.
    pub(super) fn versions(&self) -> String {
        let eland = self.eland.as_ref().ok().and_then(|eland| eland.versions().ok());
        let elasticdump = self.elasticdump.as_ref().ok().map(|_| format!("elasticdump {ELASTICDUMP}"));
        [eland, elasticdump].into_iter().flatten().collect::<Vec<_>>().join("; ")
    }

    pub(super) fn remove(&self) -> Result<()> {
        if let Ok(eland) = &self.eland {
            eland.remove()?;
        }
        Ok(())
    }
}

fn install_elasticdump(folder: &Path) -> Result<PathBuf> {
    let npm = process::find_on_path("npm").context("npm is not on PATH")?;
    let folder = folder.join("elasticdump");
    let program = folder.join("node_modules/.bin/elasticdump");
    // Written last, so that an installation with it is whole.
    let stamp = folder.join("version");
    if program.exists() && std::fs::read_to_string(&stamp).is_ok_and(|kept| kept == ELASTICDUMP) {
        return Ok(program);
    }
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let mut progress = Progress::new("elasticdump");
    let mut install = Command::new(npm);
    install.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]);
    install.arg(&folder).arg(format!("elasticdump@{ELASTICDUMP}"));
    match process::run_within(&mut install, INSTALL_LIMIT, || progress.update("installing"))? {
        Some(finished) if finished.status.success() => {}
        Some(finished) => bail!("npm cannot install elasticdump:\n{}", finished.tail()),
        None => bail!("npm does not end"),
    }
    std::fs::write(&stamp, ELASTICDUMP)?;
    progress.finish("ready");
    Ok(program)
}
