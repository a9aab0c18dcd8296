//! The input of a kind's work, and its result.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use es_assets::{Fingerprint, Inputs, PartitionKey, PartitionState, PerPartition, Published};
use es_core::{Client, Mapping};
use futures::future::BoxFuture;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::engine::known::Known;
use crate::engine::progress::Progress;
use crate::error::{Error, Result};
use crate::project::Project;
use crate::store::generation::Generation;
use crate::store::history::StepRecord;
use crate::store::lease::HeldLease;

/// A published part of an asset.
pub type Part = (Option<PartitionKey>, Published);

/// The input of observing what is published of an asset.
pub struct Observation<'a> {
    /// The connection.
    pub client: &'a Client,
    /// The generations of the asset, published or not.
    pub generations: &'a [Generation],
    /// The newest success of each part of the asset.
    pub successes: &'a [StepRecord],
    /// The moment taken for the present.
    pub now: Timestamp,
}

impl Observation<'_> {
    /// The published generations, as parts.
    pub fn published_generations(&self) -> Vec<Part> {
        let published = self.generations.iter().filter(|generation| generation.is_published);
        published.filter_map(|one| Some((one.meta.partition.clone(), one.published()?))).collect()
    }

    /// The newest evaluation, as the one part of an asset that only gives a verdict.
    pub fn newest_evaluation(&self) -> Vec<Part> {
        self.successes.iter().map(|record| (record.partition.clone(), record.published())).collect()
    }
}

/// The input of inspecting what an asset is made of.
pub struct Preparation<'a> {
    /// The connection.
    pub client: &'a Client,
    /// The published generations of the asset.
    pub published: &'a [Generation],
    /// The state of all parts, as it was observed.
    pub states: &'a PerPartition<PartitionState>,
    /// The newest success of each part of the asset.
    pub successes: &'a [StepRecord],
    /// The definition as it is now.
    pub fingerprint: &'a Fingerprint,
    /// The moment taken for the present.
    pub now: Timestamp,
    /// Cancelled when nobody waits for the result any more.
    pub cancel: &'a CancellationToken,
}

/// The findings of a kind before a build.
#[derive(Clone, Default)]
pub struct Prepared {
    /// The versions of what no asset gives, by part.
    pub inputs: BTreeMap<Option<PartitionKey>, Inputs>,
    /// The rows that each part will have, where that is known.
    pub rows: Option<BTreeMap<Option<PartitionKey>, u64>>,
    /// The mapping that a new index will have.
    pub mapping: Option<Mapping>,
    /// Notes of a plan about the asset.
    pub notes: Vec<String>,
    /// The reason for which the asset cannot be built. It fails alone.
    pub failure: Option<Arc<Error>>,
    /// Whatever the build of the same kind needs of it.
    pub state: Option<Arc<dyn Any + Send + Sync>>,
}

impl Prepared {
    /// The reason for which the asset cannot be built.
    pub fn failure(&self) -> Option<&Error> {
        self.failure.as_deref()
    }

    /// The number of rows that a part will have, if it is known.
    pub fn rows_of(&self, partition: Option<&PartitionKey>) -> Option<u64> {
        let rows = self.rows.as_ref()?;
        Some(rows.get(&partition.cloned()).copied().unwrap_or(0))
    }

    /// The state that the same kind left.
    pub fn state_as<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        Arc::downcast(self.state.clone()?).ok()
    }
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared").field("inputs", &self.inputs).field("rows", &self.rows).finish_non_exhaustive()
    }
}

/// One step as the kind sees it.
pub struct Work<'a> {
    /// The connection.
    pub client: &'a Client,
    /// The pipeline.
    pub project: &'a Project,
    /// The run.
    pub run: &'a str,
    /// The asset.
    pub asset: &'a str,
    /// The partition, of an asset that has partitions.
    pub partition: Option<&'a PartitionKey>,
    /// The definition as it is now.
    pub fingerprint: &'a Fingerprint,
    /// The moment that the run takes for the present.
    pub now: Timestamp,
    /// Cancelled when the step is to stop: the run was stopped, or the lease was lost.
    pub cancel: &'a CancellationToken,
    /// The receiver of progress.
    pub progress: &'a Progress,
    /// The lease of the part.
    pub lease: &'a HeldLease,
    /// The memory for requests of all loads of the process.
    pub memory: &'a es_bulk::MemoryBudget,
    /// The earlier findings of the same kind.
    pub prepared: &'a Prepared,
    pub(crate) known: &'a Known,
}

