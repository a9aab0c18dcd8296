//! The progress of a read or an export.

use std::fmt;
use std::sync::Arc;

/// The phase of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The strata of the split are counted; rows are read for the first time.
    Counting,
    /// Rows are read and written.
    Reading,
    /// Rows that were read are encoded.
    Encoding,
}

/// A step of a read or an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The phase. The rows of each phase count from zero to the total.
    pub phase: Phase,
    /// Rows of this phase since the last step. The first step of an export that is resumed has all
    /// rows of the finished files.
    pub rows: u64,
    /// Bytes of files written so far.
    pub bytes: u64,
    /// All rows, where they are known before the end.
    pub total: Option<u64>,
    /// The number of restarts from scratch, with a new point in time. When it rises, the rows of
    /// all phases count from zero again.
    pub restarts: u32,
}

/// A function that is called with each step; by default none.
#[derive(Clone, Default)]
pub(crate) struct Observer(Option<Arc<dyn Fn(Progress) + Send + Sync>>);

impl Observer {
    pub(crate) fn new(observer: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(observer)))
    }

    pub(crate) fn notify(&self, step: Progress) {
        if let Some(observer) = &self.0 {
            observer(step);
        }
    }

    /// The same, with the number of restarts in every step.
    pub(crate) fn after_restarts(&self, restarts: u32) -> Self {
        match self.0.clone() {
            Some(observer) if restarts > 0 => Self::new(move |step| observer(Progress { restarts, ..step })),
            _ => self.clone(),
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Observer" } else { "None" })
    }
}
