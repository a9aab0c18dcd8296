//! One step of a run: takes the lease of the part, decides again whether it is due, does the work
//! with retries, publishes, and records it. Nobody else publishes, or notes what is published.

use std::sync::Arc;
use std::time::{Duration, Instant};

use es_assets::{Action, Asset, Fingerprint, PartitionState, Published, Reason, Retries, Step, is_stale};
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::event::RunEvent;
use super::plan::{action_name, reasons, step_name};
use super::progress::Progress;
use super::run::{Finished, RunContext, StepEnd, is_interruption};
use crate::error::{Error, Result};
use crate::kinds::work::{NewGeneration, ReadyResult};
use crate::kinds::{AnyKind, Built, Outcome, Prepared, Verdict, Work, index};
use crate::settings::retry_policy;
use crate::store::generation::{self, Completion, Generation, GenerationMeta};
use crate::store::history::{RecordType, RunStatus, StepRecord, part_name};
use crate::store::lease::{Attempt, HeldLease};
use crate::terminal::table::took;

/// The time between two tries of a part that another run works on.
const POLL: Duration = Duration::from_millis(500);

/// Everything about a step that does not change while it runs.
pub(super) struct Subject<'a> {
    pub(super) context: &'a RunContext,
    step: &'a Step,
    pub(super) asset: &'a Asset,
    pub(super) kind: &'a Arc<dyn AnyKind>,
    pub(super) fingerprint: Fingerprint,
}

/// Performs a step, once there is a place for it in each of `places`. Its result is sent on and
/// recorded here.
pub(super) async fn perform(
    context: &RunContext,
    step: &Step,
    places: &[Arc<Semaphore>],
    skipped: impl Fn() -> Finished,
) -> Finished {
    let name = step_name(context.engine.project(), step);
    let action = action_name(&step.action);
    let mut started = Instant::now();
    let end = match Subject::of(context, step) {
        Err(error) => StepEnd::Failed(error),
        Ok(subject) => match subject.begin(places).await {
            Ok(None) => return skipped(),
            Ok(Some((lease, _permits))) => {
                started = Instant::now();
                let end = subject.work(&lease, started).await;
                lease.release().await;
                end
            }
            Err(error) => StepEnd::Failed(error),
        },
    };
    if let StepEnd::Failed(error) = &end {
        context.bus.send(RunEvent::StepFailed {
            step: name.clone(),
            status: if is_interruption(error) { "interrupted" } else { "failed" },
            error: error.to_string(),
            help: error.help().map(str::to_owned),
            diagnostics: error.diagnostics().cloned().map(Box::new),
        });
    }
    Finished { name, action, took: started.elapsed(), end }
}

impl<'a> Subject<'a> {
    fn of(context: &'a RunContext, step: &'a Step) -> Result<Self> {
        let asset = context.engine.project().pipeline.asset(&step.asset);
        let asset = asset.ok_or_else(|| Error::config(format!("there is no asset `{}`", step.asset)))?;
        let kind = context.engine.kinds().of(asset)?;
        Ok(Self { context, step, asset, kind, fingerprint: Fingerprint::of(asset) })
    }

    pub(super) fn part(&self) -> String {
        part_name(&self.step.asset, self.step.partition.as_ref())
    }

    /// Waits for a place and for the lease of the part. While another run has the lease, the place
    /// is left to other steps. None when the run was stopped meanwhile.
    async fn begin(&self, places: &[Arc<Semaphore>]) -> Result<Option<(HeldLease, Vec<OwnedSemaphorePermit>)>> {
        let cancel = &self.context.cancel;
        let leases = &self.context.engine.inner.leases;
        let mut waited_for: Option<String> = None;
        loop {
            let mut permits = Vec::new();
            for place in places {
                tokio::select! {
                    // The limits are never closed.
                    permit = place.clone().acquire_owned() => permits.extend(permit.ok()),
                    () = cancel.cancelled() => return Ok(None),
                }
            }
            if cancel.is_cancelled() {
                return Ok(None);
            }
            match leases.try_take(&self.part(), &self.context.run).await? {
                Attempt::Held(lease) => return Ok(Some((lease, permits))),
                Attempt::Taken(holder) => {
                    drop(permits);
                    if waited_for.as_deref() != Some(&holder.id) {
                        let step = step_name(self.context.engine.project(), self.step);
                        self.context.bus.send(RunEvent::StepWaiting { step, holder: holder.to_string() });
                        waited_for = Some(holder.id);
                    }
                }
            }
            tokio::select! {
                () = tokio::time::sleep(POLL) => {}
                () = cancel.cancelled() => return Ok(None),
            }
        }
    }

