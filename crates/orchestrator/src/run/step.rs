//! One step of a run: decides again whether it is due, does it with retries, and records it.

use std::time::{Duration, Instant};

use es_assets::{Action, AssetSpec, Effect, Fingerprint, PartitionState, Reason, Retries, Step, effect, is_stale};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tracing::{info, warn};

use super::{Finished, StepEnd, help_of};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::kinds::{self, Done, checks, ingest};
use crate::planning::{action_name, reasons, step_name};
use crate::settings::retry_policy;
use crate::store::generation::{self, GenerationMeta};
use crate::store::observe::evaluated;
use crate::store::runs::{RunRecord, RunStatus, part_name};
use crate::terminal::event::Event;
use crate::terminal::reporter::StepProgress;
use crate::terminal::reporter::label;
use crate::terminal::table;

/// Does a step. Whatever becomes of it is told and recorded here.
pub(super) async fn perform(context: &Context, step: &Step) -> Finished {
    let started = Instant::now();
    let name = step_name(&context.project, step);
    let action = action_name(&step.action);
    let finished = |end| Finished { name: name.clone(), action, took: started.elapsed(), end };
    if !is_due(context, step) {
        let unchanged = Event::StepFinished {
            step: name.clone(),
            action: "unchanged",
            rows: None,
            took_ms: 0,
            warnings: Vec::new(),
            summary: Value::Null,
            report: None,
        };
        context.reporter.event(&unchanged);
        return finished(StepEnd::Unchanged);
    }
    let why = reasons(&step.action);
    context.reporter.event(&Event::StepStarted { step: name.clone(), action, reasons: why.clone() });
    info!(part = label(&name), action, "started");
    let mut record = record(context, step, name.kind, why);
    let outcome = match context.store.write(&record).await {
        Ok(()) => attempt(context, step).await,
        Err(failure) => Err(failure.within("the history cannot be written")),
    };
    record.finished = Some(Timestamp::now());
    record.inputs = context.inputs(&step.asset, step.partition.as_ref());
    match &outcome {
        Ok(done) => {
            record.status = RunStatus::Succeeded;
            record.summary = done.summary.clone();
            record.report = done.report.clone();
            if done.report.is_some() {
                let state = PartitionState { published: Some(evaluated(&record)), failure: None };
                context.known.lock().observed.insert(&step.asset, None, state);
            }
        }
        Err(failure) => {
            let interrupted = failure.exit == Exit::Interrupted;
            record.status = if interrupted { RunStatus::Interrupted } else { RunStatus::Failed };
            record.error = Some(failure.summary());
        }
    }
    // The part itself is published or not, whatever the history says.
    if let Err(failure) = context.store.write(&record).await {
        warn!(%failure, "the history cannot be written");
    }
    match outcome {
        Ok(done) => {
            let took = started.elapsed();
            for warning in &done.warnings {
                context.reporter.note(&format!("warning: {}: {warning}", label(&name)));
            }
            context.reporter.note(&format!("{}: {}, {}", label(&name), done.detail, table::took(took)));
            context.reporter.event(&Event::StepFinished {
                step: name.clone(),
                action,
                rows: done.rows,
                took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
                warnings: done.warnings.clone(),
                summary: done.summary.clone(),
                report: done.report.clone(),
            });
            finished(StepEnd::Succeeded(done))
        }
        Err(failure) => {
            let status = if failure.exit == Exit::Interrupted { "interrupted" } else { "failed" };
            context.reporter.event(&Event::StepFailed {
                step: name.clone(),
                status,
                error: failure.summary(),
                help: help_of(&failure),
            });
            finished(StepEnd::Failed(failure))
        }
    }
}

