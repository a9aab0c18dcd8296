//! The server baseline: what the server takes when the client does nothing but send.
//!
//! The bodies are those that the program sends, recorded by the fault proxy on
//! the way. Several numbers of requests under way are tried, as which one is
//! best depends on the machine.

use anyhow::{Context, Result, bail};

use super::candidate::{Bodies, Candidate, Start};
use super::verify;
use crate::bench::dataset::Source;
use crate::bench::session::Session;
use crate::fault_proxy::FaultProxy;
use crate::tools::Tools;
use xtask::terminal::{Progress, human_bytes};

/// The requests under way at once that are tried.
const CONCURRENCIES: [u32; 4] = [1, 2, 4, 8];

/// The number of concurrencies that alternate with the other candidates: the fastest ones.
const FINALISTS: usize = 2;

/// The share of the bodies that decides who is a finalist, and the least and the greatest number
/// of them: seconds, and not minutes, of sending.
const TRIED_SHARE: u64 = 10;
const TRIED: (u64, u64) = (32, 100);

/// Lets the program load through a proxy that keeps the bodies.
///
/// It is also what warms the server up, and what shows that the program does the work.
pub(super) fn record(start: &Start<'_>, tools: &Tools) -> Result<(Bodies, u64)> {
    let Session { folder, cluster, .. } = start.session;
    let progress = Progress::new(format!("{}: recording the bodies", start.source.dataset.as_str()));
    let file = folder.join("data").join(format!("{}.bodies", start.source.dataset.as_str()));
    let mut proxy = FaultProxy::start(&tools.fault_proxy, cluster.url().trim_end_matches('/'))?;
    proxy.record(&file)?;
    let url = proxy.url().to_owned();
    start_through(start, &url)?;
    let recorded = proxy.stop_recording()?;
    let documents = recorded.lines / 2;
    if documents != start.source.documents {
        bail!("{documents} documents were recorded, and there are {}: some were sent again", start.source.documents);
    }
    progress.finish(&format!("{} in {} requests", human_bytes(recorded.bytes), recorded.bodies));
    let (replay, filter_path) = (tools.replay.clone(), recorded.filter_path().to_owned());
    Ok((Bodies { file, filter_path, replay }, recorded.bodies))
}

fn start_through(start: &Start<'_>, url: &str) -> Result<()> {
    let through = Start { through: Some(url), ..*start };
    through.ours()?;
    verify(start, Candidate::Orchestrator, start.source.documents)?;
    start.session.cluster.delete(&start.index(Candidate::Orchestrator))
}

/// The numbers of requests under way that are best for the first bodies.
pub(super) fn finalists(start: &Start<'_>, bodies: &Bodies, count: u64) -> Result<Vec<u32>> {
    let tried = tried(count);
    let mut speeds = Vec::new();
    for concurrency in CONCURRENCIES {
        let candidate = Candidate::ServerBaseline(concurrency);
        let progress = Progress::new(format!("{}: {} bodies, {}", name(start.source), tried, candidate.name()));
        let loaded = start.server_baseline(concurrency, bodies, Some(tried))?;
        start.session.cluster.delete(&start.index(candidate))?;
        let bytes = loaded.said["bytes"].as_f64().context("the server baseline reports no bytes")?;
        progress.finish(&format!("{:.1} MB/s", bytes / 1e6 / loaded.sending_seconds));
        speeds.push((concurrency, bytes / loaded.sending_seconds));
    }
    Ok(best(speeds))
}

fn name(source: &Source) -> &'static str {
    source.dataset.as_str()
}

/// The number of bodies that are sent in a trial.
fn tried(bodies: u64) -> u64 {
    (bodies / TRIED_SHARE).clamp(TRIED.0, TRIED.1).min(bodies)
}

/// The fastest, in the order of their numbers.
fn best(mut speeds: Vec<(u32, f64)>) -> Vec<u32> {
    speeds.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    let mut best: Vec<u32> = speeds.into_iter().take(FINALISTS).map(|(concurrency, _)| concurrency).collect();
    best.sort_unstable();
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_fastest_go_on() {
        assert_eq!(best(vec![(1, 10.0), (2, 30.0), (4, 29.0), (8, 31.0)]), [2, 8]);
        assert_eq!(best(vec![(1, 10.0)]), [1]);
    }

    #[test]
    fn a_part_of_the_bodies_is_tried() {
        assert_eq!([0, 8, 40, 500, 9000].map(tried), [0, 8, 32, 50, 100]);
    }
}
