//! A load, which can be repeated with the same command.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use super::running::{Invocation, Running};

/// The files, the destination and the options of a load.
pub(super) struct Load {
    pub(super) program: PathBuf,
    /// The working folder, which also gets the checkpoints.
    pub(super) folder: PathBuf,
    pub(super) files: Vec<PathBuf>,
    pub(super) index: String,
    pub(super) url: String,
    pub(super) options: Vec<&'static str>,
}

impl Load {
    /// The same load through a proxy.
    pub(super) fn through(self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self }
    }

    /// Starts the command.
    pub(super) fn start(&self) -> Result<Running> {
        let mut command: Vec<OsString> = vec!["ingest".into()];
        command.extend(self.files.iter().map(Into::into));
        command.extend(["--to", &self.index, "--id", "id"].map(Into::into));
        command.extend(self.options.iter().map(Into::into));
        let (program, folder, url) = (&self.program, &self.folder, &self.url);
        Invocation { what: "load", program, folder, arguments: command, url, prefix: None }.start()
    }

    /// Runs the command, which must succeed.
    pub(super) fn run(&self) -> Result<Duration> {
        self.start()?.finish()
    }
}