impl Work<'_> {
    /// The versions of everything that the part is made of, as they are now.
    pub fn inputs(&self) -> Inputs {
        self.known.inputs(self.project, self.asset, self.partition, self.now)
    }

    /// The index, alias or pattern where the documents of another asset are read.
    ///
    /// # Errors
    /// When there is no such asset, or it has no documents.
    pub fn index_of(&self, asset: &str) -> Result<String> {
        self.project.index_of(asset)
    }
}

/// The notes of a build beside the files that it makes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notes {
    /// The pipeline.
    pub pipeline: String,
    /// The asset.
    pub asset: String,
    /// The run.
    pub run: String,
    /// The definition.
    pub fingerprint: Fingerprint,
    /// The versions of what the files were made of.
    pub inputs: Inputs,
}

impl Notes {
    /// The notes of a step that made its files of `inputs`.
    pub fn of(work: &Work<'_>, inputs: Inputs) -> Self {
        Self {
            pipeline: work.project.pipeline.name().to_owned(),
            asset: work.asset.to_owned(),
            run: work.run.to_owned(),
            fingerprint: work.fingerprint.clone(),
            inputs,
        }
    }

    /// Returns whether an asset of a pipeline made the files.
    pub fn are_of(&self, pipeline: &str, asset: &str) -> bool {
        self.asset == asset && self.pipeline == pipeline
    }
}

/// The result of a step.
#[derive(Debug, Default)]
pub struct Built {
    /// The outcome, which the step runner publishes.
    pub outcome: Outcome,
    /// Rows written, where the kind writes rows.
    pub rows: Option<u64>,
    /// The numbers, for the history and for `--json`.
    pub summary: Value,
    /// The most important numbers in a few words, for a person.
    pub detail: String,
    /// Checks of severity `warn` that failed, in words.
    pub warnings: Vec<String>,
    /// The verdict of an evaluation.
    pub verdict: Verdict,
    /// The report of an evaluation.
    pub report: Option<Value>,
    /// The versions of what no asset gives, where the build found others than the preparation.
    pub external: Option<Inputs>,
}

/// The outcome of a build, for the step runner.
#[derive(Debug, Default)]
pub enum Outcome {
    /// Nothing to publish: the history says that it was evaluated.
    #[default]
    Evaluated,
    /// An index whose documents are complete and checked, and which no reader sees yet.
    Generation(Box<NewGeneration>),
    /// A result that is whole and which no reader sees yet, such as a folder of files.
    Ready(ReadyResult),
    /// A published result.
    Published(Box<Published>),
}

/// An index whose documents are complete and checked, and which no reader sees yet.
pub struct NewGeneration {
    /// The index.
    pub index: String,
    /// The version of its content.
    pub version: String,
    /// Its documents.
    pub rows: u64,
    /// The versions of what it was made of, taken before it was read; without them, those at the
    /// end of the build.
    pub inputs: Option<Inputs>,
    /// The files that it was made of, as they look from outside.
    pub files: Vec<es_bulk::files::FileIdentity>,
    /// Called once it is published.
    pub on_published: Option<Box<dyn FnOnce() + Send + Sync>>,
}

impl std::fmt::Debug for NewGeneration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewGeneration").field("index", &self.index).field("rows", &self.rows).finish_non_exhaustive()
    }
}

/// A result that becomes visible in one step.
pub struct ReadyResult {
    /// The state once it is published.
    pub published: Box<Published>,
    /// Makes it visible. Not called when the lease was lost meanwhile.
    pub publish: Box<dyn FnOnce() -> BoxFuture<'static, Result<()>> + Send + Sync>,
}

impl std::fmt::Debug for ReadyResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadyResult").field("published", &self.published).finish_non_exhaustive()
    }
}

/// The verdict of an evaluation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing is wrong, or what is wrong is of severity `warn`.
    #[default]
    Passed,
    /// Something of severity `error` is wrong.
    Failed,
    /// Something of severity `error` could not be measured.
    NotMeasured,
}

impl Verdict {
    /// Returns whether nothing of severity `error` is wrong.
    pub fn is_passed(&self) -> bool {
        *self == Self::Passed
    }
}
