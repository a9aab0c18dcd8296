//! The environment of every benchmark: an Elasticsearch, the packages of the peers, and a folder.
//! Nothing is left behind on the server.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::CommonArgs;
use super::cluster::Cluster;
use crate::python::Python;
use xtask::{es, workspace};

pub(super) struct Session {
    /// The folder of figures, logs and data.
    pub(super) folder: PathBuf,
    pub(super) variables: Vec<(&'static str, String)>,
    pub(super) cluster: Cluster,
    pub(super) python: Python,
}

impl Session {
    /// Prepares everything, runs `work`, and cleans up.
    pub(super) fn with<T>(args: &CommonArgs, work: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        let folder = workspace::root().join("target/bench");
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let variables = es::elasticsearch()?;
        let cluster = Cluster::connect(&variables)?;
        let python = Python::prepare(&folder)?;
        cluster.leave_at_signal()?;
        let session = Self { folder, variables, cluster, python };
        let apart = if args.apart { session.cluster.stand_apart() } else { Ok(()) };
        let done = apart.and_then(|()| work(&session));
        session.cluster.leave();
        let done = done?;
        if !args.keep_venv {
            session.python.remove()?;
        }
        Ok(done)
    }

    /// The environment that points a program at the server.
    pub(super) fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// Writes the figures as JSON, and prints the path.
    pub(super) fn keep_figures(&self, name: &str, json: &[u8]) -> Result<()> {
        let path = self.folder.join(name);
        std::fs::write(&path, json).with_context(|| format!("cannot write {}", path.display()))?;
        println!("every iteration is in {}", shown(&path).display());
        Ok(())
    }
}

/// A path relative to the workspace's root.
pub(super) fn shown(path: &Path) -> &Path {
    path.strip_prefix(workspace::root()).unwrap_or(path)
}
