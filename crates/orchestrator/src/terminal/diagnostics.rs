//! Errors as a person reads them: one short message with the next step, and for a mistake
//! in the pipeline file the line with a caret.

use std::fmt;

use es_assets::{Diagnostic, Diagnostics};
use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, Severity, SourceCode};

use super::screen::Screen;
use super::text::Tone;
use crate::error::Error;

/// An error as text for standard error.
pub fn render(error: &Error, colour: bool, unicode: bool) -> String {
    if let Some(diagnostics) = error.diagnostics() {
        return render_diagnostics(diagnostics, colour, unicode);
    }
    let (red, cyan, off) = if colour { ("\x1b[31;1m", "\x1b[36m", "\x1b[0m") } else { ("", "", "") };
    let mut text = format!("{red}error{off}: {error}\n");
    if let Some(help) = error.help() {
        text.push_str(&format!("  {cyan}help{off}: {help}\n"));
    }
    text
}

/// Mistakes in the pipeline file that a step of a run found.
pub fn in_step(step: &str, diagnostics: &Diagnostics, screen: &Screen) -> String {
    let head = Tone::Bad.paint("error", screen.colour);
    format!("{head} in {step}:\n{}", render_diagnostics(diagnostics, screen.colour, screen.unicode))
}

fn render_diagnostics(diagnostics: &Diagnostics, colour: bool, unicode: bool) -> String {
    let theme = match (colour, unicode) {
        (true, true) => GraphicalTheme::unicode(),
        (false, true) => GraphicalTheme::unicode_nocolor(),
        (true, false) | (false, false) => GraphicalTheme::none(),
    };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(100).with_context_lines(1).without_cause_chain();
    let source = NamedSource::new(diagnostics.file(), diagnostics.source_text().to_owned());
    let mut text = String::new();
    for diagnostic in diagnostics {
        let placed = Placed { diagnostic, source: &source };
        // Writing to a string cannot fail; were it to, the plain line is better than nothing.
        if handler.render_report(&mut text, &placed).is_err() {
            text.push_str(&format!("{}\n", diagnostic.message));
        }
        text.push('\n');
    }
    let count = diagnostics.len();
    let noun = if count == 1 { "error" } else { "errors" };
    text.push_str(&format!("{count} {noun} in {}\n", diagnostics.file()));
    text
}

/// A diagnostic with the text that it points into, as miette wants it.
#[derive(Debug)]
struct Placed<'a> {
    diagnostic: &'a Diagnostic,
    source: &'a NamedSource<String>,
}

impl fmt::Display for Placed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.diagnostic.message)
    }
}

impl std::error::Error for Placed<'_> {}

impl miette::Diagnostic for Placed<'_> {
    fn severity(&self) -> Option<Severity> {
        Some(Severity::Error)
    }

    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let path = &self.diagnostic.key_path;
        (!path.is_empty()).then(|| Box::new(path) as Box<dyn fmt::Display>)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.diagnostic.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let range = self.diagnostic.location.range.clone();
        let label = self.diagnostic.label.clone().unwrap_or_else(|| "here".to_owned());
        Some(Box::new(std::iter::once(LabeledSpan::new_primary_with_span(Some(label), range))))
    }
}
