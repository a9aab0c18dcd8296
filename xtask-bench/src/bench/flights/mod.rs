//! `cargo xtask bench flights`: the example pipeline in and out.
//!
//! Both candidates load the flights of a year into an index a month (`in`),
//! and write all columns of the year to Parquet (`out`), as whole processes:
//! start-up and planning are part of ours, the start of the interpreter is part
//! of theirs.

mod candidate;
mod project;
mod report;

use anyhow::Result;

use super::CommonArgs;
use super::cluster::Cluster;
use super::session::Session;
use candidate::{Candidate, Work};
use project::Flights;
use report::{Iteration, Report};
use xtask::terminal::Progress;

pub(super) fn run(args: &CommonArgs) -> Result<()> {
    let program = args.program.orchestrator()?;
    Session::with(args, |session| {
        let flights = Flights::prepare(&session.folder, program, &session.python, &session.variables)?;
        let iterations = rounds(&session.cluster, &flights, args.rounds)?;
        let report = Report::new(iterations, session.cluster.version()?, session.python.versions()?);
        println!("\n{}", report.render());
        session.keep_figures("flights.json", &report.to_json()?)
    })
}

/// Lets the candidates alternate.
fn rounds(cluster: &Cluster, flights: &Flights<'_>, rounds: u32) -> Result<Vec<Iteration>> {
    warm_up(cluster, flights)?;
    let mut iterations = Vec::new();
    for round in 1..=rounds {
        for work in [Work::In, Work::Out] {
            for candidate in order(round) {
                iterations.push(iteration(cluster, flights, round, work, candidate)?);
            }
        }
        cluster.clean_up()?;
    }
    Ok(iterations)
}

/// Both come first in half of the rounds.
fn order(round: u32) -> [Candidate; 2] {
    if round % 2 == 1 { [Candidate::Ours, Candidate::Theirs] } else { [Candidate::Theirs, Candidate::Ours] }
}

/// Loads and reads once, uncounted, so that files are in the cache and the server's code
/// is compiled, and keeps what an index of ours is made of for theirs.
fn warm_up(cluster: &Cluster, flights: &Flights<'_>) -> Result<()> {
    let progress = Progress::new("warm-up");
    flights.measure(cluster, 0, Work::In, Candidate::Ours)?;
    flights.keep_index_body(&cluster.index_body(&project::prefix(cluster, 0, Candidate::Ours))?)?;
    for (work, candidate) in
        [(Work::In, Candidate::Theirs), (Work::Out, Candidate::Ours), (Work::Out, Candidate::Theirs)]
    {
        flights.measure(cluster, 0, work, candidate)?;
    }
    cluster.clean_up()?;
    progress.finish("done");
    Ok(())
}

fn iteration(
    cluster: &Cluster,
    flights: &Flights<'_>,
    round: u32,
    work: Work,
    candidate: Candidate,
) -> Result<Iteration> {
    let progress = Progress::new(format!("round {round}, {}, {}", work.as_str(), candidate.as_str()));
    cluster.wait_for_merges()?;
    let measured = flights.measure(cluster, round, work, candidate)?;
    let documents = flights.verify(cluster, round, work, candidate)?;
    progress.finish(&format!("{documents} documents, {measured}"));
    Ok(Iteration { round, work, candidate, documents, measured })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_candidate_is_always_first() {
        assert_eq!(order(1)[0], Candidate::Ours);
        assert_eq!(order(2)[0], Candidate::Theirs);
        assert_eq!(order(1), order(3));
    }
}
