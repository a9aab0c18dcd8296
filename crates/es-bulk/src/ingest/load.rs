//! Loading batches with a checkpoint.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::{Stream, StreamExt as _};

use super::checkpoint::CheckpointWriter;
use crate::batch::Batch;
use crate::dead_letter::DeadLetter;
use crate::error::Error;
use crate::load::BulkLoader;
use crate::summary::Summary;

/// Loads batches and keeps the checkpoint up to date. What an earlier process settled counts for the
/// limit of rejected documents, and the dead letter, a path without extension, continues where it was
/// at the checkpoint. The summary is that of this process alone.
///
/// ```no_run
/// use std::sync::Arc;
///
/// use es_bulk::ingest::{CheckpointFile, CheckpointWriter, SavedLoad, load_with_checkpoints};
/// use es_bulk::{BulkLoader, BulkOptions, files};
///
/// # async fn example(client: es_core::Client, reader: files::DocumentReader) -> Result<(), es_bulk::Error> {
/// let file = CheckpointFile::new("state".as_ref(), "flights");
/// let load = file.read()?.unwrap_or_else(|| SavedLoad { index: "flights".into(), ..SavedLoad::default() });
/// let checkpoints = Arc::new(CheckpointWriter::start(Some(file), load, false)?);
/// let from = checkpoints.before().start();
/// let batches = reader.stream(files::PartRequest { from, ..files::PartRequest::default() });
/// let loader = BulkLoader::new(client, "flights", BulkOptions::default());
/// let summary = load_with_checkpoints(loader, None, &checkpoints, batches).await?;
/// checkpoints.remove();
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As [`BulkLoader::load`]; an error of the batches stays as it is.
pub async fn load_with_checkpoints(
    loader: BulkLoader,
    dead_letter: Option<&Path>,
    checkpoints: &Arc<CheckpointWriter>,
    batches: impl Stream<Item = Result<Batch, Error>>,
) -> Result<Summary, Error> {
    let before = checkpoints.before();
    let mut loader = loader.with_earlier(&before.summary);
    if let Some(path) = dead_letter {
        loader = loader.with_dead_letter(match before.summary.read {
            0 => DeadLetter::new(path),
            _ => DeadLetter::append_to(path, before.letter),
        });
    }
    let settling = checkpoints.clone();
    let loader = loader.with_checkpoints(move |settled| settling.settle(settled));
    let batches = batches.inspect(|batch| {
        if let Ok(batch) = batch {
            checkpoints.submit(batch);
        }
    });
    loader.load(batches).await
}

/// The file of a dead letter in which anything was written: the documents, or where no document could
/// be made of any row, the reasons.
pub fn written_dead_letter(path: &Path) -> Option<PathBuf> {
    let is_written = |path: &PathBuf| path.metadata().is_ok_and(|file| file.len() > 0);
    DeadLetter::files(path).into_iter().find(is_written)
}
