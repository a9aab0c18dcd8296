//! The loading process is killed at random moments, and the same command is
//! given again until the load ends.

use anyhow::Result;

use crate::soak::random::Random;
use crate::soak::report::Row;
use crate::soak::source::Source;
use crate::soak::{Files, Soak};

/// The moment of a kill, as a share of the time that an undisturbed load takes: late enough for
/// some to be past everything that is sent, and early enough for some to have sent nothing.
const MOMENT: (f64, f64) = (0.0, 0.7);

pub(in crate::soak) fn play(soak: &mut Soak, row: &mut Row) -> Result<()> {
    let mut random = Random::new(soak.seed ^ 0x6b69_6c6c);
    let text = soak.ndjson("kills", Source::new(soak.seed, soak.extent.documents))?;
    let inputs = [soak.parquet(&text)?, text];
    let mut undisturbed = Vec::new();
    for (number, input) in inputs.iter().enumerate() {
        let load = soak.load(&format!("undisturbed-{number}"), input)?;
        undisturbed.push(load.run()?);
        soak.settle(&load, &input.source, row)?;
    }
    let (mut kills, mut writes, mut documents) = (0, 0, 0);
    for (number, (input, whole)) in inputs.iter().zip(undisturbed).cycle().enumerate() {
        if kills >= soak.extent.kills {
            break;
        }
        let Files { source, .. } = input;
        let load = soak.load(&format!("kills-{number}"), input)?;
        loop {
            let mut running = load.start()?;
            if kills >= soak.extent.kills {
                running.finish()?;
                break;
            }
            if running.ends_within(random.share(whole, MOMENT.0, MOMENT.1))? {
                break;
            }
            running.kill()?;
            kills += 1;
            row.faults = format!("{kills} kills");
        }
        writes += soak.settle(&load, source, row)?;
        documents += source.documents;
    }
    row.figure = format!("{:.2} writes a document", writes as f64 / documents as f64);
    Ok(())
}
