//! One load: the same command, however often it is given.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use super::running::Running;

/// Everything that tells what is loaded to where.
pub(super) struct Load {
    pub(super) program: PathBuf,
    /// Where the command is given, and where the program keeps its place.
    pub(super) folder: PathBuf,
    pub(super) files: Vec<PathBuf>,
    pub(super) index: String,
    pub(super) url: String,
    pub(super) options: Vec<&'static str>,
}

impl Load {
    /// The same load by another way to the node.
    pub(super) fn through(self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self }
    }

    /// Gives the command.
    pub(super) fn start(&self) -> Result<Running> {
        let mut command: Vec<OsString> = vec!["ingest".into()];
        command.extend(self.files.iter().map(Into::into));
        command.extend(["--to", &self.index, "--id", "id"].map(Into::into));
        command.extend(self.options.iter().map(Into::into));
        Running::start("load", &self.program, &self.folder, &command, &self.url)
    }

    /// Gives the command and waits for its end, which has to be a good one.
    pub(super) fn run(&self) -> Result<Duration> {
        self.start()?.finish()
    }
}
