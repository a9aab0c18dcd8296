//! How an index asset is made, whatever its documents come from: a new generation is
//! written, checked, noted as whole, and published.

use std::sync::{Arc, Mutex, PoisonError};

use es_assets::{Check, Fingerprint, Inputs, PartitionKey, PartitionState, Published};
use es_bulk::{Batch, BulkLoader, BulkOptions, Concurrency, DeadLetter, MaxRejected, Summary};
use es_core::{Mapping, NewIndex};
use es_frame::ContentHash;
use futures::{Stream, StreamExt as _};
use serde_json::{Map, Value, json};
use tracing::warn;

use super::files::FileIdentity;
use super::{Done, checks};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::settings::retry_policy;
use crate::store::generation::{self, Completion, GenerationMeta};
use crate::terminal::reporter::StepProgress;

/// What a new generation is made of.
pub struct NewGeneration<'a> {
    /// The asset.
    pub asset: &'a str,
    /// The partition, of an asset that has partitions.
    pub partition: Option<&'a PartitionKey>,
    /// The definition.
    pub fingerprint: Fingerprint,
    /// The mapping of the documents.
    pub mapping: Mapping,
    /// The settings of the index.
    pub settings: Map<String, Value>,
    /// The columns that make up an id.
    pub id: &'a [String],
    /// What must hold before readers see the documents.
    pub checks: &'a [Check],
    /// What the files that the documents come from look like.
    pub files: Vec<FileIdentity>,
}

/// Writes a generation of the given batches and publishes it. `inputs` says, once all is
/// written, what it was made of; it is given the content.
///
/// # Errors
/// Whatever goes wrong, readers see what they saw before. A load that is interrupted is a
/// failure with [`Exit::Interrupted`].
pub async fn write(
    context: &Context,
    new: NewGeneration<'_>,
    batches: impl Stream<Item = Result<Batch, Failure>> + Send,
    inputs: impl FnOnce(&str) -> Inputs,
    progress: StepProgress,
) -> Result<Done, Failure> {
    let (client, prefix) = (&context.client, &context.project.prefix);
    let mut meta = GenerationMeta {
        pipeline: context.project.pipeline.name().to_owned(),
        asset: new.asset.to_owned(),
        partition: new.partition.cloned(),
        fingerprint: new.fingerprint,
        run: context.run.clone(),
        owner: context.owner.clone(),
        complete: None,
    };
    let existing = context.known.lock().generations.clone();
    let alias = context.project.alias(new.asset);
    generation::refuse_foreign(
        client,
        &alias,
        &generation::list(client, prefix, &meta.pipeline).await?,
        Some(&new.mapping),
    )
    .await?;
    let seen_through = mapping_version(&new.mapping);
    let index = NewIndex { settings: loading(&new.settings), mapping: new.mapping };
    let name = generation::create(client, prefix, &meta, index, &existing).await?;

    let written = load(context, &name, new.asset, batches, progress).await;
    let (summary, content) = match written {
        Ok(written) => written,
        Err(failure) => {
            discard(context, &name).await;
            return Err(failure);
        }
    };
    let outcome = finish(context, &name, &new.settings, new.id, new.checks, &summary).await;
    let warnings = match outcome {
        Ok(warnings) => warnings,
        Err(failure) => {
            discard(context, &name).await;
            return Err(failure);
        }
    };

    let content = content.to_string();
    let inputs = inputs(&content);
    let version = format!("{content}-{seen_through}");
    meta.complete =
        Some(Completion { inputs: inputs.clone(), version: version.clone(), rows: summary.read, files: new.files });
    generation::complete(client, &name, &meta).await?;
    generation::publish(client, prefix, &name, &meta).await?;
    let published = Published {
        fingerprint: meta.fingerprint.clone(),
        inputs,
        version,
        generation: Some(name.clone()),
        rows: Some(summary.read),
    };
    let state = PartitionState { published: Some(published), failure: None };
    context.known.lock().observed.insert(new.asset, new.partition.cloned(), state);
    let keep = context.project.kept_generations();
    generation::clean_up(client, prefix, &meta, keep, &context.owner).await?;

    let rate = summary.rate();
    Ok(Done {
        rows: Some(summary.read),
        detail: format!("{summary}, {rate:.0}/s, {name}"),
        summary: json!({"index": name, "load": summary, "documents_per_second": rate.round()}),
        report: None,
        warnings,
    })
}

