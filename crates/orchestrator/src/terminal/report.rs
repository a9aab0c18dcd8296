//! The result of a run: one table with a line for each asset and its failed partitions, the monitors,
//! and a line of totals. Pure.

use std::time::Duration;

use es_bulk::Summary;
use serde_json::Value;

use super::moments::Clock;
use super::monitors::{self, MonitorLine};
use super::screen::Screen;
use super::table::{Align, Cell, Table, count, counted, took};
use super::text::{Tone, paragraph};
use crate::engine::{Finished, StepEnd};
use crate::error::ErrorKind;
use crate::exit::Exit;

/// The result of a run as it is shown.
#[derive(Clone, Debug, Default)]
pub struct RunReport {
    /// The assets with something to show, in the order of the plan.
    pub assets: Vec<AssetResult>,
    /// The verdicts of monitors.
    pub monitors: Vec<MonitorLine>,
    /// The reports of other kinds, in their own words.
    pub reports: Vec<String>,
    /// The totals.
    pub totals: Totals,
}

/// The result of one asset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssetResult {
    /// The asset.
    pub name: String,
    /// Parts that were made, and parts that were to be.
    pub parts: (usize, usize),
    /// Rows written, where the kind writes rows.
    pub rows: Option<u64>,
    /// The time from the start of its first part to the end of its last.
    pub took: Option<Duration>,
    /// The result in a word or two.
    pub state: String,
    /// The meaning of the result.
    pub tone: Tone,
    /// The partitions that were not made: name, result, time.
    pub failed: Vec<(String, &'static str, Duration)>,
}

/// The numbers of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Parts that something was done with, and that ended well.
    pub made: usize,
    /// Parts that were up to date.
    pub unchanged: usize,
    /// Parts that failed.
    pub failed: usize,
    /// Parts that were interrupted.
    pub interrupted: usize,
    /// Parts that did not start.
    pub skipped: usize,
    /// Rows written.
    pub rows: u64,
    /// The duration.
    pub took: Duration,
}

/// Returns whether a step of a run is shown among the monitors.
pub fn is_verdict(step: &Finished) -> bool {
    matches!(&step.end, StepEnd::Succeeded(built) if built.report.is_some())
}

/// The results of assets, of the steps of a run in their order.
pub fn assets(steps: &[Finished], took: impl Fn(&str) -> Option<Duration>) -> Vec<AssetResult> {
    let mut results = Vec::new();
    let shown: Vec<&Finished> = steps.iter().filter(|step| !is_verdict(step)).collect();
    for of_asset in shown.chunk_by(|one, next| one.name.asset == next.name.asset) {
        let name = &of_asset[0].name.asset;
        results.push(asset(name, of_asset, took(name)));
    }
    results
}

fn asset(name: &str, steps: &[&Finished], took: Option<Duration>) -> AssetResult {
    let (state, tone) = state(steps);
    let rows: Vec<u64> = steps
        .iter()
        .filter_map(|step| match &step.end {
            StepEnd::Succeeded(built) => built.rows,
            _ => None,
        })
        .collect();
    let failed = steps.iter().filter_map(|step| {
        let partition = step.name.partition.clone()?;
        let state = match &step.end {
            StepEnd::Failed(_) if is_interrupted(step) => "interrupted",
            StepEnd::Failed(_) => "failed",
            _ => return None,
        };
        Some((partition, state, step.took))
    });
    let is_made = |step: &&&Finished| matches!(step.end, StepEnd::Succeeded(_) | StepEnd::Unchanged);
    AssetResult {
        name: name.to_owned(),
        parts: (steps.iter().filter(is_made).count(), steps.len()),
        rows: (!rows.is_empty()).then(|| rows.iter().sum()),
        took,
        state,
        tone,
        failed: failed.collect(),
    }
}

fn is_interrupted(step: &Finished) -> bool {
    matches!(&step.end, StepEnd::Failed(error) if error.kind() == ErrorKind::Interrupted)
}

