//! The account of a computation, which grows while it runs.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The account of a computation: what was read, and what was handed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FeatureSummary {
    /// Documents of the source that the set selects.
    pub documents: u64,
    /// Those of them that lack a field of the entity, and so count in no row.
    pub documents_without_entity: u64,
    /// Those of them that lack the time, and so count in no row.
    pub documents_without_time: u64,
    /// Grid times whose rows were all handed over.
    pub grid_instants: usize,
    /// Rows handed over.
    pub rows: u64,
    /// Requests that read the source.
    pub requests: u64,
    /// The time from the opening to the last frame.
    pub took: Duration,
}

/// The progress of a computation, for an observer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FeatureProgress {
    /// The number of grid times.
    pub grid_instants: usize,
    /// Grid times whose rows were all read.
    pub grid_instants_read: usize,
    /// Rows read.
    pub rows_read: u64,
}

/// A function that is called with the progress of a computation.
pub(super) type Observer = Arc<dyn Fn(FeatureProgress) + Send + Sync>;

/// The summary that a stream and its searches share.
#[derive(Default)]
pub(super) struct SharedSummary(Mutex<FeatureSummary>);

impl SharedSummary {
    pub(super) fn get(&self) -> FeatureSummary {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut FeatureSummary)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
