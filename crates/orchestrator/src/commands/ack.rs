//! `ack`: takes note of verdicts that stand, so that they no longer decide the exit code.

use std::sync::Arc;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::run::{connect, standing_lines};
use crate::engine::Scope;
use crate::environment::person;
use crate::error::Result;
use crate::exit::Exit;
use crate::project::Project;
use crate::store::history::Acknowledgement;
use crate::terminal::reporter::Reporter;

pub(super) async fn ack(
    project: Arc<Project>,
    select: Option<String>,
    by: Option<String>,
    reporter: &Reporter,
    cancel: CancellationToken,
) -> Result<Exit> {
    let engine = connect(project, &cancel).await?;
    let planned = engine.plan(&Scope::of(select), &cancel).await?;
    let note = Acknowledgement { by: by.unwrap_or_else(person), at: Timestamp::now() };
    let done = engine.acknowledge(&planned, &note).await?;
    if done.is_empty() {
        reporter.result("nothing to acknowledge: no verdict of the selection stands\n");
        return Ok(Exit::Done);
    }
    standing_lines(&done, Some(&note.by), reporter);
    Ok(Exit::Done)
}