/// The gravest result of an asset's steps, in a word or two.
fn state(steps: &[&Finished]) -> (String, Tone) {
    let number = |wanted: fn(&Finished) -> bool| steps.iter().filter(|step| wanted(step)).count();
    let interrupted = number(is_interrupted);
    let failed = number(|step| matches!(step.end, StepEnd::Failed(_))) - interrupted;
    let of_all = |some: usize, what: &str| match steps.len() {
        all if some == all => what.to_owned(),
        all => format!("{some} of {all} {what}"),
    };
    if failed > 0 {
        return (of_all(failed, "failed"), Tone::Bad);
    }
    if interrupted > 0 {
        return (of_all(interrupted, "interrupted"), Tone::Warning);
    }
    let skipped: Vec<&str> = steps
        .iter()
        .filter_map(|step| match &step.end {
            StepEnd::Skipped(why) => Some(why.as_str()),
            _ => None,
        })
        .collect();
    if let Some(why) = skipped.first() {
        let why = why.replace(", which it needs, failed", " failed");
        return (format!("{}: {why}", of_all(skipped.len(), "skipped")), Tone::Warning);
    }
    if number(|step| matches!(step.end, StepEnd::Unchanged)) == steps.len() {
        return ("unchanged: what it is made of is the same".to_owned(), Tone::Dim);
    }
    let action = steps.iter().find(|step| matches!(step.end, StepEnd::Succeeded(_))).map_or("", |step| step.action);
    let done = match action {
        "update_in_place" => "settings changed",
        "recheck" => "checked",
        "retire" => "retired",
        _ => "done",
    };
    let warnings: usize = steps
        .iter()
        .map(|step| match &step.end {
            StepEnd::Succeeded(built) => built.warnings.len() + usize::from(accounting(&built.summary).is_some()),
            _ => 0,
        })
        .sum();
    match warnings {
        0 => (done.to_owned(), Tone::Good),
        _ => (format!("{done}, {}", counted(warnings as u64, "warning")), Tone::Warning),
    }
}

impl Totals {
    /// The numbers of the steps of a run, of which so many more were up to date from the start.
    pub fn of(steps: &[Finished], unchanged: usize, took: Duration) -> Self {
        let mut totals = Self { unchanged, took, ..Self::default() };
        for step in steps {
            match &step.end {
                StepEnd::Succeeded(built) => {
                    totals.made += 1;
                    totals.rows += built.rows.unwrap_or(0);
                }
                StepEnd::Unchanged => totals.unchanged += 1,
                StepEnd::Failed(_) if is_interrupted(step) => totals.interrupted += 1,
                StepEnd::Failed(_) => totals.failed += 1,
                StepEnd::Skipped(_) => totals.skipped += 1,
            }
        }
        totals
    }

    /// Parts that were to be made and were not.
    pub fn not_made(&self) -> usize {
        self.failed + self.interrupted + self.skipped
    }

    /// The line of totals.
    fn line(&self, exit: Exit, screen: &Screen) -> String {
        let (word, tone, consequence) = match exit {
            Exit::Interrupted => ("interrupted", Tone::Warning, "; what was published stays, and the next run resumes"),
            _ if self.not_made() > 0 => ("failed", Tone::Bad, "; readers of what failed see what they saw before"),
            Exit::CheckFailed => ("done", Tone::Warning, "; a monitor found drift"),
            Exit::NotMeasured => ("done", Tone::Warning, "; a monitor could not be measured"),
            _ => ("done", Tone::Good, ""),
        };
        let parts = [
            (self.made, "made"),
            (self.unchanged, "unchanged"),
            (self.failed, "failed"),
            (self.interrupted, "interrupted"),
            (self.skipped, "skipped"),
        ];
        let mut words: Vec<String> = parts
            .iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, what)| format!("{} {what}", count(*number as u64)))
            .collect();
        if self.rows > 0 {
            words.push(counted(self.rows, "row"));
        }
        let text = format!("{word}: {} in {}{consequence}", words.join(", "), took(self.took));
        let text = paragraph(&text, 2, screen);
        text.replacen(word, &tone.paint(word, screen.colour), 1)
    }
}

