//! `ingest`: the command line of a one-off load, and what is shown of it.

use std::path::Path;

use es_bulk::Summary;
use es_bulk::files::{FileFormat, expand};
use es_core::Client;
use tokio_util::sync::CancellationToken;
use es_frame::{FieldNames, NonFinite, Operation, WriterOptions};

use super::with_progress;
use crate::cli::{DottedNamesArg, FormatArg, IngestArgs, NonFiniteArg, OperationArg, UndeclaredArg};
use crate::disk;
use crate::kinds::spec::Undeclared;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::project::Workplace;
use crate::engine::StepName;
use crate::terminal::results::CommandResult;
use crate::terminal::reporter::Reporter;
use crate::terminal::table::{count, counted, size, took};
use crate::transfer::ingest::{self, Ending, Order, Prospect};
use crate::transfer::replay;
use crate::transfer::source::{Making, Place};
use crate::transfer::target::Declared;

pub(super) async fn ingest(
    work: Workplace,
    args: IngestArgs,
    reporter: &Reporter,
    cancel: CancellationToken,
) -> Result<Exit> {
    let order = order(&args)?;
    let client = tokio::select! {
        client = prepared(&work, args.dry_run, reporter) => client?,
        () = cancel.cancelled() => return Err(Error::interrupted_early()),
    };
    let step = StepName { asset: args.to.clone(), partition: None, kind: "ingest" };
    let ending = match (order, &args.replay) {
        (Some(order), _) if args.dry_run => {
            show_prospect(&args.to, &ingest::look(&client, order, &cancel).await?, reporter);
            return Ok(Exit::Done);
        }
        (Some(order), _) => {
            with_progress(reporter, step, async |progress| ingest::load(&work, &client, order, &cancel, progress).await)
                .await?
        }
        (None, Some(file)) => {
            with_progress(reporter, step, async |progress| {
                replay::replay(&work, &client, &args, file, &cancel, progress).await
            })
            .await?
        }
        (None, None) => return Err(Error::config("there is nothing to load")),
    };
    finish(&args, ending, reporter)
}

/// A connection to a cluster that has room.
async fn prepared(work: &Workplace, only_looks: bool, reporter: &Reporter) -> Result<Client, Error> {
    let client = work.connect().await?;
    if work.settings.run.disk_check && !only_looks {
        disk::require_room(&client, |warning| reporter.note(&format!("warning: {warning}"))).await?;
    }
    Ok(client)
}

/// What the command line asks for; none where a dead letter is sent again.
fn order(args: &IngestArgs) -> Result<Option<Order>, Error> {
    if args.replay.is_some() {
        return Ok(None);
    }
    let place = match args.files.as_slice() {
        [one] if one == "-" => Place::Standard,
        files if files.iter().any(|file| file == "-") => {
            return Err(Error::config("standard input cannot be loaded together with files"));
        }
        files => Place::Files(expand(files)?),
    };
    let operation = operation(args.op);
    if args.id.is_empty() && operation.needs_id() {
        return Err(Error::config(format!("--op {} needs --id", operation.as_str()))
            .with_help(Some("name the columns that make up the ids of the documents to change")));
    }
    if args.version.is_some() && !operation.takes_version() {
        return Err(Error::config("--document-version goes with --op index and delete"));
    }
    let writer = WriterOptions {
        id: args.id.clone(),
        operation,
        routing: args.routing.clone(),
        version: args.version.clone(),
        names: match args.dotted_names {
            DottedNamesArg::Flat => FieldNames::Flat,
            DottedNamesArg::Objects => FieldNames::Objects,
        },
        non_finite: match args.non_finite {
            NonFiniteArg::Null => NonFinite::Null,
            NonFiniteArg::Reject => NonFinite::Reject,
            NonFiniteArg::String => NonFinite::Text,
        },
        ..WriterOptions::default()
    };
    let undeclared = match args.undeclared {
        UndeclaredArg::Infer => Undeclared::Infer,
        UndeclaredArg::Ignore => Undeclared::Ignore,
        UndeclaredArg::Reject => Undeclared::Reject,
    };
    let declared = args.mapping.as_deref().map(Declared::read).transpose()?;
    Ok(Some(Order {
        place,
        format: args.format.map(format),
        to: args.to.clone(),
        making: Making { writer, declared, undeclared },
        pipeline: args.pipeline.clone(),
        max_rejected: args.max_rejected,
        force_merge: args.force_merge,
        restart: args.restart,
    }))
}

