//! `cargo xtask bench export`: an index into files, beside the server baseline that the
//! server sets, and beside elasticsearch-py, eland and elasticdump.
//!
//! Everybody reads the same index, as a whole process. What the server baseline asks was
//! recorded from the program on its way to the server, so that both ask the same;
//! the server baseline discards the answers. What the others write is compared with
//! what was loaded. [`sweep`] finds out how a server is best asked.

mod ask;
mod candidate;
mod peers;
mod report;
mod sweep;
mod tap;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use super::dataset::{Dataset, Source};
use super::measure::{Job, Measured, measure};
use super::pair::{Pair, Side};
use super::session::Session;
use super::{BaselineArgs, CommonArgs, REPEATS, rotated};
use crate::tools::Tools;
use ask::Ask;
use candidate::{Candidate, Start};
use peers::Peers;
use report::{Iteration, Outcome, Report};
use tap::Tap;
use xtask::terminal::{Progress, human_bytes};
use xtask::workspace::empty_folder;

/// The time limit for verifying the result of a candidate.
const VERIFY_LIMIT: Duration = Duration::from_secs(600);

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Choice {
    /// 336,776 flights of 19 fields
    Flights,
    /// 3,000,000 generated documents of 5 fields
    Five,
    /// 200,000 generated documents with a vector of 384 dimensions
    Vectors,
    /// Each of them
    All,
}

#[derive(Args)]
pub(super) struct ExportArgs {
    /// The data to read
    #[arg(long, value_enum, default_value_t = Choice::All)]
    dataset: Choice,
    /// The number of generated documents
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    documents: Option<u64>,
    /// Leave out the peers whose packages are large: eland and elasticdump
    #[arg(long)]
    without_others: bool,
    /// Compare forms of the search request instead, and discard the answers
    #[arg(long, conflicts_with = "baseline")]
    sweep: bool,
    #[command(flatten)]
    baseline: BaselineArgs,
    #[command(flatten)]
    common: CommonArgs,
}

impl ExportArgs {
    /// The number of documents of a set of data.
    fn documents(&self, dataset: Dataset) -> u64 {
        self.documents.unwrap_or(match dataset {
            Dataset::Vectors => 200_000,
            Dataset::Flights | Dataset::Five | Dataset::Forty => 3_000_000,
        })
    }

    fn datasets(&self) -> Vec<Dataset> {
        match self.dataset {
            Choice::All if self.baseline.baseline.is_some() => vec![Dataset::Flights, Dataset::Five],
            // Vectors are only in `_source`, so there is no choice.
            Choice::All if self.sweep => vec![Dataset::Flights, Dataset::Five],
            Choice::All => vec![Dataset::Flights, Dataset::Five, Dataset::Vectors],
            Choice::Flights => vec![Dataset::Flights],
            Choice::Five => vec![Dataset::Five],
            Choice::Vectors => vec![Dataset::Vectors],
        }
    }
}

pub(super) fn run(args: &ExportArgs) -> Result<()> {
    let program = args.common.program.orchestrator()?;
    if let Some(old) = args.baseline.path()? {
        return compare_builds(args, &program, &old);
    }
    let fetch = Tools::build(args.common.program.profile())?.fetch;
    Session::with(&args.common, |session| {
        if args.sweep {
            return sweep::run(session, &program, &fetch, &args.datasets(), args.documents);
        }
        let peers = if args.without_others { Peers::none() } else { Peers::prepare(&session.folder) };
        let others = Others { fetch, peers };
        let versions = format!("{}; {}", session.python.versions()?, others.peers.versions());
        let elasticsearch = session.cluster.version()?;
        let mut reports = Vec::new();
        for dataset in args.datasets() {
            let source = Source::prepare(session, dataset, args.documents(dataset))?;
            let index = load(session, &program, &source)?;
            let start = Start { session, program: &program, source: &source, index: &index, round: 0 };
            let segments = session.cluster.segments(&index)?;
            let (ask, iterations) = rounds(&start, &others, args.common.rounds)?;
            session.cluster.delete(&index)?;
            let report = Report::new(&source, segments, ask, iterations, elasticsearch.clone(), versions.clone());
            println!("\n{}\n", report.render());
            reports.push(report);
            // After each, so that an interrupted run leaves what it has.
            session.keep_figures("export.json", &serde_json::to_vec_pretty(&reports)?)?;
        }
        if !args.common.keep_venv {
            others.peers.remove()?;
        }
        Ok(())
    })
}

