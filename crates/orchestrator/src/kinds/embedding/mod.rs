//! `embedding`: passages of texts with their vectors, into an index of their own.
//!
//! es-export reads the documents with the fields of their texts, es-serving divides the texts into passages and
//! embeds them, and one document a passage is loaded as a new generation. A text that the generation before has
//! a vector of, by the same version of the model, keeps it. There are no partitions, which are published one by
//! one: readers would see vectors of two models. Memory holds the pages that are read, embedded and
//! sent, and vectors of texts that may come again, up to a limit.

mod definition;
mod earlier;
mod embed;
mod model;
mod passages;
pub mod search;
mod template;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use es_assets::{Definition, KeyPath, Output, Parts, Reference, Report, Siblings};
use es_bulk::batched_frames;
use es_export::{ColumnRequest, IndexReader, ReadRequest, Search};
use es_serving::embedding::{Chunker, Chunking};
use futures::{StreamExt as _, TryStreamExt as _};
use polars::prelude::{PlSmallStr, Schema};
use serde_json::json;
use tokio::sync::Mutex;

use super::checks::{self, Check};
use super::index::{self, IndexRequest, IndexSpec};
use super::registered::INPUT;
use super::{Built, Kind, Preparation, Prepared, Subject, Work, version_of};
use crate::doctor::needs::{ExportNeed, Needs};
use crate::error::{Error, Result};
use crate::models;
use crate::terminal::table::{count, counted};

pub use definition::{Embedding, Similarity, VectorField};
use earlier::Earlier;
use embed::{Counts, Worker};
use passages::Origin;
pub use template::{TEMPLATE, TextSource};

/// Passages of texts with their vectors.
pub struct EmbeddingKind;

impl Definition for Embedding {
    fn reads(&self) -> Vec<Reference> {
        vec![Reference::documents("from", &self.from)]
    }

    fn output(&self) -> Output {
        Output::Documents
    }

    fn time(&self) -> Option<&str> {
        self.time.as_deref()
    }

    fn validate(&self, path: &KeyPath, _: &Siblings<'_>, report: &mut Report<'_>) {
        let mut refuse = |key: &str, error: es_serving::Error| {
            report.invalid(&path.key(key), error.to_string(), error.help().unwrap_or_default());
        };
        if let Some(server) = &self.server
            && let Err(error) = server.check()
        {
            refuse("server", error);
        }
        if let Some(chunk) = &self.chunk {
            if let Err(error) = chunk.check() {
                refuse("chunk", error);
            } else if self.server.is_some() && matches!(chunk, Chunking::Tokens { .. }) {
                let help = "choose `chunk: { by: sentences, size: 5 }`, or a registered model with its tokenizer";
                report.invalid(&path.key("chunk"), "the tokens of a model at a server cannot be counted here", help);
            }
        }
        if let Some(name) = passages::own_field(self.keep.iter().chain(&self.time).map(String::as_str)) {
            let key = if self.time.as_deref() == Some(name) { "time" } else { "keep" };
            let message = format!("`{name}` is a field of passages themselves");
            report.invalid(&path.key(key), message, "rename the column in an asset of kind `sql`");
        }
        self.index.validate(&path.key("index"), report);
        checks::validate(&self.checks, &path.key("checks"), report);
    }

    fn fingerprint(&self, parts: &mut Parts) {
        parts.add("from", &self.from);
        parts.add("where", &self.filter);
        parts.add("text", &self.text);
        parts.add("chunk", self.chunk);
        parts.add("model", &self.model);
        parts.add(
            "server",
            self.server.as_ref().map(|server| {
                json!({
                    "url": server.url, "model": server.model, "dimensions": server.dimensions,
                    "prefixes": server.prefixes, "input_types": server.input_types,
                })
            }),
        );
        parts.add("keep", &self.keep);
        parts.add("vector", &self.vector);
        parts.add("time", &self.time);
        self.index.fingerprint(parts);
        parts.add_checks(&self.checks);
    }
}

#[async_trait]
impl Kind for EmbeddingKind {
    type Definition = Embedding;
    const NAME: &'static str = "embedding";

