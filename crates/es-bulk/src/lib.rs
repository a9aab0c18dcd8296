//! Bulk indexing that accounts for every document.

mod batch;
mod dead_letter;
mod delivery;
mod error;
pub mod files;
mod flow;
mod initial_load;
mod load;
mod max_rejected;
#[cfg(not(feature = "frames"))]
mod operation;
mod options;
mod progress;
mod summary;

pub use batch::{
    Action, Batch, BatchBuilder, BatchLimits, Checkpoint, Origin, RefusedRow, batched, batched_with,
};
#[cfg(feature = "frames")]
pub use batch::{batched_frames, batched_frames_with};
pub use dead_letter::{DeadLetter, LetterLength, Replay, replay};
#[doc(hidden)]
pub use delivery::{Answer, read_answer};
pub use error::{BoxError, Error, ErrorKind};
pub use flow::{BytesPermit, ConcurrencyLimiter, MemoryBudget};
pub use initial_load::{Finish, InitialLoad, InitialLoadOptions, OriginalSettings};
pub use load::{BulkLoader, Settled};
pub use max_rejected::MaxRejected;
#[cfg(not(feature = "frames"))]
pub use operation::Operation;
pub use options::BulkOptions;
pub use progress::Progress;
pub use summary::{RowRange, Summary};

// Crates whose types stand in signatures.
pub use es_core;
#[cfg(feature = "frames")]
pub use es_frame::{self, Operation};
pub use es_values;
#[cfg(feature = "frames")]
pub use polars;
pub use tokio_util::sync::CancellationToken;
