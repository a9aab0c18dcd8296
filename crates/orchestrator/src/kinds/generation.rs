//! How an index asset is made, whatever its documents come from: a new generation is
//! written, checked, noted as whole, and published.

use std::sync::Arc;

use es_assets::{Check, Fingerprint, Inputs, PartitionKey, PartitionState, Published};
use es_bulk::files::FileIdentity;
use es_bulk::{Batch, Summary};
use es_core::{ForceMerge, Mapping, NewIndex, Wait};
use es_frame::ContentHash;
use futures::Stream;
use serde_json::{Map, Value, json};
use tracing::{info, warn};

use super::{Done, checks};
use crate::context::Context;
use crate::delivery::{self, Delivered, Delivery};
use crate::failure::{Exit, Failure};
use crate::store::generation::{self, Completion, Generation, GenerationMeta};
use crate::store::loads::{Keeper, LoadFile, Reached, SavedLoad};
use crate::terminal::reporter::StepProgress;
use crate::terminal::table::counted;

const REFRESH_INTERVAL: &str = "refresh_interval";
const REPLICAS: &str = "number_of_replicas";

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

impl NewGeneration<'_> {
    /// Whether what a process that was cut off has written of it can be kept: the documents come
    /// from files, in an order that stays, and those that are sent twice end as one.
    fn can_be_carried_on(&self) -> bool {
        !self.files.is_empty() && !self.id.is_empty()
    }
}

/// Writes a generation and publishes it. `batches` gives the documents, from the place on that
/// an earlier process reached. `inputs` says, once all is written, what it was made of; it is
/// given the content.
///
/// # Errors
/// Whatever goes wrong, readers see what they saw before. A load that is interrupted is a
/// failure with [`Exit::Interrupted`].
pub async fn write<S>(
    context: &Context,
    new: NewGeneration<'_>,
    batches: impl FnOnce(&Reached) -> S,
    inputs: impl FnOnce(&str) -> Inputs,
    progress: StepProgress,
) -> Result<Done, Failure>
where
    S: Stream<Item = Result<Batch, Failure>> + Send,
{
    let (client, prefix) = (&context.client, &context.project.prefix);
    let mut meta = GenerationMeta {
        pipeline: context.project.pipeline.name().to_owned(),
        asset: new.asset.to_owned(),
        partition: new.partition.cloned(),
        fingerprint: new.fingerprint.clone(),
        run: context.run.clone(),
        owner: context.owner.clone(),
        complete: None,
    };
    let existing = generation::list(client, prefix, &meta.pipeline).await?;
    let alias = context.project.alias(new.asset);
    generation::refuse_foreign(client, &alias, &existing, Some(&new.mapping)).await?;
    let seen_through = mapping_version(&new.mapping);
    let (name, keeper) = begin(context, &new, &meta, &existing).await?;

    let before = keeper.reached();
    let carried_on = before.summary.read;
    progress.carry_on_after(carried_on);
    let delivery = Delivery {
        client,
        settings: &context.project.settings,
        index: &name,
        pipeline: None,
        max_rejected: context.project.settings.bulk.max_rejected,
        letter: delivery::letter(&context.project.folder, new.asset, &keeper.run()),
        before: &before,
        keeper: Some(keeper.clone()),
        cancel: &context.cancel,
    };
    let Delivered { summary, failure } = delivery.run(batches(&before), progress).await;
    if let Some(failure) = failure {
        leave(context, &name, &keeper, new.can_be_carried_on(), &failure).await;
        return Err(failure);
    }
    let rate = summary.rate();
    let mut whole = before.summary;
    whole.merge(&summary);
    let outcome = finish(context, &name, &new.settings, new.id, new.checks, &whole).await;
    let warnings = match outcome {
        Ok(warnings) => warnings,
        Err(failure) => {
            discard(context, &name).await;
            keeper.forget();
            return Err(failure);
        }
    };

    let content = keeper.content().to_string();
    let inputs = inputs(&content);
    let version = format!("{content}-{seen_through}");
    meta.complete =
        Some(Completion { inputs: inputs.clone(), version: version.clone(), rows: whole.read, files: new.files });
    generation::complete(client, &name, &meta).await?;
    generation::publish(client, prefix, &name, &meta).await?;
    keeper.forget();
    let published = Published {
        fingerprint: meta.fingerprint.clone(),
        inputs,
        version,
        generation: Some(name.clone()),
        rows: Some(whole.read),
    };
    let state = PartitionState { published: Some(published), failure: None };
    context.known.lock().observed.insert(new.asset, new.partition.cloned(), state);
    let keep = context.project.kept_generations();
    generation::clean_up(client, prefix, &meta, keep, &context.owner).await?;

    let after = if carried_on > 0 { format!(", carried on after {carried_on}") } else { String::new() };
    Ok(Done {
        rows: Some(whole.read),
        detail: format!("{whole}{after}, {rate:.0}/s, {name}"),
        summary: json!({
            "index": name, "load": whole, "documents_per_second": rate.round(), "carried_on_after": carried_on,
        }),
        report: None,
        warnings,
    })
}