impl RunReport {
    /// The whole result, for a screen.
    pub fn text(&self, exit: Exit, clock: &Clock, screen: &Screen) -> String {
        let mut blocks = vec![assets_table(&self.assets).map_or(String::new(), |table| table.fit(screen))];
        blocks.push(monitors::text(&self.monitors, clock, screen));
        blocks.extend(self.reports.iter().cloned());
        blocks.push(self.totals.line(exit, screen));
        blocks.retain(|block| !block.is_empty());
        blocks.join("\n")
    }
}

fn assets_table(assets: &[AssetResult]) -> Option<Table> {
    let mut table = Table::new(&[
        ("asset", Align::Name),
        ("parts", Align::Right),
        ("rows", Align::Right),
        ("time", Align::Right),
        ("state", Align::Text),
    ]);
    for asset in assets {
        let (made, planned) = asset.parts;
        table.row([
            Cell::from(asset.name.as_str()),
            format!("{made}/{planned}").into(),
            asset.rows.map(count).unwrap_or_default().into(),
            asset.took.map(took).unwrap_or_default().into(),
            Cell::toned(&*asset.state, asset.tone),
        ]);
        for (partition, state, spent) in &asset.failed {
            let tone = if *state == "failed" { Tone::Bad } else { Tone::Warning };
            table.row([
                Cell::from(format!("  {partition}")),
                Cell::default(),
                Cell::default(),
                took(*spent).into(),
                Cell::toned(*state, tone),
            ]);
        }
    }
    (!table.is_empty()).then_some(table)
}

/// The account of a load in words, where not every document was acknowledged.
pub fn accounting(summary: &Value) -> Option<String> {
    let load: Summary = serde_json::from_value(summary.get("load")?.clone()).ok()?;
    (load.unknown > 0 || !load.rejected.is_empty()).then(|| load.to_string())
}

