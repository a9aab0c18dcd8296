//! `doctor`: what is wrong between this program and the cluster, and what to do about it.

use std::io::IsTerminal as _;
use std::path::Path;

use es_assets::Pipeline;

use crate::cli::Cli;
use crate::doctor::collect::Target;
use crate::doctor::finding::{Counts, Finding};
use crate::doctor::needs::Needs;
use crate::doctor::{examine, has_failed, role, text};
use crate::environment::Environment;
use crate::error::Error;
use crate::exit::Exit;
use crate::project::{Project, has_pipeline};
use crate::settings::{self, ClusterSettings};
use crate::terminal::logging::colour;
use crate::terminal::reporter::Reporter;
use crate::terminal::results::CommandResult;

/// The starting point of the command: a pipeline, or without one, the environment.
pub(super) enum Start {
    Pipeline(Box<Project>),
    Environment { environment: Environment, cluster: Box<ClusterSettings> },
}

impl Start {
    /// Reads the pipeline of the command line. That there is none is no error, unless one was
    /// named.
    pub(super) fn load(cli: &Cli) -> Result<Self, Error> {
        if has_pipeline(&cli.directory, &cli.file, cli.environment.as_deref()) {
            let project = Project::load(&cli.directory, &cli.file, cli.environment.as_deref())?;
            return Ok(Self::Pipeline(Box::new(project)));
        }
        let environment = Environment::load(&cli.directory)?;
        let cluster = Box::new(settings::of_environment(&environment)?.cluster);
        Ok(Self::Environment { environment, cluster })
    }

    fn pipeline(&self) -> Option<&Pipeline> {
        match self {
            Self::Pipeline(project) => Some(&project.pipeline),
            Self::Environment { .. } => None,
        }
    }

    fn project(&self) -> Option<&Project> {
        match self {
            Self::Pipeline(project) => Some(project),
            Self::Environment { .. } => None,
        }
    }

    fn prefix(&self) -> Option<String> {
        match self {
            Self::Pipeline(project) => Some(project.prefix.clone()),
            Self::Environment { cluster, .. } => cluster.index_prefix.clone(),
        }
    }

    fn needs(&self, sources: &[String]) -> Needs {
        Needs::of(self.project(), self.prefix().as_deref(), sources)
    }
}

/// Makes every check and shows what was found.
pub(super) async fn doctor(
    directory: &Path,
    start: Start,
    sources: &[String],
    reporter: &Reporter,
) -> Result<Exit, Error> {
    let config = match &start {
        Start::Pipeline(project) => {
            settings::cluster_config(&project.settings.cluster, &project.environment, &project.folder)?
        }
        Start::Environment { environment, cluster } => settings::cluster_config(cluster, environment, directory)?,
    };
    let target = Target { config, prefix: start.prefix(), sources: sources.to_vec(), needs: start.needs(sources) };
    let findings = examine(&target).await?;
    let exit = if has_failed(&findings) { Exit::Failed } else { Exit::Done };
    show(&findings, exit, reporter);
    Ok(exit)
}

fn show(findings: &[Finding], exit: Exit, reporter: &Reporter) {
    for finding in findings {
        reporter.json(&CommandResult::Checked { finding: serde_json::json!(finding) });
    }
    let counts = Counts::of(findings);
    reporter.json(&CommandResult::DoctorFinished {
        exit_code: exit.code(),
        passed: counts.passed,
        warned: counts.warned,
        failed: counts.failed,
        skipped: counts.skipped,
    });
    reporter.result(&text::render(findings, colour(std::io::stdout().is_terminal())));
}

/// Prints the least-privileged role, offline: the role itself on standard output, what to do with
/// it on standard error.
pub(super) fn print_role(start: &Start, sources: &[String], reporter: &Reporter) -> Result<Exit, Error> {
    if start.prefix().is_none() && sources.is_empty() {
        return Err(Error::config("no pipeline says which indices the role is for").with_help(Some(
            "name its folder with -C, or set ELASTICSEARCH_INDEX_PREFIX, or name indices with --source",
        )));
    }
    let name = start.pipeline().map_or("orchestrator", Pipeline::name).to_owned();
    let body = role::body(&start.needs(sources));
    reporter.result(&format!("{body:#}\n"));
    reporter.note(role::commands(&name).trim_end());
    reporter.json(&CommandResult::Role { name, role: body });
    Ok(Exit::Done)
}
