//! From a pipeline to a plan: looks at what is published and at the files, and changes
//! nothing.

use std::sync::Arc;

use es_assets::{Action, AssetKind, AssetState, PartitionFilter, Plan, PlanRequest, Selection, Step, plan};
use es_core::Client;
use jiff::Timestamp;

use crate::failure::{Exit, Failure};
use crate::kinds::ingest::{Prepared, ingest_of, prepare};
use crate::project::Project;
use crate::store::observe::{Observed, observe};
use crate::terminal::event::StepName;

/// Which part of the pipeline is meant.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// The assets, as a selector; all without one.
    pub select: Option<String>,
    /// The partitions.
    pub partitions: PartitionFilter,
    /// Whether to make everything anew, up to date or not.
    pub full_refresh: bool,
}

/// A plan, with what it was made from.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// What is published.
    pub observed: Observed,
    /// The files.
    pub prepared: Prepared,
    /// The moment taken for the present.
    pub now: Timestamp,
}

/// Makes a plan.
///
/// # Errors
/// When the scope names nothing, files do not fit the pipeline, or Elasticsearch cannot be
/// asked.
pub async fn make_plan(project: &Arc<Project>, client: &Client, scope: &Scope) -> Result<Planned, Failure> {
    let now = Timestamp::now();
    let pipeline = &project.pipeline;
    let selection = match &scope.select {
        Some(text) => Selection::parse(text)?,
        None => Selection::all(),
    };
    // A name that does not exist is told before anything is asked.
    let unconditional: Vec<&str> = selection.select(pipeline, &|_, _| true)?;
    let observed = observe(client, pipeline, &project.folder, &project.prefix).await?;
    let prepared = prepare(project.clone(), &unconditional, &observed.generations, now).await?;
    let request = |selected, partitions, full_refresh| PlanRequest {
        pipeline,
        selected,
        partitions,
        full_refresh,
        observed: &observed.states,
        external: &prepared.external,
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
    let plan = plan(&request(&selected, &scope.partitions, scope.full_refresh))?;
    Ok(Planned { plan, observed, prepared, now })
}

/// Refuses a plan that needs what is not there.
///
/// # Errors
/// Names what is needed, and the selector that takes it along.
pub fn refuse_unmet(plan: &Plan) -> Result<(), Failure> {
    let Some(unmet) = plan.unmet.first() else { return Ok(()) };
    let message = format!("`{}` needs `{}`, of which nothing is published", unmet.asset, unmet.needs);
    let help = format!("take what it needs along, as in: orchestrator run +{}", unmet.asset);
    Err(Failure::new(Exit::Failed, message).with_help(Some(help)))
}

/// The partition filter of the command line.
///
/// # Errors
/// When a text is no time and no partition.
pub fn partition_filter(
    partition: Option<&str>,
    from: Option<&str>,
    to: Option<&str>,
) -> Result<PartitionFilter, Failure> {
    Ok(match (partition, from, to) {
        (Some(key), _, _) => PartitionFilter::One(es_assets::PartitionKey::from_text(key)),
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

/// How a step is named in events and on the terminal.
pub fn step_name(project: &Project, step: &Step) -> StepName {
    let kind = project.pipeline.graph().kind(&step.asset).map_or("", AssetKind::as_str);
    StepName { asset: step.asset.clone(), partition: step.partition.as_ref().map(ToString::to_string), kind }
}

/// Where the mapping of a published `ingest` generation differs from what the definition
/// and the files now mean, field by field.
pub fn mapping_changes(planned: &Planned, project: &Project, step: &Step) -> Vec<String> {
    let Some(files) = planned.prepared.files.get(&step.asset) else { return Vec::new() };
    if ingest_of(&project.pipeline, &step.asset).is_none() {
        return Vec::new();
    }
    let live = planned.observed.generations.iter().find(|generation| {
        generation.is_published && generation.meta.asset == step.asset && generation.meta.partition == step.partition
    });
    live.map(|live| live.mapping.diff(&files.mapping).changes.iter().map(ToString::to_string).collect())
        .unwrap_or_default()
}
