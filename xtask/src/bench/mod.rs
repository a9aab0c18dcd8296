//! `cargo xtask bench`: how fast the program is and what it needs, beside the
//! same work done with elasticsearch-py.
//!
//! Both contestants load the flights of a year into an index a month (`in`),
//! and write all columns of the year to Parquet (`out`), as whole processes:
//! start-up and planning are part of ours, the start of the interpreter is part
//! of theirs. They take turns on one Elasticsearch, and what each of them left is
//! checked against the source. Nothing here judges the figures.

mod cluster;
mod contestant;
mod flights;
mod measure;
mod python;
mod report;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use crate::terminal::Progress;
use crate::{demo, workspace};
use cluster::Cluster;
use contestant::{Contestant, Work};
use flights::Flights;
use python::Python;
use report::{Report, Turn};

/// A set of data to work on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dataset {
    /// 336,776 flights of 2013, the data of the example pipeline
    Flights,
}

#[derive(Args)]
pub(crate) struct BenchArgs {
    /// The data to work on
    #[arg(value_enum, default_value_t = Dataset::Flights)]
    dataset: Dataset,
    /// How often each contestant does its work; medians are shown
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Keep the peer's virtual environment for the next time
    #[arg(long)]
    keep_venv: bool,
}

pub(crate) fn run(args: &BenchArgs) -> Result<()> {
    match args.dataset {
        Dataset::Flights => {}
    }
    let folder = workspace::root().join("target/bench");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let variables = demo::elasticsearch()?;
    let cluster = Cluster::connect(&variables)?;
    let program = demo::build("release")?;
    let python = Python::prepare(&folder)?;
    let flights = Flights::prepare(&folder, program, &python, &variables)?;

    cluster.clean_up_at_signal()?;
    let measured = rounds(&cluster, &flights, args.rounds);
    if let Err(error) = cluster.clean_up() {
        eprintln!("indices that start with {} are left: {error:#}", cluster.run());
    }
    let turns = measured?;

    let report = Report::new(turns, cluster.version()?, python.versions()?);
    println!("\n{}", report.render());
    let path = folder.join("flights.json");
    std::fs::write(&path, report.to_json()?).with_context(|| format!("cannot write {}", path.display()))?;
    println!("every turn is in {}", path.strip_prefix(workspace::root()).unwrap_or(&path).display());
    if !args.keep_venv {
        python.remove()?;
    }
    Ok(())
}

/// Lets the contestants take turns.
fn rounds(cluster: &Cluster, flights: &Flights<'_>, rounds: u32) -> Result<Vec<Turn>> {
    warm_up(cluster, flights)?;
    let mut turns = Vec::new();
    for round in 1..=rounds {
        for work in [Work::In, Work::Out] {
            for contestant in order(round) {
                turns.push(turn(cluster, flights, round, work, contestant)?);
            }
        }
        cluster.clean_up()?;
    }
    Ok(turns)
}

/// Both have the first turn in half of the rounds.
fn order(round: u32) -> [Contestant; 2] {
    if round % 2 == 1 { [Contestant::Ours, Contestant::Theirs] } else { [Contestant::Theirs, Contestant::Ours] }
}

/// Loads and reads once, uncounted, so that files are in the cache and the server's code
/// is compiled, and keeps what an index of ours is made of for theirs.
fn warm_up(cluster: &Cluster, flights: &Flights<'_>) -> Result<()> {
    let progress = Progress::new("warm-up");
    flights.measure(cluster, 0, Work::In, Contestant::Ours)?;
    flights.keep_index_body(&cluster.index_body(&cluster.prefix(0, Contestant::Ours))?)?;
    for (work, contestant) in
        [(Work::In, Contestant::Theirs), (Work::Out, Contestant::Ours), (Work::Out, Contestant::Theirs)]
    {
        flights.measure(cluster, 0, work, contestant)?;
    }
    cluster.clean_up()?;
    progress.finish("done");
    Ok(())
}

fn turn(cluster: &Cluster, flights: &Flights<'_>, round: u32, work: Work, contestant: Contestant) -> Result<Turn> {
    let progress = Progress::new(format!("round {round}, {}, {}", work.as_str(), contestant.as_str()));
    cluster.wait_for_merges()?;
    let measured = flights.measure(cluster, round, work, contestant)?;
    let documents = flights.verify(cluster, round, work, contestant)?;
    progress.finish(&format!("{documents} documents, {measured}"));
    Ok(Turn { round, work, contestant, documents, measured })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_contestant_is_always_first() {
        assert_eq!(order(1)[0], Contestant::Ours);
        assert_eq!(order(2)[0], Contestant::Theirs);
        assert_eq!(order(1), order(3));
    }
}
