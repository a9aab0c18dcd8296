//! `cargo xtask bench`: the speed and the resources of the program, beside the same work done with
//! elasticsearch-py.
//!
//! [`flights`] measures a pipeline in and out, [`bulk`] loads beside the server baseline, [`export`]
//! reads beside it, [`inference`] scores rows, [`embeddings`] embeds texts, and [`partitions`] loads an asset with
//! partitions. Candidates alternate on one Elasticsearch, each as a whole process, and the result of each is compared with the source. The
//! benchmarks report figures and set no thresholds.

mod apart;
mod bulk;
mod cluster;
mod dataset;
mod embeddings;
mod export;
mod figures;
mod flights;
mod inference;
mod measure;
mod pair;
mod partitions;
mod programs;
mod session;

pub(crate) use measure::last_with;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand};

use xtask::compile::ProgramArgs;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct BenchArgs {
    /// The benchmark; flights by default
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    flights: CommonArgs,
}

#[derive(Subcommand)]
enum What {
    /// The example pipeline in and out: 336,776 flights of 2013
    Flights(CommonArgs),
    /// Loads of several kinds of documents, beside the server baseline
    Bulk(bulk::BulkArgs),
    /// Indices into files, beside the server baseline
    Export(export::ExportArgs),
    /// Flights scored and written back, beside ONNX Runtime for Python
    Inference(CommonArgs),
    /// 20,000 short texts embedded and written back, beside ONNX Runtime for Python
    Embeddings(CommonArgs),
    /// An asset of twelve partitions, beside a load of the same file
    Partitions(CommonArgs),
}

/// The options of every benchmark.
#[derive(Args)]
struct CommonArgs {
    /// The number of rounds in which the candidates alternate; medians are shown
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Keep the virtual environment of the peers for the next run
    #[arg(long)]
    keep_venv: bool,
    /// Give half of the processors to the server and the other half to the candidates
    #[arg(long)]
    apart: bool,
    #[command(flatten)]
    program: ProgramArgs,
}

/// The options of benchmarks that can compare two builds of the program.
#[derive(Args)]
struct BaselineArgs {
    /// Run this older build of the program in the same rounds, and print the ratio new / old;
    /// without peers and server baseline
    #[arg(long, value_name = "PATH")]
    baseline: Option<PathBuf>,
}

impl BaselineArgs {
    /// The path of the older build, if one was given.
    fn path(&self) -> Result<Option<PathBuf>> {
        let Some(path) = &self.baseline else { return Ok(None) };
        let path = std::path::absolute(path).with_context(|| format!("cannot find {}", path.display()))?;
        ensure!(path.is_file(), "--baseline: expected a program, and {} is not a file", path.display());
        Ok(Some(path))
    }
}

/// The iterations of the program and its baseline in a round, where one takes seconds: the peers take
/// longer, and a short disturbance is a large part of such an iteration.
const REPEATS: u32 = 3;

/// The candidates in the order of a round: each comes after a different one in the next.
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
        Some(What::Inference(args)) => inference::run(args),
        Some(What::Embeddings(args)) => embeddings::run(args),
        Some(What::Partitions(args)) => partitions::run(args),
    }
}
