//! The table of kinds: the ones of this program, and those that a caller adds.

use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;
use es_assets::{Asset, Inputs, PipelineFormat};
use es_serving::ingest_pipeline::SampleDocument;
use serde_json::Value;

use super::index::IndexSpec;
use super::samples::Sampling;
use super::{Built, Kind, Limits, Observation, Part, Preparation, Prepared, Subject, Work, checks};
use super::{command, embedding, export, features, inference, ingest, monitor, source, sql};
use crate::doctor::needs::Needs;
use crate::error::{Error, Result};
use crate::project::Project;
use crate::settings;
use crate::store::generation::Generation;

/// The kinds that a program has.
#[derive(Clone)]
pub struct Kinds(Arc<Vec<Arc<dyn AnyKind>>>);

impl Kinds {
    /// The kinds of this program. A new kind is one line here.
    pub fn builtin() -> Self {
        Self(Arc::new(Vec::new()))
            .with(source::SourceKind)
            .with(ingest::IngestKind)
            .with(sql::SqlKind)
            .with(command::CommandKind)
            .with(features::FeaturesKind)
            .with(export::ExportKind)
            .with(inference::InferenceKind)
            .with(embedding::EmbeddingKind)
            .with(monitor::MonitorKind)
    }

    /// Adds a kind.
    #[must_use]
    pub fn with<K: Kind>(self, kind: K) -> Self {
        let mut kinds = Vec::clone(&self.0);
        kinds.push(Arc::new(Erased(kind)));
        Self(Arc::new(kinds))
    }

    /// The form of pipeline files with these kinds and the settings of this program.
    pub fn format(&self) -> PipelineFormat {
        PipelineFormat::new(self.0.iter().map(|kind| kind.definition()))
            .with_settings(settings::format())
            .with_text_formats(settings::text_formats())
            .with_planned(es_assets::Planned { kinds: &["anomaly"], sections: &["triggers"] })
    }

    /// The kind of an asset.
    ///
    /// # Errors
    /// When the asset was read by another table.
    pub fn of(&self, asset: &Asset) -> Result<&Arc<dyn AnyKind>> {
        self.0.iter().find(|kind| kind.name() == asset.kind()).ok_or_else(|| {
            Error::config(format!("the kind `{}` is not in the table of kinds of this program", asset.kind()))
        })
    }

    /// Every kind, in the order of the table.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn AnyKind>> {
        self.0.iter()
    }
}

/// A [`Kind`] whose definition is looked up in the asset at run time.
#[async_trait]
pub trait AnyKind: Send + Sync {
    /// See [`Kind::NAME`].
    fn name(&self) -> &'static str;
    /// The kind as the pipeline file needs to know it.
    fn definition(&self) -> es_assets::Kind;
    /// See [`Kind::limits`].
    fn limits(&self) -> Limits;
    /// See [`Kind::index`].
    fn index(&self, project: &Project, name: &str, asset: &Asset) -> Option<String>;
    /// See [`Kind::observe`].
    async fn observe(
        &self,
        project: &Project,
        name: &str,
        asset: &Asset,
        around: &Observation<'_>,
    ) -> Result<Vec<Part>>;
    /// See [`Kind::prepare`].
    async fn prepare(&self, project: &Project, name: &str, asset: &Asset, around: &Preparation<'_>)
    -> Result<Prepared>;
    /// See [`Kind::inputs_of`].
    fn inputs_of(&self, prepared: &Prepared, published: &Generation) -> Option<Inputs>;
    /// See [`Kind::build`].
    async fn build(&self, asset: &Asset, work: &Work<'_>) -> Result<Built>;
    /// See [`Kind::checks`].
    fn checks<'a>(&self, asset: &'a Asset) -> &'a [checks::Check];
    /// See [`Kind::id`].
    fn id(&self, asset: &Asset) -> Vec<String>;
    /// See [`Kind::index_spec`].
    fn index_spec<'a>(&self, asset: &'a Asset) -> Option<&'a IndexSpec>;
    /// See [`Kind::samples`].
    async fn samples(
        &self,
        project: &Project,
        name: &str,
        asset: &Asset,
        around: &Sampling<'_>,
    ) -> Result<Vec<SampleDocument>>;
    /// See [`Kind::needs`].
    fn needs(&self, project: &Project, name: &str, asset: &Asset, needs: &mut Needs);
    /// See [`Kind::report`].
    fn report(&self, report: &Value) -> Option<String>;
}

struct Erased<K>(K);

fn subject<'a, K: Kind>(
    _: PhantomData<K>,
    project: &'a Project,
    name: &'a str,
    asset: &'a Asset,
) -> Result<Subject<'a, K::Definition>> {
    match asset.definition_as::<K::Definition>() {
        Some(definition) => Ok(Subject { name, definition, project }),
        None => Err(Error::config(format!("the asset `{name}` was not read as one of kind `{}`", K::NAME))),
    }
}

#[async_trait]
impl<K: Kind> AnyKind for Erased<K> {
    fn name(&self) -> &'static str {
        K::NAME
    }

    fn definition(&self) -> es_assets::Kind {
        es_assets::Kind::of::<K::Definition>(K::NAME)
    }

    fn limits(&self) -> Limits {
        self.0.limits()
    }

    fn index(&self, project: &Project, name: &str, asset: &Asset) -> Option<String> {
        self.0.index(&subject(PhantomData::<K>, project, name, asset).ok()?)
    }

    async fn observe(
        &self,
        project: &Project,
        name: &str,
        asset: &Asset,
        around: &Observation<'_>,
    ) -> Result<Vec<Part>> {
        self.0.observe(&subject(PhantomData::<K>, project, name, asset)?, around).await
    }

    async fn prepare(
        &self,
        project: &Project,
        name: &str,
        asset: &Asset,
        around: &Preparation<'_>,
    ) -> Result<Prepared> {
        self.0.prepare(&subject(PhantomData::<K>, project, name, asset)?, around).await
    }

    fn inputs_of(&self, prepared: &Prepared, published: &Generation) -> Option<Inputs> {
        self.0.inputs_of(prepared, published)
    }

    async fn build(&self, asset: &Asset, work: &Work<'_>) -> Result<Built> {
        self.0.build(&subject(PhantomData::<K>, work.project, work.asset, asset)?, work).await
    }

    fn checks<'a>(&self, asset: &'a Asset) -> &'a [checks::Check] {
        asset.definition_as::<K::Definition>().map_or(&[], |definition| self.0.checks(definition))
    }

    fn id(&self, asset: &Asset) -> Vec<String> {
        asset.definition_as::<K::Definition>().map(|definition| self.0.id(definition)).unwrap_or_default()
    }

    fn index_spec<'a>(&self, asset: &'a Asset) -> Option<&'a IndexSpec> {
        self.0.index_spec(asset.definition_as::<K::Definition>()?)
    }

    async fn samples(
        &self,
        project: &Project,
        name: &str,
        asset: &Asset,
        around: &Sampling<'_>,
    ) -> Result<Vec<SampleDocument>> {
        self.0.samples(&subject(PhantomData::<K>, project, name, asset)?, around).await
    }

    fn needs(&self, project: &Project, name: &str, asset: &Asset, needs: &mut Needs) {
        if let Ok(subject) = subject(PhantomData::<K>, project, name, asset) {
            self.0.needs(&subject, needs);
        }
    }

    fn report(&self, report: &Value) -> Option<String> {
        self.0.report(report)
    }
}

impl std::fmt::Debug for Kinds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter().map(|kind| kind.name())).finish()
    }
}
