//! Loads of files from start to end: the index, the documents, and resuming what was cut off.
//!
//! [`load_files`] and [`load_frame`] do it in one line. An [`Ingest`] does what an [`IngestRequest`]
//! asks for, with a checkpoint and a dead letter, and returns an [`IngestOutcome`]. A program that
//! creates and publishes indices itself takes the pieces: the batches of a
//! [`DocumentReader`](crate::files::DocumentReader), a [`CheckpointWriter`] and
//! [`load_with_checkpoints`].
//!
//! Who may run a load at a time is for the caller to decide; a checkpoint only notes the owner.

mod checkpoint;
mod load;
mod request;
mod run;
mod shortcuts;
mod target;

pub use checkpoint::{CheckpointFile, CheckpointWriter, ResumePoint, SavedLoad};
pub use load::{load_with_checkpoints, written_dead_letter};
pub use request::{DryRun, IngestOutcome, IngestRequest};
pub use run::{Ingest, IngestStart};
pub use shortcuts::{LoadOptions, load_files, load_frame};
pub use target::Target;
