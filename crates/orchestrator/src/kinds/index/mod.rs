//! The writing of an index asset, whatever its documents come from: a new generation is filled,
//! made searchable and checked. Publishing it is the step runner's.

mod pipeline;
mod spec;

use std::sync::Arc;

use es_bulk::files::FileIdentity;
use es_bulk::ingest::{CheckpointFile, CheckpointWriter, ResumePoint, SavedLoad, load_with_checkpoints};
use es_bulk::{Batch, BulkLoader, Summary};
use es_core::{ContentHash, ForceMerge, Mapping, NewIndex, Wait};
use futures::Stream;
use serde_json::{Map, Value, json};
use tracing::{info, warn};

use super::checks::{self, Check};
use super::work::{Built, NewGeneration, Outcome, Work};
use crate::error::{Error, ErrorKind, Result};
use crate::store::generation::{self, Generation, GenerationMeta};
use crate::terminal::table::counted;

pub use pipeline::remove_pipelines;
pub use spec::IndexSpec;

const REFRESH_INTERVAL: &str = "refresh_interval";
const REPLICAS: &str = "number_of_replicas";

/// The index that a build fills.
pub struct IndexRequest<'a> {
    /// The mapping of the documents.
    pub mapping: Mapping,
    /// The settings of the index, and its ingest pipeline.
    pub spec: &'a IndexSpec,
    /// The columns that make up an id.
    pub id: &'a [String],
    /// The conditions that must hold before readers see the documents.
    pub checks: &'a [Check],
    /// The files that the documents come from, as they look from outside.
    pub files: Vec<FileIdentity>,
    /// The versions of what it is made of, where they are taken before the documents are read.
    pub inputs: Option<es_assets::Inputs>,
}

impl IndexRequest<'_> {
    /// Returns whether what a process that was cut off has written of it can be kept: the documents
    /// come from files, in a stable order, and one that is sent twice ends as one.
    fn can_be_resumed(&self) -> bool {
        !self.files.is_empty() && !self.id.is_empty()
    }
}

/// Fills and checks a generation of the part that the work is about. `batches` gives the documents,
/// from the place on that an earlier process reached.
///
/// # Errors
/// Whatever goes wrong, readers see what they saw before. A load that is interrupted is an error
/// of kind [`ErrorKind::Interrupted`].
pub async fn write<S>(work: &Work<'_>, new: IndexRequest<'_>, batches: impl FnOnce(&ResumePoint) -> S) -> Result<Built>
where
    S: Stream<Item = std::result::Result<Batch, es_bulk::Error>> + Send,
{
    let (client, prefix) = (work.client, &work.project.prefix);
    let meta = GenerationMeta {
        pipeline: work.project.pipeline.name().to_owned(),
        asset: work.asset.to_owned(),
        partition: work.partition.cloned(),
        fingerprint: work.fingerprint.clone(),
        run: work.run.to_owned(),
        fence: work.lease.fence(),
        complete: None,
    };
    let existing = generation::list_asset(client, prefix, &meta.pipeline, work.asset).await?;
    generation::refuse_foreign(client, &work.project.alias(work.asset), &existing, Some(&new.mapping)).await?;
    let seen_through = mapping_version(&new.mapping);
    let (name, checkpoints) = begin(work, &new, &meta, &existing).await?;

    let before = checkpoints.before();
    let resumed = before.summary.read;
    work.progress.resume_after(resumed);
    let progress = work.progress.clone();
    let letter = work.project.dead_letter(work.asset, &checkpoints.run());
    let loader = BulkLoader::new(work.client.clone(), &name, work.project.settings.bulk_options())
        .with_budget(work.memory)
        .with_cancellation(work.cancel.clone())
        .with_observer(move |step| progress.advance(step.settled()));
    let loaded = load_with_checkpoints(loader, Some(&letter), &checkpoints, batches(&before)).await;
    let summary = match loaded.map_err(Error::from).and_then(interruption) {
        Ok(summary) => summary,
        Err(error) => {
            leave(work, &name, &checkpoints, new.can_be_resumed(), &error).await;
            return Err(error);
        }
    };
    let rate = summary.rate();
    let mut whole = before.summary;
    whole.merge(&summary);
    let finished = finish(work, &name, &new, &whole).await;
    let warnings = match finished {
        Ok(warnings) => warnings,
        Err(error) => {
            discard(work, &name, &checkpoints).await;
            return Err(error);
        }
    };

    let content = checkpoints.content().to_string();
    let resumed_after = if resumed > 0 { format!(", resumed after {resumed}") } else { String::new() };
    let generation = NewGeneration {
        index: name.clone(),
        version: format!("{content}-{seen_through}"),
        rows: whole.read,
        inputs: new.inputs,
        files: new.files,
        on_published: Some(Box::new(move || checkpoints.remove())),
    };
    Ok(Built {
        rows: Some(whole.read),
        detail: format!("{whole}{resumed_after}, {rate:.0}/s, {name}"),
        summary: json!({
            "index": name, "load": whole, "documents_per_second": rate.round(), "carried_on_after": resumed,
            "content": content,
        }),
        warnings,
        outcome: Outcome::Generation(Box::new(generation)),
        ..Built::default()
    })
}

