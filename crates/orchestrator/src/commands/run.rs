//! `run`: brings assets up to date.

use std::sync::Arc;
use std::time::Instant;

use es_assets::Action;
use tokio_util::sync::CancellationToken;

use crate::engine::plan::refuse_unmet;
use crate::engine::standing::Standing;
use crate::engine::{Engine, Finished, RunEnd, RunOptions, Scope, StepEnd};
use crate::error::{Error, ErrorKind, Result};
use crate::exit::Exit;
use crate::project::Project;
use crate::terminal::diagnostics::render;
use crate::terminal::logging::colour;
use crate::terminal::reporter::Reporter;
use crate::terminal::results::CommandResult;
use crate::terminal::table::{Align, Table, count, counted, took};

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
        reporter.json(&CommandResult::RunFinished {
            run: String::new(),
            exit_code: exit.code(),
            succeeded: 0,
            unchanged,
            failed: 0,
            took_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
        let parts = counted(unchanged as u64, "part");
        reporter.result(&format!("nothing to do: everything is up to date ({parts})\n"));
        standing_lines(&standing, None, reporter);
        return Ok(exit);
    }
    let end = engine.run(planned, RunOptions { cancel, sinks: reporter.sinks() }).await?;
    let standing = end.still_standing(standing);
    Ok(show(&engine, &end, unchanged, &standing, reporter))
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
pub(super) fn show(
    engine: &Engine,
    end: &RunEnd,
    unchanged: usize,
    standing: &[Standing],
    reporter: &Reporter,
) -> Exit {
    let exit = exit_of(end).and(exit_of_standing(standing));
    let number = |wanted: fn(&StepEnd) -> bool| end.steps.iter().filter(|step| wanted(&step.end)).count();
    let succeeded = number(|end| matches!(end, StepEnd::Succeeded(_)));
    let unchanged = unchanged + number(|end| matches!(end, StepEnd::Unchanged));
    let failed = number(|end| matches!(end, StepEnd::Failed(_) | StepEnd::Skipped(_)));
    reporter.json(&CommandResult::RunFinished {
        run: end.run.clone(),
        exit_code: exit.code(),
        succeeded,
        unchanged,
        failed,
        took_ms: u64::try_from(end.took.as_millis()).unwrap_or(u64::MAX),
    });
    let mut table = Table::new(&[
        ("part", Align::Left),
        ("result", Align::Left),
        ("rows", Align::Right),
        ("took", Align::Right),
        ("", Align::Left),
    ]);
    for step in &end.steps {
        table.row(row(step));
    }
    reporter.result(&table.to_string());
    for step in &end.steps {
        let StepEnd::Succeeded(built) = &step.end else { continue };
        if let Some(report) = &built.report
            && let Some(text) = report_text(engine.project(), &step.name.asset, report)
        {
            reporter.result(&format!("\n{}: {text}", step.name.label()));
        }
    }
    if !reporter.is_json() {
        for step in &end.steps {
            if let StepEnd::Failed(error) = &step.end {
                let text = render(error, colour(std::io::IsTerminal::is_terminal(&std::io::stderr())), true);
                eprint!("{}", text.replacen("error", &format!("error in {}", step.name.label()), 1));
            }
        }
    }
    standing_lines(standing, None, reporter);
    let ending = match exit {
        Exit::Interrupted => "interrupted; what was published stays, and the next run resumes",
        _ if failed > 0 => "failed; readers of what failed see what they saw before",
        Exit::CheckFailed => "done; a monitor found drift",
        Exit::NotMeasured => "done; a monitor could not be measured",
        _ => "done",
    };
    reporter.result(&format!(
        "\nrun {}: {succeeded} done, {unchanged} unchanged, {failed} not done, in {}: {ending}\n",
        end.run,
        took(end.took)
    ));
    exit
}

fn row(step: &Finished) -> [String; 5] {
    let (result, rows, detail) = match &step.end {
        StepEnd::Succeeded(built) => {
            let result = if built.warnings.is_empty() { step.action } else { "warned" };
            let detail = match built.warnings.first() {
                Some(warning) => warning.clone(),
                None => built.detail.clone(),
            };
            (result.replace('_', " "), built.rows, detail)
        }
        StepEnd::Unchanged => ("unchanged".to_owned(), None, "what it is made of turned out the same".to_owned()),
        StepEnd::Failed(error) if error.kind() == ErrorKind::Interrupted => {
            ("interrupted".to_owned(), None, error.to_string())
        }
        StepEnd::Failed(_) => ("failed".to_owned(), None, "see below".to_owned()),
        StepEnd::Skipped(why) => ("skipped".to_owned(), None, why.clone()),
    };
    [step.name.label(), result, rows.map(count).unwrap_or_default(), took(step.took), detail]
}

/// The report of an evaluation, as the kind of the asset shows it.
pub(super) fn report_text(project: &Project, asset: &str, report: &serde_json::Value) -> Option<String> {
    project.kinds.of(project.pipeline.asset(asset)?).ok()?.report(report)
}
