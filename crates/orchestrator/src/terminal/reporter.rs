//! Tells of progress: bars on a terminal, plain lines elsewhere, events with `--json`.

use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use jiff::Timestamp;
use serde_json::json;

use super::event::{Event, StepName};
use super::table;

/// How progress is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Bars on a terminal, plain lines elsewhere.
    Human,
    /// Nothing but results and failures.
    Quiet,
    /// Events on standard output.
    Json,
}

/// Tells of progress.
#[derive(Clone)]
pub struct Reporter {
    style: Style,
    bars: Option<MultiProgress>,
}

/// Plain lines and events tell of the progress of a step no more often than this.
const EVENT_EVERY: Duration = Duration::from_secs(1);
const LINE_EVERY: Duration = Duration::from_secs(10);

impl Reporter {
    /// A reporter of the given style.
    pub fn new(style: Style) -> Self {
        let bars = (style == Style::Human && std::io::stderr().is_terminal())
            .then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(8)));
        Self { style, bars }
    }

    /// Whether results are events.
    pub fn is_json(&self) -> bool {
        self.style == Style::Json
    }

    /// Writes an event, with `--json`.
    pub fn event(&self, event: &Event) {
        if self.is_json() {
            let mut value = json!(event);
            value["time"] = json!(Timestamp::now());
            print_out(&format!("{value}\n"));
        }
    }

    /// Writes a result to standard output, without `--json`.
    pub fn result(&self, text: &str) {
        if !self.is_json() {
            print_out(text);
        }
    }

    /// Writes a line to standard error, above the bars.
    pub fn note(&self, text: &str) {
        if self.style != Style::Human {
            return;
        }
        match &self.bars {
            // A terminal that takes no more lines does not end a run.
            Some(bars) => drop(bars.println(text)),
            None => eprintln!("{text}"),
        }
    }

    /// Begins to tell of a step.
    pub fn step(&self, name: StepName, total: Option<u64>) -> StepProgress {
        let bar = self.bars.as_ref().map(|bars| {
            let bar = bars.add(ProgressBar::new(total.unwrap_or(0)));
            bar.set_style(style(total.is_some()));
            bar.set_prefix(label(&name));
            bar.enable_steady_tick(Duration::from_millis(125));
            bar
        });
        StepProgress {
            inner: Arc::new(Inner {
                reporter: self.clone(),
                name,
                bar,
                done: AtomicU64::new(0),
                before: AtomicU64::new(0),
                bytes: AtomicU64::new(0),
                total: AtomicU64::new(total.unwrap_or(0)),
                started: Instant::now(),
                told: Mutex::new(Instant::now()),
            }),
        }
    }
}

/// Writes to standard output, which may be closed early, as by `head`; that is no failure of ours.
pub fn print_out(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
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
        // A bar that cannot be drawn is no failure of the run.
        let _ = write!(out, "{rate}/s");
    })
}

/// The name of a part as it is shown: `departures 2013-01`.
pub fn label(name: &StepName) -> String {
    match &name.partition {
        Some(partition) => format!("{} {partition}", name.asset),
        None => name.asset.clone(),
    }
}

/// The progress of one step.
#[derive(Clone)]
pub struct StepProgress {
    inner: Arc<Inner>,
}

struct Inner {
    reporter: Reporter,
    name: StepName,
    bar: Option<ProgressBar>,
    done: AtomicU64,
    /// Of these, what an earlier process had done.
    before: AtomicU64,
    /// Bytes that were written, where that is told.
    bytes: AtomicU64,
    total: AtomicU64,
    started: Instant,
    told: Mutex<Instant>,
}

impl StepProgress {
    /// Says how many rows there will be.
    pub fn set_total(&self, total: u64) {
        if self.inner.total.swap(total, Ordering::Relaxed) != total
            && let Some(bar) = &self.inner.bar
        {
            bar.set_length(total);
            bar.set_style(style(true));
        }
    }

    /// Says that rows were done by an earlier process: they count, and say nothing of the rate.
    pub fn carry_on_after(&self, rows: u64) {
        let inner = &*self.inner;
        inner.before.store(rows, Ordering::Relaxed);
        inner.done.fetch_add(rows, Ordering::Relaxed);
        if let Some(bar) = &inner.bar {
            bar.set_position(rows);
            bar.reset_eta();
        }
    }

    /// Says how many bytes were written so far.
    pub fn set_bytes(&self, bytes: u64) {
        self.inner.bytes.store(bytes, Ordering::Relaxed);
        if let Some(bar) = &self.inner.bar {
            bar.set_message(table::size(bytes));
        }
    }

    /// Begins to count from the start, as the rows are gone through once more, and says what for.
    pub fn begin_again(&self, what: &'static str) {
        let inner = &*self.inner;
        inner.done.store(0, Ordering::Relaxed);
        inner.before.store(0, Ordering::Relaxed);
        match &inner.bar {
            Some(bar) => {
                bar.set_prefix(format!("{}, {what}", label(&inner.name)));
                bar.reset();
            }
            None => inner.reporter.note(&format!("  {}: {what}", label(&inner.name))),
        }
    }

    /// Says that rows were done.
    pub fn advance(&self, rows: u64) {
        let inner = &*self.inner;
        let done = inner.done.fetch_add(rows, Ordering::Relaxed) + rows;
        if let Some(bar) = &inner.bar {
            bar.set_position(done);
            return;
        }
        let every = if inner.reporter.is_json() { EVENT_EVERY } else { LINE_EVERY };
        {
            let mut told = inner.told.lock().unwrap_or_else(PoisonError::into_inner);
            if told.elapsed() < every {
                return;
            }
            *told = Instant::now();
        }
        let known = |number: &AtomicU64| Some(number.load(Ordering::Relaxed)).filter(|number| *number > 0);
        let (total, bytes) = (known(&inner.total), known(&inner.bytes));
        inner.reporter.event(&Event::StepProgress { step: inner.name.clone(), done, total, bytes });
        let here = done.saturating_sub(inner.before.load(Ordering::Relaxed));
        let rate = here as f64 / inner.started.elapsed().as_secs_f64().max(1e-9);
        inner.reporter.note(&line(&inner.name, done, total, bytes, rate));
    }

    /// Ends telling of it.
    pub fn finish(&self) {
        if let Some(bar) = &self.inner.bar {
            bar.finish_and_clear();
        }
    }
}

fn line(name: &StepName, done: u64, total: Option<u64>, bytes: Option<u64>, rate: f64) -> String {
    let bytes = bytes.map(|bytes| format!(", {}", table::size(bytes))).unwrap_or_default();
    match total {
        Some(total) => {
            let left = Duration::from_secs_f64(total.saturating_sub(done) as f64 / rate.max(1e-9));
            let (done, total) = (table::count(done), table::counted(total, "row"));
            format!("  {}: {done} of {total}{bytes}, {rate:.0}/s, {} left", label(name), table::took(left))
        }
        None => format!("  {}: {}{bytes}, {rate:.0}/s", label(name), table::counted(done, "row")),
    }
}