    /// Does the work under a lease.
    async fn work(&self, lease: &HeldLease, started: Instant) -> StepEnd {
        match self.is_due().await {
            Ok(true) => {}
            Ok(false) => {
                self.context.bus.send(self.finished_event("unchanged", &Built::default(), Duration::ZERO));
                return StepEnd::Unchanged;
            }
            Err(error) => return StepEnd::Failed(error),
        }
        let name = step_name(self.context.engine.project(), self.step);
        let (action, why) = (action_name(&self.step.action), reasons(&self.step.action));
        self.context.bus.send(RunEvent::StepStarted { step: name.clone(), action, reasons: why.clone() });
        info!(part = name.label(), action, "started");
        let history = self.context.engine.history();
        let mut record = self.record(name.kind, why);
        let outcome = match history.write_step(&record).await {
            Ok(()) => self.attempt(lease).await,
            Err(error) => Err(error.within("the history cannot be written")),
        };
        record.finished = Some(Timestamp::now());
        record.inputs = self.inputs();
        match &outcome {
            Ok(built) => {
                record.status = RunStatus::Succeeded;
                record.summary = built.summary.clone();
                record.report = built.report.clone();
                record.verdict = built.verdict;
                if matches!(built.outcome, Outcome::Evaluated) && self.asset.definition().is_evaluated() {
                    self.note_published(Some(record.published()));
                }
            }
            Err(error) => {
                record.status = if is_interruption(error) { RunStatus::Interrupted } else { RunStatus::Failed };
                record.error = Some(error.to_string());
            }
        }
        // The part itself is published or not, whatever the history says.
        if let Err(error) = history.write_step(&record).await {
            let warning = format!("the history cannot be written: {error}");
            self.context.bus.send(RunEvent::RunWarning { warning });
        }
        match outcome {
            Ok(built) => {
                self.context.bus.send(self.finished_event(action, &built, started.elapsed()));
                StepEnd::Succeeded(Box::new(built))
            }
            Err(error) => StepEnd::Failed(error),
        }
    }

    fn finished_event(&self, action: &'static str, built: &Built, took: Duration) -> RunEvent {
        RunEvent::StepFinished {
            step: step_name(self.context.engine.project(), self.step),
            action,
            rows: built.rows,
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            warnings: built.warnings.clone(),
            summary: built.summary.clone(),
            detail: built.detail.clone(),
            report: built.report.clone(),
        }
    }

    /// Returns whether the step still is to be done: another run may have done it since the plan,
    /// and what it was planned for may have turned out the same.
    async fn is_due(&self) -> Result<bool> {
        let (Action::Build { reasons } | Action::Evaluate { reasons }) = &self.step.action else { return Ok(true) };
        let now = self.context.engine.observer(self.context.now).asset(&self.step.asset).await?;
        let (name, partition) = (self.step.asset.as_str(), self.step.partition.as_ref());
        let found = now.states.get(name, partition).cloned();
        let before = {
            let mut known = self.context.known.lock();
            let before = known.observed.get(name, partition).cloned();
            match &found {
                Some(state) => known.observed.insert(name, partition.cloned(), state.clone()),
                None => known.observed.remove(name, partition),
            };
            before
        };
        let was_done_meanwhile = found != before;
        let may_be_the_same = reasons.iter().all(|reason| matches!(reason, Reason::UpstreamWillChange { .. }));
        if !was_done_meanwhile && !may_be_the_same {
            return Ok(true);
        }
        if was_done_meanwhile {
            self.adopt_inputs(&now.generations);
        }
        Ok(!is_stale(found.as_ref(), &self.fingerprint, &self.inputs()).is_empty())
    }

