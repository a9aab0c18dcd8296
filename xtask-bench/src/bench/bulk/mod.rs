//! `cargo xtask bench bulk`: loads beside the server baseline that the server sets, and
//! beside elasticsearch-py.
//!
//! Everybody loads the same documents into an index with the same mapping and
//! settings, which is made before. What the server baseline sends was recorded from the
//! program, so both send the same bytes; its time is that of the sending alone,
//! and so is the program's beside it.

mod baseline;
mod candidate;
mod report;

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use super::dataset::{Dataset, Source};
use super::pair::{Pair, Side};
use super::session::Session;
use super::{BaselineArgs, CommonArgs, REPEATS, rotated};
use crate::tools::Tools;
use candidate::{Bodies, Candidate, Start};
use xtask::terminal::Progress;

use report::{Iteration, Report};

/// The time limit for verifying the result of a candidate.
const VERIFY_LIMIT: Duration = Duration::from_secs(600);

/// From so many documents on a load takes long enough to be done once a round.
const MANY: u64 = 1_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Choice {
    /// 336,776 flights of 19 fields
    Flights,
    /// 3,000,000 generated documents of 5 fields
    Five,
    /// 3,000,000 generated documents of 40 fields
    Forty,
    /// 3,000,000 generated documents with a vector of 384 dimensions: its file and bodies are 11 GB of disk beside the index
    Vectors,
    /// Each of them
    All,
}

#[derive(Args)]
pub(super) struct BulkArgs {
    /// The data to load
    #[arg(long, value_enum, default_value_t = Choice::All)]
    dataset: Choice,
    /// The number of generated documents; peers load a thirtieth of them
    #[arg(long, value_name = "N", default_value_t = 3_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    documents: u64,
    #[command(flatten)]
    baseline: BaselineArgs,
    #[command(flatten)]
    common: CommonArgs,
}

impl Choice {
    /// The chosen sets of data; `all` of them for [`Self::All`].
    fn datasets(self, all: &[Dataset]) -> Vec<Dataset> {
        match self {
            Self::All => all.to_vec(),
            Self::Flights => vec![Dataset::Flights],
            Self::Five => vec![Dataset::Five],
            Self::Forty => vec![Dataset::Forty],
            Self::Vectors => vec![Dataset::Vectors],
        }
    }
}

pub(super) fn run(args: &BulkArgs) -> Result<()> {
    let program = args.common.program.orchestrator()?;
    if let Some(old) = args.baseline.path()? {
        return compare_builds(args, &program, &old);
    }
    let tools = Tools::build(args.common.program.profile())?;
    Session::with(&args.common, |session| {
        let (elasticsearch, peer) = (session.cluster.version()?, session.python.versions()?);
        let mut reports = Vec::new();
        for dataset in args.dataset.datasets(&Dataset::ALL) {
            let source = Source::prepare(session, dataset, args.documents)?;
            let iterations = rounds(session, &program, &tools, &source, args.common.rounds)?;
            let report = Report::new(&source, iterations, elasticsearch.clone(), peer.clone());
            println!("\n{}\n", report.render());
            reports.push(report);
            // After each, so that an interrupted run leaves what it has.
            session.keep_figures("bulk.json", &serde_json::to_vec_pretty(&reports)?)?;
        }
        Ok(())
    })
}

/// Compares two builds of the program at the same loads.
fn compare_builds(args: &BulkArgs, new: &Path, old: &Path) -> Result<()> {
    Session::with(&args.common, |session| {
        let mut comparisons = Vec::new();
        for dataset in args.dataset.datasets(&[Dataset::Flights, Dataset::Five]) {
            let source = Source::prepare(session, dataset, args.documents)?;
            let pair = Pair {
                work: format!("loads of {}", dataset.as_str()),
                documents: source.documents,
                names: ["new", "old"],
            };
            let comparison = pair.compare(args.common.rounds * repeats(&source), |side, round| {
                let program = if side == Side::First { new } else { old };
                let start = Start { session, program, source: &source, round, through: None };
                session.cluster.wait_for_merges()?;
                let loaded = start.ours()?;
                verify(&start, Candidate::Orchestrator, source.documents)?;
                session.cluster.delete(&start.index(Candidate::Orchestrator))?;
                Ok((loaded.sending_seconds, loaded.measured))
            })?;
            println!("\n{}\n", comparison.render());
            comparisons.push(comparison);
            session.keep_figures("bulk-builds.json", &serde_json::to_vec_pretty(&comparisons)?)?;
        }
        Ok(())
    })
}