/// Whether a step still is to be done. One that was planned only because something it needs
/// would change is not, when that turned out the same.
fn is_due(context: &Context, step: &Step) -> bool {
    let (Action::Build { reasons } | Action::Evaluate { reasons }) = &step.action else { return true };
    if !reasons.iter().all(|reason| matches!(reason, Reason::UpstreamWillChange { .. })) {
        return true;
    }
    let inputs = context.inputs(&step.asset, step.partition.as_ref());
    let state = context.known.lock();
    let observed = state.observed.get(&step.asset, step.partition.as_ref());
    !is_stale(observed, &fingerprint(context, &step.asset), &inputs).is_empty()
}

fn fingerprint(context: &Context, asset: &str) -> Fingerprint {
    context.project.pipeline.asset(asset).map(Fingerprint::of).unwrap_or_default()
}

fn record(context: &Context, step: &Step, kind: &str, reasons: Vec<String>) -> RunRecord {
    RunRecord {
        run: context.run.clone(),
        pipeline: context.project.pipeline.name().to_owned(),
        asset: step.asset.clone(),
        kind: kind.to_owned(),
        partition: step.partition.clone(),
        part: part_name(&step.asset, step.partition.as_ref()),
        status: RunStatus::Running,
        reasons,
        started: Timestamp::now(),
        finished: None,
        error: None,
        summary: Value::Null,
        fingerprint: fingerprint(context, &step.asset),
        inputs: Default::default(),
        report: None,
    }
}

/// Tries until it succeeds, the failure is one that trying again does not mend, or the
/// retries are used up.
async fn attempt(context: &Context, step: &Step) -> Result<Done, Failure> {
    let asset = context.project.pipeline.asset(&step.asset);
    let retries: Retries = asset.and_then(|asset| asset.retries).unwrap_or(context.project.settings.defaults.retries);
    let policy = retry_policy(retries);
    let mut tries = 0;
    loop {
        let total = context.prepared.rows(&step.asset, step.partition.as_ref());
        let progress = context.reporter.step(step_name(&context.project, step), total);
        let outcome = dispatch(context, step, progress.clone()).await;
        progress.finish();
        match outcome {
            Err(failure) if failure.retryable && tries < retries.max && !context.cancel.is_cancelled() => {
                let share = f64::from(std::process::id() % 100) / 100.0;
                let wait = policy.backoff.wait(tries, 0.5 + share / 2.0).max(Duration::from_millis(100));
                warn!(part = label(&step_name(&context.project, step)), %failure, ?wait, "will try the step again");
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = context.cancel.cancelled() => return Err(failure),
                }
                tries += 1;
            }
            outcome => return outcome,
        }
    }
}

async fn dispatch(context: &Context, step: &Step, progress: StepProgress) -> Result<Done, Failure> {
    match &step.action {
        Action::Build { .. } | Action::Evaluate { .. } => make(context, step, progress).await,
        Action::UpdateInPlace { settings } => update_in_place(context, step, settings).await,
        Action::Recheck => recheck(context, step).await,
        Action::Retire => retire(context, step).await,
        Action::Unchanged => Ok(Done::default()),
    }
}

async fn make(context: &Context, step: &Step, progress: StepProgress) -> Result<Done, Failure> {
    let name = step.asset.as_str();
    let fingerprint = fingerprint(context, name);
    let Some(asset) = context.project.pipeline.asset(name) else {
        return Err(Failure::usage(format!("there is no asset `{name}`")));
    };
    match &asset.spec {
        AssetSpec::Ingest(spec) => {
            let files = context
                .prepared
                .files
                .get(name)
                .cloned()
                .ok_or_else(|| Failure::new(Exit::Failed, format!("the files of `{name}` were not looked at")))?;
            ingest::build(context, name, spec, files, step.partition.as_ref(), fingerprint, progress).await
        }
        AssetSpec::Features(spec) => kinds::features::build(context, name, spec, fingerprint, progress).await,
        AssetSpec::Export(spec) => {
            let (done, published) = kinds::export::build(context, name, spec, fingerprint, progress).await?;
            let state = PartitionState { published, failure: None };
            context.known.lock().observed.insert(name, None, state);
            Ok(done)
        }
        AssetSpec::Monitor(spec) => kinds::monitor::evaluate(context, spec).await,
    }
}

