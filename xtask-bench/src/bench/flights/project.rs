//! The work on the flights of a year: how each candidate is started on it, and
//! how it is checked.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::candidate::{Candidate, Work};
use crate::bench::cluster::Cluster;
use crate::bench::measure::{Job, Measured, measure};
use crate::python::Python;
use xtask::example;
use xtask::workspace::empty_folder;

/// The asset that reads everything back; the example has none of the kind.
const WHOLE_YEAR: &str = "  whole_year:
    kind: export
    from: departures
    to: { path: out/whole_year, format: parquet }
";

/// The time limit for verifying the result of a candidate.
const VERIFY_LIMIT: Duration = Duration::from_secs(300);

pub(super) struct Flights<'a> {
    program: PathBuf,
    python: &'a Python,
    variables: Vec<(&'a str, &'a str)>,
    /// The copy of the example that the program works in.
    project: PathBuf,
    /// The folder of the candidates' output.
    results: PathBuf,
}

impl<'a> Flights<'a> {
    /// Copies the example, with one asset more.
    pub(super) fn prepare(
        folder: &Path,
        program: PathBuf,
        python: &'a Python,
        variables: &'a [(&'static str, String)],
    ) -> Result<Self> {
        let flights = Self {
            program,
            python,
            variables: variables.iter().map(|(name, value)| (*name, value.as_str())).collect(),
            project: folder.join("flights"),
            results: folder.join("results"),
        };
        empty_folder(&flights.results)?;
        example::copy_to(&flights.project, |pipeline| example::with_asset(pipeline, WHOLE_YEAR))?;
        Ok(flights)
    }

    /// Keeps the mapping and settings that the peer gives its indices.
    pub(super) fn keep_index_body(&self, body: &Value) -> Result<()> {
        Ok(std::fs::write(self.index_body(), serde_json::to_vec_pretty(body)?)?)
    }

    /// Lets a candidate do its work.
    ///
    /// Both read the indices that ours has written in the same round: the same documents in the
    /// same segments.
    pub(super) fn measure(&self, cluster: &Cluster, round: u32, work: Work, candidate: Candidate) -> Result<Measured> {
        if work == Work::Out {
            self.remove_written(candidate)?;
        }
        let prefix = prefix(cluster, round, candidate);
        let name = format!("{round}-{}-{}", work.as_str(), candidate.as_str());
        let job = |arguments, variables| Job { arguments, variables, folder: &self.results, name };
        match candidate {
            Candidate::Ours => {
                let asset = match work {
                    Work::In => "departures",
                    Work::Out => "whole_year",
                };
                let arguments =
                    ["-q".as_ref(), "-C".as_ref(), self.project.as_os_str(), "run".as_ref(), asset.as_ref()];
                let arguments = std::iter::once(self.program.as_os_str()).chain(arguments).collect();
                let mut variables = self.variables.clone();
                variables.push(("ELASTICSEARCH_INDEX_PREFIX", &prefix));
                measure(self.python, &job(arguments, variables))
            }
            Candidate::Theirs => {
                let (interpreter, flights) = (self.python.interpreter(), self.source());
                let (script, arguments) = match work {
                    Work::In => ("load.py", [prefix.into(), self.index_body()]),
                    Work::Out => {
                        let folder = self.written(candidate);
                        std::fs::create_dir_all(&folder)?;
                        ("read.py", [self.read_index(cluster, round).into(), folder.join("year.parquet")])
                    }
                };
                let script = self.python.script(script);
                let arguments: Vec<&OsStr> = [&interpreter, &script, &flights]
                    .into_iter()
                    .chain(&arguments)
                    .map(|path| path.as_os_str())
                    .collect();
                measure(self.python, &job(arguments, self.variables.clone()))
            }
        }
    }

    /// Checks what a candidate left, and returns how many documents or rows it is.
    pub(super) fn verify(&self, cluster: &Cluster, round: u32, work: Work, candidate: Candidate) -> Result<u64> {
        let target: PathBuf = match (work, candidate) {
            (Work::In, Candidate::Ours) => self.read_index(cluster, round).into(),
            (Work::In, Candidate::Theirs) => format!("{}*", prefix(cluster, round, candidate)).into(),
            (Work::Out, _) => self.written(candidate),
        };
        let kind = match work {
            Work::In => "months",
            Work::Out => "file",
        };
        let arguments = [kind.into(), self.source().into_os_string(), target.into_os_string()];
        let arguments: Vec<&OsStr> = arguments.iter().map(|argument| argument.as_os_str()).collect();
        let printed = self.python.run("verify.py", &arguments, &self.variables, VERIFY_LIMIT);
        let printed = printed.with_context(|| format!("{} did not do the work", candidate.as_str()))?;
        Ok(printed.parse()?)
    }

    /// Removes what an earlier iteration wrote: files that are up to date are not written again.
    fn remove_written(&self, candidate: Candidate) -> Result<()> {
        let folder = self.written(candidate);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        Ok(())
    }

    fn source(&self) -> PathBuf {
        self.project.join("data/flights.parquet")
    }

    fn index_body(&self) -> PathBuf {
        self.results.join("index.json")
    }

    fn read_index(&self, cluster: &Cluster, round: u32) -> String {
        format!("{}departures", prefix(cluster, round, Candidate::Ours))
    }

    fn written(&self, candidate: Candidate) -> PathBuf {
        match candidate {
            Candidate::Ours => self.project.join("out/whole_year"),
            Candidate::Theirs => self.results.join("whole_year"),
        }
    }
}

/// The prefix of one candidate's indices in one round.
pub(super) fn prefix(cluster: &Cluster, round: u32, candidate: Candidate) -> String {
    format!("{}{round}-{}-", cluster.prefix(), candidate.label())
}
