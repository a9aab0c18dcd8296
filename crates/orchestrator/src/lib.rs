//! Keeps machine learning assets on Elasticsearch up to date.
//!
//! This crate is the wiring between the others: `es-assets` decides what is to be done and why, the
//! crates of each capability do it, and what is published is kept in Elasticsearch itself.
//! [`engine`] plans and runs, [`kinds`] has a module a kind of asset, [`store`] knows generations,
//! history and leases, [`commands`] and [`terminal`] talk to the person.
//!
//! The binary calls [`start`]. A program that wants one capability takes its crate.
//!
//! # Running a pipeline from a program
//!
//! ```no_run
//! use std::path::Path;
//! use std::sync::Arc;
//!
//! use orchestrator::engine::{Engine, RunOptions, Scope};
//! use orchestrator::project::Project;
//! use tokio_util::sync::CancellationToken;
//!
//! # async fn example() -> orchestrator::error::Result<()> {
//! let project = Project::load(Path::new("."), Path::new("pipeline.yaml"), None)?;
//! let engine = Engine::connect(Arc::new(project)).await?;
//! let cancel = CancellationToken::new();
//! let planned = engine.plan(&Scope::of(Some("+training_set".to_owned())), &cancel).await?;
//! let end = engine.run(planned, RunOptions { cancel, sinks: Vec::new() }).await?;
//! println!("run {}: {} steps in {:?}", end.run, end.steps.len(), end.took);
//! # Ok(())
//! # }
//! ```
//!
//! # A kind of your own
//!
//! [`Kind`](kinds::Kind) has the trait, and `examples/own_kind.rs` a whole program.

pub mod cli;
pub mod commands;
mod disk;
pub mod doctor;
pub mod engine;
pub mod environment;
pub mod error;
pub mod exit;
pub mod kinds;
pub mod model_registry;
pub mod models;
pub mod project;
pub mod settings;
pub mod store;
pub mod terminal;

use std::process::ExitCode;

use cli::Cli;
use error::Error;
use exit::Exit;
use terminal::reporter::{Reporter, Style};
use terminal::results::CommandResult;
use terminal::screen::Screen;
use terminal::{diagnostics, logging};

/// Runs the program on the command line of the process.
pub fn start() -> ExitCode {
    let cli = match Cli::of_process() {
        Ok(cli) => cli,
        Err(answer) => return tell(&answer),
    };
    logging::start(cli.verbose, cli.log_format);
    keep_panics_of_workers_in_the_log();
    let style = match (cli.json, cli.quiet) {
        (true, _) => Style::Json,
        (false, true) => Style::Quiet,
        (false, false) => Style::Human,
    };
    let reporter = Reporter::new(style, cli.verbose > 0);
    match commands::dispatch(cli, &reporter) {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(error) => {
            report(&error, &reporter);
            ExitCode::from(Exit::from(&error).code())
        }
    }
}

/// Prints the help, the version, or what is wrong with the command line.
fn tell(answer: &clap::Error) -> ExitCode {
    // A reader that has gone away, as `head` does, is no failure of ours.
    let _ = answer.print();
    ExitCode::from(if answer.use_stderr() { Exit::Usage.code() } else { Exit::Done.code() })
}

/// The panic of a task or thread becomes an error of what waits for it, which is what a person sees; where
/// it happened is in the log. That of the main thread is printed as usual.
fn keep_panics_of_workers_in_the_log() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().name() == Some("main") {
            print(panic);
        } else {
            tracing::debug!(%panic, "a panic");
        }
    }));
}

fn report(error: &Error, reporter: &Reporter) {
    let places = error.diagnostics().map(|diagnostics| {
        let place = |diagnostic: &es_assets::Diagnostic| {
            serde_json::json!({
                "file": diagnostics.file(),
                "line": diagnostic.location.line,
                "column": diagnostic.location.column,
                "key": diagnostic.key_path,
                "message": diagnostic.message,
                "help": diagnostic.help,
            })
        };
        diagnostics.iter().map(place).collect()
    });
    reporter.json(&CommandResult::Failed {
        exit_code: Exit::from(error).code(),
        error: error.to_string(),
        help: error.help().map(str::to_owned),
        diagnostics: places.unwrap_or_default(),
    });
    if !reporter.is_json() {
        let screen = Screen::stderr();
        eprint!("{}", diagnostics::render(error, screen.colour, screen.unicode));
    }
}
