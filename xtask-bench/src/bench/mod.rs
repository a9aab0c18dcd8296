//! `cargo xtask bench`: how fast the program is and what it needs, beside the
//! same work done with elasticsearch-py.
//!
//! [`flights`] measures a pipeline in and out, [`bulk`] loads beside the server baseline
//! that the server sets, and [`export`] reading. Candidates alternate on one Elasticsearch, each a
//! whole process, and what each of them left is checked against the source.
//! Nothing here judges the figures.

mod apart;
mod bulk;
mod cluster;
mod dataset;
mod export;
mod figures;
mod flights;
mod measure;
mod session;

use anyhow::Result;
use clap::{Args, Subcommand};

use xtask::compile::ProgramArgs;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct BenchArgs {
    /// What to measure; flights if nothing is said
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    flights: CommonArgs,
}

#[derive(Subcommand)]
enum What {
    /// The example pipeline in and out: 336,776 flights of 2013
    Flights(CommonArgs),
    /// Loads of several kinds of documents, beside the server baseline that the server sets
    Bulk(bulk::BulkArgs),
    /// Indices into files, beside the server baseline that the server sets
    Export(export::ExportArgs),
}

/// What every benchmark can be told.
#[derive(Args)]
struct CommonArgs {
    /// Rounds in which the candidates alternate; medians are shown
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Keep the peer's virtual environment for the next time
    #[arg(long)]
    keep_venv: bool,
    /// Give one half of the processors to the server and the other to the candidates
    #[arg(long)]
    apart: bool,
    #[command(flatten)]
    program: ProgramArgs,
}

/// How often the program and the server baseline do their work in a round where that takes seconds: the peers
/// take longer, and a moment's disturbance is much of such a iteration.
const REPEATS: usize = 3;

/// Candidates in the order of a round, so that none is always after the same one.
fn rotated<T: Clone>(candidates: &[T], round: u32) -> Vec<T> {
    let mut order = candidates.to_vec();
    // Rounds are counted from 1, and there are candidates.
    order.rotate_left(round.saturating_sub(1) as usize % candidates.len());
    order
}

pub(crate) fn run(args: &BenchArgs) -> Result<()> {
    match &args.what {
        None => flights::run(&args.flights),
        Some(What::Flights(args)) => flights::run(args),
        Some(What::Bulk(args)) => bulk::run(args),
        Some(What::Export(args)) => export::run(args),
    }
}
