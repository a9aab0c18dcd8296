//! The sinks of run events: bars on a terminal, plain lines elsewhere, and JSON.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};

use super::diagnostics::in_step;
use super::live::{Board, Counts, End, PlannedAsset};
use super::report::{accounting, failure};
use super::reporter::{Reporter, print_json};
use super::screen::Screen;
use super::table::{counted, took};
use crate::engine::{RunEvent, Sink, StepName};

/// Plain lines and JSON tell of the progress of an asset or a step no more often than this.
const JSON_EVERY: Duration = Duration::from_secs(1);
const LINE_EVERY: Duration = Duration::from_secs(30);

/// Lines of the terminal that bars leave free.
const FREE_LINES: usize = 3;

/// Events as lines of JSON on standard output.
#[derive(Default)]
pub struct JsonSink {
    /// When the progress of each step was last written.
    written: HashMap<String, Instant>,
}

impl Sink for JsonSink {
    fn take(&mut self, event: &RunEvent) {
        match event {
            RunEvent::StepProgress { step, .. } if !is_due(&mut self.written, &step.label(), JSON_EVERY) => return,
            RunEvent::StepFinished { step, .. } | RunEvent::StepFailed { step, .. } => {
                self.written.remove(&step.label());
            }
            _ => {}
        }
        print_json(event);
    }
}

/// Notes when something is written, unless that was less than `every` ago. The first time only
/// starts the clock.
fn is_due(written: &mut HashMap<String, Instant>, step: &str, every: Duration) -> bool {
    match written.get_mut(step) {
        Some(last) if last.elapsed() < every => false,
        Some(last) => {
            *last = Instant::now();
            true
        }
        None => {
            written.insert(step.to_owned(), Instant::now());
            false
        }
    }
}

/// Events as bars and lines for a person, on standard error.
pub struct TerminalSink {
    reporter: Reporter,
    board: Arc<Mutex<Board>>,
    bars: Option<Bars>,
    written: HashMap<String, Instant>,
    /// The last advice, which is not repeated.
    help: Option<String>,
}

impl TerminalSink {
    /// A sink that writes through a reporter, with bars if there are any.
    pub fn new(reporter: Reporter, bars: Option<MultiProgress>, planned: &[PlannedAsset]) -> Self {
        let board = Arc::new(Mutex::new(Board::new(planned)));
        let bars = bars.map(|bars| Bars::new(bars, board.clone(), planned));
        Self { reporter, board, bars, written: HashMap::new(), help: None }
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows the present state of an asset.
    fn show(&mut self, asset: &str) {
        let now = Instant::now();
        if let Some(bars) = &mut self.bars {
            bars.show(asset);
        } else if self.board().of(asset).is_some_and(|line| line.is_active())
            && is_due(&mut self.written, asset, LINE_EVERY)
        {
            let line = self.board().note(asset, now);
            if let Some(line) = line {
                self.reporter.note(&line);
            }
        }
    }

    fn end(&mut self, step: &StepName, end: End) {
        let now = Instant::now();
        self.board().asset(&step.asset, now).end(&step.partition, end, now);
        self.show(&step.asset);
    }
}

impl Sink for TerminalSink {
    fn take(&mut self, event: &RunEvent) {
        let now = Instant::now();
        match event {
            RunEvent::RunStarted { run, steps, .. } => {
                let assets = self.board().names().count() as u64;
                let (parts, assets) = (counted(*steps as u64, "part"), counted(assets, "asset"));
                self.reporter.note(&format!("run {run}: {parts} of {assets}"));
            }
            RunEvent::RunWarning { warning } => self.reporter.warn(warning),
            RunEvent::StepStarted { step, .. } => {
                self.board().asset(&step.asset, now).start(&step.partition, now);
                self.show(&step.asset);
            }
            RunEvent::StepWaiting { step, holder } => {
                self.reporter.note(&format!("{}: waiting for {holder}, which works on it", step.label()));
            }
            RunEvent::StepNote { step, note } => self.reporter.note(&format!("{}: {note}", step.label())),
            RunEvent::StepProgress { step, done, total, resumed, phase, .. } => {
                let counts = Counts { done: *done, total: *total, resumed: *resumed, phase: *phase };
                self.board().asset(&step.asset, now).advance(&step.partition, &counts, now);
                self.show(&step.asset);
            }
            RunEvent::StepFinished { step, action, rows, warnings, detail, took_ms, summary, .. } => {
                self.end(step, End::Done(*rows));
                for warning in warnings {
                    self.reporter.warn(&format!("{}: {warning}", step.label()));
                }
                if self.reporter.is_verbose() && *action != "unchanged" {
                    let took = took(Duration::from_millis(*took_ms));
                    self.reporter.note(&format!("{}: {detail}, {took}", step.label()));
                } else if let Some(account) = accounting(summary) {
                    self.reporter.warn(&format!("{}: {account}", step.label()));
                }
            }
            RunEvent::StepFailed { step, status, error, help, diagnostics } => {
                self.end(step, if *status == "skipped" { End::Skipped } else { End::Failed });
                if let Some(diagnostics) = diagnostics {
                    self.reporter.note(in_step(&step.label(), diagnostics, &Screen::stderr()).trim_end());
                } else if *status == "failed" {
                    let news = help.as_ref().filter(|help| self.help.as_ref() != Some(help));
                    let text = failure(&step.label(), error, news.map(String::as_str), &Screen::stderr());
                    self.reporter.note(text.trim_end());
                    self.help.clone_from(help);
                }
            }
        }
    }
}

/// The time that each asset of a run took: partitions side by side count once.
#[derive(Clone, Debug, Default)]
pub struct Spans(Arc<Mutex<HashMap<String, (Instant, Instant)>>>);

impl Spans {
    /// A sink that takes the times.
    pub fn sink(&self) -> Box<dyn Sink> {
        let spans = self.clone();
        Box::new(move |event: &RunEvent| {
            let now = Instant::now();
            match event {
                RunEvent::StepStarted { step, .. } => {
                    spans.lock().entry(step.asset.clone()).or_insert((now, now));
                }
                RunEvent::StepFinished { step, .. } | RunEvent::StepFailed { step, .. } => {
                    if let Some((_, end)) = spans.lock().get_mut(&step.asset) {
                        *end = now;
                    }
                }
                _ => {}
            }
        })
    }

