//! `runs`: the history.

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use jiff::Timestamp;

use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::project::Project;
use crate::store::history::{History, RunRecord, RunStatus, StepRecord};
use crate::terminal::moments::{Clock, zone_line};
use crate::terminal::plan::in_words;
use crate::terminal::reporter::Reporter;
use crate::terminal::results::CommandResult;
use crate::terminal::screen::Screen;
use crate::terminal::table::{Align, Cell, Table, took};
use crate::terminal::text::Tone;

pub(super) async fn runs(project: Arc<Project>, id: Option<&str>, limit: usize, reporter: &Reporter) -> Result<Exit> {
    let client = project.connect().await?;
    let store = History::new(client, &project.prefix, project.pipeline.name());
    let (clock, screen) = (Clock::of(&project.pipeline), Screen::stdout());
    if reporter.is_json() {
        let records = store.steps(id, limit).await?;
        require(&records, id)?;
        for record in records {
            reporter.json(&CommandResult::RunRecord {
                run: record.run,
                part: Some(record.part),
                status: record.status,
                started: record.started.to_string(),
                error: record.error,
                summary: record.summary,
            });
        }
    } else if id.is_some() {
        // The limit is for lists of runs: a run is shown whole.
        let mut records = store.steps(id, usize::MAX).await?;
        require(&records, id)?;
        records.reverse();
        reporter.result(&steps_text(&records, &clock, &screen));
    } else {
        reporter.result(&runs_text(&store.runs(limit).await?, &clock, &screen));
    }
    Ok(Exit::Done)
}

/// Fails where a run was asked for of which there is nothing.
fn require(records: &[StepRecord], id: Option<&str>) -> Result<()> {
    match id.filter(|_| records.is_empty()) {
        Some(id) => Err(Error::config(format!("there is no run {id}")).with_help(Some("`runs` lists them"))),
        None => Ok(()),
    }
}

/// A run a line, newest first.
fn runs_text(runs: &[RunRecord], clock: &Clock, screen: &Screen) -> String {
    if runs.is_empty() {
        return "no runs yet\n".to_owned();
    }
    let mut table =
        Table::new(&[("run", Align::Left), ("started", Align::Left), ("time", Align::Right), ("result", Align::Left)]);
    for run in runs {
        let result = match run.status {
            RunStatus::Succeeded => format!("{} made", run.succeeded),
            RunStatus::Failed => format!("{} failed", run.failed),
            RunStatus::Interrupted | RunStatus::Running => run.status.to_string(),
        };
        table.row([
            run.run.as_str().into(),
            clock.minute(run.started).into(),
            spent(Some(run.started), run.finished).map(took).unwrap_or_default().into(),
            Cell::toned(result, tone(run.status)),
        ]);
    }
    table.fit(screen) + &zone_line(clock, screen)
}

/// An asset of one run a line, and each partition that did not succeed. The records are in the order
/// in which they started.
fn steps_text(records: &[StepRecord], clock: &Clock, screen: &Screen) -> String {
    let mut assets: IndexMap<&str, Vec<&StepRecord>> = IndexMap::new();
    for record in records {
        assets.entry(&record.asset).or_default().push(record);
    }
    let mut table = Table::new(&[
        ("asset", Align::Name),
        ("parts", Align::Right),
        ("time", Align::Right),
        ("result", Align::Left),
        ("why", Align::Text),
    ]);
    let why = |record: &StepRecord| record.error.clone().unwrap_or_else(|| in_words(&record.reasons));
    for (asset, steps) in assets {
        let is_well = |step: &&&StepRecord| step.status == RunStatus::Succeeded;
        let worst = steps.iter().find(|step| step.status != RunStatus::Succeeded).unwrap_or(&steps[0]);
        let end = steps.iter().map(|step| step.finished).max().flatten();
        let has_lines = steps.len() > 1 && worst.status != RunStatus::Succeeded;
        table.row([
            asset.into(),
            format!("{}/{}", steps.iter().filter(is_well).count(), steps.len()).into(),
            spent(Some(steps[0].started), end).map(took).unwrap_or_default().into(),
            Cell::toned(worst.status.to_string(), tone(worst.status)),
            if has_lines { String::new() } else { why(worst) }.into(),
        ]);
        for step in steps.iter().filter(|step| has_lines && step.status != RunStatus::Succeeded) {
            let partition = step.partition.as_ref().map(ToString::to_string).unwrap_or_default();
            table.row([
                Cell::from(format!("  {partition}")),
                Cell::default(),
                spent(Some(step.started), step.finished).map(took).unwrap_or_default().into(),
                Cell::toned(step.status.to_string(), tone(step.status)),
                why(step).into(),
            ]);
        }
    }
    let started = records.iter().map(|record| clock.minute(record.started)).next().unwrap_or_default();
    format!("{}started {started}\n{}", table.fit(screen), zone_line(clock, screen))
}

