//! `runs`: the history.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::project::Project;
use crate::store::history::History;
use crate::terminal::reporter::Reporter;
use crate::terminal::results::CommandResult;
use crate::terminal::table::{Align, Table, took};

pub(super) async fn runs(project: Arc<Project>, id: Option<&str>, limit: usize, reporter: &Reporter) -> Result<Exit> {
    let client = project.connect().await?;
    let store = History::new(client, &project.prefix, project.pipeline.name());
    let records = store.steps(id, limit).await?;
    let mut table = Table::new(&[
        ("run", Align::Left),
        ("part", Align::Left),
        ("status", Align::Left),
        ("started", Align::Left),
        ("took", Align::Right),
        ("", Align::Left),
    ]);
    for record in &records {
        let duration = record.finished.and_then(|end| end.duration_since(record.started).try_into().ok());
        let detail = record.error.clone().unwrap_or_else(|| record.reasons.join("; "));
        table.row([
            record.run.clone(),
            record.part.clone(),
            record.status.to_string(),
            record.started.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            duration.map(took).unwrap_or_default(),
            detail,
        ]);
        reporter.json(&CommandResult::RunRecord {
            run: record.run.clone(),
            part: Some(record.part.clone()),
            status: record.status,
            started: record.started.to_string(),
            error: record.error.clone(),
            summary: record.summary.clone(),
        });
    }
    match (records.is_empty(), id) {
        (true, Some(id)) => Err(Error::config(format!("there is no run {id}")).with_help(Some("`runs` lists them"))),
        (true, None) => {
            reporter.result("no runs yet\n");
            Ok(Exit::Done)
        }
        (false, _) => {
            reporter.result(&table.to_string());
            Ok(Exit::Done)
        }
    }
}