    /// The time from the start of an asset's first part to the end of its last, if one started.
    pub fn of(&self, asset: &str) -> Option<Duration> {
        self.lock().get(asset).map(|(start, end)| end.saturating_duration_since(*start))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, (Instant, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The lines of the board at the bottom of a terminal.
struct Bars {
    all: MultiProgress,
    board: Arc<Mutex<Board>>,
    assets: HashMap<String, ProgressBar>,
    /// The line of the total, of more than one asset.
    total: Option<ProgressBar>,
    /// There is room for the lines of assets that are not under way.
    shows_all: bool,
}

impl Bars {
    fn new(all: MultiProgress, board: Arc<Mutex<Board>>, planned: &[PlannedAsset]) -> Self {
        let room = Screen::stderr().height.unwrap_or(usize::MAX).saturating_sub(FREE_LINES);
        let mut bars = Self { all, board, assets: HashMap::new(), total: None, shows_all: planned.len() < room };
        if planned.len() > 1 {
            let total = bars.all.add(ProgressBar::new_spinner());
            let board = bars.board.clone();
            total.set_style(style(move |screen| lock(&board).total_line(Instant::now(), screen)));
            total.enable_steady_tick(Duration::from_millis(250));
            bars.total = Some(total);
        }
        if bars.shows_all {
            for asset in planned {
                bars.show(&asset.name);
            }
        }
        bars
    }

    fn show(&mut self, asset: &str) {
        let (is_active, has_ended) = match lock(&self.board).of(asset) {
            Some(line) => (line.is_active(), line.has_ended()),
            None => return,
        };
        if has_ended && !self.shows_all {
            if let Some(bar) = self.assets.remove(asset) {
                bar.finish_and_clear();
            }
            return;
        }
        let bar = match self.assets.get(asset) {
            Some(bar) => bar.clone(),
            None => {
                let bar = ProgressBar::new_spinner();
                let bar = match &self.total {
                    Some(total) => self.all.insert_before(total, bar),
                    None => self.all.add(bar),
                };
                let (board, name) = (self.board.clone(), asset.to_owned());
                bar.set_style(style(move |screen| lock(&board).line(&name, Instant::now(), screen)));
                self.assets.insert(asset.to_owned(), bar.clone());
                bar
            }
        };
        if is_active {
            bar.enable_steady_tick(Duration::from_millis(250));
        } else {
            bar.disable_steady_tick();
        }
        bar.tick();
        if let Some(total) = &self.total {
            total.tick();
        }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        for bar in self.assets.values().chain(&self.total) {
            bar.finish_and_clear();
        }
    }
}

fn lock(board: &Mutex<Board>) -> MutexGuard<'_, Board> {
    board.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The style of a bar that is one line of text.
fn style(line: impl Fn(&Screen) -> String + Clone + Send + Sync + 'static) -> ProgressStyle {
    let style = ProgressStyle::with_template("{line}").unwrap_or_else(|_| ProgressStyle::default_bar());
    style.with_key("line", move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
        // A bar that cannot be drawn is not a failure of the run.
        let _ = out.write_str(&line(&Screen::stderr()));
    })
}
