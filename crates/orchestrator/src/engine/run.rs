//! A run: does what a plan says, in the order of the graph. The unit is a step, one part of an asset:
//! steps run side by side as far as the limits allow, each once everything that its asset needs has
//! succeeded.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use es_assets::{Action, Output, Plan, Step};
use es_bulk::ingest::CheckpointFile;
use jiff::Timestamp;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::bus::Bus;
use super::event::{RunEvent, StepName};
use super::known::Known;
use super::plan::{Planned, action_name, external, step_name};
use super::{Engine, PreparedAssets, RunOptions, step};
use crate::disk;
use crate::error::{Error, ErrorKind, Result};
use crate::kinds::Built;
use crate::store::generation::{self, Generation};
use crate::store::history::{RecordType, RunRecord, RunStatus, part_name};
use crate::store::lease::Attempt;

/// Why a step did not start.
const STOPPED: &str = "the run was stopped before it";

/// The result of a step.
#[derive(Debug)]
pub enum StepEnd {
    /// It did its work.
    Succeeded(Box<Built>),
    /// It turned out that nothing was to be done.
    Unchanged,
    /// It failed or was interrupted.
    Failed(Error),
    /// It did not start, as a step that it needs failed, or the run was stopped before it.
    Skipped(String),
}

impl StepEnd {
    /// Returns whether what needs the step can start.
    fn is_well(&self) -> bool {
        matches!(self, Self::Succeeded(_) | Self::Unchanged)
    }
}

/// A step with its result.
#[derive(Debug)]
pub struct Finished {
    /// Its name.
    pub name: StepName,
    /// The action.
    pub action: &'static str,
    /// The duration.
    pub took: Duration,
    /// The result.
    pub end: StepEnd,
}

/// The result of a run.
#[derive(Debug)]
pub struct RunEnd {
    /// The run.
    pub run: String,
    /// The steps that were to do something, in the order of the plan.
    pub steps: Vec<Finished>,
    /// It was stopped.
    pub interrupted: bool,
    /// The duration.
    pub took: Duration,
}

/// The state that the steps of one run share.
pub(super) struct RunContext {
    pub(super) engine: Engine,
    pub(super) run: String,
    pub(super) now: Timestamp,
    pub(super) cancel: CancellationToken,
    pub(super) bus: Bus,
    pub(super) prepared: PreparedAssets,
    pub(super) known: Known,
    /// One lock for each asset whose partitions follow each other.
    in_turn: HashMap<String, Arc<Mutex<()>>>,
}

impl Engine {
    /// Does what a plan says.
    ///
    /// # Errors
    /// Only when the run cannot start; what fails on the way is in the [`RunEnd`].
    pub async fn run(&self, planned: Planned, options: RunOptions) -> Result<RunEnd> {
        let started = Instant::now();
        let (bus, draining) = Bus::to(options.sinks);
        let result = self.run_with(planned, options.cancel, bus, started).await;
        // The last copy of the bus went with the run.
        draining.finish().await;
        result
    }

    async fn run_with(
        &self,
        planned: Planned,
        cancel: CancellationToken,
        bus: Bus,
        started: Instant,
    ) -> Result<RunEnd> {
        let inner = &*self.inner;
        let now = Timestamp::now();
        if inner.project.settings.run.disk_check && self.writes_documents(&planned.plan) {
            let tell = |warning: &str| bus.send(RunEvent::RunWarning { warning: warning.to_owned() });
            disk::require_room(&inner.client, tell).await?;
        }
        inner.history.prepare().await?;
        inner.leases.prepare().await?;
        self.clean_up(&planned).await?;
        let run = uuid::Uuid::now_v7().to_string();
        let mut record = self.record(&run, &planned.plan, now);
        inner.history.write_run(&record).await?;
        bus.send(RunEvent::RunStarted {
            run: run.clone(),
            pipeline: inner.project.pipeline.name().to_owned(),
            steps: record.steps,
        });
        let Planned { plan, observed, prepared, now, .. } = planned;
        let external = external(&prepared);
        let context = Arc::new(RunContext {
            engine: self.clone(),
            run: run.clone(),
            now,
            cancel,
            bus,
            prepared,
            known: Known::new(observed.states, external),
            in_turn: self.in_turn(&plan),
        });
        let steps = in_order_of(&plan, schedule(&context, &plan).await);
        let interrupted = context.cancel.is_cancelled();
        self.close(&mut record, &steps, interrupted, &context.bus).await;
        Ok(RunEnd { run, steps, interrupted, took: started.elapsed() })
    }

