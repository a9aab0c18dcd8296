//! Who loads, and how each of them is started.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::Value;

use crate::bench::dataset::Source;
use crate::bench::measure::{Job, Measured, measure};
use crate::bench::session::Session;
use xtask::workspace::empty_folder;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Candidate {
    /// Bodies that are ready, and so many of them under way at once.
    ServerBaseline(u32),
    /// The program.
    Orchestrator,
    ParallelBulk,
    StreamingBulk,
}

impl Candidate {
    /// The name in the table.
    pub(super) fn name(self) -> String {
        match self {
            Self::ServerBaseline(concurrency) => format!("server baseline, {concurrency} at once"),
            Self::Orchestrator => "orchestrator ingest".into(),
            Self::ParallelBulk => "py parallel_bulk".into(),
            Self::StreamingBulk => "py streaming_bulk".into(),
        }
    }

    /// The part of an index's name that names its candidate.
    fn label(self) -> String {
        match self {
            Self::ServerBaseline(concurrency) => format!("baseline{concurrency}"),
            Self::Orchestrator => "ours".into(),
            Self::ParallelBulk => "parallel".into(),
            Self::StreamingBulk => "streaming".into(),
        }
    }

    /// Returns true if it loads only a part of the documents.
    pub(super) fn is_peer(self) -> bool {
        matches!(self, Self::ParallelBulk | Self::StreamingBulk)
    }
}

/// Recorded bodies.
pub(super) struct Bodies {
    pub(super) file: PathBuf,
    pub(super) filter_path: String,
    /// The program that sends them.
    pub(super) replay: PathBuf,
}

/// One iteration of one candidate.
#[derive(Clone, Copy)]
pub(super) struct Start<'a> {
    pub(super) session: &'a Session,
    /// The program `orchestrator`.
    pub(super) program: &'a Path,
    pub(super) source: &'a Source,
    pub(super) round: u32,
    /// The address of a proxy before the server.
    pub(super) through: Option<&'a str>,
}

/// The figures of one iteration.
#[derive(Debug, Clone)]
pub(super) struct Loaded {
    pub(super) measured: Measured,
    /// From the first document or body to the last answer, as the candidate says.
    pub(super) sending_seconds: f64,
    /// The candidate's own figures.
    pub(super) said: Value,
}

impl Start<'_> {
    /// The index of this iteration.
    pub(super) fn index(&self, candidate: Candidate) -> String {
        let Self { session, source, round, .. } = self;
        format!("{}{}-{round}-{}", session.cluster.prefix(), source.dataset.as_str(), candidate.label())
    }

    /// The program on the whole file.
    pub(super) fn ours(&self) -> Result<Loaded> {
        let project = self.session.folder.join("bulk-project");
        // Nothing that an earlier load has noted there may shorten this one.
        empty_folder(&project)?;
        let index = self.index(Candidate::Orchestrator);
        let arguments: [&OsStr; 11] = [
            self.program.as_os_str(),
            "-C".as_ref(),
            project.as_os_str(),
            "-q".as_ref(),
            "--json".as_ref(),
            "ingest".as_ref(),
            self.source.parquet.as_os_str(),
            "--to".as_ref(),
            index.as_ref(),
            "--id".as_ref(),
            self.source.id.as_ref(),
        ];
        self.run(Candidate::Orchestrator, &arguments, "summary", |said| {
            said["summary"]["took_ms"].as_f64().map(|milliseconds| milliseconds / 1000.0)
        })
    }

    /// The recorded bodies, or the first of them.
    pub(super) fn server_baseline(&self, concurrency: u32, bodies: &Bodies, first: Option<u64>) -> Result<Loaded> {
        let candidate = Candidate::ServerBaseline(concurrency);
        let mut arguments: Vec<OsString> = vec![
            bodies.replay.clone().into(),
            bodies.file.clone().into(),
            self.index(candidate).into(),
            concurrency.to_string().into(),
            bodies.filter_path.clone().into(),
        ];
        arguments.extend(first.map(|first| first.to_string().into()));
        let arguments: Vec<&OsStr> = arguments.iter().map(OsString::as_os_str).collect();
        self.run(candidate, &arguments, "seconds", |said| said["seconds"].as_f64())
    }

    /// One of the two helpers of elasticsearch-py, on a part of the file.
    pub(super) fn peer(&self, candidate: Candidate, helper: &str) -> Result<Loaded> {
        let python = &self.session.python;
        let (interpreter, script) = (python.interpreter(), python.script("bulk.py"));
        let (index, documents) = (self.index(candidate), self.source.peer_documents.to_string());
        let arguments: [&OsStr; 7] = [
            interpreter.as_os_str(),
            script.as_os_str(),
            helper.as_ref(),
            self.source.parquet.as_os_str(),
            index.as_ref(),
            documents.as_ref(),
            self.source.id.as_ref(),
        ];
        self.run(candidate, &arguments, "seconds", |said| said["seconds"].as_f64())
    }

    fn run(
        &self,
        candidate: Candidate,
        arguments: &[&OsStr],
        key: &str,
        seconds: impl Fn(&Value) -> Option<f64>,
    ) -> Result<Loaded> {
        let results = self.session.folder.join("bulk-results");
        std::fs::create_dir_all(&results)?;
        let own = self.session.variables.iter().map(|(name, value)| (*name, value.as_str()));
        let through = self.through.map(|url| ("ELASTICSEARCH_URL", url));
        let job = Job {
            arguments: arguments.to_vec(),
            // Of two with the same name the last one counts.
            variables: own.chain(through).collect(),
            folder: &results,
            name: format!("{}-{}-{}", self.source.dataset.as_str(), self.round, candidate.label()),
        };
        self.session.cluster.create(&self.index(candidate), &self.source.index_body)?;
        let measured = measure(&self.session.python, &job)?;
        let said = job.printed(key)?;
        let sending_seconds = seconds(&said).with_context(|| format!("{} reports no time: {said}", job.name))?;
        Ok(Loaded { measured, sending_seconds, said })
    }
}
