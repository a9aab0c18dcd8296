//! Kinds of assets. A kind is one module: its definition (the keys with their schema, what it
//! reads, its partitions, its validation with positions, which part of it makes what stale) and its
//! work ([`Kind`]: observe, prepare, build, and what that needs of the cluster). [`Kinds::builtin`]
//! lists them; a program can add its own.
//!
//! The step runner ([`engine`](crate::engine)) is the only one who publishes and who notes what is
//! published: a kind hands it what it built.

pub mod checks;
pub mod command;
pub mod embedding;
pub mod export;
pub mod features;
pub mod folder;
pub mod index;
pub mod inference;
pub mod ingest;
pub mod joins;
pub mod monitor;
mod problems;
pub mod registered;
pub mod rows;
pub mod samples;
pub mod source;
pub mod sql;
mod table;
pub mod work;

use std::fmt;

use async_trait::async_trait;
use es_assets::{Definition, Inputs, Output};
use es_serving::ingest_pipeline::SampleDocument;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::doctor::needs::Needs;
use crate::error::{Error, Result};
use crate::project::Project;
use crate::store::generation::Generation;
pub use samples::Sampling;
pub use table::{AnyKind, Kinds};
pub use work::{Built, Observation, Outcome, Part, Preparation, Prepared, Verdict, Work};

/// A kind of asset: the definition and the work.
///
/// See `examples/own_kind.rs` for a kind that is added from outside.
#[async_trait]
pub trait Kind: Send + Sync + 'static {
    /// The keys of an asset of this kind.
    type Definition: Definition + DeserializeOwned + JsonSchema;

    /// The name that users write after `kind:`.
    const NAME: &'static str;

    /// The number of steps of this kind that run at once, and whether its partitions follow each other.
    fn limits(&self) -> Limits {
        Limits::default()
    }

    /// The index, alias or pattern that readers of the asset use, if it has documents.
    fn index(&self, asset: &Subject<'_, Self::Definition>) -> Option<String> {
        (asset.definition.output() == Output::Documents).then(|| asset.project.alias(asset.name))
    }

    /// Returns what is published of the asset, part by part. The default is right for assets whose
    /// parts are generations of an index.
    ///
    /// # Errors
    /// When Elasticsearch or the place of the result cannot be read.
    async fn observe(&self, asset: &Subject<'_, Self::Definition>, around: &Observation<'_>) -> Result<Vec<Part>> {
        let _ = asset;
        Ok(around.published_generations())
    }

    /// Inspects what the asset is made of and no other asset gives, such as files, and changes
    /// nothing.
    ///
    /// # Errors
    /// When it is missing or damaged, or does not fit the definition.
    async fn prepare(&self, asset: &Subject<'_, Self::Definition>, around: &Preparation<'_>) -> Result<Prepared> {
        let _ = (asset, around);
        Ok(Prepared::default())
    }

    /// The versions of what no asset gives from which another run has published a generation since
    /// the preparation, if they are still the present ones.
    fn inputs_of(&self, prepared: &Prepared, published: &Generation) -> Option<Inputs> {
        let _ = (prepared, published);
        None
    }

    /// Builds or evaluates one part. What it returns is not visible to readers yet.
    ///
    /// # Errors
    /// Whatever goes wrong, readers see what they saw before. A build that is cancelled fails with
    /// [`ErrorKind::Interrupted`](crate::error::ErrorKind::Interrupted).
    async fn build(&self, asset: &Subject<'_, Self::Definition>, work: &Work<'_>) -> Result<Built>;

    /// The checks that the documents must pass.
    fn checks<'a>(&self, definition: &'a Self::Definition) -> &'a [checks::Check] {
        let _ = definition;
        &[]
    }

    /// The columns that make up a document's id.
    fn id(&self, definition: &Self::Definition) -> Vec<String> {
        let _ = definition;
        Vec::new()
    }

    /// The settings, mappings and ingest pipeline that the definition gives the index, if there is one.
    fn index_spec<'a>(&self, definition: &'a Self::Definition) -> Option<&'a index::IndexSpec> {
        let _ = definition;
        None
    }

    /// Returns documents as a build would send them to the index, to try an ingest pipeline on: at most so many.
    /// The default takes them from what is published, which the pipeline may have passed already.
    ///
    /// # Errors
    /// When they cannot be read.
    async fn samples(
        &self,
        asset: &Subject<'_, Self::Definition>,
        around: &Sampling<'_>,
    ) -> Result<Vec<SampleDocument>> {
        samples::published(around.client, &asset.project.alias(asset.name), around.most).await
    }

    /// Adds what an asset of this kind needs of the cluster, beyond what every index needs.
    fn needs(&self, asset: &Subject<'_, Self::Definition>, needs: &mut Needs) {
        let _ = (asset, needs);
    }

    /// The report of a build as lines for a person, if the kind makes reports.
    fn report(&self, report: &Value) -> Option<String> {
        let _ = report;
        None
    }
}

/// An asset as its kind sees it.
pub struct Subject<'a, D> {
    /// The name of the asset.
    pub name: &'a str,
    /// Its definition.
    pub definition: &'a D,
    /// The pipeline that it belongs to.
    pub project: &'a Project,
}

impl<D> Subject<'_, D> {
    /// An error that points at a key of the asset in the pipeline file.
    pub fn error_at(&self, key: &str, message: &str, help: Option<&str>) -> Error {
        let path = format!("assets.{}.{key}", self.name);
        self.project.pipeline.diagnose(&path, message, help).into()
    }
}

impl<D> Clone for Subject<'_, D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D> Copy for Subject<'_, D> {}

impl<D: fmt::Debug> fmt::Debug for Subject<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").field("name", &self.name).field("definition", &self.definition).finish()
    }
}

/// The number of steps of a kind that run at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// The most steps of this kind at once, in all runs of a process; without it, the limit of all
    /// steps alone.
    pub steps: Option<usize>,
    /// The partitions of one asset follow each other.
    pub one_partition_at_a_time: bool,
}

/// The version of an input that is not another asset, under the one name that a kind gives it.
pub fn version_of(name: &str, version: &str) -> Inputs {
    Inputs::from([(name.to_owned(), version.to_owned())])
}
