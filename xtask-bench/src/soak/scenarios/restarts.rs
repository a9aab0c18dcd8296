//! Elasticsearch is stopped and started while a load is under way.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::soak::random::Random;
use crate::soak::report::Row;
use crate::soak::running::Running;
use crate::soak::source::Source;
use crate::soak::{Soak, writes};

/// The longest that a load may take from the node's health to its next document.
const RESUME_LIMIT: Duration = Duration::from_secs(10);

/// The time limit for the first document after a start.
const PATIENCE: Duration = Duration::from_secs(60);

/// When the node is stopped, as a share of the time that an undisturbed load takes.
const MOMENT: (f64, f64) = (0.1, 0.6);

const GLANCE: Duration = Duration::from_millis(50);

pub(in crate::soak) fn play(soak: &mut Soak, row: &mut Row) -> Result<()> {
    let mut random = Random::new(soak.seed ^ 0x7374_6f70);
    let input = soak.ndjson("restarts", Source::new(soak.seed, soak.extent.long_documents))?;
    let load = soak.load("restarts-none", &input)?;
    let whole = load.run()?;
    soak.settle(&load, &input.source, row)?;
    let mut resumed = Vec::new();
    for number in 0.. {
        if resumed.len() as u64 >= soak.extent.restarts {
            break;
        }
        let load = soak.load(&format!("restarts-{number}"), &input)?;
        let mut running = load.start()?;
        while (resumed.len() as u64) < soak.extent.restarts
            && !running.ends_within(random.share(whole, MOMENT.0, MOMENT.1))?
        {
            soak.node.restart()?;
            let Some(after) = first_write(soak, &mut running, &load.index)? else { break };
            row.require(after <= RESUME_LIMIT, || {
                format!("{}: the first document came {:.1} s after the start", load.index, after.as_secs_f64())
            });
            resumed.push(after);
        }
        running.finish()?;
        soak.settle(&load, &input.source, row)?;
        row.faults = format!("{} stops and starts", resumed.len());
    }
    let slowest = resumed.iter().max().copied().unwrap_or_default();
    row.figure = format!("resumed within {:.1} s of health (≤ {})", slowest.as_secs_f64(), RESUME_LIMIT.as_secs());
    Ok(())
}

/// The time from the node's start to its next document; `None` where the load had sent
/// everything before the node was stopped.
fn first_write(soak: &Soak, running: &mut Running, index: &str) -> Result<Option<Duration>> {
    let started = Instant::now();
    let client = soak.node.client()?;
    loop {
        // The node counts from zero when it starts, and does not count what it recovers.
        if writes(&client, index)? > 0 {
            return Ok(Some(started.elapsed()));
        }
        if running.ends_within(GLANCE)? {
            return Ok(None);
        }
        if started.elapsed() > PATIENCE {
            return Ok(Some(started.elapsed()));
        }
    }
}
