//! The sinks of run events: bars on a terminal, plain lines elsewhere, and JSON.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};

use super::reporter::{Reporter, print_json};
use super::table;
use crate::engine::{RunEvent, Sink, StepName};

/// Plain lines and JSON tell of the progress of a step no more often than this.
const JSON_EVERY: Duration = Duration::from_secs(1);
const LINE_EVERY: Duration = Duration::from_secs(10);

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
    bars: Option<MultiProgress>,
    steps: HashMap<String, Shown>,
    written: HashMap<String, Instant>,
}

/// A step that is under way.
struct Shown {
    bar: Option<ProgressBar>,
    started: Instant,
    phase: Option<&'static str>,
    total: Option<u64>,
}

impl TerminalSink {
    /// A sink that writes through a reporter, with bars if there are any.
    pub fn new(reporter: Reporter, bars: Option<MultiProgress>) -> Self {
        Self { reporter, bars, steps: HashMap::new(), written: HashMap::new() }
    }

    fn shown(&mut self, step: &StepName) -> &mut Shown {
        let bars = self.bars.as_ref();
        self.steps.entry(step.label()).or_insert_with(|| {
            let bar = bars.map(|bars| {
                let bar = bars.add(ProgressBar::new(0));
                bar.set_style(style(false));
                bar.set_prefix(step.label());
                bar.enable_steady_tick(Duration::from_millis(125));
                bar
            });
            Shown { bar, started: Instant::now(), phase: None, total: None }
        })
    }

    fn end(&mut self, step: &StepName) {
        self.written.remove(&step.label());
        if let Some(Shown { bar: Some(bar), .. }) = self.steps.remove(&step.label()) {
            bar.finish_and_clear();
        }
    }

    fn progress(&mut self, progress: &Counted<'_>) {
        let Counted { step, done, total, bytes, resumed, phase } = *progress;
        let shown = self.shown(step);
        let has_new_phase = shown.phase != phase;
        if has_new_phase {
            (shown.phase, shown.started) = (phase, Instant::now());
        }
        if let Some(bar) = &shown.bar {
            if shown.total != total {
                bar.set_length(total.unwrap_or(0));
                bar.set_style(style(total.is_some()));
            }
            if let Some(phase) = phase.filter(|_| has_new_phase) {
                bar.set_prefix(format!("{}, {phase}", step.label()));
                bar.reset();
            }
            bar.set_position(done);
            if resumed > 0 && done == resumed {
                bar.reset_eta();
            }
            if let Some(bytes) = bytes {
                bar.set_message(table::size(bytes));
            }
            shown.total = total;
            return;
        }
        let started = shown.started;
        if let Some(phase) = phase.filter(|_| has_new_phase) {
            self.reporter.note(&format!("  {}: {phase}", step.label()));
        }
        if is_due(&mut self.written, &step.label(), LINE_EVERY) {
            let rate = done.saturating_sub(resumed) as f64 / started.elapsed().as_secs_f64().max(1e-9);
            self.reporter.note(&line(step, done, total, bytes, rate));
        }
    }
}

/// The counts of a progress event.
#[derive(Clone, Copy)]
struct Counted<'a> {
    step: &'a StepName,
    done: u64,
    total: Option<u64>,
    bytes: Option<u64>,
    resumed: u64,
    phase: Option<&'static str>,
}

impl Sink for TerminalSink {
    fn take(&mut self, event: &RunEvent) {
        match event {
            RunEvent::RunStarted { .. } => {}
            RunEvent::RunWarning { warning } => self.reporter.note(&format!("warning: {warning}")),
            RunEvent::StepStarted { step, .. } => {
                self.shown(step);
            }
            RunEvent::StepWaiting { step, holder } => {
                self.reporter.note(&format!("{}: waiting for {holder}, which works on it", step.label()));
            }
            RunEvent::StepNote { step, note } => self.reporter.note(&format!("{}: {note}", step.label())),
            RunEvent::StepProgress { step, done, total, bytes, resumed, phase } => {
                let (done, total, bytes, resumed, phase) = (*done, *total, *bytes, *resumed, *phase);
                self.progress(&Counted { step, done, total, bytes, resumed, phase });
            }
            RunEvent::StepFinished { step, action, warnings, detail, took_ms, .. } => {
                self.end(step);
                for warning in warnings {
                    self.reporter.note(&format!("warning: {}: {warning}", step.label()));
                }
                if *action != "unchanged" {
                    let took = table::took(Duration::from_millis(*took_ms));
                    self.reporter.note(&format!("{}: {detail}, {took}", step.label()));
                }
            }
            RunEvent::StepFailed { step, .. } => self.end(step),
        }
    }
}

fn style(knows_total: bool) -> ProgressStyle {
    let template = if knows_total {
        "{prefix:<28} {bar:24} {human_pos:>9}/{human_len} {rate:>10} {eta:>4} left {msg}"
    } else {
        "{prefix:<28} {spinner} {human_pos:>9} rows {rate:>10} {elapsed:>4} {msg}"
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.with_key("rate", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let rate = table::count(state.per_sec() as u64);
        // A bar that cannot be drawn is not a failure of the run.
        let _ = write!(out, "{rate}/s");
    })
}

fn line(step: &StepName, done: u64, total: Option<u64>, bytes: Option<u64>, rate: f64) -> String {
    let bytes = bytes.map(|bytes| format!(", {}", table::size(bytes))).unwrap_or_default();
    match total {
        Some(total) => {
            let left = Duration::from_secs_f64(total.saturating_sub(done) as f64 / rate.max(1e-9));
            let (done, total) = (table::count(done), table::counted(total, "row"));
            format!("  {}: {done} of {total}{bytes}, {rate:.0}/s, {} left", step.label(), table::took(left))
        }
        None => format!("  {}: {}{bytes}, {rate:.0}/s", step.label(), table::counted(done, "row")),
    }
}

impl Drop for TerminalSink {
    fn drop(&mut self) {
        for bar in self.steps.values().filter_map(|shown| shown.bar.as_ref()) {
            bar.finish_and_clear();
        }
    }
}
