//! What is published: read from the generations, the manifests and the history, in the
//! terms of the plan.

use std::path::Path;

use es_assets::{AssetKind, AssetSpec, Fingerprint, Inputs, PartitionState, PerPartition, Pipeline, Published};
use es_core::Client;
use es_export::Manifest;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::generation::{self, Generation};
use super::runs::{RunRecord, RunStatus, RunStore};
use crate::failure::Failure;

/// Everything that is known of a pipeline's assets.
#[derive(Clone, Debug)]
pub struct Observed {
    /// In the terms of the plan.
    pub states: PerPartition<PartitionState>,
    /// The generations, published or not.
    pub generations: Vec<Generation>,
    /// The newest settled record of each part.
    pub newest: Vec<RunRecord>,
    /// The newest success of each part.
    pub successes: Vec<RunRecord>,
}

/// What an export notes in its manifest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExportNotes {
    /// The pipeline.
    pub pipeline: String,
    /// The asset.
    pub asset: String,
    /// The run.
    pub run: String,
    /// The definition.
    pub fingerprint: Fingerprint,
    /// The versions of what it was made of.
    pub inputs: Inputs,
}

/// Looks at everything, and changes nothing.
///
/// # Errors
/// Where Elasticsearch cannot be asked, or a manifest is damaged.
pub async fn observe(client: &Client, pipeline: &Pipeline, folder: &Path, prefix: &str) -> Result<Observed, Failure> {
    let store = RunStore::new(client.clone(), prefix, pipeline.name());
    let generations = generation::list(client, prefix, pipeline.name()).await?;
    let newest = store.newest().await?;
    let successes = store.newest_successes().await?;
    let mut states = PerPartition::new();
    for generation in generations.iter().filter(|generation| generation.is_published) {
        let Some(published) = published(generation) else { continue };
        let state = PartitionState { published: Some(published), failure: None };
        states.insert(&generation.meta.asset, generation.meta.partition.clone(), state);
    }
    for (name, asset) in pipeline.assets() {
        match &asset.spec {
            AssetSpec::Export(export) => {
                let folder = folder.join(&export.to.path);
                let manifest = Manifest::read(&folder)?.filter(|manifest| manifest.files_are_there(&folder));
                if let Some(published) = manifest.and_then(|manifest| exported(pipeline.name(), name, &manifest)) {
                    states.insert(name, None, PartitionState { published: Some(published), failure: None });
                }
            }
            AssetSpec::Monitor(_) => {
                if let Some(record) = successes.iter().find(|record| record.asset == *name) {
                    states.insert(name, None, PartitionState { published: Some(evaluated(record)), failure: None });
                }
            }
            AssetSpec::Ingest(_) | AssetSpec::Features(_) => {}
        }
    }
    for record in newest.iter().filter(|record| record.status == RunStatus::Failed) {
        let known = states.get(&record.asset, record.partition.as_ref()).cloned().unwrap_or_default();
        // An asset that was taken out of the file, or whose kind has changed, has no failure.
        if pipeline.graph().kind(&record.asset).map(AssetKind::as_str) == Some(record.kind.as_str()) {
            let failure = record.error.clone().or_else(|| Some("for an unknown reason".to_owned()));
            states.insert(&record.asset, record.partition.clone(), PartitionState { failure, ..known });
        }
    }
    Ok(Observed { states, generations, newest, successes })
}

/// What the plan needs to know of a generation.
pub fn published(generation: &Generation) -> Option<Published> {
    let complete = generation.meta.complete.as_ref()?;
    Some(Published {
        fingerprint: generation.meta.fingerprint.clone(),
        inputs: complete.inputs.clone(),
        version: complete.version.clone(),
        generation: Some(generation.index.clone()),
        rows: Some(complete.rows),
    })
}

/// What the plan needs to know of an export; `None` when another asset wrote it.
pub fn exported(pipeline: &str, asset: &str, manifest: &Manifest) -> Option<Published> {
    let notes: ExportNotes = serde_json::from_value(manifest.notes.clone()).ok()?;
    (notes.asset == asset && notes.pipeline == pipeline).then(|| Published {
        fingerprint: notes.fingerprint,
        inputs: notes.inputs,
        version: manifest_version(manifest),
        generation: None,
        rows: Some(manifest.rows),
    })
}

/// What the plan needs to know of an evaluation.
pub fn evaluated(record: &RunRecord) -> Published {
    Published {
        fingerprint: record.fingerprint.clone(),
        inputs: record.inputs.clone(),
        version: record.run.clone(),
        generation: None,
        rows: None,
    }
}

/// The version of an export's content: the checksums of its files.
fn manifest_version(manifest: &Manifest) -> String {
    let sums: Vec<Value> = manifest.files().map(|file| json!(file.sha256)).collect();
    let mut hash = es_frame::ContentHash::default();
    hash.add(json!(sums).to_string().as_bytes());
    hash.to_string()
}
