//! Log lines on standard error, through `tracing`.

use std::io::IsTerminal as _;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// The form of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One line of text.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging. `RUST_LOG` decides what is written; without it, `verbosity` does: 0
/// warnings, 1 (`-v`) what the program does, 2 details, 3 everything.
pub fn start(verbosity: u8, format: LogFormat) {
    let ours = |level: &str| {
        let crates = ["orchestrator", "es_core", "es_frame", "es_bulk", "es_features", "es_export", "es_monitor"];
        crates.map(|name| format!("{name}={level}")).join(",")
    };
    let default = match verbosity {
        0 => "error".to_owned(),
        1 => format!("warn,{}", ours("info")),
        2 => format!("info,{}", ours("debug")),
        _ => "trace".to_owned(),
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start, as in tests of the library, changes nothing.
    let _ = match format {
        LogFormat::Text => builder.with_ansi(colour(std::io::stderr().is_terminal())).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}

/// Returns whether colours are wanted on a stream. See <https://no-color.org>.
pub fn colour(is_terminal: bool) -> bool {
    is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