    /// Notes the versions of inputs that a generation of another run was built from, which this run
    /// may not have read.
    fn adopt_inputs(&self, of_asset: &[Generation]) {
        let Some(prepared) = self.context.prepared.get(&self.step.asset) else { return };
        let mut published = of_asset.iter().filter(|generation| generation.is_published);
        let of_part = published.find(|generation| generation.meta.partition == self.step.partition);
        if let Some(inputs) = of_part.and_then(|published| self.kind.inputs_of(prepared, published)) {
            let mut known = self.context.known.lock();
            known.external.insert(&self.step.asset, self.step.partition.clone(), inputs);
        }
    }

    fn inputs(&self) -> es_assets::Inputs {
        let context = self.context;
        let project = context.engine.project();
        context.known.inputs(project, &self.step.asset, self.step.partition.as_ref(), context.now)
    }

    fn record(&self, kind: &str, reasons: Vec<String>) -> StepRecord {
        StepRecord {
            run: self.context.run.clone(),
            pipeline: self.context.engine.project().pipeline.name().to_owned(),
            record: RecordType::Step,
            asset: self.step.asset.clone(),
            kind: kind.to_owned(),
            partition: self.step.partition.clone(),
            part: self.part(),
            status: RunStatus::Running,
            reasons,
            started: Timestamp::now(),
            finished: None,
            error: None,
            summary: Value::Null,
            fingerprint: self.fingerprint.clone(),
            inputs: Default::default(),
            report: None,
            verdict: Verdict::default(),
            acknowledged: None,
        }
    }