fn operation(operation: OperationArg) -> Operation {
    match operation {
        OperationArg::Index => Operation::Index,
        OperationArg::Create => Operation::Create,
        OperationArg::Update => Operation::Update,
        OperationArg::Upsert => Operation::Upsert,
        OperationArg::Delete => Operation::Delete,
    }
}

fn format(format: FormatArg) -> FileFormat {
    match format {
        FormatArg::Parquet => FileFormat::Parquet,
        FormatArg::Csv => FileFormat::Csv,
        FormatArg::Ndjson => FileFormat::Ndjson,
        FormatArg::Ipc => FileFormat::Ipc,
        FormatArg::IpcStream => FileFormat::IpcStream,
    }
}

fn show_prospect(index: &str, prospect: &Prospect, reporter: &Reporter) {
    reporter.json(&CommandResult::IngestPlanned {
        index: index.to_owned(),
        exists: prospect.exists,
        files: prospect.files.clone(),
        rows: prospect.rows,
        body: prospect.body.clone(),
    });
    let rows = prospect.rows.map(|rows| format!(", {}", counted(rows, "row"))).unwrap_or_default();
    let files = match prospect.files.as_slice() {
        [one] => one.clone(),
        files => format!("{}, {} to {}", counted(files.len() as u64, "file"), files[0], files[files.len() - 1]),
    };
    reporter.result(&format!("would load {files}{rows}\n"));
    if prospect.exists {
        reporter.result(&format!("into {index}, which exists\n"));
    } else {
        reporter.result(&format!("into {index}, which would be created with\n{:#}\n", prospect.body));
    }
}

/// Shows what a load did, and says how the program ends.
fn finish(args: &IngestArgs, ending: Ending, reporter: &Reporter) -> Result<Exit> {
    let Ending { whole, here, dead_letter, failure } = ending;
    let exit = failure.as_ref().map_or(Exit::Done, Exit::from);
    let letter = dead_letter.as_ref().map(|path| path.display().to_string());
    reporter.json(&CommandResult::IngestFinished {
        index: args.to.clone(),
        exit_code: exit.code(),
        summary: serde_json::json!(whole),
        resumed: whole.read - here.read,
        dead_letter: letter.clone(),
        took_ms: u64::try_from(here.took.as_millis()).unwrap_or(u64::MAX),
        documents_per_second: here.rate() as u64,
    });
    reporter.result(&text(&args.to, &whole, &here, letter.as_deref()));
    if let Some(path) = &args.metrics {
        write_metrics(path, &whole, &args.to)?;
    }
    match failure {
        None => Ok(exit),
        Some(failure) => {
            let can_be_resumed = args.replay.is_none() && !args.id.is_empty() && args.files != ["-"];
            let help = (exit == Exit::Interrupted && can_be_resumed).then_some("the same command resumes it");
            Err(failure.with_help(help))
        }
    }
}

/// What became of the documents, in a few lines.
fn text(index: &str, whole: &Summary, here: &Summary, letter: Option<&str>) -> String {
    let mut text = format!("{index}: {whole}\n");
    let kinds = [
        ("created", whole.created),
        ("updated", whole.updated),
        ("unchanged", whole.unchanged),
        ("deleted", whole.deleted),
    ];
    let mut kinds: Vec<String> = kinds
        .iter()
        .filter(|(_, documents)| *documents > 0)
        .map(|(kind, documents)| format!("{} {kind}", count(*documents)))
        .collect();
    kinds.extend(whole.rejected.iter().map(|(why, documents)| format!("{} rejected as {why}", count(*documents))));
    if !kinds.is_empty() {
        text.push_str(&format!("  {}\n", kinds.join(", ")));
    }
    if here.read < whole.read {
        text.push_str(&format!("  carried on after {} of an earlier load\n", counted(whole.read - here.read, "row")));
    }
    text.push_str(&format!(
        "  {} in {}, at most {} at once; {} sent again; {}, {:.0}/s\n",
        size(here.bytes),
        counted(here.requests, "request"),
        here.concurrency_highest,
        count(here.sent_again),
        took(here.took),
        here.rate()
    ));
    if let Some(letter) = letter {
        text.push_str(&format!("  rejected documents, each with its reason: {letter}\n"));
    }
    text
}

/// Writes the numbers for a collector of metrics, in one step.
fn write_metrics(path: &Path, summary: &Summary, index: &str) -> Result<(), Error> {
    let text = summary.to_prometheus(&[("index", index)]);
    let beside = path.with_extension("prom.new");
    std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, path)).map_err(|error| {
        Error::failed(format!("the metrics file {} cannot be written: {error}", path.display()))
    })
}
