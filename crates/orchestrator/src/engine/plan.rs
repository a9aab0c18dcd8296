//! From a pipeline to a plan: observes what is published and inspects what assets are made of, and
//! changes nothing.

use std::sync::Arc;

use es_assets::{
    Action, AssetState, Fingerprint, Inputs, PartitionFilter, PartitionKey, PerPartition, Plan, PlanRequest, Reason,
    Selection, Step, plan,
};
use futures::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{Engine, PreparedAssets, StepName};
use crate::error::{Error, ErrorKind, Result};
use crate::kinds::{Preparation, Prepared};
use crate::project::Project;
use crate::store::generation::Generation;
use crate::store::history::StepRecord;
use crate::store::observe::{Observed, Observer};

/// Assets that are inspected at once, before a plan.
const PREPARED_AT_ONCE: usize = 4;

/// The part of the pipeline that is meant.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// The assets, as a selector; all without one.
    pub select: Option<String>,
    /// The partitions.
    pub partitions: PartitionFilter,
    /// Build everything again, up to date or not.
    pub full_refresh: bool,
}

impl Scope {
    /// The assets of a selector.
    pub fn of(select: Option<String>) -> Self {
        Self { select, ..Self::default() }
    }
}

/// A plan, with what it was made from.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// The published state.
    pub observed: Observed,
    /// The findings of the kinds.
    pub prepared: PreparedAssets,
    /// The moment taken for the present.
    pub now: Timestamp,
}

impl Planned {
    /// The assets that cannot be inspected and will fail, in the order of their names, with the reasons.
    pub fn failures(&self) -> Vec<(&str, &Error)> {
        let failure = |(name, prepared)| Some((String::as_str(name), Prepared::failure(prepared)?));
        let mut failures: Vec<(&str, &Error)> = self.prepared.iter().filter_map(failure).collect();
        failures.sort_by_key(|(name, _)| *name);
        failures
    }
}

/// Returns whether a failure to inspect an asset leaves the others as they are.
fn concerns_one_asset(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Config | ErrorKind::Failed) && !error.is_retryable()
}

impl Engine {
    pub(super) fn observer(&self, now: Timestamp) -> Observer<'_> {
        Observer { client: &self.inner.client, project: &self.inner.project, now }
    }

    /// Plans a run.
    ///
    /// # Errors
    /// When the scope names nothing, what an asset is made of does not fit its definition, or
    /// Elasticsearch cannot be asked.
    pub async fn plan(&self, scope: &Scope, cancel: &CancellationToken) -> Result<Planned> {
        tokio::select! {
            planned = self.plan_now(scope, cancel) => planned,
            () = cancel.cancelled() => Err(Error::interrupted_early()),
        }
    }

    async fn plan_now(&self, scope: &Scope, cancel: &CancellationToken) -> Result<Planned> {
        let now = Timestamp::now();
        let pipeline = &self.inner.project.pipeline;
        let selection = match &scope.select {
            Some(text) => Selection::parse(text)?,
            None => Selection::all(),
        };
        // An unknown name is reported before anything is asked.
        let unconditional: Vec<&str> = selection.select(pipeline, &|_, _| true)?;
        let observed = self.observer(now).all().await?;
        let prepared = self.prepare(&unconditional, &observed, now, cancel).await?;
        let external = external(&prepared);
        let request = |selected, partitions, full_refresh| PlanRequest {
            pipeline,
            selected,
            partitions,
            full_refresh,
            observed: &observed.states,
            external: &external,
            now,
        };
        let selected = if selection.needs_state() {
            let whole = plan(&request(&unconditional, &PartitionFilter::All, false))?;
            let has_state = |name: &str, state: AssetState| match state {
                AssetState::Changed => whole.pending().any(|step| step.asset == name),
                AssetState::Failed => observed.states.of(name).any(|(_, part)| part.failure.is_some()),
            };
            selection.select(pipeline, &has_state)?
        } else {
            unconditional.clone()
        };
        let mut plan = plan(&request(&selected, &scope.partitions, scope.full_refresh))?;
        self.note_failures(&mut plan, &prepared);
        let planned = Planned { plan, observed, prepared, now };
        // Where nothing else is planned, there is no plan.
        match planned.failures().as_slice() {
            failures @ [(_, first), ..] if failures.len() == planned.prepared.len() => Err(first.again()),
            _ => Ok(planned),
        }
    }

    /// Makes the steps of assets that cannot be inspected ones that will fail.
    fn note_failures(&self, plan: &mut Plan, prepared: &PreparedAssets) {
        for step in &mut plan.steps {
            let failure = prepared.get(&step.asset).and_then(|prepared| prepared.failure.as_ref());
            let Some(error) = failure.map(ToString::to_string) else { continue };
            let reasons = vec![Reason::CannotBeInspected { error }];
            let asset = self.inner.project.pipeline.asset(&step.asset);
            let is_evaluated = asset.is_some_and(|asset| asset.definition().is_evaluated());
            step.action = match step.action {
                Action::Build { .. } | Action::Evaluate { .. } | Action::Unchanged if is_evaluated => {
                    Action::Evaluate { reasons }
                }
                Action::Build { .. } | Action::Evaluate { .. } | Action::Unchanged => Action::Build { reasons },
                _ => continue,
            };
        }
    }

    /// Lets the kinds inspect what the selected assets are made of, several at once.
    async fn prepare(
        &self,
        selected: &[&str],
        observed: &Observed,
        now: Timestamp,
        cancel: &CancellationToken,
    ) -> Result<PreparedAssets> {
        let names: Vec<String> = selected.iter().map(|name| (*name).to_owned()).collect();
        futures::stream::iter(names)
            .map(|name| async move {
                let prepared = match self.prepare_one(&name, observed, now, cancel).await {
                    Err(error) if concerns_one_asset(&error) => {
                        Prepared { failure: Some(Arc::new(error)), ..Prepared::default() }
                    }
                    prepared => prepared?,
                };
                Ok((name, prepared))
            })
            .buffer_unordered(PREPARED_AT_ONCE)
            .try_collect()
            .await
    }

    async fn prepare_one(
        &self,
        name: &str,
        observed: &Observed,
        now: Timestamp,
        cancel: &CancellationToken,
    ) -> Result<Prepared> {
        let project = &self.inner.project;
        let Some(asset) = project.pipeline.asset(name) else { return Ok(Prepared::default()) };
        let is_mine = |generation: &&Generation| generation.is_published && generation.meta.asset == name;
        let published: Vec<Generation> = observed.generations.iter().filter(is_mine).cloned().collect();
        let successes: Vec<StepRecord> =
            observed.successes.iter().filter(|record| record.asset == name).cloned().collect();
        let around = Preparation {
            client: &self.inner.client,
            published: &published,
            states: &observed.states,
            successes: &successes,
            fingerprint: &Fingerprint::of(asset),
            now,
            cancel,
        };
        self.inner.project.kinds.of(asset)?.prepare(project, name, asset, &around).await
    }

    /// The steps that check what is published and evaluate what gives verdicts, and change nothing
    /// else.
    ///
    /// # Errors
    /// As [`Engine::plan`].
    pub async fn plan_checks(&self, scope: &Scope, cancel: &CancellationToken) -> Result<Planned> {
        let mut planned = self.plan(scope, cancel).await?;
        refuse_unmet(&planned.plan)?;
        let mut steps: Vec<Step> = Vec::new();
        for step in &planned.plan.steps {
            let Some(asset) = self.inner.project.pipeline.asset(&step.asset) else { continue };
            let state = planned.observed.states.get(&step.asset, step.partition.as_ref());
            let is_published = state.is_some_and(|state| state.published.is_some());
            let action = if asset.definition().is_evaluated() {
                Action::Evaluate { reasons: vec![Reason::Requested] }
            } else if is_published && !self.inner.project.kinds.of(asset)?.checks(asset).is_empty() {
                Action::Recheck
            } else {
                continue;
            };
            let is_there = |other: &Step| other.asset == step.asset && other.partition == step.partition;
            if !steps.iter().any(is_there) {
                steps.push(Step { action, ..step.clone() });
            }
        }
        planned.plan = Plan { steps, ..Plan::default() };
        Ok(planned)
    }
}