    /// Looks the model up, and the fields of the texts.
    async fn prepare(&self, asset: &Subject<'_, Embedding>, around: &Preparation<'_>) -> Result<Prepared> {
        let chosen = model::choose(asset, around.client).await?;
        let mut prepared = Prepared::default();
        prepared.inputs.insert(None, version_of(INPUT, &chosen.version));
        prepared.notes.push(chosen.describe());
        let made_by = |one: &&String| **one != chosen.version;
        let published = around.published.iter();
        let mut earlier = published.filter_map(|one| one.meta.complete.as_ref()?.inputs.get(INPUT));
        if let Some(earlier) = earlier.find(made_by) {
            prepared.notes.push(format!("all texts are embedded again: the model was {earlier}"));
        }
        let index = asset.project.index_of(&asset.definition.from)?;
        let described = around.client.indices().describe(&index).await?;
        let has_field = |name: &str| described.iter().any(|index| index.mapping.field(name).is_some());
        let keep = &asset.definition.keep;
        let needed = asset.definition.text.fields().into_iter().map(|name| ("text", name));
        let mut needed = needed.chain(keep.iter().map(|name| ("keep", name.as_str())));
        // What another asset of the same run is still to write cannot be looked at.
        if !described.is_empty()
            && let Some((key, missing)) = needed.find(|(_, name)| !has_field(name))
        {
            let message = format!("`{}` has no field `{missing}`", asset.definition.from);
            let fields: Vec<String> =
                described.iter().flat_map(|index| index.mapping.fields()).map(|(name, _)| name).collect();
            let near = es_values::nearest(missing, fields.iter().map(String::as_str));
            let help = near.map(|near| format!("did you mean `{near}`?"));
            prepared.failure = Some(Arc::new(asset.error_at(key, &message, help.as_deref())));
        }
        prepared.state = Some(Arc::new(chosen));
        Ok(prepared)
    }

    async fn build(&self, asset: &Subject<'_, Embedding>, work: &Work<'_>) -> Result<Built> {
        let embedding = asset.definition;
        let inputs = work.inputs();
        let chosen = model::choose_for_build(asset, work).await?;
        let embedder = chosen.open(work.project, embedding).await?;
        let dims = tokio::select! {
            dims = embedder.ready() => dims?,
            () = work.cancel.cancelled() => {
                let message = "interrupted while a server was waited for";
                return Err(Error::new(crate::error::ErrorKind::Interrupted, message));
            }
        };
        let limit = embedder.token_limit();
        let chunk = embedding.chunk.unwrap_or_else(|| match &limit {
            Some(_) => default_chunk(&embedder),
            None => Chunking::by_sentences(),
        });
        let chunker = Chunker::new(chunk, limit);
        let chunker = chunker.map_err(|error| asset.error_at("chunk", &error.to_string(), error.help()))?;

        let mut kept: Vec<PlSmallStr> = Vec::new();
        for name in embedding.time.iter().chain(&embedding.keep) {
            if !kept.iter().any(|one| one == name) {
                kept.push(name.as_str().into());
            }
        }
        let reader = open(asset, work, &kept).await?;
        if let Some((field, dtype)) = embedding.text.unfit(&reader.schema()) {
            let message = format!("`{field}` is {dtype}, and not text");
            let help = "name fields of text, numbers or booleans, or make one in an asset of kind `sql`";
            return Err(asset.error_at("text", &message, Some(help)));
        }
        let schema = reader.schema();
        let schema_of_kept: Schema =
            kept.iter().filter_map(|name| Some((name.clone(), schema.get(name)?.clone()))).collect();
        let mapping = passages::mapping(embedding, &schema_of_kept, reader.field_types(), dims, chosen.similarity())?;
        let declared = embedding.index.mapping();
        let declared = declared.map_err(|error| Error::config(format!("the mappings cannot be read: {error}")))?;
        let worker = Arc::new(Worker {
            embedder,
            chunker,
            text: embedding.text.clone(),
            kept,
            dims,
            origin: Origin {
                model: chosen.name.clone(),
                version: chosen.number.map(|number| i32::try_from(number).unwrap_or(i32::MAX)),
                run: work.run.to_owned(),
                at: work.now,
            },
            earlier: Earlier::of(&chosen.version, work).await?,
            cancel: work.cancel.clone(),
            counts: Counts::default(),
            seen: Mutex::default(),
        });
        let frames = worker.clone().stream(reader.into_frames().map_err(Error::from));
        let batches = batched_frames(frames, &passages::ID, work.project.settings.bulk.batch_limits());
        let id = passages::ID.map(str::to_owned);
        let new = IndexRequest {
            mapping: mapping.overridden_by(&declared),
            spec: &embedding.index,
            id: &id,
            checks: &embedding.checks,
            files: Vec::new(),
            inputs: Some(inputs),
        };
        let mut built = index::write(work, new, |_| batches.boxed()).await?;
        let number = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
        let counts = &worker.counts;
        let (embedded, copied) = (number(&counts.embedded), number(&counts.copied));
        let without_text = number(&counts.without_text);
        built.detail =
            format!("{}, {} embedded, {} copied, {}", chosen.version, count(embedded), count(copied), built.detail);
        built.summary["model"] = json!({
            "name": chosen.name, "version": chosen.number, "dims": dims, "embedded": embedded, "copied": copied,
            "without_text": without_text,
        });
        if without_text > 0 {
            built.warnings.push(format!("{} without a text: no passages", counted(without_text, "document")));
        }
        built.external = Some(version_of(INPUT, &chosen.version));
        Ok(built)
    }

