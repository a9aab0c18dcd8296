//! The output of the program: results on standard output, notes on standard error.

use std::io::{IsTerminal as _, Write as _};

use indicatif::{MultiProgress, ProgressDrawTarget};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::sinks::{JsonSink, TerminalSink};
use crate::engine::Sink;

/// The form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Bars on a terminal, plain lines elsewhere.
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
    bars: Option<MultiProgress>,
}

impl Reporter {
    /// A reporter of the given style.
    pub fn new(style: Style) -> Self {
        let bars = (style == Style::Human && std::io::stderr().is_terminal())
            .then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(8)));
        Self { style, bars }
    }

    /// Returns whether results are JSON.
    pub fn is_json(&self) -> bool {
        self.style == Style::Json
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

    /// The sink of the events of a run.
    pub fn sinks(&self) -> Vec<Box<dyn Sink>> {
        match self.style {
            Style::Json => vec![Box::new(JsonSink::default())],
            Style::Quiet => Vec::new(),
            Style::Human => vec![Box::new(TerminalSink::new(self.clone(), self.bars.clone()))],
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
