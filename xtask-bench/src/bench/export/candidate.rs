//! Who reads an index into files, and how each of them is started.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Serialize;

use super::ask::Ask;
use super::peers::Peers;
use crate::bench::dataset::{Dataset, Source};
use crate::bench::measure::{Job, Measured, measure};
use crate::bench::session::Session;
use xtask::workspace::empty_folder;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Candidate {
    /// The program's requests, with the answers discarded.
    ServerBaseline,
    /// The program.
    Orchestrator,
    /// elasticsearch-py and Polars.
    Scan,
    ToPandas,
    ToCsv,
    Elasticdump,
}

impl Candidate {
    pub(super) const ALL: [Self; 6] =
        [Self::ServerBaseline, Self::Orchestrator, Self::Scan, Self::ToPandas, Self::ToCsv, Self::Elasticdump];
    /// Those that the program is compared with.
    pub(super) const PEERS: [Self; 4] = [Self::Scan, Self::ToPandas, Self::ToCsv, Self::Elasticdump];

    /// The name in the table.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ServerBaseline => "server baseline",
            Self::Orchestrator => "orchestrator export",
            Self::Scan => "py scan",
            Self::ToPandas => "eland to_pandas",
            Self::ToCsv => "eland to_csv",
            Self::Elasticdump => "elasticdump",
        }
    }

    /// The format of its output.
    pub(super) fn leaves(self) -> &'static str {
        match self {
            Self::ServerBaseline => "nothing",
            Self::Orchestrator | Self::Scan | Self::ToPandas => "Parquet",
            Self::ToCsv => "CSV",
            Self::Elasticdump => "NDJSON",
        }
    }

    /// The part of a file's name that names its candidate.
    fn label(self) -> &'static str {
        match self {
            Self::ServerBaseline => "server baseline",
            Self::Orchestrator => "ours",
            Self::Scan => "scan",
            Self::ToPandas => "pandas",
            Self::ToCsv => "csv",
            Self::Elasticdump => "elasticdump",
        }
    }

    /// Returns true if the benchmark continues without this candidate when it fails.
    pub(super) fn may_fail(self) -> bool {
        matches!(self, Self::ToPandas | Self::ToCsv | Self::Elasticdump)
    }

    /// The number of documents that it reads: a part where all of them would take many minutes.
    pub(super) fn documents(self, source: &Source) -> u64 {
        let share = match (self, source.dataset) {
            (Self::ServerBaseline | Self::Orchestrator, _) | (Self::Scan | Self::Elasticdump, Dataset::Flights) => 1,
            (Self::Scan, Dataset::Five) => 1,
            // More than a millisecond of processor time a document.
            (Self::ToPandas | Self::ToCsv, Dataset::Five) => 100,
            _ => 10,
        };
        source.documents.div_ceil(share)
    }
}

/// One iteration of one candidate.
#[derive(Clone, Copy)]
pub(super) struct Start<'a> {
    pub(super) session: &'a Session,
    /// The program `orchestrator`.
    pub(super) program: &'a Path,
    pub(super) source: &'a Source,
    pub(super) index: &'a str,
    pub(super) round: u32,
}