    /// Returns whether anything of a plan builds an index.
    fn writes_documents(&self, plan: &Plan) -> bool {
        let pipeline = &self.inner.project.pipeline;
        let has_documents = |name: &str| pipeline.asset(name).is_some_and(|asset| asset.output() == Output::Documents);
        plan.pending().any(|step| matches!(step.action, Action::Build { .. }) && has_documents(&step.asset))
    }

    fn in_turn(&self, plan: &Plan) -> HashMap<String, Arc<Mutex<()>>> {
        let inner = &*self.inner;
        let follow_each_other = |name: &str| {
            let kind = inner.project.pipeline.asset(name).and_then(|asset| inner.project.kinds.of(asset).ok());
            kind.is_some_and(|kind| kind.limits().one_partition_at_a_time)
        };
        let assets = plan.changed_assets().into_iter().filter(|name| follow_each_other(name));
        assets.map(|name| (name.to_owned(), Arc::default())).collect()
    }

    /// Removes what processes left that were killed before they cleaned up, of parts that nobody
    /// works on. Loads that the plan resumes are kept.
    ///
    /// # Errors
    /// When Elasticsearch cannot be asked.
    pub async fn clean_up(&self, planned: &Planned) -> Result<()> {
        let inner = &*self.inner;
        let (keep, checkpoints) = (inner.project.kept_generations(), inner.project.checkpoints());
        let is_wanted = |generation: &Generation| {
            let is_part =
                |step: &Step| step.asset == generation.meta.asset && step.partition == generation.meta.partition;
            planned.plan.pending().any(is_part) && CheckpointFile::new(&checkpoints, &generation.index).exists()
        };
        let parts = generation::parts_to_clean(&planned.observed.generations, keep, is_wanted);
        if !parts.is_empty() {
            inner.leases.prepare().await?;
        }
        for meta in parts {
            let part = part_name(&meta.asset, meta.partition.as_ref());
            let Attempt::Held(lease) = inner.leases.try_take(&part, "clean-up").await? else { continue };
            // What the plan observed may have changed until the lease was taken.
            let now = generation::list_part(&inner.client, &inner.project.prefix, &meta).await?;
            let cleaned = generation::clean_up(&inner.client, &now, keep, is_wanted).await;
            lease.release().await;
            cleaned?;
        }
        Ok(())
    }

