//! What the steps of a run share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use es_assets::{Inputs, PartitionKey, PartitionState, PerPartition};
use es_core::Client;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::kinds::ingest::Prepared;
use crate::project::Project;
use crate::store::owner::Owner;
use crate::store::runs::RunStore;
use crate::terminal::reporter::Reporter;

/// What the steps of a run share.
pub struct Context {
    /// The pipeline.
    pub project: std::sync::Arc<Project>,
    /// The connection.
    pub client: Client,
    /// The history.
    pub store: RunStore,
    /// The name of this run.
    pub run: String,
    /// This process.
    pub owner: Owner,
    /// The moment that the run takes for the present.
    pub now: Timestamp,
    /// Cancelled when the run is to stop.
    pub cancel: CancellationToken,
    /// Where progress is told.
    pub reporter: Reporter,
    /// The files of `ingest` assets.
    pub prepared: Prepared,
    /// What is known while the run goes on.
    pub known: Known,
}

/// What is known of all parts, brought up to date as the run publishes.
#[derive(Default)]
pub struct Known {
    state: Mutex<State>,
}

/// The parts of [`Known`].
#[derive(Default)]
pub struct State {
    /// What is published.
    pub observed: PerPartition<PartitionState>,
    /// The versions of files.
    pub external: PerPartition<Inputs>,
}

impl Known {
    /// What was observed when the run began.
    pub fn new(state: State) -> Self {
        Self { state: Mutex::new(state) }
    }

    /// The state; it must not be held across a wait.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Context {
    /// The versions of everything that a part is made of, as they are now.
    pub fn inputs(&self, asset: &str, partition: Option<&PartitionKey>) -> Inputs {
        let state = self.known.lock();
        es_assets::inputs(&self.project.pipeline, asset, partition, &state.observed, &state.external, self.now)
    }
}
