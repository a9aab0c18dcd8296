//! The commands: each reads its input, calls what does the work, and shows the result.

mod ack;
mod check;
mod doctor;
mod export;
mod graph;
mod ingest;
mod init;
mod interrupts;
mod models;
mod plan;
mod reference;
mod run;
mod runs;
mod search;
mod simulate;
mod status;
mod validate;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::CommandFactory as _;

use crate::cli::{Cli, Command, ScopeArgs};
use crate::engine::plan::partition_filter;
use crate::engine::progress::Progress;
use crate::engine::{Bus, Scope, StepName};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::project::{Project, Workplace};
use crate::terminal::reporter::{Reporter, print_out};
use interrupts::interruptible;

/// Does what the command line says.
///
/// # Errors
/// The error that ended the command, to be shown.
pub fn dispatch(cli: Cli, reporter: &Reporter) -> Result<Exit> {
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
            block_on(interruptible(reporter, |cancel| ingest::ingest(work, (**args).clone(), reporter, cancel)))
        }
        Command::Export(args) => {
            let work = Workplace::load(&cli.directory, &cli.file, cli.environment.as_deref())?;
            block_on(interruptible(reporter, |cancel| export::export(work, (**args).clone(), reporter, cancel)))
        }
        Command::Plan(args) => {
            let (project, scope, is_tried) = (load()?, scope_of(&args.scope)?, args.simulate);
            block_on(interruptible(reporter, |cancel| plan::plan(project, scope, is_tried, reporter, cancel)))
        }
        Command::Run(scope) => {
            let (project, scope) = (load()?, scope_of(scope)?);
            block_on(interruptible(reporter, |cancel| run::run(project, scope, reporter, cancel)))
        }
        Command::Check { select } => {
            let project = load()?;
            block_on(interruptible(reporter, |cancel| check::check(project, select.clone(), reporter, cancel)))
        }
        Command::Ack { select, by } => {
            let project = load()?;
            let (select, by) = (select.clone(), by.clone());
            block_on(interruptible(reporter, |cancel| ack::ack(project, select, by, reporter, cancel)))
        }
        Command::Status { select } => {
            let project = load()?;
            block_on(interruptible(reporter, |cancel| status::status(project, select.clone(), reporter, cancel)))
        }
        Command::Runs { id, limit } => block_on(runs::runs(load()?, id.as_deref(), *limit, reporter)),
        Command::Models(command) => block_on(models::models(load()?, command, reporter)),
        Command::Search(args) => block_on(search::search(load()?, args, reporter)),
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

fn scope_of(scope: &ScopeArgs) -> Result<Scope> {
    Ok(Scope {
        select: scope.select.clone(),
        partitions: partition_filter(scope.partition.as_deref(), scope.from.as_deref(), scope.to.as_deref())?,
        full_refresh: scope.full_refresh,
    })
}

fn block_on(command: impl Future<Output = Result<Exit>>) -> Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::failed(format!("the program cannot start its threads: {error}")))?;
    let outcome = runtime.block_on(command);
    // Closing requests that were sent in the background get a moment.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    outcome
}

/// Runs some work outside of a run, and shows its progress as that of one step.
async fn with_progress<T>(reporter: &Reporter, step: StepName, work: impl AsyncFnOnce(Progress) -> T) -> T {
    let (bus, draining) = Bus::to(reporter.sinks(&[]));
    let outcome = work(Progress::new(bus, step, None)).await;
    draining.finish().await;
    outcome
}
