//! The program and its peer in Python, which do the same work on an index, each as a whole process.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use xtask::onnxruntime;

use super::measure::{Job, Measured, measure};
use super::session::Session;
use crate::python::Python;

/// The time limit for comparing the results of both with what they should be.
const VERIFY_LIMIT: Duration = Duration::from_secs(300);

pub(super) struct Programs<'a> {
    pub(super) session: &'a Session,
    pub(super) program: &'a Path,
    /// ONNX Runtime, for the program.
    pub(super) library: &'a Path,
    /// The pipeline, and the folder of what both print.
    pub(super) project: PathBuf,
    pub(super) peer: Python,
    /// The script of the peer.
    pub(super) script: &'static str,
}

impl Programs<'_> {
    /// Measures the program.
    pub(super) fn orchestrator(&self, name: &str, arguments: &[&str], prefix: &str) -> Result<Measured> {
        let start = [self.program.as_os_str(), "-q".as_ref(), "-C".as_ref(), self.project.as_os_str()];
        let library = self.library.display().to_string();
        let own = [("ELASTICSEARCH_INDEX_PREFIX", prefix), (onnxruntime::VARIABLE, library.as_str())];
        let arguments = start.into_iter().chain(arguments.iter().map(OsStr::new)).collect();
        let variables = self.session.variables().chain(own).collect();
        let job = Job { arguments, variables, folder: &self.project, name: name.to_owned() };
        measure(&self.session.python, &job)
    }

    /// Measures the peer.
    pub(super) fn peer(&self, arguments: &[&OsStr]) -> Result<Measured> {
        let (interpreter, script) = (self.peer.interpreter(), self.peer.script(self.script));
        let start = [interpreter.as_os_str(), script.as_os_str()];
        let arguments = start.into_iter().chain(arguments.iter().copied()).collect();
        let variables = self.session.variables().collect();
        let job = Job { arguments, variables, folder: &self.project, name: "peer".to_owned() };
        measure(&self.session.python, &job)
    }

    /// Runs the peer to compare results, and returns what it prints.
    pub(super) fn check(&self, arguments: &[&OsStr]) -> Result<String> {
        let variables: Vec<(&str, &str)> = self.session.variables().collect();
        self.peer.run(self.script, arguments, &variables, VERIFY_LIMIT)
    }
}
