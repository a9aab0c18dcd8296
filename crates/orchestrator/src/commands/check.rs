//! `check`: checks and monitors on what is published.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::run::{connect, execute};
use crate::engine::Scope;
use crate::error::Result;
use crate::exit::Exit;
use crate::project::Project;
use crate::terminal::reporter::Reporter;

pub(super) async fn check(
    project: Arc<Project>,
    select: Option<String>,
    reporter: &Reporter,
    cancel: CancellationToken,
) -> Result<Exit> {
    let engine = connect(project, &cancel).await?;
    let planned = engine.plan_checks(&Scope::of(select), &cancel).await?;
    if planned.plan.is_empty() {
        reporter.result("nothing to check: no monitor, and no published asset with checks, is selected\n");
        return Ok(Exit::Done);
    }
    execute(&engine, planned, 0, Vec::new(), reporter, cancel).await
}
