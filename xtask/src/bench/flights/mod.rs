//! `cargo xtask bench flights`: the example pipeline in and out.
//!
//! Both contestants load the flights of a year into an index a month (`in`),
//! and write all columns of the year to Parquet (`out`), as whole processes:
//! start-up and planning are part of ours, the start of the interpreter is part
//! of theirs.

mod contestant;
mod project;
mod report;

use anyhow::Result;

use super::CommonArgs;
use super::cluster::Cluster;
use super::session::Session;
use crate::terminal::Progress;
use contestant::{Contestant, Work};
use project::Flights;
use report::{Report, Turn};

pub(super) fn run(args: &CommonArgs) -> Result<()> {
    let program = args.program.orchestrator()?;
    Session::with(args, |session| {
        let flights = Flights::prepare(&session.folder, program, &session.python, &session.variables)?;
        let turns = rounds(&session.cluster, &flights, args.rounds)?;
        let report = Report::new(turns, session.cluster.version()?, session.python.versions()?);
        println!("\n{}", report.render());
        session.keep_figures("flights.json", &report.to_json()?)
    })
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
    flights.keep_index_body(&cluster.index_body(&project::prefix(cluster, 0, Contestant::Ours))?)?;
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