/// The published generation of a part, as it is now.
async fn live(context: &Context, step: &Step) -> Result<generation::Generation, Failure> {
    let all = generation::list(&context.client, &context.project.prefix, context.project.pipeline.name()).await?;
    let is_it = |generation: &generation::Generation| {
        generation.is_published && generation.meta.asset == step.asset && generation.meta.partition == step.partition
    };
    all.into_iter().find(is_it).ok_or_else(|| {
        let part = part_name(&step.asset, step.partition.as_ref());
        Failure::new(Exit::Failed, format!("{part} is no longer published"))
            .with_help(Some("run again to make it anew"))
    })
}

/// Notes that a generation fulfils those parts of its definition, as it now is, whose change
/// has the given effect. What else has changed is still to be done.
async fn fulfils(context: &Context, generation: &generation::Generation, done: Effect) -> Result<(), Failure> {
    let now = fingerprint(context, &generation.meta.asset);
    let before = generation.meta.fingerprint.parts().filter(|(part, _)| effect(part) != done);
    let parts: Map<String, Value> = before
        .chain(now.parts().filter(|(part, _)| effect(part) == done))
        .map(|(part, hash)| (part.to_owned(), json!(hash)))
        .collect();
    let fingerprint = serde_json::from_value(Value::Object(parts))
        .map_err(|error| Failure::new(Exit::Failed, format!("the definition cannot be noted: {error}")))?;
    let meta = GenerationMeta { fingerprint, ..generation.meta.clone() };
    generation::complete(&context.client, &generation.index, &meta).await
}

async fn update_in_place(context: &Context, step: &Step, names: &[String]) -> Result<Done, Failure> {
    let generation = live(context, step).await?;
    let wanted = match context.project.pipeline.asset(&step.asset).map(|asset| &asset.spec) {
        Some(AssetSpec::Ingest(spec)) => spec.index.flat_settings(),
        Some(AssetSpec::Features(spec)) => spec.index.flat_settings(),
        _ => Map::new(),
    };
    // A setting that is no longer given goes back to its default.
    let changed: Map<String, Value> =
        names.iter().map(|name| (name.clone(), wanted.get(name).cloned().unwrap_or(Value::Null))).collect();
    context.client.indices().put_settings(&generation.index, &changed).await?;
    fulfils(context, &generation, Effect::InPlace).await?;
    Ok(Done {
        detail: format!("{} set on {}", names.join(", "), generation.index),
        summary: json!({"index": generation.index, "settings": changed}),
        ..Done::default()
    })
}

async fn recheck(context: &Context, step: &Step) -> Result<Done, Failure> {
    let generation = live(context, step).await?;
    let Some(spec) = ingest::ingest_of(&context.project.pipeline, &step.asset) else { return Ok(Done::default()) };
    let id = spec.id.clone().unwrap_or_default();
    let warnings = checks::enforce(context, &generation.index, &id, &spec.checks).await?;
    fulfils(context, &generation, Effect::Recheck).await?;
    Ok(Done {
        detail: format!("{} passed", table::counted((spec.checks.len() - warnings.len()) as u64, "check")),
        summary: json!({"index": generation.index, "checks": spec.checks.len(), "warnings": warnings}),
        warnings,
        ..Done::default()
    })
}

async fn retire(context: &Context, step: &Step) -> Result<Done, Failure> {
    let generation = live(context, step).await?;
    generation::retire(&context.client, &context.project.prefix, &generation).await?;
    context.known.lock().observed.remove(&step.asset, step.partition.as_ref());
    let keep = context.project.kept_generations();
    generation::clean_up(&context.client, &context.project.prefix, &generation.meta, keep, &context.owner).await?;
    Ok(Done {
        detail: format!("readers no longer see {}", generation.index),
        summary: json!({"index": generation.index}),
        ..Done::default()
    })
}