/// The programs beside `orchestrator`.
struct Others {
    /// The program of the server baseline.
    fetch: PathBuf,
    peers: Peers,
}

/// Compares two builds of the program at the same exports. The new one loads the index.
fn compare_builds(args: &ExportArgs, new: &Path, old: &Path) -> Result<()> {
    Session::with(&args.common, |session| {
        let mut comparisons = Vec::new();
        for dataset in args.datasets() {
            let source = Source::prepare(session, dataset, args.documents(dataset))?;
            let index = load(session, new, &source)?;
            let pair = Pair {
                work: format!("exports of {}", dataset.as_str()),
                documents: source.documents,
                names: ["new", "old"],
            };
            let comparison = pair.compare(args.common.rounds * REPEATS, |side, round| {
                let program = if side == Side::First { new } else { old };
                let start = Start { session, program, source: &source, index: &index, round };
                let measured = start.ours(None)?;
                verify(&start, Candidate::Orchestrator)?;
                Ok((measured.wall_seconds, measured))
            })?;
            session.cluster.delete(&index)?;
            println!("\n{}\n", comparison.render());
            comparisons.push(comparison);
            session.keep_figures("export-builds.json", &serde_json::to_vec_pretty(&comparisons)?)?;
        }
        Ok(())
    })
}

/// Loads the documents of a source with the program, and returns the index.
fn load(session: &Session, program: &Path, source: &Source) -> Result<String> {
    let progress = Progress::new(format!("{}: loading", source.dataset.as_str()));
    let index = format!("{}{}", session.cluster.prefix(), source.dataset.as_str());
    let project = session.folder.join("export-project");
    empty_folder(&project)?;
    session.cluster.create(&index, &source.index_body)?;
    let arguments: [&OsStr; 10] = [
        program.as_os_str(),
        "-C".as_ref(),
        project.as_os_str(),
        "-q".as_ref(),
        "ingest".as_ref(),
        source.parquet.as_os_str(),
        "--to".as_ref(),
        index.as_ref(),
        "--id".as_ref(),
        source.id.as_ref(),
    ];
    let job = Job {
        arguments: arguments.to_vec(),
        variables: session.variables.iter().map(|(name, value)| (*name, value.as_str())).collect(),
        folder: &project,
        name: "load".into(),
    };
    measure(&session.python, &job)?;
    session.cluster.refresh(&index)?;
    session.cluster.wait_for_merges()?;
    progress.finish(&format!("{} documents in {} segments", source.documents, session.cluster.segments(&index)?));
    Ok(index)
}

/// Lets the candidates alternate on one index.
fn rounds(start: &Start<'_>, others: &Others, rounds: u32) -> Result<(Ask, Vec<Iteration>)> {
    let ask = listen(start)?;
    let mut iterations: Vec<Iteration> = Vec::new();
    for round in 1..=rounds {
        for candidate in order(round) {
            let has_failed = iterations
                .iter()
                .any(|iteration| iteration.candidate == candidate && matches!(iteration.outcome, Outcome::Failed(_)));
            // It would do so again, and can take minutes for it.
            if !has_failed {
                iterations.push(iteration(&Start { round, ..*start }, others, candidate, &ask)?);
            }
        }
    }
    Ok((ask, iterations))
}

