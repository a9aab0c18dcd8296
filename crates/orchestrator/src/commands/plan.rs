//! `plan`: what a run would do, and why.

use std::io::IsTerminal as _;
use std::sync::Arc;

use es_assets::{Action, Step};
use es_core::{Mapping, Property};
use serde_json::json;

use tokio_util::sync::CancellationToken;

use super::run::{connect, standing_lines};
use super::simulate;
use crate::engine::plan::{action_name, mapping_changes, reasons, refuse_unmet, step_name};
use crate::engine::{Planned, Scope};
use crate::error::Result;
use crate::exit::Exit;
use crate::project::Project;
use crate::terminal::diagnostics::render;
use crate::terminal::logging::colour;
use crate::terminal::plan::{StepLine, in_words, table};
use crate::terminal::reporter::Reporter;
use crate::terminal::results::CommandResult;
use crate::terminal::screen::Screen;
use crate::terminal::table::counted;
use crate::terminal::text::paragraph;

pub(super) async fn plan(
    project: Arc<Project>,
    scope: Scope,
    is_tried: bool,
    reporter: &Reporter,
    cancel: CancellationToken,
) -> Result<Exit> {
    let engine = connect(project.clone(), &cancel).await?;
    let planned = engine.plan(&scope, &cancel).await?;
    refuse_unmet(&planned.plan)?;
    for step in &planned.plan.steps {
        reporter.json(&CommandResult::StepPlanned {
            step: step_name(&project, step),
            action: action_name(&step.action),
            reasons: explained(&planned, step),
            rows: rows_of(&planned, step),
            mapping: new_mapping(&planned, step).map(|mapping| json!(mapping)),
        });
    }
    if !reporter.is_json() {
        reporter.result(&text(&planned, &project, reporter.is_verbose(), &Screen::stdout()));
    }
    standing_lines(&planned.standing(), None, reporter);
    let tried = if is_tried { simulate::simulate(&engine, &planned, reporter).await? } else { Exit::Done };
    let failures = planned.failures();
    let Some(((_, last), others)) = failures.split_last() else { return Ok(tried) };
    for (_, error) in others.iter().filter(|_| !reporter.is_json()) {
        eprint!("{}", render(error, colour(std::io::stderr().is_terminal()), true));
    }
    Err(last.again())
}

/// The mapping that an index would be made with, of files.
fn new_mapping<'a>(planned: &'a Planned, step: &Step) -> Option<&'a Mapping> {
    let is_build = matches!(step.action, Action::Build { .. });
    planned.prepared.get(&step.asset).filter(|_| is_build).and_then(|prepared| prepared.mapping.as_ref())
}

/// The rows that a part will have, where that is known.
fn rows_of(planned: &Planned, step: &Step) -> Option<u64> {
    planned.prepared.get(&step.asset)?.rows_of(step.partition.as_ref())
}

/// The fields of a mapping, in a line.
fn fields(mapping: &Mapping) -> String {
    let field = |(path, property): (String, Property<'_>)| format!("{path} {}", property.field_type());
    let fields = mapping.fields().into_iter().filter(|(_, property)| property.parameter("properties").is_none());
    fields.map(field).collect::<Vec<_>>().join(", ")
}

/// The reasons, with the differences of the mapping where the mapping is one.
fn explained(planned: &Planned, step: &Step) -> Vec<String> {
    let mut reasons = reasons(&step.action);
    let Action::Build { reasons: why } = &step.action else { return reasons };
    let is_mapping = |reason: &es_assets::Reason| matches!(reason, es_assets::Reason::DefinitionChanged { parts } if parts.iter().any(|part| part == "mappings"));
    if why.iter().any(is_mapping) {
        reasons.extend(mapping_changes(planned, step).into_iter().map(|change| format!("{change} (reindex)")));
    }
    reasons
}

fn text(planned: &Planned, project: &Project, is_verbose: bool, screen: &Screen) -> String {
    let mut text = String::new();
    let pending: Vec<&Step> = planned.plan.pending().collect();
    let unchanged = planned.plan.steps.len() - pending.len();
    for name in &planned.plan.removed {
        let note = format!("note: `{name}` is published, and the pipeline no longer has it; it is left alone");
        text.push_str(&paragraph(&note, 2, screen));
    }
    if pending.is_empty() {
        text.push_str(&format!("everything is up to date: {} unchanged\n", counted(unchanged as u64, "part")));
        return text;
    }
    let line = |step: &&Step| {
        let name = step_name(project, step);
        StepLine {
            asset: name.asset,
            partition: name.partition,
            action: action_name(&step.action),
            rows: rows_of(planned, step),
            why: in_words(&explained(planned, step)),
        }
    };
    let lines: Vec<StepLine> = pending.iter().map(line).collect();
    let all = |name: &str| planned.plan.steps.iter().filter(|step| step.asset == name).count();
    text.push_str(&table(&lines, all, is_verbose, screen));
    for name in planned.plan.changed_assets() {
        for note in planned.prepared.get(name).into_iter().flat_map(|prepared| &prepared.notes) {
            text.push_str(&paragraph(&format!("note: {name}: {note}"), 2, screen));
        }
    }
    let mut shown: Vec<&str> = Vec::new();
    for step in &pending {
        let Some(mapping) = new_mapping(planned, step).filter(|_| !shown.contains(&step.asset.as_str())) else {
            continue;
        };
        let before = if shown.is_empty() { "\n" } else { "" };
        shown.push(&step.asset);
        text.push_str(before);
        text.push_str(&paragraph(&format!("fields of {}: {}", step.asset, fields(mapping)), 2, screen));
    }
    text.push_str(&format!("\n{} to do, {unchanged} unchanged\n", counted(pending.len() as u64, "part")));
    text
}
