//! Progress on standard error: one line that rewrites itself on a terminal,
//! a plain line now and then elsewhere.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The time between two lines where there is no terminal.
const PLAIN_INTERVAL: Duration = Duration::from_secs(10);

static ONLY_RESULTS: AtomicBool = AtomicBool::new(false);

/// Shows only the result of each step from now on, because another program writes to the same
/// terminal.
pub fn show_only_results() {
    ONLY_RESULTS.store(true, Ordering::Relaxed);
}

/// The progress of a long step, with its elapsed time.
pub struct Progress {
    label: String,
    started: Instant,
    last_line: Option<Instant>,
    rewrites: bool,
}

impl Progress {
    /// Starts a step.
    #[must_use]
    pub fn new(label: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            started: Instant::now(),
            last_line: None,
            rewrites: std::io::stderr().is_terminal() && !ONLY_RESULTS.load(Ordering::Relaxed),
        }
    }

    /// Shows `detail` now on a terminal, and at intervals elsewhere.
    pub fn update(&mut self, detail: &str) {
        if ONLY_RESULTS.load(Ordering::Relaxed) {
            return;
        }
        let seconds = self.started.elapsed().as_secs();
        if self.rewrites {
            eprint!("\r\x1b[2K{}: {detail} ({seconds} s)", self.label);
            let _ = std::io::stderr().flush();
        } else if self.last_line.is_none_or(|at| at.elapsed() >= PLAIN_INTERVAL) {
            eprintln!("{}: {detail} ({seconds} s)", self.label);
            self.last_line = Some(Instant::now());
        }
    }

    /// Ends the step with a line that stays.
    pub fn finish(self, detail: &str) {
        if self.rewrites {
            eprint!("\r\x1b[2K");
        }
        eprintln!("{}: {detail} ({:.1} s)", self.label, self.started.elapsed().as_secs_f64());
    }

    /// Ends the step silently, before an error message.
    pub fn abandon(self) {
        if self.rewrites {
            eprintln!();
        }
    }
}

/// Formats a number of bytes with a decimal unit.
#[must_use]
pub fn human_bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["B", "kB", "MB", "GB"];
    let mut unit = 0;
    let mut amount = bytes as f64;
    while amount >= 1000.0 && unit + 1 < UNITS.len() {
        amount /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{amount:.1} {}", UNITS[unit]) }
}

/// Prints a heading on standard output.
pub fn heading(title: &str) {
    let line = if is_unicode() { "──" } else { "--" };
    println!("\n{line} {title} {line}");
}

/// Returns whether the locale has characters beyond ASCII.
#[must_use]
pub fn is_unicode() -> bool {
    supports_unicode::supports_unicode()
}

/// The columns of standard output: those of the terminal up to 120, or 80 where there is none.
#[must_use]
pub fn columns() -> usize {
    terminal_size::terminal_size_of(std::io::stdout()).map_or(80, |(width, _)| usize::from(width.0).clamp(40, 120))
}

#[cfg(test)]
mod tests {
    use super::human_bytes;

    #[test]
    fn bytes_read_in_decimal_units() {
        let shown: Vec<String> = [0, 999, 1000, 946_639_592, 5_400_000_000_000].into_iter().map(human_bytes).collect();
        assert_eq!(shown, ["0 B", "999 B", "1.0 kB", "946.6 MB", "5400.0 GB"]);
    }
}
