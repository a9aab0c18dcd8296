//! `ingest`: the command line of a one-off load, and what is shown of it.

mod mapping_file;
mod remedies;
mod replay;

use std::path::Path;

use es_bulk::Summary;
use es_bulk::files::{CsvOptions, DocumentOptions, FileInput};
use es_bulk::ingest::{DryRun, Ingest, IngestOutcome, IngestRequest};
use es_core::{Client, NewIndex};
use es_frame::WriterOptions;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::with_progress;
use crate::cli::IngestArgs;
use crate::disk;
use crate::engine::StepName;
use crate::error::{Error, ErrorKind, Result};
use crate::exit::Exit;
use crate::project::Workplace;
use crate::store::lock::LoadLock;
use crate::terminal::reporter::Reporter;
use crate::terminal::results::CommandResult;
use crate::terminal::table::{count, counted, size, took};
use mapping_file::MappingFile;
use remedies::explained;
use replay::replay;

pub(super) async fn ingest(
    work: Workplace,
    args: IngestArgs,
    reporter: &Reporter,
    cancel: CancellationToken,
) -> Result<Exit> {
    let request = request(&args, &work)?;
    let client = tokio::select! {
        client = prepared(&work, args.dry_run, reporter) => client?,
        () = cancel.cancelled() => return Err(Error::interrupted_early()),
    };
    let step = StepName { asset: args.to.clone(), partition: None, kind: "ingest" };
    let outcome = match (request, &args.replay) {
        (Some(request), _) if args.dry_run => {
            let dry_run = Ingest::new(&client, request).with_cancellation(cancel).dry_run().await.map_err(explained)?;
            show_dry_run(&args.to, &dry_run.ok_or_else(Error::interrupted_early)?, reporter);
            return Ok(Exit::Done);
        }
        (Some(request), _) => {
            let checkpoints = work.checkpoints();
            let Some(_lock) = LoadLock::take(&checkpoints, &request.name())? else {
                let message = format!("another process is loading these files into {}", args.to);
                return Err(Error::config(message).with_help(Some("wait for its end, or stop it")));
            };
            with_progress(reporter, step, async |progress| {
                let (rows, notes) = (progress.clone(), reporter.clone());
                Ingest::new(&client, request)
                    .with_run(uuid::Uuid::now_v7().to_string())
                    .with_checkpoints(checkpoints)
                    .with_dead_letters(work.dead_letters())
                    .with_start_observer(move |start| {
                        if let Some(total) = start.rows {
                            rows.set_total(total);
                        }
                        rows.resume_after(start.resumed_after);
                        start.notes.iter().for_each(|note| notes.note(&format!("note: {note}")));
                    })
                    .with_observer(move |step| progress.advance(step.settled()))
                    .with_cancellation(cancel)
                    .run()
                    .await
                    .map_err(explained)
            })
            .await?
        }
        (None, Some(file)) => {
            with_progress(reporter, step, async |progress| replay(&work, &client, &args, file, &cancel, progress).await)
                .await?
        }
        (None, None) => return Err(Error::config("there is nothing to load")),
    };
    finish(&args, outcome, reporter)
}

/// A connection to a cluster that has room.
async fn prepared(work: &Workplace, only_looks: bool, reporter: &Reporter) -> Result<Client, Error> {
    let client = work.connect().await?;
    if work.settings.run.disk_check && !only_looks {
        disk::require_room(&client, |warning| reporter.note(&format!("warning: {warning}"))).await?;
    }
    Ok(client)
}

/// The request of the command line; none where a dead letter is sent again.
fn request(args: &IngestArgs, work: &Workplace) -> Result<Option<IngestRequest>> {
    if args.replay.is_some() {
        return Ok(None);
    }
    if args.id.is_empty() && args.op.needs_id() {
        return Err(Error::config(format!("--op {} needs --id", args.op))
            .with_help(Some("name the columns that make up the ids of the documents to change")));
    }
    if args.version.is_some() && !args.op.takes_version() {
        return Err(Error::config("--document-version goes with --op index and delete"));
    }
    let declared = args.mapping.as_deref().map(MappingFile::read).transpose()?.unwrap_or_default();
    let input = FileInput::expand(&args.files)?;
    if matches!(input, FileInput::StandardInput) && args.format.is_none() {
        return Err(Error::config("the format of standard input is not known")
            .with_help(Some("give it with --format: csv, ndjson, json, bulk, elasticdump or ipc-stream")));
    }
    let mut request = IngestRequest::new(args.to.clone(), input);
    request.read.format = args.format;
    request.read.leave_out.clone_from(&args.leave_out);
    request.read.records = args.records.clone();
    request.read.csv = CsvOptions {
        delimiter: args.delimiter,
        quote: args.quote,
        encoding: args.encoding,
        null_values: args.null_values.clone(),
        header: !args.no_header,
        decimal_comma: args.decimal_comma,
        types: args.types.iter().cloned().collect(),
    };
    request.documents = DocumentOptions {
        writer: WriterOptions {
            id: args.id.clone(),
            operation: args.op,
            routing: args.routing.clone(),
            version: args.version.clone(),
            dotted_names: args.dotted_names,
            non_finite: args.non_finite,
            ..WriterOptions::default()
        },
        mapping: declared.mapping,
        undeclared: args.undeclared,
        ..DocumentOptions::default()
    };
    request.settings = declared.settings;
    request.pipeline = args.pipeline.clone();
    request.bulk = work.settings.bulk_options();
    request.bulk.max_rejected = args.max_rejected.unwrap_or(request.bulk.max_rejected);
    request.bulk.force_merge_segments = args.force_merge.or(request.bulk.force_merge_segments);
    request.restart = args.restart;
    Ok(Some(request))
}

