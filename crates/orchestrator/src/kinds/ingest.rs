//! `ingest`: files into an index.

use std::sync::Arc;

use async_trait::async_trait;
use es_assets::{Definition, DiagnosticKind, KeyPath, Output, PartitionKey, Partitions, Parts, Report, Siblings};
use es_frame::VectorForm;
use futures::StreamExt as _;
use serde_json::{Map, Value, json};

use super::checks::{self, Check};
use super::files::{Depth, Files, Survey};
use super::index::{self, IndexRequest};
use super::spec::{DottedNames, FileFormat, Ingest, NonFinite};
use super::{Built, Kind, Preparation, Prepared, Subject, Work, version_of};
use crate::doctor::needs::Needs;
use crate::error::{Error, Result};
use crate::feed;
use crate::settings::batch_limits;
use crate::store::generation::Generation;
use crate::store::loads::Reached;

/// The name of the files among the inputs of a part.
const INPUT: &str = "files";

/// Files into an index.
pub struct IngestKind;

/// The files of an asset, inspected as closely as the plan needs.
struct Inspected {
    files: Files,
    survey: Option<Survey>,
}

impl Definition for Ingest {
    fn output(&self) -> Output {
        Output::Documents
    }

    fn partitions(&self) -> Option<&Partitions> {
        self.partitions.as_ref()
    }

    fn validate(&self, path: &KeyPath, _: &Siblings<'_>, report: &mut Report<'_>) {
        if self.from.format.is_none() && FileFormat::of_path(&self.from.path).is_none() {
            report.invalid(
                &path.key("from").key("path"),
                format!("the format of `{}` is not known by its name", self.from.path),
                "add `format: parquet`, `csv`, `ndjson`, `ipc` or `ipc_stream`",
            );
        }
        if let Some(partitions) = &self.partitions {
            let path = path.key("partitions");
            if self.time.is_none() {
                report.add(
                    DiagnosticKind::MissingKey,
                    &path,
                    "`partitions` needs `time`",
                    "name the column whose time decides which partition a row belongs to: `time: ..`",
                );
            }
            partitions.validate(&path, report);
        }
        checks::validate(&self.checks, &path.key("checks"), report);
    }

    fn fingerprint(&self, parts: &mut Parts) {
        parts.add("source", &self.from);
        parts.add("id", &self.id);
        parts.add("routing", &self.routing);
        parts.add("time", &self.time);
        // What later versions added says nothing as long as it is left at its default.
        if self.dotted_names != DottedNames::default() {
            parts.add("dotted_names", self.dotted_names);
        }
        if self.non_finite != NonFinite::default() {
            parts.add("non_finite", self.non_finite);
        }
        if let Some(partitions) = &self.partitions {
            parts.add("partitions", json!({ "every": partitions.every, "timezone": partitions.timezone }));
        }
        self.index.fingerprint(parts);
        parts.add("undeclared", self.undeclared);
        parts.add("mode", self.mode);
        parts.add_checks(&self.checks);
    }
}

#[async_trait]
impl Kind for IngestKind {
    type Definition = Ingest;
    const NAME: &'static str = "ingest";

    /// Files that look as they did when they were loaded are not read.
    async fn prepare(&self, asset: &Subject<'_, Ingest>, around: &Preparation<'_>) -> Result<Prepared> {
        let files = Files::find(asset, around.now)?;
        let published = around.published.to_vec();
        let is_known = published
            .iter()
            .any(|generation| around.fingerprint.changes_since(&generation.meta.fingerprint).rebuild.is_empty());
        let declared = match &asset.definition.partitions {
            Some(partitions) => {
                partitions.declared(around.now)?.into_iter().map(|partition| Some(partition.key)).collect()
            }
            None => vec![None],
        };
        let inspected = tokio::task::spawn_blocking(move || inspect(files, &declared, &published, is_known));
        let (inspected, inputs) =
            inspected.await.map_err(|error| Error::defect(&format!("reading the files of {}", asset.name), &error))??;
        if let Some(survey) = &inspected.survey {
            inspected.files.check_places(asset, survey)?;
        }
        Ok(Prepared {
            inputs,
            rows: inspected.survey.as_ref().map(|survey| survey.rows.clone()),
            mapping: Some(inspected.files.mapping.clone()),
            notes: Vec::new(),
            state: Some(Arc::new(inspected)),
        })
    }

