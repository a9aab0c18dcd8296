//! The progress of a load.

use std::ops::AddAssign;
use std::sync::Arc;

/// A step of a load: the counts since the step before. A bar with the length of `read` that moves
/// by [`Progress::settled`] ends where the load does, also when documents are rejected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Documents and refused rows that were read.
    pub read: u64,
    /// Documents that the server acknowledged.
    pub acknowledged: u64,
    /// Documents that were rejected, and rows that never became documents.
    pub rejected: u64,
    /// Documents that may have been written or not.
    pub unknown: u64,
    /// Bytes of the request bodies that were sent, uncompressed.
    pub bytes: u64,
}

impl Progress {
    /// Documents and rows whose outcome is final: acknowledged, rejected or unknown.
    pub fn settled(&self) -> u64 {
        self.acknowledged + self.rejected + self.unknown
    }
}

impl AddAssign for Progress {
    fn add_assign(&mut self, step: Self) {
        self.read += step.read;
        self.acknowledged += step.acknowledged;
        self.rejected += step.rejected;
        self.unknown += step.unknown;
        self.bytes += step.bytes;
    }
}

pub(crate) type Observer = Arc<dyn Fn(Progress) + Send + Sync>;
