//! `validate`: the pipeline file and the settings, offline.

use crate::failure::{Exit, Failure};
use crate::project::Project;
use crate::terminal::event::Event;
use crate::terminal::reporter::Reporter;

pub(super) fn validate(project: &Project, reporter: &Reporter) -> Result<Exit, Failure> {
    let pipeline = &project.pipeline;
    let assets = pipeline.assets().len();
    reporter.event(&Event::Valid { file: pipeline.file().to_owned(), assets });
    let noun = if assets == 1 { "asset" } else { "assets" };
    reporter.result(&format!("{} is valid: {assets} {noun}\n", pipeline.file()));
    Ok(Exit::Done)
}
