//! `export`: a training set as files.

mod definition;

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use es_assets::{Definition, KeyPath, Output, Parts, Published, Reference, Report, Siblings};
use es_core::ContentHash;
use es_export::{ColumnRequest, Destination, FieldOptions, Manifest, ReadyExport, Search, Split};
use serde_json::{Value, json};

use super::work::{Notes, ReadyResult};
use super::{Built, Kind, Observation, Outcome, Part, Subject, Work, joins, problems};
use crate::doctor::needs::{ExportNeed, Needs};
use crate::engine::progress::Progress;
use crate::error::{Error, ErrorKind, Result};
use crate::terminal::table::size;

pub use definition::Export;

/// A training set as files.
pub struct ExportKind;

impl Definition for Export {
    fn reads(&self) -> Vec<Reference> {
        [Reference::documents("from", &self.from)].into_iter().chain(joins::references(&self.features)).collect()
    }

    fn output(&self) -> Output {
        Output::Files
    }

    fn writes(&self) -> Option<(KeyPath, &str)> {
        Some((KeyPath::root().key("to").key("path"), &self.to.path))
    }

    fn validate(&self, path: &KeyPath, siblings: &Siblings<'_>, report: &mut Report<'_>) {
        let columns = self.columns.as_deref();
        if let Some(split) = &self.split {
            problems::report_all(split.check(), &path.key("split"), report);
        }
        problems::report_all(FieldOptions::check(&self.fields, columns), &path.key("fields"), report);
        problems::report_all(self.to.check(columns), &path.key("to"), report);
        joins::validate(&self.features, path, siblings, report);
    }

    fn fingerprint(&self, parts: &mut Parts) {
        parts.add("from", &self.from);
        parts.add("where", &self.filter);
        parts.add("runtime", &self.runtime);
        parts.add("columns", &self.columns);
        parts.add("features", &self.features);
        if self.cells != FieldOptions::default() {
            parts.add("cells", self.cells);
        }
        for (name, field) in &self.fields {
            parts.add(format!("fields.{name}"), field);
        }
        parts.add("sample", self.sample);
        parts.add("limit", self.limit);
        parts.add("to", &self.to);
        parts.add("split", &self.split);
    }
}

#[async_trait]
impl Kind for ExportKind {
    type Definition = Export;
    const NAME: &'static str = "export";

    async fn observe(&self, asset: &Subject<'_, Export>, _: &Observation<'_>) -> Result<Vec<Part>> {
        let folder = asset.project.path(&asset.definition.to.path);
        let manifest = Manifest::read(&folder)?.filter(|manifest| manifest.files_are_there(&folder));
        let published = manifest.and_then(|manifest| published(asset.project.pipeline.name(), asset.name, &manifest));
        Ok(published.map(|published| (None, published)).into_iter().collect())
    }

    /// Writes the files again. Whatever goes wrong, the folder stays as it was.
    async fn build(&self, asset: &Subject<'_, Export>, work: &Work<'_>) -> Result<Built> {
        let (export, options) = (asset.definition, &work.project.settings.export);
        let notes = Notes::of(work, work.inputs());
        let mut request = es_export::ReadRequest::from(search(work.index_of(&export.from)?, export));
        request.options = options.read;
        let mut files = es_export::Export::new(request, Destination::Folder(work.project.path(&export.to.path)));
        files.files = export.to.file_options(&options.write);
        files.transform = joins::read(work, &export.features).await?;
        files.split = export.split.as_ref().map(Split::try_from).transpose()?;
        files.partition_by = export.to.partition_by.clone();
        files.encodings = FieldOptions::encodings(&export.fields);
        files.options = options.write;
        files.notes = json!(notes);
        let observer = report_export(work.progress.clone());
        let ready = files.with_observer(observer).with_cancellation(work.cancel.clone()).prepare(work.client).await?;
        built(&export.to.path, ready, work.project.pipeline.name(), asset.name)
    }

    fn needs(&self, asset: &Subject<'_, Export>, needs: &mut Needs) {
        if let Ok(index) = asset.project.index_of(&asset.definition.from) {
            let columns = asset.definition.columns.clone();
            needs.exports.push(ExportNeed { asset: asset.name.to_owned(), index, columns });
        }
    }
}

fn search(index: String, export: &Export) -> Search {
    let mut search = Search::new(index);
    if let Some(query) = &export.filter {
        search.query = query.to_value();
    }
    if let Some(columns) = &export.columns {
        search.columns = ColumnRequest::Named(columns.clone());
    }
    search.runtime = export.runtime.iter().map(|(name, field)| (name.clone(), field.clone())).collect();
    search.sample = export.sample;
    search.limit = export.limit;
    search.policy = export.cells.policy;
    search.policies = FieldOptions::policies(&export.fields);
    search
}

/// Sends the progress of an export on.
pub fn report_export(progress: Progress) -> impl Fn(es_export::Progress) + Send + Sync + 'static {
    let state = Mutex::new((None, 0));
    move |step: es_export::Progress| {
        if let Some(total) = step.total {
            progress.set_total(total);
        }
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let (phase, restarts) = std::mem::replace(&mut *state, (Some(step.phase), step.restarts));
        if step.restarts > restarts {
            progress.restart("reading again");
        } else if phase.is_some_and(|phase| phase != step.phase) {
            progress.restart(match step.phase {
                es_export::Phase::Counting => "counting",
                es_export::Phase::Reading => "reading",
                es_export::Phase::Encoding => "encoding",
            });
        }
        progress.set_bytes(step.bytes);
        progress.advance(step.rows);
    }
}

fn built(path: &str, ready: ReadyExport, pipeline: &str, asset: &str) -> Result<Built> {
    let manifest = ready.manifest();
    let published = published(pipeline, asset, manifest)
        .ok_or_else(|| Error::new(ErrorKind::Defect, "the manifest lacks the notes of its asset"))?;
    let parts: Vec<String> = manifest.parts.iter().map(|part| format!("{} {}", part.name, part.rows)).collect();
    let bytes: u64 = manifest.files().map(|file| file.bytes).sum();
    Ok(Built {
        rows: Some(manifest.rows),
        detail: format!("{path}: {} ({})", parts.join(", "), size(bytes)),
        summary: json!({
            "path": path, "rows": manifest.rows, "bytes": bytes, "matched": manifest.source.matched,
            "parts": manifest.parts,
        }),
        outcome: Outcome::Ready(ReadyResult {
            published: Box::new(published),
            publish: Box::new(move || Box::pin(async move { ready.commit().await.map(drop).map_err(Error::from) })),
        }),
        ..Built::default()
    })
}

/// The export as something published; `None` when another asset wrote it.
fn published(pipeline: &str, asset: &str, manifest: &Manifest) -> Option<Published> {
    let notes: Notes = serde_json::from_value(manifest.notes.clone()).ok()?;
    notes.are_of(pipeline, asset).then(|| Published {
        fingerprint: notes.fingerprint,
        inputs: notes.inputs,
        version: version(manifest),
        generation: None,
        rows: Some(manifest.rows),
    })
}

/// The version of an export's content: the checksums of its files.
fn version(manifest: &Manifest) -> String {
    let sums: Vec<Value> = manifest.files().map(|file| json!(file.sha256)).collect();
    let mut hash = ContentHash::default();
    hash.add(json!(sums).to_string().as_bytes());
    hash.to_string()
}
