//! `run`: brings assets up to date.

use std::sync::Arc;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use crate::failure::{Exit, Failure};
use crate::planning::{Scope, make_plan, refuse_unmet};
use crate::project::Project;
use crate::run::{Finished, RunEnd, StepEnd, execute};
use crate::store::generation::{Generation, clean_up_all};
use crate::store::loads::LoadFile;
use crate::store::owner::Owner;
use crate::terminal::diagnostics::render;
use crate::terminal::event::Event;
use crate::terminal::logging::colour;
use crate::terminal::reporter::{Reporter, label};
use crate::terminal::table::{Align, Table, count, counted, took};

pub(super) async fn run(project: Arc<Project>, scope: Scope, reporter: &Reporter) -> Result<Exit, Failure> {
    let started = Instant::now();
    let cancel = listen_for_interrupts(reporter);
    let planned = tokio::select! {
        planned = async {
            let client = project.connect().await?;
            let planned = make_plan(&project, &client, &scope).await?;
            Ok::<_, Failure>((client, planned))
        } => planned?,
        () = cancel.cancelled() => return Err(Failure::interrupted_early()),
    };
    let (client, planned) = planned;
    refuse_unmet(&planned.plan)?;
    let unchanged = planned.plan.steps.iter().filter(|step| step.action == es_assets::Action::Unchanged).count();
    let keep = project.kept_generations();
    let is_wanted = |generation: &Generation| {
        let is_part =
            |step: &es_assets::Step| step.asset == generation.meta.asset && step.partition == generation.meta.partition;
        planned.plan.pending().any(is_part) && LoadFile::new(&project.folder, &generation.index).exists()
    };
    clean_up_all(&client, &planned.observed.generations, keep, &Owner::this(planned.now), is_wanted).await?;
    if planned.plan.is_empty() {
        reporter.event(&Event::RunFinished {
            run: String::new(),
            exit_code: 0,
            succeeded: 0,
            unchanged,
            failed: 0,
            took_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
        let parts = counted(unchanged as u64, "part");
        reporter.result(&format!("nothing to do: everything is up to date ({parts})\n"));
        return Ok(Exit::Done);
    }
    let end = execute(project, client, planned, reporter.clone(), cancel).await?;
    show(&end, unchanged, reporter);
    Ok(end.exit)
}

/// Tells what became of a run.
pub(super) fn show(end: &RunEnd, unchanged: usize, reporter: &Reporter) {
    let of = |wanted: fn(&StepEnd) -> bool| end.steps.iter().filter(|step| wanted(&step.end)).count();
    let succeeded = of(|end| matches!(end, StepEnd::Succeeded(_)));
    let unchanged = unchanged + of(|end| matches!(end, StepEnd::Unchanged));
    let failed = of(|end| matches!(end, StepEnd::Failed(_) | StepEnd::Skipped(_)));
    reporter.event(&Event::RunFinished {
        run: end.run.clone(),
        exit_code: end.exit.code(),
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
    for report in end.steps.iter().filter_map(|step| match &step.end {
        StepEnd::Succeeded(done) => done.report.as_deref().map(|report| (step, report)),
        _ => None,
    }) {
        let (step, report) = report;
        reporter.result(&monitor_text(&label(&step.name), report));
    }
    if !reporter.is_json() {
        for step in &end.steps {
            if let StepEnd::Failed(failure) = &step.end {
                let text = render(failure, colour(std::io::IsTerminal::is_terminal(&std::io::stderr())), true);
                eprint!("{}", text.replacen("error", &format!("error in {}", label(&step.name)), 1));
            }
        }
    }
    let ending = match end.exit {
        Exit::Interrupted => "interrupted; what was published stays, and the next run carries on",
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
}

fn row(step: &Finished) -> [String; 5] {
    let (result, rows, detail) = match &step.end {
        StepEnd::Succeeded(done) => {
            let result = if done.warnings.is_empty() { step.action } else { "warned" };
            let detail = match done.warnings.first() {
                Some(warning) => warning.clone(),
                None => done.detail.clone(),
            };
            (result.replace('_', " "), done.rows, detail)
        }
        StepEnd::Unchanged => ("unchanged".to_owned(), None, "what it is made of turned out the same".to_owned()),
        StepEnd::Failed(failure) if failure.exit == Exit::Interrupted => {
            ("interrupted".to_owned(), None, failure.summary())
        }
        StepEnd::Failed(_) => ("failed".to_owned(), None, "see below".to_owned()),
        StepEnd::Skipped(why) => ("skipped".to_owned(), None, why.clone()),
    };
    [label(&step.name), result, rows.map(count).unwrap_or_default(), took(step.took), detail]
}

/// A monitor's report, a line a field.
pub(super) fn monitor_text(name: &str, report: &es_monitor::Report) -> String {
    let mut text = format!("\n{name}: {report}\n");
    for field in &report.fields {
        text.push_str(&format!("  {field}\n"));
    }
    text
}

/// Ctrl-C and SIGTERM stop a run after what is under way is settled; a second one stops the
/// program at once.
pub(super) fn listen_for_interrupts(reporter: &Reporter) -> CancellationToken {
    let cancel = CancellationToken::new();
    let (token, reporter) = (cancel.clone(), reporter.clone());
    tokio::spawn(async move {
        if interrupt().await {
            reporter.note("interrupted: settling what is under way; again to stop at once");
            token.cancel();
        }
        if interrupt().await {
            std::process::exit(i32::from(Exit::Interrupted.code()));
        }
    });
    cancel
}

#[cfg(unix)]
async fn interrupt() -> bool {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            pressed = tokio::signal::ctrl_c() => pressed.is_ok(),
            told = terminate.recv() => told.is_some(),
        },
        Err(_) => tokio::signal::ctrl_c().await.is_ok(),
    }
}

#[cfg(not(unix))]
async fn interrupt() -> bool {
    tokio::signal::ctrl_c().await.is_ok()
}
