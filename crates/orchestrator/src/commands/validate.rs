//! `validate`: the pipeline file and the settings, offline.

use crate::failure::{Exit, Failure};
use crate::project::Project;
use crate::terminal::event::Event;
use crate::terminal::reporter::Reporter;
use crate::terminal::table::counted;

pub(super) fn validate(project: &Project, reporter: &Reporter) -> Result<Exit, Failure> {
    let pipeline = &project.pipeline;
    let assets = pipeline.assets().len();
    reporter.event(&Event::Valid { file: pipeline.file().to_owned(), assets });
    reporter.result(&format!("{} is valid: {}\n", pipeline.file(), counted(assets as u64, "asset")));
    Ok(Exit::Done)
}
