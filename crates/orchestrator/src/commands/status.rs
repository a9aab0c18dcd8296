//! `status`: the state of each asset.

use std::sync::Arc;

use es_assets::Action;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::run::{connect, report_text, standing_lines};
use crate::engine::plan::reasons;
use crate::engine::{Planned, Scope};
use crate::error::Result;
use crate::exit::Exit;
use crate::project::Project;
use crate::store::history::StepRecord;
use crate::terminal::reporter::Reporter;
use crate::terminal::results::CommandResult;
use crate::terminal::table::{Align, Table, count};

pub(super) async fn status(
    project: Arc<Project>,
    select: Option<String>,
    reporter: &Reporter,
    cancel: CancellationToken,
) -> Result<Exit> {
    let engine = connect(project.clone(), &cancel).await?;
    let planned = engine.plan(&Scope::of(select), &cancel).await?;
    let mut names: Vec<&str> = planned.plan.steps.iter().map(|step| step.asset.as_str()).collect();
    names.dedup();
    let mut table = Table::new(&[
        ("asset", Align::Left),
        ("kind", Align::Left),
        ("parts", Align::Right),
        ("rows", Align::Right),
        ("state", Align::Left),
        ("last made", Align::Left),
        ("why", Align::Left),
    ]);
    let mut reports = String::new();
    for name in names {
        let status = status_of(&project, &planned, name);
        table.row([
            name.to_owned(),
            status.kind.to_owned(),
            format!("{}/{}", status.published, status.declared),
            status.rows.map(count).unwrap_or_default(),
            status.state.to_owned(),
            status.last_made.clone().unwrap_or_default(),
            status.reasons.first().cloned().unwrap_or_default(),
        ]);
        if let Some(text) = status.report.as_ref().and_then(|report| report_text(&project, name, report)) {
            reports.push_str(&format!("\n{name}: {text}"));
        }
        reporter.json(&CommandResult::AssetStatus {
            asset: name.to_owned(),
            kind: status.kind,
            published: status.published,
            declared: status.declared,
            rows: status.rows,
            state: status.state,
            reasons: status.reasons,
            last_made: status.last_made,
            report: status.report,
        });
    }
    reporter.result(&table.to_string());
    reporter.result(&reports);
    standing_lines(&planned.standing(), None, reporter);
    Ok(Exit::Done)
}

struct Status {
    kind: &'static str,
    published: usize,
    declared: usize,
    rows: Option<u64>,
    state: &'static str,
    reasons: Vec<String>,
    last_made: Option<String>,
    report: Option<Value>,
}

fn status_of(project: &Project, planned: &Planned, name: &str) -> Status {
    let states: Vec<_> = planned.observed.states.of(name).map(|(_, state)| state).collect();
    let published = states.iter().filter(|state| state.published.is_some()).count();
    let steps: Vec<_> = planned.plan.steps.iter().filter(|step| step.asset == name).collect();
    let rows: Vec<u64> =
        states.iter().filter_map(|state| state.published.as_ref()).filter_map(|published| published.rows).collect();
    let mut reasons: Vec<String> = steps.iter().flat_map(|step| reasons(&step.action)).collect();
    reasons.dedup();
    let is_current = steps.iter().all(|step| step.action == Action::Unchanged);
    let has_failed = states.iter().any(|state| state.failure.is_some());
    let newest: Option<&StepRecord> =
        planned.observed.successes.iter().filter(|record| record.asset == name).max_by_key(|record| record.started);
    Status {
        kind: project.pipeline.graph().kind(name).unwrap_or_default(),
        published,
        declared: steps.iter().filter(|step| step.action != Action::Retire).count(),
        rows: (!rows.is_empty()).then(|| rows.iter().sum()),
        state: match (has_failed, is_current, published) {
            (true, _, _) => "failed",
            (_, true, _) => "up to date",
            (_, _, 0) => "missing",
            _ => "stale",
        },
        reasons,
        last_made: newest
            .map(|record| record.finished.unwrap_or(record.started).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        report: newest.and_then(|record| record.report.clone()),
    }
}
