//! The state of all parts while a run goes on. Only the step runner writes it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use es_assets::{Inputs, PartitionKey, PartitionState, PerPartition};
use jiff::Timestamp;

use crate::project::Project;

/// The state of all parts, brought up to date as the run publishes.
#[derive(Debug, Default)]
pub struct Known(Mutex<KnownParts>);

/// The parts of [`Known`].
#[derive(Debug, Default)]
pub(super) struct KnownParts {
    /// The published parts.
    pub(super) observed: PerPartition<PartitionState>,
    /// The versions of what no asset gives.
    pub(super) external: PerPartition<Inputs>,
}

impl Known {
    /// The state that was observed when the run started.
    pub(super) fn new(observed: PerPartition<PartitionState>, external: PerPartition<Inputs>) -> Self {
        Self(Mutex::new(KnownParts { observed, external }))
    }

    /// The parts; the guard must not be held across a wait.
    pub(super) fn lock(&self) -> MutexGuard<'_, KnownParts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The versions of everything that a part is made of, as they are now.
    pub fn inputs(&self, project: &Project, asset: &str, partition: Option<&PartitionKey>, now: Timestamp) -> Inputs {
        let parts = self.lock();
        es_assets::inputs(&project.pipeline, asset, partition, &parts.observed, &parts.external, now)
    }
}
