//! `inference`: predictions of a registered model, into an index of their own.
//!
//! es-export reads the rows with the columns that the model needs, feature rows are joined as they
//! pass, and es-serving scores a page of rows after the other; the predictions are loaded as a new
//! generation. Memory holds the pages that are read, scored and sent. A part is built anew when its
//! rows, the features that are joined, the definition or the model has changed: the version of the model is one
//! of the asset's inputs.

mod definition;
mod earlier;
mod model;
mod page;
mod rows;
mod score;
mod source;

use std::sync::Arc;

use async_trait::async_trait;
use es_assets::{Definition, KeyPath, Output, Partitions, Parts};
use es_assets::{Reference, Report, Siblings, Takes};
use es_bulk::batched_frames;
use es_core::{Client, IndexDescription};
use es_export::{AddedColumn, ColumnRequest, IndexReader, ReadRequest, Search};
use es_frame::infer_mapping;
use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};

use super::checks::{self, Check};
use super::index::{self, IndexRequest, IndexSpec};
use super::registered::INPUT;
use super::{Built, Kind, Preparation, Prepared, Subject, Work, joins, problems, version_of};
use crate::doctor::needs::{ExportNeed, Needs};
use crate::error::{Error, Result};
use crate::models;
use crate::terminal::table::{count, counted};

pub use definition::{BatchSize, Inference, ModelRunner, Nulls, OnnxProtocol, OnnxRunner, Rescore, Target, Write};
use model::Chosen;
use score::{Scorer, Scoring};
use source::Rows;

/// Predictions of a registered model.
pub struct InferenceKind;

impl Definition for Inference {
    fn reads(&self) -> Vec<Reference> {
        let rows = Reference { takes: Takes::DocumentsOfPartition, ..Reference::documents("from", &self.from) };
        [rows].into_iter().chain(joins::references(&self.features)).collect()
    }

    fn output(&self) -> Output {
        Output::Documents
    }

    fn partitions(&self) -> Option<&Partitions> {
        self.partitions.as_ref()
    }

    fn time(&self) -> Option<&str> {
        self.time.as_deref()
    }

    fn validate(&self, path: &KeyPath, siblings: &Siblings<'_>, report: &mut Report<'_>) {
        joins::validate(&self.features, path, siblings, report);
        if let ModelRunner::Server(options) = &self.server
            && let Err(error) = options.check()
        {
            report.invalid(&path.key("server"), error.to_string(), error.help().unwrap_or_default());
        }
        problems::report_partitions(self, path, report);
        self.index.validate(&path.key("index"), report);
        checks::validate(&self.checks, &path.key("checks"), report);
    }

    fn fingerprint(&self, parts: &mut Parts) {
        parts.add("from", &self.from);
        parts.add("where", &self.filter);
        parts.add("features", &self.features);
        parts.add("model", &self.model);
        parts.add("nulls", self.nulls);
        parts.add("outputs", &self.outputs);
        parts.add("write", &self.write);
        parts.add("time", &self.time);
        parts.add_partitions(self.partitions.as_ref());
        self.index.fingerprint(parts);
        parts.add_checks(&self.checks);
    }
}

#[async_trait]
impl Kind for InferenceKind {
    type Definition = Inference;
    const NAME: &'static str = "inference";

    /// Looks the model up, and counts the rows that lack a value which it needs.
    async fn prepare(&self, asset: &Subject<'_, Inference>, around: &Preparation<'_>) -> Result<Prepared> {
        let chosen = model::choose(asset, around.client).await?;
        let mut prepared = Prepared::default();
        let version = version_of(INPUT, &chosen.version());
        let rows = Rows::of(asset.definition);
        for part in rows.parts(around.now)? {
            prepared.inputs.insert(part, version.clone());
        }
        prepared.notes.push(chosen.to_string());
        prepared.notes.extend(rescored(asset.definition, around, &chosen));
        let index = asset.project.index_of(&asset.definition.from)?;
        let described = around.client.indices().describe(&index).await?;
        // What another asset of the same run is still to write cannot be looked at.
        if !described.is_empty() {
            match misfit(asset, around.client, &chosen, &described).await? {
                Some(failure) => prepared.failure = Some(Arc::new(failure)),
                None => prepared.rows = rows.count(around.client, &index).await?,
            }
        }
        prepared.state = Some(Arc::new(chosen));
        Ok(prepared)
    }

