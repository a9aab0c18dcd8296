//! Replies are lost after the node has applied the request: with ids the load
//! ends as if they had come.

use anyhow::Result;

use crate::soak::Soak;
use crate::soak::report::Row;
use crate::soak::source::Source;

/// The number of consecutive lost replies to the same body: fewer than the attempts of the program.
const EACH: u32 = 3;

pub(in crate::soak) fn play(soak: &mut Soak, row: &mut Row) -> Result<()> {
    let input = soak.ndjson("lost-replies", Source::new(soak.seed, soak.extent.documents))?;
    let mut proxy = soak.fault_proxy()?;
    proxy.lose_replies(soak.extent.losses, EACH)?;
    let (mut lost, mut writes, mut documents) = (0, 0, 0);
    for number in 0.. {
        if lost >= soak.extent.losses {
            break;
        }
        let load = soak.load(&format!("lost-replies-{number}"), &input)?.through(proxy.url());
        load.run()?;
        writes += soak.settle(&load, &input.source, row)?;
        documents += input.source.documents;
        let before = std::mem::replace(&mut lost, proxy.counts()?.lost);
        row.faults = format!("{lost} replies lost after commit");
        if lost == before {
            row.problems.push("a load went by without a bulk request through the proxy".into());
            break;
        }
    }
    row.figure = format!("{:.2} writes a document", writes as f64 / documents as f64);
    Ok(())
}