/// The version of a mapping. What readers find depends on it as well as on the documents: a
/// number in an `integer` field is not what it is in a `double` field.
fn mapping_version(mapping: &Mapping) -> String {
    let mut hash = ContentHash::default();
    hash.add(json!({"properties": mapping.properties, "parameters": mapping.parameters}).to_string().as_bytes());
    hash.to_string()
}

/// Settings while documents are loaded: nobody searches, so nothing is refreshed.
fn loading(settings: &Map<String, Value>) -> Map<String, Value> {
    let mut loading = settings.clone();
    loading.insert("refresh_interval".to_owned(), json!("-1"));
    loading
}

async fn load(
    context: &Context,
    index: &str,
    asset: &str,
    batches: impl Stream<Item = Result<Batch, Failure>> + Send,
    progress: StepProgress,
) -> Result<(Summary, ContentHash), Failure> {
    let settings = &context.project.settings;
    let batch_bytes = settings.bulk.batch_bytes.as_bytes().max(1);
    let affordable = usize::try_from(settings.bulk.in_flight_bytes.as_bytes() / batch_bytes).unwrap_or(usize::MAX);
    let options = BulkOptions {
        concurrency: Concurrency::Fixed(affordable.clamp(1, settings.bulk.concurrency.max(1) as usize)),
        in_flight_bytes: usize::try_from(settings.bulk.in_flight_bytes.as_bytes()).unwrap_or(usize::MAX),
        retry: es_core::RetryPolicy {
            max: settings.cluster.retries.max.max(BulkOptions::default().retry.max),
            ..retry_policy(settings.cluster.retries)
        },
        request_timeout: settings.cluster.request_timeout.to_duration(),
        max_rejected: match settings.bulk.max_rejected {
            es_assets::RejectionLimit::Count(most) => MaxRejected::Documents(most),
            es_assets::RejectionLimit::Share(share) => MaxRejected::Share(share),
        },
    };
    let letter = context.project.path(&format!(".orchestrator/rejected/{asset}-{}", context.run));
    let loader = BulkLoader::new(context.client.clone(), index, options)
        .with_dead_letter(DeadLetter::new(&letter))
        .with_cancellation(context.cancel.clone())
        .with_observer(move |step| progress.advance(step.documents));

    // The failure of the input is kept as it is: the loader only knows that there was one.
    let content = Arc::new(Mutex::new(ContentHash::default()));
    let input_failure = Arc::new(Mutex::new(None));
    let input = {
        let (content, input_failure) = (content.clone(), input_failure.clone());
        batches.map(move |batch| match batch {
            Ok(batch) => {
                content.lock().unwrap_or_else(PoisonError::into_inner).merge(batch.content());
                Ok(batch)
            }
            Err(failure) => {
                let message = failure.summary();
                input_failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
                Err(es_bulk::Error::new(es_bulk::ErrorKind::Input, message))
            }
        })
    };
    let loaded = loader.load(input).await;
    if let Some(failure) = input_failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
        return Err(failure);
    }
    let summary = loaded?;
    if summary.interrupted {
        return Err(Failure::new(Exit::Interrupted, format!("interrupted after {summary}")));
    }
    let content = *content.lock().unwrap_or_else(PoisonError::into_inner);
    Ok((summary, content))
}

/// Makes the documents searchable, and checks them.
async fn finish(
    context: &Context,
    index: &str,
    settings: &Map<String, Value>,
    id: &[String],
    wanted: &[Check],
    summary: &Summary,
) -> Result<Vec<String>, Failure> {
    let indices = context.client.indices();
    let mut normal = Map::new();
    let interval = settings.get("refresh_interval").cloned().unwrap_or(Value::Null);
    normal.insert("refresh_interval".to_owned(), interval);
    indices.put_settings(index, &normal).await?;
    indices.refresh(index).await?;
    let there = indices.count(index).await?;
    if there != summary.acknowledged() {
        let message = format!("{} rows became {there} documents: the columns of `id` are not unique", summary.read);
        let help = format!("add columns to `id` ({}) until no two rows agree in all of them", id.join(", "));
        return Err(Failure::new(Exit::Failed, message).with_help(Some(help)));
    }
    checks::enforce(context, index, id, wanted).await
}

/// Removes a generation that will never be published.
async fn discard(context: &Context, index: &str) {
    if let Err(error) = context.client.indices().delete(index).await {
        warn!(index, %error, "an unfinished generation is left for the next run to remove");
    }
}
