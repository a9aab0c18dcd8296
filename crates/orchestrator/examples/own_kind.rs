//! A program with a kind of asset of its own: `calendar`, an index with a document for each day.
//!
//! ```text
//! ELASTICSEARCH_URL=http://127.0.0.1:9200 cargo run -p orchestrator --example own_kind
//! ```
//!
//! It registers the kind beside those of `orchestrator`, reads a pipeline in which an `export` takes
//! what the calendar gives, runs it twice, and removes what it wrote. The second run has nothing to
//! do: the fingerprint of the definition, the lease, the publication and the history are those of
//! every kind.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use es_assets::{Action, Definition, KeyPath, Output, Parts, Report, Siblings};
use es_bulk::batched_frames;
use es_frame::infer_mapping;
use futures::{StreamExt as _, stream};
use jiff::ToSpan as _;
use jiff::civil::Date;
use orchestrator::engine::{Engine, RunOptions, Scope, StepEnd};
use orchestrator::kinds::index::{self, IndexRequest, IndexSpec};
use orchestrator::kinds::{Built, Kind, Kinds, Subject, Work};
use orchestrator::project::Project;
use polars::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

/// The keys of an asset of kind `calendar`; the schema and the messages about mistakes follow from
/// them.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
struct Calendar {
    /// The first day.
    #[schemars(with = "String")]
    from: Date,
    /// The day after the last one.
    #[schemars(with = "String")]
    to: Date,
}

impl Definition for Calendar {
    fn output(&self) -> Output {
        Output::Documents
    }

    fn validate(&self, path: &KeyPath, _: &Siblings<'_>, report: &mut Report<'_>) {
        if self.to <= self.from {
            let help = format!("the first day is {}", self.from);
            report.invalid(&path.key("to"), "the calendar has no day", help);
        }
    }

    fn fingerprint(&self, parts: &mut Parts) {
        parts.add("from", self.from);
        parts.add("to", self.to);
    }
}

struct CalendarKind;

#[async_trait]
impl Kind for CalendarKind {
    type Definition = Calendar;
    const NAME: &'static str = "calendar";

    async fn build(&self, asset: &Subject<'_, Calendar>, work: &Work<'_>) -> orchestrator::error::Result<Built> {
        let Calendar { from, to } = *asset.definition;
        let days: Vec<Date> = from.series(1.day()).take_while(|day| *day < to).collect();
        let frame = frame(&days).map_err(|error| asset.error_at("from", &error.to_string(), None))?;
        let id = ["day".to_owned()];
        let new = IndexRequest {
            mapping: infer_mapping(frame.schema())?,
            spec: &IndexSpec::default(),
            id: &id,
            checks: &[],
            files: Vec::new(),
            inputs: None,
        };
        let limits = work.project.settings.bulk.batch_limits();
        let frames = stream::iter([Ok::<_, PolarsError>(frame)]);
        index::write(work, new, |_| batched_frames(frames, &id, limits).boxed()).await
    }
}

fn frame(days: &[Date]) -> PolarsResult<DataFrame> {
    df!(
        "day" => days.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "weekday" => days.iter().map(|day| i32::from(day.weekday().to_monday_one_offset())).collect::<Vec<_>>(),
        "week" => days.iter().map(|day| i32::from(day.iso_week_date().week())).collect::<Vec<_>>(),
    )
}

const PIPELINE: &str = "
version: 1
name: own-kind-example
cluster: { index_prefix: own-kind-example- }
assets:
  days:
    kind: calendar
    from: 2013-01-01
    to: 2014-01-01
  training_days:
    kind: export
    from: days
    to: { path: out/days, format: parquet }
";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("pipeline.yaml"), PIPELINE)?;
    let kinds = Kinds::builtin().with(CalendarKind);
    let project = Arc::new(Project::load_with(kinds, folder.path(), Path::new("pipeline.yaml"), None)?);
    let engine = Engine::connect(project.clone()).await?;
    let outcome = run_twice(&engine).await;
    remove_all(&engine, &project.prefix).await?;
    outcome
}

/// Removes the index of the calendar, and the leases and the history, which are hidden.
async fn remove_all(engine: &Engine, prefix: &str) -> Result<(), Box<dyn std::error::Error>> {
    let indices = engine.client().indices();
    let found = indices.describe(&format!("{prefix}days-*")).await?;
    let hidden = ["orchestrator-leases", "orchestrator-runs"].map(|name| format!("{prefix}{name}"));
    for name in found.into_iter().map(|index| index.name).chain(hidden) {
        indices.delete(&name).await?;
    }
    Ok(())
}

async fn run_twice(engine: &Engine) -> Result<(), Box<dyn std::error::Error>> {
    let cancel = CancellationToken::new();
    let planned = engine.plan(&Scope::of(None), &cancel).await?;
    let end = engine.run(planned, RunOptions { cancel: cancel.clone(), sinks: Vec::new() }).await?;
    for step in &end.steps {
        let StepEnd::Succeeded(built) = &step.end else {
            return Err(format!("{}: {:?}", step.name.label(), step.end).into());
        };
        println!("{}: {}", step.name.label(), built.detail);
        assert_eq!(built.rows, Some(365), "2013 has 365 days");
    }
    assert_eq!(end.steps.len(), 2, "the calendar and the export");
    let again = engine.plan(&Scope::of(None), &cancel).await?;
    assert!(again.plan.steps.iter().all(|step| step.action == Action::Unchanged), "{:?}", again.plan.steps);
    println!("the second run has nothing to do");
    Ok(())
}