    /// Tries until it succeeds, the failure is one that a retry does not change, or the retries are
    /// used up.
    async fn attempt(&self, lease: &HeldLease) -> Result<Built> {
        let project = self.context.engine.project();
        let retries: Retries = self.asset.retries.unwrap_or(project.settings.defaults.retries);
        let policy = retry_policy(retries);
        let none = Prepared::default();
        let prepared = self.context.prepared.get(&self.step.asset).unwrap_or(&none);
        let total = prepared.rows_of(self.step.partition.as_ref());
        let mut tries = 0;
        loop {
            // Stopped when the run is stopped, and when the lease is lost.
            let cancel = self.context.cancel.child_token();
            let _watch = cancel_when(lease.lost().clone(), &cancel);
            let name = step_name(project, self.step);
            let progress = Progress::new(self.context.bus.clone(), name.clone(), total);
            let outcome = self.dispatch(lease, &cancel, &progress, prepared).await;
            let error = match outcome {
                Ok(built) => return Ok(built),
                // What is built under a lost lease is not ours to try again.
                Err(error) if lease.lost().is_cancelled() => {
                    lease.check().await?;
                    return Err(error);
                }
                Err(error) => error,
            };
            if !error.is_retryable() || tries >= retries.max || self.context.cancel.is_cancelled() {
                return Err(error);
            }
            let wait = policy.backoff.wait(tries, 0.5 + fastrand::f64() / 2.0).max(Duration::from_millis(100));
            let note = format!("will be tried again in {}: {error}", took(wait));
            self.context.bus.send(RunEvent::StepNote { step: name, note });
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.context.cancel.cancelled() => return Err(error),
            }
            tries += 1;
        }
    }

    async fn dispatch(
        &self,
        lease: &HeldLease,
        cancel: &CancellationToken,
        progress: &Progress,
        prepared: &Prepared,
    ) -> Result<Built> {
        match &self.step.action {
            Action::Build { .. } | Action::Evaluate { .. } => {
                if let Some(failure) = prepared.failure() {
                    return Err(failure.again());
                }
                let work = Work {
                    client: self.context.engine.client(),
                    project: self.context.engine.project(),
                    run: &self.context.run,
                    asset: &self.step.asset,
                    partition: self.step.partition.as_ref(),
                    fingerprint: &self.fingerprint,
                    now: self.context.now,
                    cancel,
                    progress,
                    lease,
                    memory: &self.context.engine.inner.memory,
                    prepared,
                    known: &self.context.known,
                };
                let mut built = self.kind.build(self.asset, &work).await?;
                self.publish(lease, &mut built).await?;
                Ok(built)
            }
            Action::UpdateInPlace { settings } => self.update_in_place(lease, settings).await,
            Action::Recheck => self.recheck(lease).await,
            Action::Retire => self.retire(lease).await,
            Action::Unchanged => Ok(Built::default()),
        }
    }

    /// Makes what was built visible to readers, and notes it.
    async fn publish(&self, lease: &HeldLease, built: &mut Built) -> Result<()> {
        if let Some(external) = built.external.take() {
            let mut known = self.context.known.lock();
            known.external.insert(&self.step.asset, self.step.partition.clone(), external);
        }
        match std::mem::take(&mut built.outcome) {
            Outcome::Evaluated => lease.check().await?,
            Outcome::Ready(ReadyResult { published, publish }) => {
                lease.check().await?;
                publish().await?;
                self.note_published(Some((*published).clone()));
                built.outcome = Outcome::Published(published);
            }
            Outcome::Published(published) => {
                self.note_published(Some((*published).clone()));
                built.outcome = Outcome::Published(published);
            }
            Outcome::Generation(new) => {
                let published = self.publish_generation(lease, *new).await?;
                self.note_published(Some(published.clone()));
                built.outcome = Outcome::Published(Box::new(published));
            }
        }
        Ok(())
    }

    async fn publish_generation(&self, lease: &HeldLease, new: NewGeneration) -> Result<Published> {
        let (client, prefix) = (self.context.engine.client(), &self.context.engine.project().prefix);
        let complete = Completion {
            inputs: new.inputs.unwrap_or_else(|| self.inputs()),
            version: new.version,
            rows: new.rows,
            files: new.files,
        };
        let meta = GenerationMeta { complete: Some(complete), ..self.meta(lease) };
        // Checks took their time, and another process may have resumed the load since.
        lease.check().await?;
        generation::complete(client, &new.index, &meta).await?;
        lease.check().await?;
        generation::publish(client, prefix, &new.index, &meta).await?;
        if let Some(on_published) = new.on_published {
            on_published();
        }
        let of_part = generation::list_part(client, prefix, &meta).await?;
        let keep = self.context.engine.project().kept_generations();
        generation::clean_up(client, &of_part, keep, |_| false).await?;
        index::remove_pipelines(client, prefix, &of_part).await;
        let published = of_part.iter().find(|generation| generation.index == new.index);
        published
            .and_then(Generation::published)
            .ok_or_else(|| Error::failed(format!("{} is gone right after it was published", new.index)).retryable(true))
    }

    /// The metadata of a generation of this part that is not complete.
    pub(super) fn meta(&self, lease: &HeldLease) -> GenerationMeta {
        GenerationMeta {
            pipeline: self.context.engine.project().pipeline.name().to_owned(),
            asset: self.step.asset.clone(),
            partition: self.step.partition.clone(),
            fingerprint: self.fingerprint.clone(),
            run: self.context.run.clone(),
            fence: lease.fence(),
            complete: None,
        }
    }

    pub(super) fn note_published(&self, published: Option<Published>) {
        let mut known = self.context.known.lock();
        let partition = self.step.partition.as_ref();
        match published {
            Some(published) => {
                let state = PartitionState { published: Some(published), failure: None };
                known.observed.insert(&self.step.asset, partition.cloned(), state)
            }
            None => known.observed.remove(&self.step.asset, partition),
        };
    }
}

/// Cancels a token when another one is cancelled, until the guard is dropped.
fn cancel_when(cause: CancellationToken, token: &CancellationToken) -> tokio_util::task::AbortOnDropHandle<()> {
    let token = token.clone();
    tokio_util::task::AbortOnDropHandle::new(tokio::spawn(async move {
        cause.cancelled().await;
        token.cancel();
    }))
}
