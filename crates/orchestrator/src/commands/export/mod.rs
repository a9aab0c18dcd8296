//! `export`: the command line of a one-off export, and what is shown of it.

use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::time::{Duration, Instant};

use es_core::Client;
use es_export::{
    Compression, Export, FileOptions, Format, IndexReader, Manifest, Origin, ReadBy, ReadRequest, StreamExport,
    Streamed,
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::with_progress;
use crate::cli::ExportArgs;
use crate::engine::StepName;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::kinds::export::report_export;
use crate::project::Workplace;
use crate::terminal::reporter::Reporter;
use crate::terminal::results::{CommandResult, ExportColumn};
use crate::terminal::table::{Align, Table, count, counted, size, took};

mod request;

use request::{ExportRequest, Target};

pub(super) async fn export(
    work: Workplace,
    args: ExportArgs,
    reporter: &Reporter,
    cancel: CancellationToken,
) -> Result<Exit> {
    let order = ExportRequest::new(&args, &work)?;
    if reporter.is_json() && matches!(order.target, Target::Standard(_)) && !args.dry_run {
        return Err(Error::config("standard output can hold the rows or the events of --json, not both"));
    }
    let client = tokio::select! {
        client = work.connect() => client?,
        () = cancel.cancelled() => return Err(Error::interrupted_early()),
    };
    let ExportRequest { name, request, target, split, encodings } = order;
    match target {
        Target::Standard(format) if args.dry_run => {
            let reader = IndexReader::open(&client, request).await?;
            if let Err(error) = format.check(&reader.schema()) {
                reader.close().await?;
                return Err(error.into());
            }
            dry_run(reader, &name, format, "standard output", reporter).await
        }
        Target::Standard(format) => stream(&client, request, format, &name, &cancel, reporter).await,
        Target::Files(destination, format) => {
            let path = destination.path().to_owned();
            let mut export = Export::new(request, destination);
            export.files = format;
            export.split = split;
            export.partition_by = args.partition_by.clone();
            export.encodings = encodings;
            export.options = work.settings.export.write;
            export.options.rows_per_file = args.rows_per_file.unwrap_or(export.options.rows_per_file);
            export.restart = args.restart;
            if args.dry_run {
                let reader = export.preview(&client).await?;
                return dry_run(reader, &name, format, &path.display().to_string(), reporter).await;
            }
            write(&client, export, &path, &name, &cancel, reporter).await
        }
    }
}

async fn write(
    client: &Client,
    export: Export,
    path: &Path,
    name: &str,
    cancel: &CancellationToken,
    reporter: &Reporter,
) -> Result<Exit> {
    let started = Instant::now();
    let outcome = with_progress(reporter, step(name), async |progress| {
        export.with_observer(report_export(progress)).with_cancellation(cancel.clone()).run(client).await
    })
    .await;
    finish(path, &outcome?, started.elapsed(), reporter);
    Ok(Exit::Done)
}

/// Writes to standard output; notes go to standard error.
async fn stream(
    client: &Client,
    request: ReadRequest,
    format: FileOptions,
    name: &str,
    cancel: &CancellationToken,
    reporter: &Reporter,
) -> Result<Exit> {
    if io::stdout().is_terminal() && format.format == Format::IpcStream {
        return Err(Error::config("refusing to write a binary Arrow stream to a terminal")
            .with_help(Some("redirect it to a program or a file, or choose --format ndjson or csv")));
    }
    let started = Instant::now();
    let outcome = with_progress(reporter, step(name), async |progress| {
        let export = StreamExport::new(request, format).with_observer(report_export(progress));
        export.with_cancellation(cancel.clone()).run(client, io::stdout()).await
    })
    .await;
    let Streamed { rows, bytes, .. } = match outcome {
        Ok(streamed) => streamed,
        // The reader of the pipe has seen enough, as `head` has.
        Err(error) if error.kind() == es_export::ErrorKind::Closed => return Ok(Exit::Done),
        Err(error) => return Err(error.into()),
    };
    let spent = started.elapsed();
    reporter.note(&format!(
        "{}, {}, {}, {}/s",
        counted(rows, "row"),
        size(bytes),
        took(spent),
        count(rate(rows, spent))
    ));
    Ok(Exit::Done)
}

fn step(name: &str) -> StepName {
    StepName { asset: name.to_owned(), partition: None, kind: "export" }
}

/// Describes what would be read and written, and closes the reader.
async fn dry_run(reader: IndexReader, name: &str, format: FileOptions, to: &str, reporter: &Reporter) -> Result<Exit> {
    let schema = reader.schema();
    let columns: Vec<ExportColumn> = schema
        .iter()
        .zip(reader.field_types())
        .map(|((name, dtype), (_, field_type))| ExportColumn {
            name: name.to_string(),
            elasticsearch: field_type.clone(),
            polars: dtype.to_string(),
        })
        .collect();
    let (rows, origin) = (reader.count(), reader.origin().clone());
    reader.close().await?;
    reporter.json(&CommandResult::ExportPlanned {
        index: origin.index.clone(),
        rows,
        columns: columns.clone(),
        source: json!(origin),
    });
    let rows = rows.map_or_else(|| "an unknown number of rows".to_owned(), |rows| counted(rows, "row"));
    reporter.result(&format!("would read {rows} of {name} {}\n", how(&origin)));
    // The usual compression of a format goes without saying.
    let compression = match format.compression {
        None | Some(Compression::Uncompressed) => String::new(),
        Some(compression) => format!(", {compression}"),
    };
    reporter.result(&format!("and write {}{compression} to {to}\n\n", format.format));
    for note in &origin.notes {
        reporter.result(&format!("note: {note}\n"));
    }
    if !origin.notes.is_empty() {
        reporter.result("\n");
    }
    let mut table = Table::new(&[("column", Align::Left), ("elasticsearch", Align::Left), ("type", Align::Left)]);
    for column in columns {
        table.row([column.name, column.elasticsearch, column.polars]);
    }
    reporter.result(&table.to_string());
    Ok(Exit::Done)
}

fn how(origin: &Origin) -> String {
    let by = match origin.read_by {
        ReadBy::PointInTime => format!("in {} of a point in time", counted(origin.slices as u64, "slice")),
        ReadBy::Scroll => "by scrolling".to_owned(),
        ReadBy::Esql => "by ES|QL".to_owned(),
        ReadBy::Sql => "by SQL".to_owned(),
    };
    match &origin.retrieval {
        Some(retrieval) => format!("{by}, from {retrieval}"),
        None => by,
    }
}

fn finish(path: &Path, manifest: &Manifest, spent: Duration, reporter: &Reporter) {
    let files = manifest.files().count();
    let bytes: u64 = manifest.files().map(|file| file.bytes).sum();
    reporter.json(&CommandResult::ExportFinished {
        path: path.display().to_string(),
        rows: manifest.rows,
        bytes,
        files,
        resumed: manifest.resumed,
        took_ms: u64::try_from(spent.as_millis()).unwrap_or(u64::MAX),
        rows_per_second: (manifest.resumed == 0).then(|| rate(manifest.rows, spent)),
    });
    let parts: Vec<String> =
        manifest.parts.iter().map(|part| format!("  {} {}\n", part.name, counted(part.rows, "row"))).collect();
    let parts = if manifest.split.is_some() { parts.concat() } else { String::new() };
    let matched = match manifest.source.matched {
        Some(matched) if matched == manifest.rows => ", as many as match",
        _ => "",
    };
    // Rows that an earlier process read say nothing of the rate.
    let (resumed, rate) = match manifest.resumed {
        0 => ("", format!(", {}/s", count(rate(manifest.rows, spent)))),
        _ => (", resumed from an earlier one", String::new()),
    };
    reporter.result(&format!(
        "{}: {}{matched}{resumed}\n{parts}  {} in {}; {}{rate}\n",
        path.display(),
        counted(manifest.rows, "row"),
        size(bytes),
        counted(files as u64, "file"),
        took(spent),
    ));
}

fn rate(rows: u64, spent: Duration) -> u64 {
    (rows as f64 / spent.as_secs_f64().max(1e-9)) as u64
}
