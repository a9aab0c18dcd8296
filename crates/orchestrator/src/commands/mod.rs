//! The commands: each reads its input, calls what does the work, and shows the result.

mod check;
mod doctor;
mod export;
mod graph;
mod ingest;
mod init;
mod plan;
mod reference;
mod run;
mod runs;
mod status;
mod validate;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::CommandFactory as _;

use crate::cli::{Cli, Command, ScopeArgs};
use crate::failure::{Exit, Failure};
use crate::planning::{Scope, partition_filter};
use crate::project::{Project, Workplace};
use crate::terminal::reporter::{Reporter, print_out};

/// Does what the command line says.
///
/// # Errors
/// What ended the command, to be shown.
pub fn dispatch(cli: Cli, reporter: &Reporter) -> Result<Exit, Failure> {
    let load = || Project::load(&cli.directory, &cli.file, cli.environment.as_deref()).map(Arc::new);
    match &cli.command {
        Command::Init { dir } => init::init(&init_folder(&cli.directory, dir), reporter),
        Command::Validate => validate::validate(&*load()?, reporter),
        Command::Doctor { role, source } => {
            let start = doctor::Start::load(&cli)?;
            if *role {
                return doctor::print_role(&start, source, reporter);
            }
            block_on(doctor::doctor(&cli.directory, start, source, reporter))
        }
        Command::Ingest(args) => {
            let work = Workplace::load(&cli.directory, &cli.file, cli.environment.as_deref())?;
            block_on(ingest::ingest(work, args.clone(), reporter))
        }
        Command::Export(args) => {
            let work = Workplace::load(&cli.directory, &cli.file, cli.environment.as_deref())?;
            block_on(export::export(work, (**args).clone(), reporter))
        }
        Command::Plan(scope) => block_on(plan::plan(load()?, scope_of(scope)?, reporter)),
        Command::Run(scope) => block_on(run::run(load()?, scope_of(scope)?, reporter)),
        Command::Check { select } => block_on(check::check(load()?, select.clone(), reporter)),
        Command::Status { select } => block_on(status::status(load()?, select.clone(), reporter)),
        Command::Runs { id, limit } => block_on(runs::runs(load()?, id.as_deref(), *limit, reporter)),
        Command::Graph { format } => graph::graph(&*load()?, *format),
        Command::Schema => reference::schema(),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "orchestrator", &mut script);
            print_out(&String::from_utf8_lossy(&script));
            Ok(Exit::Done)
        }
        Command::Reference { which } => reference::page(*which),
    }
}

/// The folder to write to, without a `.` that says nothing.
fn init_folder(directory: &Path, dir: &Path) -> PathBuf {
    if directory == Path::new(".") { dir.to_owned() } else { directory.join(dir) }
}

fn scope_of(scope: &ScopeArgs) -> Result<Scope, Failure> {
    Ok(Scope {
        select: scope.select.clone(),
        partitions: partition_filter(scope.partition.as_deref(), scope.from.as_deref(), scope.to.as_deref())?,
        full_refresh: scope.full_refresh,
    })
}

fn block_on(command: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Failed, format!("the program cannot start its threads: {error}")))?;
    let outcome = runtime.block_on(command);
    // Closing requests that were sent in the background get a moment.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    outcome
}