    fn record(&self, run: &str, plan: &Plan, now: Timestamp) -> RunRecord {
        let host = hostname::get().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let steps = plan.pending().count();
        RunRecord {
            run: run.to_owned(),
            pipeline: self.inner.project.pipeline.name().to_owned(),
            record: RecordType::Run,
            status: RunStatus::Running,
            started: now,
            finished: None,
            steps,
            succeeded: 0,
            unchanged: plan.steps.len() - steps,
            failed: 0,
            host,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// Notes the end of a run in the history, and removes records that are too old. Neither changes
    /// what was done.
    async fn close(&self, record: &mut RunRecord, steps: &[Finished], interrupted: bool, bus: &Bus) {
        let count = |wanted: fn(&StepEnd) -> bool| steps.iter().filter(|step| wanted(&step.end)).count();
        record.finished = Some(Timestamp::now());
        record.succeeded = count(|end| matches!(end, StepEnd::Succeeded(_)));
        record.unchanged += count(|end| matches!(end, StepEnd::Unchanged));
        record.failed = count(|end| !end.is_well());
        record.status = match (interrupted, record.failed) {
            (true, _) => RunStatus::Interrupted,
            (false, 0) => RunStatus::Succeeded,
            _ => RunStatus::Failed,
        };
        let history = &self.inner.history;
        if let Err(error) = history.write_run(record).await {
            bus.send(RunEvent::RunWarning { warning: format!("the history cannot be written: {error}") });
        }
        let keep = self.inner.project.settings.run.history.to_duration();
        if let Ok(keep) = jiff::SignedDuration::try_from(keep)
            && let Err(error) = history.remove_older_than(keep, record.started).await
        {
            warn!(%error, "old records of the history cannot be removed");
        }
    }
}

fn in_order_of(plan: &Plan, mut finished: Vec<Finished>) -> Vec<Finished> {
    let places: HashMap<(&str, Option<String>), usize> = plan
        .steps
        .iter()
        .enumerate()
        .map(|(place, step)| ((step.asset.as_str(), step.partition.as_ref().map(ToString::to_string)), place))
        .collect();
    finished.sort_by_key(|step| places.get(&(step.name.asset.as_str(), step.name.partition.clone())).copied());
    finished
}

/// Starts each step when the steps of all assets that it needs have succeeded.
async fn schedule(context: &Arc<RunContext>, plan: &Plan) -> Vec<Finished> {
    let mut waiting: Vec<Step> = plan.pending().cloned().collect();
    // For each asset of the plan, its steps that have not ended, and whether one went wrong.
    let mut open: BTreeMap<String, (usize, bool)> = BTreeMap::new();
    for step in &waiting {
        open.entry(step.asset.clone()).or_default().0 += 1;
    }
    let upstream: HashMap<String, Vec<String>> = open
        .keys()
        .map(|name| {
            let needs = context.engine.project().pipeline.graph().upstream(name);
            let planned = needs.into_iter().filter(|needed| open.contains_key(*needed));
            (name.clone(), planned.map(str::to_owned).collect())
        })
        .collect();
    let mut running = JoinSet::new();
    let mut finished = Vec::new();
    loop {
        let mut still_waiting = Vec::new();
        let mut has_skipped = false;
        for step in waiting {
            let needs = upstream.get(&step.asset).map_or(&[][..], Vec::as_slice);
            let failed = needs.iter().find(|name| open.get(*name).is_some_and(|(_, is_bad)| *is_bad));
            let is_ready = needs.iter().all(|name| open.get(name).is_none_or(|(left, _)| *left == 0));
            if context.cancel.is_cancelled() || failed.is_some() {
                let why = match failed {
                    Some(needed) if !context.cancel.is_cancelled() => format!("`{needed}`, which it needs, failed"),
                    _ => STOPPED.to_owned(),
                };
                finished.push(skipped(context, &step, &why));
                close_step(&mut open, &step.asset, false);
                has_skipped = true;
            } else if is_ready {
                let context = context.clone();
                let mut work = Box::pin(async move { (step.asset.clone(), one(&context, &step).await) });
                // Steps queue for the limits in the order of the plan: here each joins the queue.
                let first = futures::poll!(work.as_mut());
                running.spawn(async move {
                    match first {
                        Poll::Ready(done) => done,
                        Poll::Pending => work.await,
                    }
                });
            } else {
                still_waiting.push(step);
            }
        }
        waiting = still_waiting;
        if has_skipped && !waiting.is_empty() {
            continue;
        }
        match running.join_next().await {
            Some(Ok((asset, step))) => {
                close_step(&mut open, &asset, step.end.is_well());
                finished.push(step);
            }
            // A panic of a step is a defect; the rest goes on as far as it can.
            Some(Err(error)) => finished.push(defect(&error)),
            None => {
                // Only after a defect does a step still wait for one that never ends.
                finished.extend(waiting.iter().map(|step| skipped(context, step, "what it needs did not end")));
                return finished;
            }
        }
    }
}

fn close_step(open: &mut BTreeMap<String, (usize, bool)>, asset: &str, is_well: bool) {
    if let Some((left, is_bad)) = open.get_mut(asset) {
        *left = left.saturating_sub(1);
        *is_bad |= !is_well;
    }
}

/// One step, within the limits. A step that waits for another run holds no place.
async fn one(context: &RunContext, step: &Step) -> Finished {
    let _turn = match context.in_turn.get(&step.asset) {
        Some(turn) => Some(turn.lock().await),
        None => None,
    };
    let limits = &context.engine.inner.limits;
    let kind = context.engine.project().pipeline.graph().kind(&step.asset).unwrap_or_default();
    let places: Vec<Arc<Semaphore>> =
        [limits.by_kind.get(kind).cloned(), Some(limits.all.clone())].into_iter().flatten().collect();
    step::perform(context, step, &places, || skipped(context, step, STOPPED)).await
}

fn skipped(context: &RunContext, step: &Step, why: &str) -> Finished {
    let name = step_name(context.engine.project(), step);
    context.bus.send(RunEvent::StepFailed {
        step: name.clone(),
        status: "skipped",
        error: why.to_owned(),
        help: None,
        diagnostics: None,
    });
    let end = StepEnd::Skipped(why.to_owned());
    Finished { name, action: action_name(&step.action), took: Duration::ZERO, end }
}

fn defect(error: &tokio::task::JoinError) -> Finished {
    Finished {
        name: StepName { asset: String::new(), partition: None, kind: "" },
        action: "build",
        took: Duration::ZERO,
        end: StepEnd::Failed(Error::defect("a step", error)),
    }
}

/// Returns whether an error is an interruption.
pub(super) fn is_interruption(error: &Error) -> bool {
    error.kind() == ErrorKind::Interrupted
}
