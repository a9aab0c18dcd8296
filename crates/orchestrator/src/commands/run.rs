//! `run`: brings assets up to date.

use std::sync::Arc;
use std::time::Instant;

use es_assets::{Action, Step};
use tokio_util::sync::CancellationToken;

use crate::engine::plan::refuse_unmet;
use crate::engine::standing::Standing;
use crate::engine::{Engine, Finished, Planned, RunEnd, RunOptions, Scope, StepEnd};
use crate::error::{Error, ErrorKind, Result};
use crate::exit::Exit;
use crate::project::Project;
use crate::terminal::diagnostics::in_step;
use crate::terminal::live::PlannedAsset;
use crate::terminal::moments::Clock;
use crate::terminal::monitors::MonitorLine;
use crate::terminal::report::{RunReport, Totals, accounting, assets, failure, is_verdict};
use crate::terminal::reporter::Reporter;
use crate::terminal::results::CommandResult;
use crate::terminal::screen::Screen;
use crate::terminal::sinks::Spans;
use crate::terminal::table::counted;

pub(super) async fn run(
    project: Arc<Project>,
    scope: Scope,
    reporter: &Reporter,
    cancel: CancellationToken,
) -> Result<Exit> {
    let started = Instant::now();
    let engine = connect(project, &cancel).await?;
    let planned = engine.plan(&scope, &cancel).await?;
    refuse_unmet(&planned.plan)?;
    let unchanged = planned.plan.steps.iter().filter(|step| step.action == Action::Unchanged).count();
    let standing = planned.standing();
    if planned.plan.is_empty() {
        engine.clean_up(&planned).await?;
        let exit = exit_of_standing(&standing);
        let parts = counted(unchanged as u64, "part");
        reporter.result(&format!("nothing to do: everything is up to date ({parts})\n"));
        standing_lines(&standing, None, reporter);
        reporter.json(&CommandResult::RunFinished {
            run: String::new(),
            exit_code: exit.code(),
            succeeded: 0,
            unchanged,
            failed: 0,
            took_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
        return Ok(exit);
    }
    execute(&engine, planned, unchanged, standing, reporter, cancel).await
}

/// Does what a plan says, and shows the result, with the verdicts that stood before where they still do.
pub(super) async fn execute(
    engine: &Engine,
    planned: Planned,
    unchanged: usize,
    standing: Vec<Standing>,
    reporter: &Reporter,
    cancel: CancellationToken,
) -> Result<Exit> {
    let spans = Spans::default();
    let mut sinks = reporter.sinks(&planned_assets(&planned));
    sinks.push(spans.sink());
    let end = engine.run(planned, RunOptions { cancel, sinks }).await?;
    let standing = end.still_standing(standing);
    Ok(show(engine, &end, unchanged, &standing, &spans, reporter))
}

/// The assets that a plan does something with.
fn planned_assets(planned: &Planned) -> Vec<PlannedAsset> {
    let pending: Vec<&Step> = planned.plan.pending().collect();
    let part = |step: &&Step| {
        let prepared = planned.prepared.get(&step.asset);
        let rows = prepared.and_then(|prepared| prepared.rows_of(step.partition.as_ref()));
        (step.partition.as_ref().map(ToString::to_string), rows)
    };
    let assets = pending.chunk_by(|one, next| one.asset == next.asset);
    assets.map(|steps| PlannedAsset { name: steps[0].asset.clone(), parts: steps.iter().map(part).collect() }).collect()
}

/// Shows verdicts that stand, or that were just acknowledged by somebody.
pub(super) fn standing_lines(standing: &[Standing], acknowledged_by: Option<&str>, reporter: &Reporter) {
    for one in standing {
        reporter.json(&CommandResult::VerdictStands {
            part: one.part.clone(),
            verdict: one.verdict,
            run: one.run.clone(),
            since: one.since.to_string(),
            acknowledged_by: acknowledged_by.map(str::to_owned),
        });
        match acknowledged_by {
            Some(by) => reporter.result(&format!("{one}; acknowledged by {by}\n")),
            None => reporter.result(&format!("{one}; `orchestrator ack` takes note of it\n")),
        }
    }
}

fn exit_of_standing(standing: &[Standing]) -> Exit {
    standing.iter().map(|one| Exit::from(one.verdict)).fold(Exit::Done, Exit::and)
}

/// Connects, unless it is interrupted before.
pub(super) async fn connect(project: Arc<Project>, cancel: &CancellationToken) -> Result<Engine> {
    tokio::select! {
        engine = Engine::connect(project) => engine,
        () = cancel.cancelled() => Err(Error::interrupted_early()),
    }
}

/// The exit code of a run: that of the gravest result of its steps.
fn exit_of(end: &RunEnd) -> Exit {
    let of_step = |step: &Finished| match &step.end {
        StepEnd::Succeeded(built) => Exit::from(built.verdict),
        StepEnd::Failed(error) => Exit::from(error),
        StepEnd::Unchanged | StepEnd::Skipped(_) => Exit::Done,
    };
    let exit = end.steps.iter().map(of_step).fold(Exit::Done, Exit::and);
    if end.interrupted { Exit::Interrupted } else { exit }
}

/// Shows the result of a run, and returns its exit code.
fn show(
    engine: &Engine,
    end: &RunEnd,
    unchanged: usize,
    standing: &[Standing],
    spans: &Spans,
    reporter: &Reporter,
) -> Exit {
    let exit = exit_of(end).and(exit_of_standing(standing));
    let totals = Totals::of(&end.steps, unchanged, end.took);
    if !reporter.is_json() {
        show_report(engine.project(), end, totals, exit, spans, reporter);
    }
    standing_lines(standing, None, reporter);
    reporter.json(&CommandResult::RunFinished {
        run: end.run.clone(),
        exit_code: exit.code(),
        succeeded: totals.made,
        unchanged: totals.unchanged,
        failed: totals.not_made(),
        took_ms: u64::try_from(end.took.as_millis()).unwrap_or(u64::MAX),
    });
    exit
}

/// Shows the result of a run to a person.
fn show_report(project: &Project, end: &RunEnd, totals: Totals, exit: Exit, spans: &Spans, reporter: &Reporter) {
    if !reporter.tells_events() {
        print_failures(&end.steps);
    }
    let clock = Clock::of(&project.pipeline);
    let mut report = RunReport { assets: assets(&end.steps, |name| spans.of(name)), totals, ..RunReport::default() };
    for step in end.steps.iter().filter(|step| is_verdict(step)) {
        let StepEnd::Succeeded(built) = &step.end else { continue };
        let Some(found) = &built.report else { continue };
        let name = step.name.label();
        match MonitorLine::of(&name, found, &clock, reporter.is_verbose()) {
            Some(line) => report.monitors.push(line),
            None => report.reports.extend(own_words(project, &step.name.asset, &name, found)),
        }
    }
    let screen = Screen::stdout();
    // On a terminal the result follows the lines that were printed during the run.
    let gap = if screen.shortens && reporter.tells_events() { "\n" } else { "" };
    reporter.result(&format!("{gap}{}", report.text(exit, &clock, &screen)));
}

/// Prints failures and warnings after a run that did not print them as they came.
fn print_failures(steps: &[Finished]) {
    let screen = Screen::stderr();
    for step in steps {
        let label = step.name.label();
        match &step.end {
            StepEnd::Failed(error) if error.kind() == ErrorKind::Interrupted => {}
            StepEnd::Failed(error) => match error.diagnostics() {
                Some(diagnostics) => eprint!("{}", in_step(&label, diagnostics, &screen)),
                None => eprint!("{}", failure(&label, &error.to_string(), error.help(), &screen)),
            },
            StepEnd::Succeeded(built) => {
                for warning in built.warnings.iter().cloned().chain(accounting(&built.summary)) {
                    eprintln!("warning: {label}: {warning}");
                }
            }
            StepEnd::Unchanged | StepEnd::Skipped(_) => {}
        }
    }
}

/// The report of an evaluation, as the kind of the asset shows it.
pub(super) fn own_words(project: &Project, asset: &str, name: &str, report: &serde_json::Value) -> Option<String> {
    let text = project.kinds.of(project.pipeline.asset(asset)?).ok()?.report(report)?;
    Some(format!("{name}: {text}"))
}
