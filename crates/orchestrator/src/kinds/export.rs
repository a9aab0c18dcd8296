//! `export`: a training set as files.

use es_assets::{Export, Fingerprint, Published};
use es_export::{Destination, Manifest, ReadFrom, ReadRequest, Sample, Search};
use es_frame::ColumnRequest;
use serde_json::json;

mod joins;

use super::Done;
use crate::context::Context;
use crate::exports::{self, Cells};
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
    let cells = Cells::of(&export.cells, &export.fields);
    let notes = ExportNotes {
        pipeline: context.project.pipeline.name().to_owned(),
        asset: asset.to_owned(),
        run: context.run.clone(),
        fingerprint,
        inputs: context.inputs(asset, None),
    };
    let work = es_export::Export {
        request: ReadRequest {
            from: ReadFrom::Search(search(context, export, &cells)),
            options: exports::read_options(settings),
        },
        destination: Destination::Folder(context.project.path(&export.to.path)),
        format: exports::format_of(&export.to, settings)?,
        transform: joins::read(context, export).await?,
        split: export.split.as_ref().map(exports::split_of).transpose()?,
        partition_by: export.to.partition_by.clone(),
        encodings: cells.encodings,
        options: exports::export_options(settings, false),
        notes: json!(notes),
    };
    let manifest = work.run(&context.client, &context.cancel, exports::tell(&progress)).await?;
    let published = exported(context.project.pipeline.name(), asset, &manifest);
    Ok((done(&export.to.path, &manifest), published))
}

fn search(context: &Context, export: &Export, cells: &Cells) -> Search {
    let mut search = Search::new(context.project.alias(&export.from));
    if let Some(query) = &export.filter {
        search.query = query.to_value();
    }
    if let Some(columns) = &export.columns {
        search.columns = ColumnRequest::Named(columns.clone());
    }
    search.runtime = export.runtime.iter().map(|(name, field)| (name.clone(), field.clone())).collect();
    search.sample = export.sample.map(|sample| Sample { share: sample.share, seed: sample.seed });
    search.limit = export.limit;
    (search.policy, search.policies) = (cells.policy, cells.policies.clone());
    search
}

fn done(path: &str, manifest: &Manifest) -> Done {
    let parts: Vec<String> = manifest.parts.iter().map(|part| format!("{} {}", part.name, part.rows)).collect();
    let bytes: u64 = manifest.files().map(|file| file.bytes).sum();
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
