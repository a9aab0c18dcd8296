//! `export`: a training set as files.

use es_assets::{Compression, Export, Fingerprint, Published};
use es_export::{Destination, Format, Manifest, ParquetOptions, Phase, ReadOptions, ReadRequest, Search, Split};
use es_frame::ColumnRequest;
use serde_json::json;

use super::Done;
use crate::context::Context;
use crate::failure::Failure;
use crate::store::observe::{ExportNotes, exported};
use crate::terminal::reporter::StepProgress;
use crate::terminal::table::size;

/// Writes the files anew.
///
/// # Errors
/// Whatever goes wrong, the folder stays as it was.
pub async fn build(
    context: &Context,
    asset: &str,
    export: &Export,
    fingerprint: Fingerprint,
    progress: StepProgress,
) -> Result<(Done, Option<Published>), Failure> {
    let settings = &context.project.settings.export;
    let split = export
        .split
        .as_ref()
        .map(|split| {
            let parts = split.parts.iter().map(|(name, share)| (name.clone(), *share)).collect();
            Split::by_hash(split.key.clone(), split.seed, parts)
        })
        .transpose()?;
    let mut search = Search::new(context.project.alias(&export.from));
    if let Some(query) = &export.filter {
        search.query = query.to_value();
    }
    if let Some(columns) = &export.columns {
        search.columns = ColumnRequest::Named(columns.clone());
    }
    let mut request = ReadRequest::from(search);
    request.options = ReadOptions {
        page_rows: settings.page_size as usize,
        slices: settings.slices.map(|slices| slices as usize),
        keep_alive: settings.keep_alive.to_duration(),
        ..ReadOptions::default()
    };
    let notes = ExportNotes {
        pipeline: context.project.pipeline.name().to_owned(),
        asset: asset.to_owned(),
        run: context.run.clone(),
        fingerprint,
        inputs: context.inputs(asset, None),
    };
    let destination = context.project.path(&export.to.path);
    let mut work = es_export::Export::new(request, Destination::Folder(destination));
    work.split = split;
    work.format = Format::Parquet(ParquetOptions {
        row_group_rows: settings.row_group_rows as usize,
        compression: match export.to.compression {
            Compression::Zstd => es_export::Compression::Zstd,
            Compression::Snappy => es_export::Compression::Snappy,
            Compression::Lz4 => es_export::Compression::Lz4,
            Compression::None => es_export::Compression::Uncompressed,
        },
        ..ParquetOptions::default()
    });
    work.notes = json!(notes);
    let manifest = work.run(&context.client, &context.cancel, |step| {
        if step.phase == Phase::Reading {
            progress.set_total(step.total.unwrap_or_default());
            progress.advance(step.rows);
        }
    });
    let manifest = manifest.await?;
    let published = exported(context.project.pipeline.name(), asset, &manifest);
    Ok((done(&export.to.path, &manifest), published))
}

fn done(path: &str, manifest: &Manifest) -> Done {
    let parts: Vec<String> = manifest.parts.iter().map(|part| format!("{} {}", part.name, part.rows)).collect();
    let bytes: u64 = manifest.parts.iter().flat_map(|part| &part.files).map(|file| file.bytes).sum();
    Done {
        rows: Some(manifest.rows),
        detail: format!("{path}: {} ({})", parts.join(", "), size(bytes)),
        summary: json!({
            "path": path, "rows": manifest.rows, "bytes": bytes, "matched": manifest.source.matched,
            "parts": manifest.parts,
        }),
        report: None,
        warnings: Vec::new(),
    }
}