fn show_dry_run(index: &str, dry_run: &DryRun, reporter: &Reporter) {
    let body = dry_run.new_index.as_ref().map(body_json).unwrap_or_default();
    reporter.json(&CommandResult::IngestPlanned {
        index: index.to_owned(),
        exists: dry_run.new_index.is_none(),
        files: dry_run.files.clone(),
        rows: dry_run.rows,
        body: body.clone(),
    });
    let rows = dry_run.rows.map(|rows| format!(", {}", counted(rows, "row"))).unwrap_or_default();
    let files = match dry_run.files.as_slice() {
        [one] => one.clone(),
        files => format!("{}, {} to {}", counted(files.len() as u64, "file"), files[0], files[files.len() - 1]),
    };
    dry_run.notes.iter().for_each(|note| reporter.note(&format!("note: {note}")));
    reporter.result(&format!("would load {files}{rows}\n"));
    match dry_run.new_index {
        None => reporter.result(&format!("into {index}, which exists\n")),
        Some(_) => reporter.result(&format!("into {index}, which would be created with\n{body:#}\n")),
    }
}

/// The body of an index, for a person.
fn body_json(body: &NewIndex) -> Value {
    let mut value = json!({"mappings": body.mapping});
    if !body.settings.is_empty() {
        value["settings"] = json!({"index": body.settings});
    }
    value
}

/// Shows the result of a load, and returns the exit code of the program.
fn finish(args: &IngestArgs, outcome: IngestOutcome, reporter: &Reporter) -> Result<Exit> {
    let IngestOutcome { whole, here, dead_letter, error } = outcome;
    let is_rejection = error.as_ref().is_some_and(|error| error.kind() == es_bulk::ErrorKind::TooManyRejected);
    let error = match error {
        Some(error) => Some(Error::from(error)),
        None if here.interrupted => Some(Error::new(ErrorKind::Interrupted, format!("interrupted after {here}"))),
        None => None,
    };
    let exit = error.as_ref().map_or(Exit::Done, Exit::from);
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
    match error {
        None => Ok(exit),
        Some(error) => {
            let can_be_resumed =
                args.replay.is_none() && args.files != ["-"] && (!args.id.is_empty() || whole.unknown == 0);
            let help = match (&letter, exit) {
                (_, Exit::Interrupted) if can_be_resumed => Some("the same command resumes it".to_owned()),
                (Some(letter), _) if is_rejection && !letter.ends_with(".errors.ndjson") => Some(format!(
                    "{}; correct them there and send them with `orchestrator ingest --replay {letter} --to {}`; the \
                     same command with a higher `--max-rejected` goes on with the rest",
                    error.help().unwrap_or_default(),
                    args.to
                )),
                _ => None,
            };
            Err(error.with_help(help))
        }
    }
}

/// The account of the documents, in a few lines.
fn text(index: &str, whole: &Summary, here: &Summary, letter: Option<&str>) -> String {
    let mut text = format!("{index}: {whole}\n");
    let kinds = [
        ("created", whole.created),
        ("updated", whole.updated),
        ("unchanged", whole.unchanged),
        ("deleted", whole.deleted),
        ("dropped by an ingest pipeline", whole.dropped),
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
        text.push_str(&format!("  resumed after {} of an earlier load\n", counted(whole.read - here.read, "row")));
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
    std::fs::write(&beside, text)
        .and_then(|()| std::fs::rename(&beside, path))
        .map_err(|error| Error::failed(format!("the metrics file {} cannot be written: {error}", path.display())))
}
