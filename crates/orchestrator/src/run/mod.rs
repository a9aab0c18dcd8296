//! A run: does what a plan says, in the order of the graph, side by side where it allows.

mod step;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use es_assets::{Action, AssetKind, Plan, Step};
use es_core::Client;
use jiff::Timestamp;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::context::{Context, Known, State};
use crate::disk;
use crate::failure::{Exit, Failure, What};
use crate::kinds::Done;
use crate::planning::{Planned, step_name};
use crate::project::Project;
use crate::store::owner::Owner;
use crate::store::runs::RunStore;
use crate::terminal::event::{Event, StepName};
use crate::terminal::reporter::Reporter;

/// Why a step was not begun.
const STOPPED: &str = "the run was stopped before it";

/// What became of a step.
#[derive(Debug)]
pub enum StepEnd {
    /// It was done.
    Succeeded(Done),
    /// It turned out that nothing was to be done.
    Unchanged,
    /// It failed or was interrupted.
    Failed(Failure),
    /// It was left out, as a step that it needs failed, or the run was stopped before it.
    Skipped(String),
}

/// A step with its end.
#[derive(Debug)]
pub struct Finished {
    /// Its name.
    pub name: StepName,
    /// What was to be done.
    pub action: &'static str,
    /// How long it took.
    pub took: Duration,
    /// What became of it.
    pub end: StepEnd,
}

/// What became of a run.
#[derive(Debug)]
pub struct RunEnd {
    /// The run.
    pub run: String,
    /// The steps that were to do something, in the order they ended.
    pub steps: Vec<Finished>,
    /// The exit code.
    pub exit: Exit,
    /// How long it took.
    pub took: Duration,
}

/// Does what a plan says.
///
/// # Errors
/// Only where the run cannot begin; what fails on the way is in the [`RunEnd`].
pub async fn execute(
    project: Arc<Project>,
    client: Client,
    planned: Planned,
    reporter: Reporter,
    cancel: CancellationToken,
) -> Result<RunEnd, Failure> {
    let started = Instant::now();
    let now = planned.now;
    if project.settings.run.disk_check && writes_documents(&project, &planned.plan) {
        disk::require_room(&client, &reporter).await?;
    }
    let store = RunStore::new(client.clone(), &project.prefix, project.pipeline.name());
    store.prepare().await?;
    let run = run_name(now);
    reporter.event(&Event::RunStarted {
        run: run.clone(),
        pipeline: project.pipeline.name().to_owned(),
        steps: planned.plan.pending().count(),
    });
    let known = Known::new(State { observed: planned.observed.states, external: planned.prepared.external.clone() });
    let context = Arc::new(Context {
        client,
        store,
        run: run.clone(),
        owner: Owner::this(now),
        now,
        cancel,
        reporter,
        known,
        prepared: planned.prepared,
        project,
    });
    let steps = schedule(context.clone(), &planned.plan).await;
    let mut exit = steps.iter().map(exit_of).fold(Exit::Done, Exit::and);
    if context.cancel.is_cancelled() {
        exit = Exit::Interrupted;
    }
    Ok(RunEnd { run, steps, exit, took: started.elapsed() })
}

/// Whether anything of a plan makes an index.
fn writes_documents(project: &Project, plan: &Plan) -> bool {
    let makes_index = |asset: &str| project.pipeline.graph().kind(asset).is_some_and(AssetKind::is_index);
    plan.pending().any(|step| matches!(step.action, Action::Build { .. }) && makes_index(&step.asset))
}

/// A name that sorts by time and that two runs hardly share.
pub(crate) fn run_name(now: Timestamp) -> String {
    let second = now.strftime("%Y%m%dt%H%M%S");
    let distinction = (now.subsec_nanosecond().unsigned_abs() ^ std::process::id()) & 0xffff;
    format!("{second}-{distinction:04x}")
}

fn exit_of(finished: &Finished) -> Exit {
    match &finished.end {
        StepEnd::Succeeded(done) => done.report.as_deref().map_or(Exit::Done, crate::kinds::monitor::exit),
        StepEnd::Failed(failure) => failure.exit,
        StepEnd::Unchanged | StepEnd::Skipped(_) => Exit::Done,
    }
}