impl Start<'_> {
    /// The program, on the session's server or through something that stands before it.
    pub(super) fn ours(&self, through: Option<&str>) -> Result<Measured> {
        let (project, written) = (self.project()?, self.fresh(Candidate::Orchestrator)?);
        let arguments = export_command(self.program, &project, self.index, &written.join("rows"));
        self.run(Candidate::Orchestrator.label(), &arguments, through)
    }

    /// Sends the program's requests and discards the answers; returns the rows and bytes.
    pub(super) fn server_baseline(&self, program: &Path, ask: &Ask) -> Result<(Measured, Fetched)> {
        fetch(self.session, program, self.index, ask, &self.job_name(Candidate::ServerBaseline.label()))
    }

    /// One of the others.
    pub(super) fn peer(&self, peers: &Peers, candidate: Candidate) -> Result<Measured> {
        let written = self.fresh(candidate)?;
        let (source, index) = (self.source, self.index);
        let documents = candidate.documents(source);
        let arguments: Vec<OsString> = match candidate {
            Candidate::ServerBaseline | Candidate::Orchestrator => bail!("{} is not a peer", candidate.name()),
            Candidate::Scan => {
                let python = &self.session.python;
                vec![
                    python.interpreter().into(),
                    python.script("export.py").into(),
                    source.parquet.clone().into(),
                    index.into(),
                    written.join("rows.parquet").into(),
                    documents.to_string().into(),
                ]
            }
            Candidate::ToPandas | Candidate::ToCsv => {
                let (method, file) = match candidate {
                    Candidate::ToCsv => ("to_csv", "rows.csv"),
                    _ => ("to_pandas", "rows.parquet"),
                };
                let python = peers.eland()?;
                let mut arguments: Vec<OsString> = vec![
                    python.interpreter().into(),
                    python.script("eland_export.py").into(),
                    method.into(),
                    index.into(),
                    written.join(file).into(),
                ];
                arguments.extend((documents < source.documents).then(|| documents.to_string().into()));
                arguments
            }
            Candidate::Elasticdump => {
                let vectors = source.dataset == Dataset::Vectors;
                let program = peers.elasticdump()?;
                elasticdump(program, self.session, index, &written.join("rows.ndjson"), documents, vectors)
            }
        };
        self.run(candidate.label(), &arguments, None)
    }

    /// The folder of a candidate's files.
    pub(super) fn written(&self, candidate: Candidate) -> PathBuf {
        self.session.folder.join("export-out").join(candidate.label())
    }

    fn fresh(&self, candidate: Candidate) -> Result<PathBuf> {
        let folder = self.written(candidate);
        empty_folder(&folder)?;
        Ok(folder)
    }

    /// The empty working folder: a checkpoint of an earlier export would shorten this one.
    fn project(&self) -> Result<PathBuf> {
        let project = self.session.folder.join("export-project");
        empty_folder(&project)?;
        Ok(project)
    }

    fn job_name(&self, label: &str) -> String {
        format!("{}-{}-{label}", self.source.dataset.as_str(), self.round)
    }

    fn run(&self, label: &str, arguments: &[OsString], through: Option<&str>) -> Result<Measured> {
        let own = self.session.variables.iter().map(|(name, value)| (*name, value.as_str()));
        let results = results(self.session)?;
        let job = Job {
            arguments: arguments.iter().map(OsString::as_os_str).collect(),
            // Of two with the same name the last one counts.
            variables: own.chain(through.map(|url| ("ELASTICSEARCH_URL", url))).collect(),
            folder: &results,
            name: self.job_name(label),
        };
        measure(&self.session.python, &job)
    }
}

/// The command line of an export.
fn export_command(program: &Path, project: &Path, index: &str, destination: &Path) -> Vec<OsString> {
    let arguments: [&OsStr; 9] = [
        program.as_os_str(),
        "-C".as_ref(),
        project.as_os_str(),
        "-q".as_ref(),
        "--json".as_ref(),
        "export".as_ref(),
        index.as_ref(),
        "--to".as_ref(),
        destination.as_os_str(),
    ];
    arguments.map(OsStr::to_owned).to_vec()
}

fn elasticdump(
    program: &Path,
    session: &Session,
    index: &str,
    file: &Path,
    documents: u64,
    vectors: bool,
) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec![
        program.into(),
        format!("--input={}/{index}", session.cluster.url().trim_end_matches('/')).into(),
        format!("--output={}", file.display()).into(),
        "--type=data".into(),
        // The default of 100 documents a page is many times slower.
        format!("--limit={}", if vectors { 1_000 } else { 10_000 }).into(),
        format!("--size={documents}").into(),
    ];
    if vectors {
        arguments.push(
            r#"--searchBody={"query":{"match_all":{}},"stored_fields":["*"],"_source":{"exclude_vectors":false}}"#
                .into(),
        );
    }
    arguments
}

/// The output of the example `fetch` of es-core.
#[derive(Debug, Clone, Copy, PartialEq, serde::Deserialize, Serialize)]
pub(super) struct Fetched {
    pub(super) rows: u64,
    pub(super) pages: u64,
    pub(super) bytes: u64,
    pub(super) seconds: f64,
}

/// Reads an index and discards the answers.
pub(super) fn fetch(
    session: &Session,
    program: &Path,
    index: &str,
    ask: &Ask,
    name: &str,
) -> Result<(Measured, Fetched)> {
    let results = results(session)?;
    let ask = serde_json::to_string(ask)?;
    let job = Job {
        arguments: vec![program.as_os_str(), index.as_ref(), ask.as_ref()],
        variables: session.variables.iter().map(|(name, value)| (*name, value.as_str())).collect(),
        folder: &results,
        name: name.to_owned(),
    };
    let measured = measure(&session.python, &job)?;
    let fetched = serde_json::from_value(job.printed("rows")?).context("`fetch` prints something else")?;
    Ok((measured, fetched))
}

fn results(session: &Session) -> Result<PathBuf> {
    let results = session.folder.join("export-results");
    std::fs::create_dir_all(&results).with_context(|| format!("cannot create {}", results.display()))?;
    Ok(results)
}
