//! Most of the documents are answered 429 for a while: only they are to be sent
//! again, and none is to be given up.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::soak::Soak;
use crate::soak::report::Row;
use crate::soak::source::Source;

/// The percentage of documents of a request that are refused.
const PERCENT: u8 = 60;

/// The most that may be sent, over the size of the data: were so many refused all the time,
/// 1 / (1 - 0.6) would be sent by who sends only what failed.
const MOST_SENT: f64 = 2.5;

const GLANCE: Duration = Duration::from_millis(100);

pub(in crate::soak) fn play(soak: &mut Soak, row: &mut Row) -> Result<()> {
    let input = soak.ndjson("refused-items", Source::new(soak.seed, soak.extent.documents))?;
    let mut proxy = soak.fault_proxy()?;
    let undisturbed = soak.load("refused-items-none", &input)?.through(proxy.url());
    undisturbed.run()?;
    soak.settle(&undisturbed, &input.source, row)?;
    let before = proxy.counts()?;

    proxy.refuse_items(PERCENT, soak.seed)?;
    let started = Instant::now();
    let mut refusing = true;
    let mut loads: u32 = 0;
    while refusing {
        let load = soak.load(&format!("refused-items-{loads}"), &input)?.through(proxy.url());
        let mut running = load.start()?;
        while !running.ends_within(GLANCE)? {
            if refusing && started.elapsed() >= soak.extent.refusing {
                proxy.pass()?;
                refusing = false;
            }
        }
        soak.settle(&load, &input.source, row)?;
        loads += 1;
        refusing &= started.elapsed() < soak.extent.refusing;
    }
    let after = proxy.counts()?;
    let data = before.bytes as f64 * f64::from(loads);
    let sent = (after.bytes - before.bytes) as f64 / data;
    let applied = after.items_forwarded - before.items_forwarded;
    let documents = u64::from(loads) * input.source.documents;
    let refused = after.items_refused;
    row.faults = format!("{PERCENT} % of the items, {} s", soak.extent.refusing.as_secs());
    row.figure = format!(
        "sent {sent:.2}× the data (≤ {MOST_SENT}), {:.3} writes a document, {refused} refused",
        applied as f64 / documents as f64
    );
    row.require(sent <= MOST_SENT, || format!("{sent:.3}× the data was sent, and {MOST_SENT}× is the most"));
    row.require(applied == documents, || {
        format!("the node got {applied} documents for {documents}: others than the refused ones were sent again")
    });
    row.require(refused > 0, || "nothing was refused".into());
    Ok(())
}
