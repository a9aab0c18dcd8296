//! The logs of the process at trace level, from this crate and its dependencies.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use tracing_subscriber::filter::LevelFilter;

/// "canary" as it is, and in base64: at the start of a text, after a character, after two, and
/// after a user's name.
pub(crate) const TRACES: [&str; 5] = ["canary", "Y2FuYXJ5", "OmNhbmFyeQ", "NhbmFye", "ZWxhc3RpYzpjYW5hcnk"];

/// Inspects every log line of every test of this binary, once one of them has asked for it.
#[derive(Clone, Default)]
pub(crate) struct Logs {
    lines: Arc<AtomicUsize>,
    leaks: Arc<Mutex<Vec<String>>>,
    warnings: Arc<Mutex<Vec<String>>>,
}

/// The logs from now on, at the latest.
pub(crate) fn logs() -> &'static Logs {
    static LOGS: OnceLock<Logs> = OnceLock::new();
    LOGS.get_or_init(|| {
        let logs = Logs::default();
        let writer = logs.clone();
        tracing_subscriber::fmt()
            .with_max_level(LevelFilter::TRACE)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .init();
        logs
    })
}

impl Logs {
    /// The number of lines.
    pub(crate) fn lines(&self) -> usize {
        self.lines.load(Ordering::Relaxed)
    }

    /// The lines that show a secret.
    pub(crate) fn leaks(&self) -> Vec<String> {
        self.leaks.lock().unwrap().clone()
    }

    /// Returns `true` if a warning has all of these words.
    pub(crate) fn warned(&self, words: &[&str]) -> bool {
        self.warnings.lock().unwrap().iter().any(|line| words.iter().all(|word| line.contains(word)))
    }
}

impl std::io::Write for Logs {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.lines.fetch_add(1, Ordering::Relaxed);
        let text = String::from_utf8_lossy(line);
        if TRACES.iter().any(|trace| text.contains(trace)) {
            self.leaks.lock().unwrap().push(text.clone().into_owned());
        }
        if text.contains(" WARN ") {
            self.warnings.lock().unwrap().push(text.into_owned());
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
