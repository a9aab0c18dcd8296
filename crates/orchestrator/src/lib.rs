//! Keeps machine learning assets on Elasticsearch up to date.
//!
//! This crate is the wiring between the others: `es-assets` says what is to be done and
//! why, the crates of each capability do it, and what is published is kept in Elasticsearch
//! itself. [`planning`] looks, [`run`] does, [`kinds`] has a module a kind of asset,
//! [`store`] knows generations and history, [`terminal`] talks to the person.
//!
//! The binary calls [`start`]. A program that wants one capability takes its crate.
//!
//! ```
//! use orchestrator::failure::Exit;
//! assert_eq!(Exit::Done.and(Exit::CheckFailed).code(), 3);
//! ```

pub mod cli;
pub mod commands;
pub mod context;
pub mod delivery;
mod disk;
pub mod doctor;
pub mod environment;
pub mod exports;
pub mod failure;
pub mod feed;
pub mod kinds;
pub mod planning;
pub mod project;
pub mod run;
pub mod settings;
pub mod store;
pub mod terminal;
pub mod transfer;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use cli::Cli;
use failure::{Failure, What};
use terminal::event::Event;
use terminal::reporter::{Reporter, Style};
use terminal::{diagnostics, logging};

/// Runs the program on the command line of the process.
pub fn start() -> ExitCode {
    let cli = Cli::of_process();
    logging::start(cli.verbose, cli.log_format);
    let style = match (cli.json, cli.quiet) {
        (true, _) => Style::Json,
        (false, true) => Style::Quiet,
        (false, false) => Style::Human,
    };
    let reporter = Reporter::new(style);
    match commands::dispatch(cli, &reporter) {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(failure) => {
            report(&failure, &reporter);
            ExitCode::from(failure.exit.code())
        }
    }
}

fn report(failure: &Failure, reporter: &Reporter) {
    let (help, places) = match &failure.what {
        What::Message { help, .. } => (help.clone(), Vec::new()),
        What::Diagnostics(diagnostics) => {
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
            (None, diagnostics.iter().map(place).collect())
        }
    };
    reporter.event(&Event::Failed {
        exit_code: failure.exit.code(),
        error: failure.summary(),
        help,
        diagnostics: places,
    });
    if !reporter.is_json() {
        let colour = logging::colour(std::io::stderr().is_terminal());
        eprint!("{}", diagnostics::render(failure, colour, true));
    }
}