    async fn build(&self, asset: &Subject<'_, Inference>, work: &Work<'_>) -> Result<Built> {
        let inference = asset.definition;
        let inputs = work.inputs();
        let chosen = model::choose_for_build(asset, work).await?;
        let joins = joins::read(work, &inference.features).await?;
        let added = joins.as_ref().map(|joins| joins.adds()).unwrap_or_default();
        let needed = joins.as_ref().map(|joins| joins.needs()).unwrap_or_default();
        let search = search(asset, work, &chosen, &added, needed)?;
        let mut request = ReadRequest::from(search);
        request.options = work.project.settings.export.read;
        let reader = IndexReader::open(work.client, request).await.map_err(|error| within(&inference.from, error))?;
        if let Some(rows) = reader.count() {
            work.progress.set_total(rows);
        }
        let scoring = Scoring::plan(asset, &chosen, &reader.schema(), &added)?;
        let mapping = infer_mapping(scoring.schema()).map_err(|error| Error::from(error).within(asset.name))?;
        let mapping = mapping.overridden_by(&earlier::mapping());
        let declared = inference.index.mapping();
        let declared = declared.map_err(|error| Error::config(format!("the mappings cannot be read: {error}")))?;
        let scorer = Scorer::open(scoring, joins, &chosen, inference, work).await?;
        let frames = scorer.clone().stream(reader.into_frames().map_err(Error::from));
        let limits = work.project.settings.bulk.batch_limits();
        let batches = batched_frames(frames, &inference.write.id, limits);
        let new = IndexRequest {
            mapping: mapping.overridden_by(&declared),
            spec: &inference.index,
            id: &inference.write.id,
            checks: &inference.checks,
            files: Vec::new(),
            inputs: Some(inputs),
        };
        let mut built = index::write(work, new, |_| batches.boxed()).await?;
        let (skipped, unchanged) = (scorer.skipped(), scorer.unchanged());
        let kept = if unchanged > 0 { format!(", {} unchanged", count(unchanged)) } else { String::new() };
        built.detail = format!("{}{kept}, {}", chosen.reference(), built.detail);
        built.summary["model"] = json!({
            "name": chosen.name, "version": chosen.number, "sha256": chosen.sha256, "skipped": skipped,
            "unchanged": unchanged,
        });
        if skipped > 0 {
            built
                .warnings
                .push(format!("{} without a value that the model needs: no predictions", counted(skipped, "row")));
        }
        built.external = Some(version_of(INPUT, &chosen.version()));
        Ok(built)
    }

    fn checks<'a>(&self, definition: &'a Inference) -> &'a [Check] {
        &definition.checks
    }

    fn id(&self, definition: &Inference) -> Vec<String> {
        definition.write.id.clone()
    }

    fn index_spec<'a>(&self, definition: &'a Inference) -> Option<&'a IndexSpec> {
        Some(&definition.index)
    }

    fn needs(&self, asset: &Subject<'_, Inference>, needs: &mut Needs) {
        if let Ok(index) = asset.project.index_of(&asset.definition.from) {
            needs.exports.push(ExportNeed { asset: asset.name.to_owned(), index, columns: None });
        }
        if let ModelRunner::Here(_) = asset.definition.server {
            needs.scored_here.push(asset.name.to_owned());
            needs.library = models::library(asset.project);
        }
        let index = asset.project.alias(asset.name);
        needs.aggregates(asset.name, Ok(index), checks::aggregated_fields(&asset.definition.checks));
    }
}

