//! `validate`: the pipeline file and the settings, offline.

use crate::error::Error;
use crate::exit::Exit;
use crate::project::Project;
use crate::terminal::reporter::Reporter;
use crate::terminal::results::CommandResult;
use crate::terminal::table::counted;

pub(super) fn validate(project: &Project, reporter: &Reporter) -> Result<Exit, Error> {
    let pipeline = &project.pipeline;
    let assets = pipeline.assets().len();
    reporter.json(&CommandResult::Valid { file: pipeline.file().to_owned(), assets });
    reporter.result(&format!("{} is valid: {}\n", pipeline.file(), counted(assets as u64, "asset")));
    Ok(Exit::Done)
}
