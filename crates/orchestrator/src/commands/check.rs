//! `check`: checks and monitors on what is published.

use std::sync::Arc;

use es_assets::{Action, AssetKind, AssetSpec, Plan, Reason, Step};

use super::run::{listen_for_interrupts, show};
use crate::failure::{Exit, Failure};
use crate::planning::{Scope, make_plan, refuse_unmet};
use crate::project::Project;
use crate::run::execute;
use crate::terminal::reporter::Reporter;

pub(super) async fn check(project: Arc<Project>, select: Option<String>, reporter: &Reporter) -> Result<Exit, Failure> {
    let cancel = listen_for_interrupts(reporter);
    let client = project.connect().await?;
    let scope = Scope { select, ..Scope::default() };
    let mut planned = make_plan(&project, &client, &scope).await?;
    refuse_unmet(&planned.plan)?;
    let published = |step: &&Step| {
        let state = planned.observed.states.get(&step.asset, step.partition.as_ref());
        state.is_some_and(|state| state.published.is_some())
    };
    let mut steps = Vec::new();
    for step in &planned.plan.steps {
        let kind = project.pipeline.graph().kind(&step.asset);
        let has_checks = match project.pipeline.asset(&step.asset).map(|asset| &asset.spec) {
            Some(AssetSpec::Ingest(ingest)) => !ingest.checks.is_empty(),
            _ => false,
        };
        let action = match kind {
            Some(AssetKind::Monitor) => Action::Evaluate { reasons: vec![Reason::Requested] },
            _ if has_checks && published(&step) => Action::Recheck,
            _ => continue,
        };
        steps.push(Step { action, ..step.clone() });
    }
    if steps.is_empty() {
        reporter.result("nothing to check: no monitor, and no published asset with checks, is selected\n");
        return Ok(Exit::Done);
    }
    planned.plan = Plan { steps, ..Plan::default() };
    let end = execute(project, client, planned, reporter.clone(), cancel).await?;
    show(&end, 0, reporter);
    Ok(end.exit)
}
