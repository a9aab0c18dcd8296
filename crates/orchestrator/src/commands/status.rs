//! `status`: the state of each asset.

use std::sync::Arc;

use es_assets::Action;
use jiff::Timestamp;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::run::{connect, own_words, standing_lines};
use crate::engine::plan::reasons;
use crate::engine::{Planned, Scope};
use crate::error::Result;
use crate::exit::Exit;
use crate::project::Project;
use crate::store::history::StepRecord;
use crate::terminal::moments::{Clock, zone_line};
use crate::terminal::monitors::{MonitorLine, text};
use crate::terminal::reporter::Reporter;
use crate::terminal::results::CommandResult;
use crate::terminal::screen::Screen;
use crate::terminal::table::{Align, Cell, Table, count};
use crate::terminal::text::{Tone, paragraph};

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
    let clock = Clock::of(&project.pipeline);
    let screen = Screen::stdout();
    let mut table = Table::new(&[
        ("asset", Align::Name),
        ("kind", Align::Left),
        ("parts", Align::Right),
        ("rows", Align::Right),
        ("state", Align::Left),
        ("last made", Align::Left),
    ]);
    let (mut reasons, mut monitors, mut reports) = (String::new(), Vec::new(), Vec::new());
    let mut shows_times = false;
    for name in names {
        let status = status_of(&project, &planned, name);
        let made = status.last_made.map(|moment| clock.minute(moment));
        shows_times |= made.is_some();
        table.row([
            name.into(),
            status.kind.into(),
            format!("{}/{}", status.published, status.declared).into(),
            status.rows.map(count).unwrap_or_default().into(),
            Cell::toned(status.state, tone(status.state)),
            made.unwrap_or_default().into(),
        ]);
        if let Some(why) = status.reasons.first() {
            reasons.push_str(&paragraph(&format!("{name}: {why}"), 2, &screen));
        }
        if let Some(report) = &status.report {
            match MonitorLine::of(name, report, &clock, reporter.is_verbose()) {
                Some(line) => monitors.push(line),
                None => reports.extend(own_words(&project, name, name, report)),
            }
        }
        reporter.json(&CommandResult::AssetStatus {
            asset: name.to_owned(),
            kind: status.kind,
            published: status.published,
            declared: status.declared,
            rows: status.rows,
            state: status.state,
            reasons: status.reasons,
            last_made: status.last_made.map(|moment| moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
            report: status.report,
        });
    }
    let mut blocks = vec![table.fit(&screen), reasons];
    if monitors.is_empty() && shows_times {
        blocks[0].push_str(&zone_line(&clock, &screen));
    }
    blocks.push(text(&monitors, &clock, &screen));
    blocks.extend(reports);
    blocks.retain(|block| !block.is_empty());
    reporter.result(&blocks.join("\n"));
    standing_lines(&planned.standing(), None, reporter);
    Ok(Exit::Done)
}

fn tone(state: &str) -> Tone {
    match state {
        "failed" => Tone::Bad,
        "up to date" => Tone::Good,
        _ => Tone::Warning,
    }
}

struct Status {
    kind: &'static str,
    published: usize,
    declared: usize,
    rows: Option<u64>,
    state: &'static str,
    reasons: Vec<String>,
    last_made: Option<Timestamp>,
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
        last_made: newest.map(|record| record.finished.unwrap_or(record.started)),
        report: newest.and_then(|record| record.report.clone()),
    }
}