fn spent(started: Option<Timestamp>, finished: Option<Timestamp>) -> Option<Duration> {
    finished?.duration_since(started?).try_into().ok()
}

fn tone(status: RunStatus) -> Tone {
    match status {
        RunStatus::Succeeded => Tone::Good,
        RunStatus::Failed => Tone::Bad,
        RunStatus::Interrupted | RunStatus::Running => Tone::Warning,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::history::RecordType;
    use serde_json::json;

    fn step(asset: &str, partition: Option<&str>, status: RunStatus, second: i64) -> StepRecord {
        let at = |second: i64| Timestamp::from_second(1_385_000_000 + second).unwrap();
        let mut record: StepRecord = serde_json::from_value(json!({
            "run": "r", "pipeline": "p", "asset": asset, "kind": "ingest", "part": asset, "partition": partition,
            "status": status, "reasons": ["never built"], "started": at(second), "finished": at(second + 2),
            "fingerprint": {},
        }))
        .unwrap();
        record.error = (status == RunStatus::Failed).then(|| "check `rows at least 1` failed: there are 0".to_owned());
        record
    }

    #[test]
    fn a_run_is_shown_by_asset() {
        let records = [
            step("departures", Some("2013-01"), RunStatus::Succeeded, 0),
            step("weather", None, RunStatus::Succeeded, 1),
            step("departures", Some("2013-02"), RunStatus::Failed, 60),
        ];
        assert_eq!(
            steps_text(&records, &Clock::in_zone("America/New_York"), &Screen::wide(80)),
            "\
asset       parts        time  result     why
departures    1/2  1 min 02 s  failed
  2013-02               2.0 s  failed     check `rows at least 1` failed: there
                                          are 0
weather       1/1       2.0 s  succeeded  never built
started 2013-11-20 21:13
times in America/New_York
"
        );
    }

    #[test]
    fn a_list_of_runs_fits_a_narrow_screen() {
        let run = |status: RunStatus| RunRecord {
            run: "01890000-0000-7000-8000-000000000000".to_owned(),
            pipeline: "p".to_owned(),
            record: RecordType::Run,
            status,
            started: Timestamp::from_second(1_385_000_000).unwrap(),
            finished: Some(Timestamp::from_second(1_385_000_100).unwrap()),
            steps: 17,
            succeeded: 17,
            unchanged: 0,
            failed: 117,
            host: String::new(),
            version: String::new(),
        };
        let runs = [RunStatus::Succeeded, RunStatus::Failed, RunStatus::Interrupted].map(run);
        let text = runs_text(&runs, &Clock::in_zone("UTC"), &Screen::wide(80));
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
        assert!(text.contains("  2013-11-21 02:13  1 min 40 s  17 made\n"), "{text}");
        assert!(text.contains("117 failed\n") && text.contains("interrupted\n"), "{text}");
        assert_eq!(runs_text(&[], &Clock::in_zone("UTC"), &Screen::wide(80)), "no runs yet\n");
    }
}