/// Lets the program export through a tap, and returns what it asked.
///
/// It is also what warms the server up, and what shows that the program does the work.
fn listen(start: &Start<'_>) -> Result<Ask> {
    let progress = Progress::new(format!("{}: listening", start.source.dataset.as_str()));
    let tap = Tap::start(start.session.cluster.url())?;
    start.ours(Some(tap.url()))?;
    verify(start, Candidate::Orchestrator)?;
    let ask = Ask::heard(&tap.heard()?)?;
    progress.finish(&ask.describe());
    Ok(ask)
}

/// Who runs after which. The program and the server baseline alternate alone, since their ratio is
/// spoiled by what a peer leaves behind, such as files on their way to the disk; then the peers do,
/// whose places change, so that none is always after the same one.
fn order(round: u32) -> Vec<Candidate> {
    let mut order = rotated(&[Candidate::ServerBaseline, Candidate::Orchestrator], round).repeat(REPEATS as usize);
    order.extend(rotated(&Candidate::PEERS, round));
    order
}

fn iteration(start: &Start<'_>, others: &Others, candidate: Candidate, ask: &Ask) -> Result<Iteration> {
    let dataset = start.source.dataset;
    let progress = Progress::new(format!("{}, round {}, {}", dataset.as_str(), start.round, candidate.name()));
    start.session.cluster.wait_for_merges()?;
    let documents = candidate.documents(start.source);
    let iteration = |outcome| Iteration { round: start.round, candidate, documents, outcome };
    match play(start, others, candidate, ask) {
        Ok((measured, volume)) => {
            progress.finish(&format!("{documents} documents{volume}, {measured}"));
            Ok(iteration(Outcome::Done(measured)))
        }
        Err(error) if candidate.may_fail() => {
            progress.finish("cannot do it");
            Ok(iteration(Outcome::Failed(format!("{error:#}"))))
        }
        Err(error) => Err(error),
    }
}

/// Runs a candidate and verifies its result. Returns the volume of the server baseline beside the figures.
fn play(start: &Start<'_>, others: &Others, candidate: Candidate, ask: &Ask) -> Result<(Measured, String)> {
    let measured = match candidate {
        Candidate::ServerBaseline => {
            let (measured, fetched) = start.server_baseline(&others.fetch, ask)?;
            if fetched.rows != start.source.documents {
                bail!("the server baseline has read {} of {} documents", fetched.rows, start.source.documents);
            }
            return Ok((measured, format!(" of {} in {} pages", human_bytes(fetched.bytes), fetched.pages)));
        }
        Candidate::Orchestrator => start.ours(None)?,
        peer => start.peer(&others.peers, peer)?,
    };
    verify(start, candidate)?;
    Ok((measured, String::new()))
}

/// Checks that a candidate has written the rows that were loaded, and removes its files.
fn verify(start: &Start<'_>, candidate: Candidate) -> Result<()> {
    let written = start.written(candidate);
    let documents = candidate.documents(start.source).to_string();
    let arguments: [&OsStr; 5] = [
        "rows".as_ref(),
        start.source.parquet.as_os_str(),
        written.as_os_str(),
        start.source.id.as_ref(),
        documents.as_ref(),
    ];
    let printed = start.session.python.run("verify.py", &arguments, &[], VERIFY_LIMIT);
    printed.map(drop).with_context(|| format!("{} did not do the work", candidate.name()))?;
    empty_folder(&written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_baseline_and_the_program_alternate_before_the_peers() {
        use Candidate::{Elasticdump, Orchestrator, Scan, ServerBaseline, ToCsv, ToPandas};
        assert_eq!(
            order(1)[..6],
            [ServerBaseline, Orchestrator, ServerBaseline, Orchestrator, ServerBaseline, Orchestrator]
        );
        assert_eq!(
            order(2)[..6],
            [Orchestrator, ServerBaseline, Orchestrator, ServerBaseline, Orchestrator, ServerBaseline]
        );
        assert_eq!(order(1)[6..], [Scan, ToPandas, ToCsv, Elasticdump]);
        assert_eq!(order(2)[6..], [ToPandas, ToCsv, Elasticdump, Scan]);
        assert_eq!(order(5), order(1));
    }
}