fn within(asset: &str, error: es_export::Error) -> Error {
    Error::from(error).within(asset)
}

/// A note on the rows that are scored when a part is made again.
fn rescored(inference: &Inference, around: &Preparation<'_>, chosen: &Chosen) -> Option<String> {
    let earlier = around.published.iter().find_map(|one| one.meta.complete.as_ref()?.inputs.get(INPUT))?;
    if around.published.iter().any(|one| !earlier::is_of(one, chosen)) {
        return Some(format!("all rows are scored again: the model was {earlier}"));
    }
    (inference.rescore == Rescore::Changed)
        .then(|| "rows whose inputs have not changed keep their predictions".to_owned())
}

/// The rows to score, with the columns that are needed.
fn search(
    asset: &Subject<'_, Inference>,
    work: &Work<'_>,
    chosen: &Chosen,
    added: &[AddedColumn],
    needed: Vec<String>,
) -> Result<Search> {
    let inference = asset.definition;
    let mut columns: Vec<String> = Vec::new();
    let of_model = chosen.columns().into_iter().map(str::to_owned);
    let kept = inference.write.keep.iter().flatten().cloned();
    let of_row = inference.write.id.iter().chain(&inference.time).cloned();
    for name in of_row.chain(kept).chain(of_model).chain(needed) {
        if !columns.contains(&name) && !added.iter().any(|column| column.name == name) {
            columns.push(name);
        }
    }
    let mut search = Search { columns: ColumnRequest::Named(columns), ..Search::new(work.index_of(&inference.from)?) };
    if let Some(query) = Rows::of(inference).query(work)? {
        search.query = query;
    }
    Ok(search)
}

/// The failure of an asset whose rows do not have what the model is given: a column, or a value in each row unless
/// the asset says what to do without. Columns of joined features may always lack one.
async fn misfit(
    asset: &Subject<'_, Inference>,
    client: &Client,
    chosen: &Chosen,
    described: &[IndexDescription],
) -> Result<Option<Error>> {
    let inference = asset.definition;
    let is_joined = |name: &str| {
        inference
            .features
            .iter()
            .any(|join| name.strip_prefix(join.from.as_str()).is_some_and(|rest| rest.starts_with("__")))
    };
    let index = asset.project.index_of(&inference.from)?;
    let indices = client.indices();
    let has_field = |name: &str| described.iter().any(|index| index.mapping.field(name).is_some());
    if let Some(missing) = chosen.columns().into_iter().find(|name| !is_joined(name) && !has_field(name)) {
        let message = format!("`{}` has no column `{missing}`, which the model is given", inference.from);
        let fields: Vec<String> =
            described.iter().flat_map(|index| index.mapping.fields()).map(|(name, _)| name).collect();
        let near = es_values::nearest(missing, fields.iter().map(String::as_str));
        let help = near.map(|near| format!("did you mean `{near}`?"));
        return Ok(Some(asset.error_at("from", &message, help.as_deref())));
    }
    if inference.nulls.is_some() {
        return Ok(None);
    }
    let help =
        "choose `nulls: reject`, `nan`, `zero` or `skip_row`, or train a model with an answer for missing values";
    for name in chosen.needing_values() {
        if is_joined(name) {
            let message = format!("the model needs a value of `{name}`, and rows without a feature row have none");
            return Ok(Some(asset.error_at("model", &message, Some(help))));
        }
        let lacks = json!({ "bool": { "must_not": [{ "exists": { "field": name } }] } });
        let filters: Vec<Value> = inference.filter.iter().map(es_values::Query::to_value).chain([lacks]).collect();
        let rows = indices.count_matching(&index, &json!({ "bool": { "filter": filters } })).await?;
        if rows > 0 {
            let (rows, from) = (counted(rows, "row"), &inference.from);
            let message = format!("the model needs a value of `{name}`, and {rows} of `{from}` have none");
            return Ok(Some(asset.error_at("model", &message, Some(help))));
        }
    }
    Ok(None)
}
