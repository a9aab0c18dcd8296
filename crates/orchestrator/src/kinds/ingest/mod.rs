//! `ingest`: files into an index.

mod definition;
mod files;

use std::sync::Arc;

use async_trait::async_trait;
use es_assets::{Definition, Inputs, KeyPath, Output, Partitions, Parts, Report, Siblings};
use es_bulk::files::{FileFormat, PartRequest};
use es_bulk::ingest::ResumePoint;
use es_frame::{DottedNames, NonFinite};
use es_serving::ingest_pipeline::SampleDocument;
use futures::StreamExt as _;

use super::checks::{self, Check};
use super::index::{self, IndexRequest, IndexSpec};
use super::{Built, Kind, Preparation, Prepared, Sampling, Subject, Work, problems, samples, version_of};
use crate::doctor::needs::Needs;
use crate::error::{Error, Result};
use crate::store::generation::Generation;

pub use definition::{Ingest, IngestMode};
use files::{Files, Inspected};

/// The name of the files among the inputs of a part.
const INPUT: &str = "files";

/// Files into an index.
pub struct IngestKind;

impl Definition for Ingest {
    fn output(&self) -> Output {
        Output::Documents
    }

    fn partitions(&self) -> Option<&Partitions> {
        self.partitions.as_ref()
    }

    fn time(&self) -> Option<&str> {
        self.time.as_deref()
    }

    fn validate(&self, path: &KeyPath, _: &Siblings<'_>, report: &mut Report<'_>) {
        if self.from.format.is_none() && FileFormat::of_path(&self.from.path).is_none() {
            report.invalid(
                &path.key("from").key("path"),
                format!("the format of `{}` is not known by its name", self.from.path),
                "add `format: parquet`, `csv`, `ndjson`, `json`, `bulk`, `elasticdump`, `ipc` or `ipc_stream`",
            );
        }
        problems::report_partitions(self, path, report);
        self.index.validate(&path.key("index"), report);
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
        if !self.leave_out.is_empty() {
            parts.add("leave_out", &self.leave_out);
        }
        if self.non_finite != NonFinite::default() {
            parts.add("non_finite", self.non_finite);
        }
        parts.add_partitions(self.partitions.as_ref());
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
        let files = Files::open(asset, around).await?;
        let inspected = files.inspect(asset, around).await?;
        Ok(Prepared {
            inputs: inspected.versions(INPUT),
            rows: inspected.rows(),
            mapping: Some(inspected.mapping().clone()),
            notes: inspected.notes().to_vec(),
            failure: None,
            state: Some(Arc::new(inspected)),
        })
    }

    /// Files that look as they did when they were loaded have the content that was loaded.
    fn inputs_of(&self, prepared: &Prepared, published: &Generation) -> Option<Inputs> {
        let inspected = prepared.state_as::<Inspected>()?;
        let complete = published.meta.complete.as_ref()?;
        (complete.files == inspected.identities()).then(|| complete.inputs.clone())
    }

    async fn build(&self, asset: &Subject<'_, Ingest>, work: &Work<'_>) -> Result<Built> {
        let Some(inspected) = work.prepared.state_as::<Inspected>() else {
            return Err(Error::failed(format!("the files of `{}` were not inspected", asset.name)));
        };
        let id = asset.definition.id.clone().unwrap_or_default();
        let new = IndexRequest {
            mapping: inspected.mapping().clone(),
            spec: &asset.definition.index,
            id: &id,
            checks: &asset.definition.checks,
            files: inspected.identities().to_vec(),
            inputs: None,
        };
        let (part, spans) = inspected.part(work.partition);
        let batches = |from: &ResumePoint| inspected.reader().stream(PartRequest { part, spans, from: from.start() });
        let mut built = index::write(work, new, batches).await?;
        built.warnings.extend(inspected.notes().iter().cloned());
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

    fn index_spec<'a>(&self, definition: &'a Ingest) -> Option<&'a IndexSpec> {
        Some(&definition.index)
    }

    /// The first documents of the files.
    async fn samples(&self, asset: &Subject<'_, Ingest>, around: &Sampling<'_>) -> Result<Vec<SampleDocument>> {
        let Some(inspected) = around.prepared.state_as::<Inspected>() else { return Ok(Vec::new()) };
        let first = inspected.reader().stream(PartRequest::default()).next().await.transpose()?;
        let index = asset.project.alias(asset.name);
        Ok(first.map(|batch| samples::of_bulk_lines(batch.body(), &index, around.most)).unwrap_or_default())
    }

    fn needs(&self, asset: &Subject<'_, Ingest>, needs: &mut Needs) {
        let index = asset.project.alias(asset.name);
        needs.aggregates(asset.name, Ok(index), checks::aggregated_fields(&asset.definition.checks));
    }
}