/// The iterations of the program in a round.
fn repeats(source: &Source) -> u32 {
    if source.documents < MANY { REPEATS } else { 1 }
}

/// Lets the candidates alternate on one set of data.
fn rounds(session: &Session, program: &Path, tools: &Tools, source: &Source, rounds: u32) -> Result<Vec<Iteration>> {
    let start = |round| Start { session, program, source, round, through: None };
    let (bodies, count) = baseline::record(&start(0), tools)?;
    let finalists = baseline::finalists(&start(0), &bodies, count)?;
    let mut iterations = Vec::new();
    for round in 1..=rounds {
        for candidate in order(round, &finalists, repeats(source)) {
            iterations.push(iteration(&start(round), candidate, &bodies)?);
        }
    }
    // As large as all documents together.
    std::fs::remove_file(&bodies.file).with_context(|| format!("cannot remove {}", bodies.file.display()))?;
    Ok(iterations)
}

/// Who runs after which: the program and the server baselines, whose ratio matters most,
/// and then the peers. Everybody's place changes, so that none is always after the same one.
fn order(round: u32, finalists: &[u32], repeats: u32) -> Vec<Candidate> {
    let mut near: Vec<Candidate> =
        finalists.iter().map(|concurrency| Candidate::ServerBaseline(*concurrency)).collect();
    near.push(Candidate::Orchestrator);
    let mut all = rotated(&near, round).repeat(repeats as usize);
    all.extend(rotated(&[Candidate::ParallelBulk, Candidate::StreamingBulk], round));
    all
}

fn iteration(start: &Start<'_>, candidate: Candidate, bodies: &Bodies) -> Result<Iteration> {
    let cluster = &start.session.cluster;
    let dataset = start.source.dataset;
    let progress = Progress::new(format!("{}, round {}, {}", dataset.as_str(), start.round, candidate.name()));
    cluster.wait_for_merges()?;
    let loaded = match candidate {
        Candidate::ServerBaseline(concurrency) => start.server_baseline(concurrency, bodies, None)?,
        Candidate::Orchestrator => start.ours()?,
        Candidate::ParallelBulk => start.peer(candidate, "parallel_bulk")?,
        Candidate::StreamingBulk => start.peer(candidate, "streaming_bulk")?,
    };
    let documents = if candidate.is_peer() { start.source.peer_documents } else { start.source.documents };
    verify(start, candidate, documents)?;
    cluster.delete(&start.index(candidate))?;
    progress.finish(&format!("{documents} documents, sending {:.2} s, {}", loaded.sending_seconds, loaded.measured));
    Ok(Iteration {
        round: start.round,
        candidate,
        documents,
        sending_seconds: loaded.sending_seconds,
        measured: loaded.measured,
        said: loaded.said,
    })
}

/// Checks that exactly these documents are in the candidate's index.
fn verify(start: &Start<'_>, candidate: Candidate, documents: u64) -> Result<()> {
    let (index, documents) = (start.index(candidate), documents.to_string());
    let arguments: [&OsStr; 4] =
        ["documents".as_ref(), start.source.parquet.as_os_str(), index.as_ref(), documents.as_ref()];
    let variables: Vec<(&str, &str)> =
        start.session.variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let printed = start.session.python.run("verify.py", &arguments, &variables, VERIFY_LIMIT);
    printed.map(drop).with_context(|| format!("{} did not do the work", candidate.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_change_from_round_to_round() {
        let order = |round| order(round, &[2, 4], REPEATS);
        assert_eq!(
            order(1)[..4],
            [Candidate::ServerBaseline(2), Candidate::ServerBaseline(4), Candidate::Orchestrator, order(1)[0]]
        );
        assert_eq!((order(3)[0], order(2).last()), (Candidate::Orchestrator, Some(&Candidate::ParallelBulk)));
        for round in 1..7 {
            let mut all = order(round);
            all.sort();
            let mut expected = order(1);
            expected.sort();
            assert_eq!(all, expected);
        }
    }
}