/// The versions of what no asset gives, as the kinds found them.
pub(super) fn external(prepared: &PreparedAssets) -> PerPartition<Inputs> {
    let mut external = PerPartition::new();
    for (name, prepared) in prepared {
        for (partition, inputs) in &prepared.inputs {
            external.insert(name, partition.clone(), inputs.clone());
        }
    }
    external
}

/// Refuses a plan that needs what is not there.
///
/// # Errors
/// Names what is needed, and the selector that includes it.
pub fn refuse_unmet(plan: &Plan) -> Result<()> {
    let Some(unmet) = plan.unmet.first() else { return Ok(()) };
    let message = format!("`{}` needs `{}`, of which nothing is published", unmet.asset, unmet.needs);
    let help = format!("include what it needs, as in: orchestrator run +{}", unmet.asset);
    Err(Error::new(ErrorKind::Failed, message).with_help(Some(help)))
}

/// The partition filter of a request.
///
/// # Errors
/// When a text is not a time and not a partition.
pub fn partition_filter(partition: Option<&str>, from: Option<&str>, to: Option<&str>) -> Result<PartitionFilter> {
    Ok(match (partition, from, to) {
        (Some(key), _, _) => PartitionFilter::One(PartitionKey::from_text(key)),
        (None, None, None) => PartitionFilter::All,
        (None, from, to) => PartitionFilter::range(from, to)?,
    })
}

/// The name of an action, as events have it.
pub fn action_name(action: &Action) -> &'static str {
    match action {
        Action::Build { .. } => "build",
        Action::Evaluate { .. } => "evaluate",
        Action::UpdateInPlace { .. } => "update_in_place",
        Action::Recheck => "recheck",
        Action::Retire => "retire",
        Action::Unchanged => "unchanged",
    }
}

/// Why an action is in a plan, in words.
pub fn reasons(action: &Action) -> Vec<String> {
    match action {
        Action::Build { reasons } | Action::Evaluate { reasons } => reasons.iter().map(ToString::to_string).collect(),
        Action::UpdateInPlace { settings } => vec![format!("settings changed: {}", settings.join(", "))],
        Action::Recheck => vec!["checks changed".to_owned()],
        Action::Retire => vec!["no longer declared".to_owned()],
        Action::Unchanged => Vec::new(),
    }
}

/// The name of a step in events and on the terminal.
pub fn step_name(project: &Project, step: &Step) -> StepName {
    let kind = project.pipeline.graph().kind(&step.asset).unwrap_or_default();
    StepName { asset: step.asset.clone(), partition: step.partition.as_ref().map(ToString::to_string), kind }
}

/// The differences between the mapping of a published generation and the one that a build would
/// give it, field by field.
pub fn mapping_changes(planned: &Planned, step: &Step) -> Vec<String> {
    let mapping = planned.prepared.get(&step.asset).and_then(|prepared| prepared.mapping.as_ref());
    let Some(mapping) = mapping else { return Vec::new() };
    let live = planned.observed.generations.iter().find(|generation| {
        generation.is_published && generation.meta.asset == step.asset && generation.meta.partition == step.partition
    });
    let changes = live.map(|live| live.mapping.diff(mapping).changes).unwrap_or_default();
    changes.iter().map(ToString::to_string).collect()
}