/// A failure of a step, with what to do.
pub fn failure(step: &str, error: &str, help: Option<&str>, screen: &Screen) -> String {
    let head = Tone::Bad.paint("error", screen.colour);
    let mut text = format!("{head} in {step}: {error}\n");
    if let Some(help) = help {
        // Cyan, as in every other error.
        let head = if screen.colour { "\x1b[36mhelp\x1b[0m" } else { "help" };
        text.push_str(&format!("  {head}: {help}\n"));
    }
    // A log is searched line by line; a person reads.
    if screen.shortens { paragraph(&text, 4, screen) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::StepName;
    use crate::error::Error;
    use crate::kinds::Built;
    use serde_json::json;

    fn step(asset: &str, partition: Option<&str>, end: StepEnd) -> Finished {
        let name = StepName { asset: asset.to_owned(), partition: partition.map(str::to_owned), kind: "ingest" };
        Finished { name, action: "build", took: Duration::from_millis(1_200), end }
    }

    fn built(rows: u64) -> StepEnd {
        StepEnd::Succeeded(Box::new(Built { rows: Some(rows), ..Built::default() }))
    }

    fn text(steps: &[Finished], unchanged: usize, exit: Exit, width: usize) -> String {
        let report = RunReport {
            assets: assets(steps, |_| Some(Duration::from_millis(65_000))),
            totals: Totals::of(steps, unchanged, Duration::from_millis(71_000)),
            ..RunReport::default()
        };
        report.text(exit, &Clock::in_zone("UTC"), &Screen::wide(width))
    }

    #[test]
    fn an_asset_is_a_line_whatever_its_partitions() {
        let mut steps: Vec<Finished> =
            (1..=12).map(|month| step("departures", Some(&format!("2013-{month:02}")), built(28_000))).collect();
        steps.push(step("weather", None, built(26_115)));
        steps.push(step("training_set", None, StepEnd::Unchanged));
        assert_eq!(
            text(&steps, 3, Exit::Done, 80),
            "\
asset         parts     rows        time  state
departures    12/12  336,000  1 min 05 s  done
weather         1/1   26,115  1 min 05 s  done
training_set    1/1           1 min 05 s  unchanged: what it is made of is the
                                          same

done: 13 made, 4 unchanged, 362,115 rows in 1 min 11 s
"
        );
    }

    #[test]
    fn only_failed_partitions_are_lines_of_their_own() {
        let failed = || StepEnd::Failed(Error::failed("check `rows at least 1` failed"));
        let steps = [
            step("departures", Some("2013-01"), built(27_004)),
            step("departures", Some("2013-02"), failed()),
            step("departures", Some("2013-03"), built(28_834)),
            step("daily", None, StepEnd::Skipped("`departures`, which it needs, failed".to_owned())),
        ];
        assert_eq!(
            text(&steps, 0, Exit::Failed, 80),
            "\
asset       parts    rows        time  state
departures    2/3  55,838  1 min 05 s  1 of 3 failed
  2013-02                       1.2 s  failed
daily         0/1          1 min 05 s  skipped: `departures` failed

failed: 2 made, 1 failed, 1 skipped, 55,838 rows in 1 min 11 s; readers of what
  failed see what they saw before
"
        );
        for width in [60, 80, 150] {
            let shown = text(&steps, 0, Exit::Failed, width);
            assert!(shown.lines().all(|line| super::super::text::width(line) <= width), "{shown}");
        }
    }

    #[test]
    fn a_state_is_the_gravest_of_all_parts() {
        let interrupted = || StepEnd::Failed(Error::interrupted_early());
        let warned = |warnings: usize| {
            let warnings = (0..warnings).map(|number| number.to_string()).collect();
            StepEnd::Succeeded(Box::new(Built { warnings, ..Built::default() }))
        };
        let failed = || StepEnd::Failed(Error::failed("x"));
        let table: Vec<(Vec<StepEnd>, &str)> = vec![
            (vec![failed()], "failed"),
            (vec![failed(), interrupted(), built(1)], "1 of 3 failed"),
            (vec![interrupted(), built(1)], "1 of 2 interrupted"),
            (vec![StepEnd::Skipped("stopped".to_owned())], "skipped: stopped"),
            (vec![warned(1), warned(2)], "done, 3 warnings"),
            (vec![StepEnd::Unchanged, built(1)], "done"),
        ];
        for (ends, wanted) in table {
            let steps: Vec<Finished> = ends.into_iter().map(|end| step("a", Some("p"), end)).collect();
            assert_eq!(assets(&steps, |_| None)[0].state, wanted);
        }
        let mut recheck = step("a", None, warned(1));
        recheck.action = "recheck";
        assert_eq!(assets(&[recheck], |_| None)[0].state, "checked, 1 warning");
    }

    #[test]
    fn documents_are_accounted_for_in_words_where_some_were_not_acknowledged() {
        let load = |rejected: Value, unknown: u64| json!({"load": {"read": 5, "created": 3, "rejected": rejected, "unknown": unknown}});
        assert_eq!(accounting(&load(json!({}), 0)), None);
        assert_eq!(accounting(&json!({"path": "out"})), None);
        assert_eq!(
            accounting(&load(json!({"document_parsing_exception": 2}), 0)).as_deref(),
            Some("5 read = 3 acknowledged + 2 rejected + 0 unknown")
        );
        assert!(accounting(&load(json!({}), 2)).is_some());
    }

    #[test]
    fn the_line_of_totals_says_what_follows() {
        let screen = Screen::wide(200);
        let totals = Totals { made: 2, took: Duration::from_millis(3_200), ..Totals::default() };
        let table = [
            (Exit::Done, "done: 2 made in 3.2 s\n"),
            (Exit::CheckFailed, "done: 2 made in 3.2 s; a monitor found drift\n"),
            (Exit::NotMeasured, "done: 2 made in 3.2 s; a monitor could not be measured\n"),
            (Exit::Interrupted, "interrupted: 2 made in 3.2 s; what was published stays, and the next run resumes\n"),
        ];
        for (exit, wanted) in table {
            assert_eq!(totals.line(exit, &screen), wanted);
        }
    }
}