/// The index of the new generation: one whose load was cut off, if it can be resumed, or a new one.
async fn begin(
    work: &Work<'_>,
    new: &IndexRequest<'_>,
    meta: &GenerationMeta,
    existing: &[Generation],
) -> Result<(String, Arc<CheckpointWriter>)> {
    let (client, folder) = (work.client, work.project.checkpoints());
    if new.can_be_resumed() {
        for unfinished in generation::unfinished(existing, meta) {
            let file = CheckpointFile::new(&folder, &unfinished.index);
            let Some(earlier) = file.read()? else { continue };
            if !fits(&earlier, unfinished, work, new) {
                file.remove();
                continue;
            }
            // Of two processes that find it, the one that takes the file has it.
            if !file.take() {
                continue;
            }
            generation::complete(client, &unfinished.index, meta).await?;
            info!(index = unfinished.index, rows = earlier.reached.summary.read, "resumed");
            let writer = CheckpointWriter::start(Some(file), earlier, true)?;
            return Ok((unfinished.index.clone(), Arc::new(writer)));
        }
    }
    let mut settings = loading(&new.spec.flat_settings());
    if let Some(pipeline) = &new.spec.pipeline {
        pipeline::attach(work, pipeline, &mut settings).await?;
    }
    let index = NewIndex { settings, mapping: new.mapping.clone() };
    let name = generation::create(client, work.project.prefix.as_str(), meta, index, existing).await?;
    let load = SavedLoad {
        index: name.clone(),
        definition: meta.fingerprint.content_hash(),
        files: new.files.clone(),
        run: work.run.to_owned(),
        repeatable: !new.id.is_empty(),
        ..SavedLoad::default()
    };
    let file = new.can_be_resumed().then(|| CheckpointFile::new(&folder, &name));
    let checkpoints = CheckpointWriter::start(file, load, true)?;
    Ok((name, Arc::new(checkpoints)))
}

/// A load that was interrupted as an error.
fn interruption(summary: Summary) -> Result<Summary> {
    match summary.interrupted {
        true => Err(Error::new(ErrorKind::Interrupted, format!("interrupted after {summary}"))),
        false => Ok(summary),
    }
}

/// Returns whether what an earlier process wrote is the beginning of this.
fn fits(earlier: &SavedLoad, unfinished: &Generation, work: &Work<'_>, new: &IndexRequest<'_>) -> bool {
    earlier.definition == work.fingerprint.content_hash()
        && earlier.files == new.files
        && unfinished.mapping.diff(&new.mapping).is_empty()
}

/// Keeps the beginning of a load that failed where it can be resumed, and removes it otherwise.
async fn leave(work: &Work<'_>, index: &str, checkpoints: &CheckpointWriter, can_be_resumed: bool, error: &Error) {
    let may_go_on = error.kind() == ErrorKind::Interrupted || error.is_retryable();
    if can_be_resumed && may_go_on && checkpoints.reached().checkpoint.is_some() {
        checkpoints.keep();
        return;
    }
    discard(work, index, checkpoints).await;
}

/// The version of a mapping. What readers find depends on it as well as on the documents: a number
/// in an `integer` field is not what it is in a `double` field.
fn mapping_version(mapping: &Mapping) -> String {
    let mut hash = ContentHash::default();
    hash.add(json!({"properties": mapping.properties, "parameters": mapping.parameters}).to_string().as_bytes());
    hash.to_string()
}

/// Settings while documents are loaded: nobody searches, so nothing is refreshed, and copies are
/// made when all documents are there.
fn loading(settings: &Map<String, Value>) -> Map<String, Value> {
    let mut loading = settings.clone();
    loading.insert(REFRESH_INTERVAL.to_owned(), json!("-1"));
    if !loading.contains_key("auto_expand_replicas") {
        loading.insert(REPLICAS.to_owned(), json!(0));
    }
    loading
}

/// The settings that [`loading`] changed, as they are to be.
fn loaded(settings: &Map<String, Value>) -> Map<String, Value> {
    // Null is the default of Elasticsearch.
    let wanted = |name: &str| (name.to_owned(), settings.get(name).cloned().unwrap_or(Value::Null));
    let mut loaded = Map::from_iter([wanted(REFRESH_INTERVAL)]);
    if !settings.contains_key("auto_expand_replicas") {
        loaded.extend([wanted(REPLICAS)]);
    }
    loaded
}

/// Makes the documents searchable, and checks them.
async fn finish(work: &Work<'_>, index: &str, new: &IndexRequest<'_>, summary: &Summary) -> Result<Vec<String>> {
    // A load whose last documents were on their way when the lease was lost ends like any other, and
    // whoever has the lease now may be writing to the index.
    if work.lease.lost().is_cancelled() {
        work.lease.check().await?;
    }
    let indices = work.client.indices();
    if let Some(segments) = work.project.settings.bulk.force_merge_segments {
        indices.force_merge(index, ForceMerge::ToSegments(segments), &Wait::default()).await?;
    }
    indices.put_settings(index, &loaded(&new.spec.flat_settings())).await?;
    indices.refresh(index).await?;
    let there = indices.count(index).await?;
    if there != summary.acknowledged() {
        let message = format!(
            "{} became {}: the columns of `id` are not unique",
            counted(summary.read, "row"),
            counted(there, "document")
        );
        let help = format!("add columns to `id` ({}) until no two rows agree in all of them", new.id.join(", "));
        return Err(Error::failed(message).with_help(Some(help)));
    }
    checks::enforce(work.client, index, new.id, new.checks).await
}

/// Removes a generation that will never be published. Without the lease it is left alone: whoever
/// has the lease now may have resumed the load, and published it.
async fn discard(work: &Work<'_>, index: &str, checkpoints: &CheckpointWriter) {
    if work.lease.check().await.is_err() {
        return;
    }
    checkpoints.remove();
    if let Err(error) = work.client.indices().delete(index).await {
        warn!(index, %error, "an unfinished generation is left for the next run to remove");
    }
}
