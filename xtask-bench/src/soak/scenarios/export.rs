//! Exports that are killed at random moments, and the same command is given again until one
//! ends: every row is to be there once, and nobody is to see a part of them.

use anyhow::{Context, Result};

use crate::soak::Soak;
use crate::soak::concurrent_reader::ConcurrentReader;
use crate::soak::export::Export;
use crate::soak::random::Random;
use crate::soak::report::Row;
use crate::soak::source::Source;

/// The moment of a kill, as a share of the time that an undisturbed export takes: some while the
/// files change places.
const MOMENT: (f64, f64) = (0.0, 1.05);

/// The files of one export.
const FILES: u64 = 8;

/// The name of the destination.
const NAME: &str = "rows";

pub(in crate::soak) fn play(soak: &mut Soak, row: &mut Row) -> Result<()> {
    let mut random = Random::new(soak.seed ^ 0x6578_706f);
    let input = soak.ndjson("export", Source::new(soak.seed, soak.extent.documents))?;
    let load = soak.load("exported", &input)?;
    load.run()?;
    soak.node.client()?.post_ok("/exported/_refresh", None)?;
    let folder = soak.folder.join("exports");
    let (work, beside) = (folder.join("work"), folder.join("out"));
    for folder in [&work, &beside] {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    let export = Export {
        program: soak.program.clone(),
        folder: work,
        index: load.index.clone(),
        url: soak.node.url().to_owned(),
        destination: beside.join(NAME),
        rows_per_file: input.source.documents.div_ceil(FILES),
    };
    let reader = ConcurrentReader::start(beside.clone(), NAME);
    let played = kill_and_finish(soak, &export, &input.source, &mut random, row);
    let seen = reader.stop()?;
    played?;
    row.require(seen.whole > 0 && seen.nothing > 0, || format!("the reader has seen too little: {seen:?}"));
    row.figure = format!(
        "{} inspections of the destination, {} of them of a complete export",
        seen.whole + seen.nothing,
        seen.whole
    );
    row.problems.extend(seen.problems);
    soak.node.client()?.delete(&format!("/{}", load.index))?;
    Ok(())
}

/// Kills as often as it is to be, and lets exports end in between and at last.
fn kill_and_finish(soak: &Soak, export: &Export, source: &Source, random: &mut Random, row: &mut Row) -> Result<()> {
    let mut whole = export.run()?;
    settle(export, source, row)?;
    remove(export)?;
    let mut kills = 0;
    for number in 0_u64.. {
        let mut running = export.start()?;
        if kills >= soak.extent.export_kills {
            running.finish()?;
            settle(export, source, row)?;
            break;
        }
        if running.ends_within(random.share(whole, MOMENT.0, MOMENT.1))? {
            // The first one may have been the slowest, beside something else or without a cache.
            whole = whole.min(running.finish()?);
            settle(export, source, row)?;
            // The next one writes over it, or begins with nothing.
            if number % 2 == 0 {
                remove(export)?;
            }
            continue;
        }
        running.kill()?;
        kills += 1;
        row.faults = format!("{kills} kills");
    }
    Ok(())
}

/// Removes what is at the destination, so that nobody sees a part of it.
fn remove(export: &Export) -> Result<()> {
    let aside = export.destination.with_file_name(".removed");
    std::fs::rename(&export.destination, &aside)?;
    Ok(std::fs::remove_dir_all(&aside)?)
}

/// Compares every row with the source, and checks that nothing else is left.
fn settle(export: &Export, source: &Source, row: &mut Row) -> Result<()> {
    row.add("the export", source.documents, export.compare(source)?);
    eprintln!("{}", row.so_far());
    let beside = export.destination.parent().context("the destination is in no folder")?;
    let names = std::fs::read_dir(beside)?.map(|entry| Ok(entry?.file_name())).collect::<Result<Vec<_>>>()?;
    row.require(names == [NAME], || format!("after an export there is {names:?}"));
    Ok(())
}