    async fn build(&self, asset: &Subject<'_, Ingest>, work: &Work<'_>) -> Result<Built> {
        let Some(inspected) = work.prepared.state_as::<Inspected>() else {
            return Err(Error::failed(format!("the files of `{}` were not inspected", asset.name)));
        };
        let files = &inspected.files;
        let new = IndexRequest {
            mapping: files.mapping.clone(),
            settings: asset.definition.index.flat_settings(),
            id: files.id(),
            checks: &asset.definition.checks,
            files: files.identities.clone(),
            inputs: None,
        };
        let limits = batch_limits(&work.project.settings.bulk);
        let part = work.partition.cloned();
        let vectors = VectorForm::best_for(work.client.info().version);
        let mut reader = None;
        let batches = |from: &Reached| {
            let (from, inspected) = (from.clone(), inspected.clone());
            let (batches, thread) = feed::in_background(move |outlet| {
                let spans = inspected.survey.as_ref().and_then(|survey| survey.spans(part.as_ref()));
                inspected.files.batches(part.as_ref(), spans, vectors, limits, &from, outlet)
            });
            reader = Some(thread);
            batches.boxed()
        };
        let built = index::write(work, new, batches).await;
        if let Some(reader) = reader {
            feed::ended(reader, asset.name).await?;
        }
        let mut built = built?;
        // The content that was loaded is the version of the files, whatever the plan found.
        built.external = built.summary["content"].as_str().map(|content| version_of(INPUT, content));
        Ok(built)
    }

    fn checks<'a>(&self, definition: &'a Ingest) -> &'a [Check] {
        &definition.checks
    }

    fn id(&self, definition: &Ingest) -> Vec<String> {
        definition.id.clone().unwrap_or_default()
    }

    fn index_settings(&self, definition: &Ingest) -> Map<String, Value> {
        definition.index.flat_settings()
    }

    fn needs(&self, asset: &Subject<'_, Ingest>, needs: &mut Needs) {
        let index = asset.project.alias(asset.name);
        needs.aggregates(asset.name, Ok(index), checks::aggregated_fields(&asset.definition.checks));
    }
}

type Versions = std::collections::BTreeMap<Option<PartitionKey>, es_assets::Inputs>;

/// Reads files as far as the plan needs it. Blocks.
fn inspect(
    files: Files,
    declared: &[Option<PartitionKey>],
    published: &[Generation],
    is_known: bool,
) -> Result<(Inspected, Versions)> {
    let known = published.iter().filter_map(|generation| {
        let complete = generation.meta.complete.as_ref()?;
        Some((generation.meta.partition.clone(), complete))
    });
    let recorded: Versions = known.clone().map(|(part, complete)| (part, complete.inputs.clone())).collect();
    let looks_the_same = known.clone().all(|(_, complete)| complete.files == files.identities);
    let all_published = declared.iter().all(|part| recorded.contains_key(part));
    if all_published && looks_the_same {
        return Ok((Inspected { files, survey: None }, recorded));
    }
    // Where the definition itself has changed, or nothing is published, everything is built again
    // whatever the files hold, and counting the rows is enough.
    let depth = if looks_the_same || !is_known { Depth::Rows } else { Depth::Content };
    let survey = files.survey(depth)?;
    let versions = match depth {
        Depth::Rows => recorded,
        Depth::Content => declared
            .iter()
            .map(|part| {
                let content = survey.content.get(part).copied().unwrap_or_default();
                (part.clone(), version_of(INPUT, &content.to_string()))
            })
            .collect(),
    };
    Ok((Inspected { files, survey: Some(survey) }, versions))
}
