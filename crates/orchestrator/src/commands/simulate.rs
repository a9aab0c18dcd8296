//! `plan --simulate`: ingest pipelines, tried on the first documents of each asset.

use es_serving::ingest_pipeline::{FieldChange, IngestPipelines, Simulated};

use crate::engine::{Engine, Planned};
use crate::error::Result;
use crate::exit::Exit;
use crate::kinds::{Prepared, Sampling};
use crate::terminal::reporter::Reporter;
use crate::terminal::results::CommandResult;
use crate::terminal::screen::Screen;
use crate::terminal::table::{Align, Cell, Table, counted};
use crate::terminal::text::Tone;

/// The documents of each asset.
const SAMPLES: usize = 5;

/// Tries the pipelines of the selected assets, and fails where a document would be rejected.
pub(super) async fn simulate(engine: &Engine, planned: &Planned, reporter: &Reporter) -> Result<Exit> {
    let (client, project) = (engine.client(), engine.project());
    let pipelines = IngestPipelines::new(client.clone(), &project.prefix);
    let mut names: Vec<&str> = planned.plan.steps.iter().map(|step| step.asset.as_str()).collect();
    names.dedup();
    let (mut exit, mut tried) = (Exit::Done, 0);
    for name in names {
        let Some(asset) = project.pipeline.asset(name) else { continue };
        let kind = project.kinds.of(asset)?;
        let Some(pipeline) = kind.index_spec(asset).and_then(|spec| spec.pipeline.as_ref()) else { continue };
        tried += 1;
        pipelines.check(pipeline).await.map_err(|error| crate::error::Error::from(error).within(name))?;
        let none = Prepared::default();
        let prepared = planned.prepared.get(name).unwrap_or(&none);
        let samples = kind.samples(project, name, asset, &Sampling { client, prepared, most: SAMPLES }).await?;
        let outcomes = pipelines.simulate(pipeline, &samples).await;
        let outcomes = outcomes.map_err(|error| crate::error::Error::from(error).within(name))?;
        let mut table = Table::new(&[("document", Align::Name), ("", Align::Left), ("pipeline", Align::Text)]);
        for (sample, outcome) in samples.iter().zip(outcomes) {
            if matches!(outcome, Simulated::Failed(_)) {
                exit = Exit::Failed;
            }
            if reporter.is_json() {
                let (asset, id) = (name.to_owned(), sample.id.clone());
                reporter.json(&CommandResult::Simulated { asset, id, outcome });
            } else {
                let (word, tone, text) = in_words(&outcome);
                table.row([Cell::from(sample.id.as_str()), Cell::toned(word, tone), text.into()]);
            }
        }
        if !reporter.is_json() {
            let of = match samples.len() {
                0 => "no documents to try it on".to_owned(),
                number => counted(number as u64, "document"),
            };
            reporter.result(&format!("\npipeline of {name}: {of}\n"));
            if !samples.is_empty() {
                reporter.result(&table.fit(&Screen::stdout()));
            }
        }
    }
    if tried == 0 {
        reporter.note("no selected asset has an ingest pipeline (`index.pipeline`)");
    }
    Ok(exit)
}

/// The fate of a document: a word, its tone, and the details.
fn in_words(outcome: &Simulated) -> (&'static str, Tone, String) {
    match outcome {
        Simulated::Written { changes, metadata, .. } if changes.is_empty() && metadata.is_empty() => {
            ("same", Tone::Dim, String::new())
        }
        Simulated::Written { changes, metadata, .. } => {
            let all: Vec<String> = metadata.iter().chain(changes).map(change).collect();
            ("changed", Tone::Good, all.join(", "))
        }
        Simulated::Dropped => ("dropped", Tone::Warning, "it would not be indexed".to_owned()),
        Simulated::Failed(failure) => {
            let place = failure.position.iter().chain(&failure.kind).cloned().collect::<Vec<_>>().join(" ");
            let at = if place.is_empty() { String::new() } else { format!("{place}: ") };
            ("rejected", Tone::Bad, format!("{at}{}", failure.reason))
        }
    }
}

fn change(change: &FieldChange) -> String {
    match change {
        FieldChange::Added { field, value } => format!("+{field} {value}"),
        FieldChange::Changed { field, before, after } => format!("{field} {before} to {after}"),
        FieldChange::Removed { field, .. } => format!("-{field}"),
    }
}