/// Starts each asset when those that it needs have ended, a limited number at once.
async fn schedule(context: Arc<Context>, plan: &Plan) -> Vec<Finished> {
    let mut waiting: Vec<(String, Vec<Step>)> = Vec::new();
    for step in plan.pending() {
        match waiting.iter_mut().find(|(asset, _)| *asset == step.asset) {
            Some((_, steps)) => steps.push(step.clone()),
            None => waiting.push((step.asset.clone(), vec![step.clone()])),
        }
    }
    let planned: Vec<String> = waiting.iter().map(|(asset, _)| asset.clone()).collect();
    // Whether everything of an asset ended well.
    let mut ended: BTreeMap<String, bool> = BTreeMap::new();
    let mut running = JoinSet::new();
    let mut finished = Vec::new();
    let limit = context.project.settings.run.concurrency.max(1) as usize;
    loop {
        let mut place = 0;
        while place < waiting.len() {
            let upstream = context.project.pipeline.graph().upstream(&waiting[place].0);
            let needs: Vec<&str> =
                upstream.into_iter().filter(|name| planned.iter().any(|other| other == name)).collect();
            let failed = needs.iter().find(|name| ended.get(**name) == Some(&false)).map(|name| (*name).to_owned());
            let is_ready = needs.iter().all(|name| ended.contains_key(*name));
            if context.cancel.is_cancelled() || failed.is_some() {
                let (asset, steps) = waiting.remove(place);
                let why = match failed {
                    Some(needed) if !context.cancel.is_cancelled() => format!("`{needed}`, which it needs, failed"),
                    _ => STOPPED.to_owned(),
                };
                finished.extend(steps.iter().map(|step| skipped(&context, step, &why)));
                ended.insert(asset, false);
                place = 0;
            } else if is_ready && running.len() < limit {
                let (asset, steps) = waiting.remove(place);
                let context = context.clone();
                running.spawn(async move { (asset, asset_steps(context, steps).await) });
            } else {
                place += 1;
            }
        }
        match running.join_next().await {
            Some(Ok((asset, steps))) => {
                let well = steps.iter().all(|step| !matches!(step.end, StepEnd::Failed(_) | StepEnd::Skipped(_)));
                ended.insert(asset, well);
                finished.extend(steps);
            }
            // A panic of a step is a defect; the rest goes on as far as it can.
            Some(Err(error)) => finished.push(defect(&error.to_string())),
            None => {
                // Only after a defect does something still wait for what will never end.
                let left = waiting.iter().flat_map(|(_, steps)| steps);
                finished.extend(left.map(|step| skipped(&context, step, "what it needs did not end")));
                return finished;
            }
        }
    }
}

/// The steps of one asset, one after the other. A failure does not stop the other
/// partitions, an interruption does.
async fn asset_steps(context: Arc<Context>, steps: Vec<Step>) -> Vec<Finished> {
    let mut finished = Vec::new();
    for step in steps {
        if context.cancel.is_cancelled() {
            finished.push(skipped(&context, &step, STOPPED));
            continue;
        }
        finished.push(step::perform(&context, &step).await);
    }
    finished
}

fn skipped(context: &Context, step: &Step, why: &str) -> Finished {
    let name = step_name(&context.project, step);
    context.reporter.event(&Event::StepFailed {
        step: name.clone(),
        status: "skipped",
        error: why.to_owned(),
        help: None,
    });
    Finished {
        name,
        action: crate::planning::action_name(&step.action),
        took: Duration::ZERO,
        end: StepEnd::Skipped(why.to_owned()),
    }
}

fn defect(error: &str) -> Finished {
    let failure = Failure::new(Exit::Failed, format!("a step ended in a defect of this program: {error}"))
        .with_help(Some("please report it, with the log of `-vv`"));
    Finished {
        name: StepName { asset: String::new(), partition: None, kind: "" },
        action: "build",
        took: Duration::ZERO,
        end: StepEnd::Failed(failure),
    }
}

/// The next step of a failure, for a person.
pub(crate) fn help_of(failure: &Failure) -> Option<String> {
    match &failure.what {
        What::Message { help, .. } => help.clone(),
        What::Diagnostics(_) => None,
    }
}