/// The index of the new generation: one that a process before this one was cut off at, if it can
/// be carried on, or a new one.
async fn begin(
    context: &Context,
    new: &NewGeneration<'_>,
    meta: &GenerationMeta,
    existing: &[Generation],
) -> Result<(String, Arc<Keeper>), Failure> {
    let (client, folder) = (&context.client, context.project.folder.as_path());
    if new.can_be_carried_on() {
        for unfinished in generation::unfinished(existing, meta, &context.owner) {
            let file = LoadFile::new(folder, &unfinished.index);
            let Some(mut earlier) = file.read()? else { continue };
            if !fits(&earlier, unfinished, new) {
                file.remove();
                continue;
            }
            // Of two runs that find it, the one that takes the file has it.
            if !file.take() {
                continue;
            }
            generation::complete(client, &unfinished.index, meta).await?;
            info!(index = unfinished.index, rows = earlier.reached.summary.read, "carried on");
            earlier.owner = context.owner.clone();
            return Ok((unfinished.index.clone(), Arc::new(Keeper::start(file, earlier, true)?)));
        }
    }
    let index = NewIndex { settings: loading(&new.settings), mapping: new.mapping.clone() };
    let name = generation::create(client, context.project.prefix.as_str(), meta, index, existing).await?;
    let load = SavedLoad {
        index: name.clone(),
        index_uuid: String::new(),
        definition: meta.fingerprint.content_hash(),
        files: new.files.clone(),
        owner: context.owner.clone(),
        run: context.run.clone(),
        repeatable: !new.id.is_empty(),
        settings: None,
        reached: Default::default(),
    };
    let file = LoadFile::new(folder, &name);
    let keeper =
        if new.can_be_carried_on() { Keeper::start(file, load, true)? } else { Keeper::without_file(load, true) };
    Ok((name, Arc::new(keeper)))
}

/// Whether what an earlier process wrote is the beginning of this.
fn fits(earlier: &SavedLoad, unfinished: &Generation, new: &NewGeneration<'_>) -> bool {
    earlier.definition == new.fingerprint.content_hash()
        && earlier.files == new.files
        && unfinished.mapping.diff(&new.mapping).is_empty()
}

/// What a load that failed leaves: a beginning to carry on from, or nothing.
async fn leave(context: &Context, index: &str, keeper: &Keeper, can_be_carried_on: bool, failure: &Failure) {
    let may_go_on = failure.exit == Exit::Interrupted || failure.retryable;
    if can_be_carried_on && may_go_on && keeper.reached().checkpoint.is_some() {
        keeper.keep();
        return;
    }
    discard(context, index).await;
    keeper.forget();
}

/// The version of a mapping. What readers find depends on it as well as on the documents: a
/// number in an `integer` field is not what it is in a `double` field.
fn mapping_version(mapping: &Mapping) -> String {
    let mut hash = ContentHash::default();
    hash.add(json!({"properties": mapping.properties, "parameters": mapping.parameters}).to_string().as_bytes());
    hash.to_string()
}

/// Settings while documents are loaded: nobody searches, so nothing is refreshed, and copies
/// are made when all documents are there.
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
async fn finish(
    context: &Context,
    index: &str,
    settings: &Map<String, Value>,
    id: &[String],
    wanted: &[Check],
    summary: &Summary,
) -> Result<Vec<String>, Failure> {
    let indices = context.client.indices();
    if let Some(segments) = context.project.settings.bulk.force_merge_segments {
        indices.force_merge(index, ForceMerge::ToSegments(segments), &Wait::default()).await?;
    }
    indices.put_settings(index, &loaded(settings)).await?;
    indices.refresh(index).await?;
    let there = indices.count(index).await?;
    if there != summary.acknowledged() {
        let message = format!(
            "{} became {}: the columns of `id` are not unique",
            counted(summary.read, "row"),
            counted(there, "document")
        );
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
