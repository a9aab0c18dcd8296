//! The output of the program: results on standard output, notes on standard error.

use std::io::{IsTerminal as _, Write as _};

use indicatif::{MultiProgress, ProgressDrawTarget};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::live::PlannedAsset;
use super::screen::Screen;
use super::sinks::{JsonSink, TerminalSink};
use super::text::{Tone, paragraph};
use crate::engine::Sink;

/// The form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Bars on a terminal, plain lines elsewhere and beside a log.
    Human,
    /// Nothing but results and failures.
    Quiet,
    /// JSON on standard output.
    Json,
}

/// The output of the program.
#[derive(Clone)]
pub struct Reporter {
    style: Style,
    is_verbose: bool,
    bars: Option<MultiProgress>,
}

impl Reporter {
    /// A reporter of the given style, which tells more if it is verbose.
    pub fn new(style: Style, is_verbose: bool) -> Self {
        // Lines of the log would tear bars apart.
        let bars = (style == Style::Human && !is_verbose && std::io::stderr().is_terminal())
            .then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10)));
        Self { style, is_verbose, bars }
    }

    /// Returns whether results are JSON.
    pub fn is_json(&self) -> bool {
        self.style == Style::Json
    }

    /// Returns whether a person wants to know more than usual.
    pub fn is_verbose(&self) -> bool {
        self.is_verbose
    }

    /// Returns whether failures and warnings of steps are printed as they come.
    pub fn tells_events(&self) -> bool {
        self.style != Style::Quiet
    }

    /// Writes a line of JSON with the time, with `--json`.
    pub fn json(&self, result: &impl Serialize) {
        if self.is_json() {
            print_json(result);
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

    /// Writes a warning to standard error, above the bars.
    pub fn warn(&self, text: &str) {
        let screen = Screen::stderr();
        let text = format!("{}: {text}", Tone::Warning.paint("warning", screen.colour));
        self.note(if screen.shortens { paragraph(&text, 2, &screen) } else { text }.trim_end());
    }

    /// The sink of the events of a run, which will work on these assets.
    pub fn sinks(&self, planned: &[PlannedAsset]) -> Vec<Box<dyn Sink>> {
        match self.style {
            Style::Json => vec![Box::new(JsonSink::default())],
            Style::Quiet => Vec::new(),
            Style::Human => vec![Box::new(TerminalSink::new(self.clone(), self.bars.clone(), planned))],
        }
    }
}

/// Writes a value with the time as a line of JSON.
pub(super) fn print_json(value: &impl Serialize) {
    let mut value = json!(value);
    value["time"] = json!(Timestamp::now());
    print_out(&format!("{value}\n"));
}

/// Writes to standard output, which may be closed early, as by `head`; that is not a failure.
pub fn print_out(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