    fn checks<'a>(&self, definition: &'a Embedding) -> &'a [Check] {
        &definition.checks
    }

    fn id(&self, _: &Embedding) -> Vec<String> {
        passages::ID.map(str::to_owned).to_vec()
    }

    fn index_spec<'a>(&self, definition: &'a Embedding) -> Option<&'a IndexSpec> {
        Some(&definition.index)
    }

    fn needs(&self, asset: &Subject<'_, Embedding>, needs: &mut Needs) {
        if let Ok(index) = asset.project.index_of(&asset.definition.from) {
            needs.exports.push(ExportNeed { asset: asset.name.to_owned(), index, columns: None });
        }
        if asset.definition.model.is_some() {
            needs.scored_here.push(asset.name.to_owned());
            needs.library = models::library(asset.project);
        }
        let index = asset.project.alias(asset.name);
        needs.aggregates(asset.name, Ok(index), checks::aggregated_fields(&asset.definition.checks));
    }
}

/// Opens the documents, with the columns that are needed.
async fn open(asset: &Subject<'_, Embedding>, work: &Work<'_>, kept: &[PlSmallStr]) -> Result<IndexReader> {
    let embedding = asset.definition;
    let mut columns = vec!["_id".to_owned()];
    for name in embedding.text.fields().into_iter().chain(kept.iter().map(PlSmallStr::as_str)) {
        if !columns.iter().any(|one| one == name) {
            columns.push(name.to_owned());
        }
    }
    let mut search = Search { columns: ColumnRequest::Named(columns), ..Search::new(work.index_of(&embedding.from)?) };
    if let Some(filter) = &embedding.filter {
        search.query = filter.to_value();
    }
    let mut request = ReadRequest::from(search);
    request.options = work.project.settings.export.read;
    let opened = IndexReader::open(work.client, request).await;
    let reader = opened.map_err(|error| Error::from(error).within(&embedding.from))?;
    if let Some(rows) = reader.count() {
        work.progress.set_total(rows);
    }
    Ok(reader)
}

/// Passages as long as the model takes them, up to the default of tokens.
fn default_chunk(embedder: &es_serving::embedding::Embedder) -> Chunking {
    let most = embedder.token_limit().and_then(|limit| limit.most).and_then(|most| u32::try_from(most).ok());
    match (Chunking::default(), most.and_then(std::num::NonZeroU32::new)) {
        (Chunking::Tokens { size, overlap }, Some(most)) if most < size => Chunking::Tokens { size: most, overlap },
        (default, _) => default,
    }
}
