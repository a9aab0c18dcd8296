//! `ingest --replay`: sends the documents of a dead letter, or of any bulk body, once more.

use std::path::Path;

use es_bulk::ingest::{IngestOutcome, Target, written_dead_letter};
use es_bulk::{BulkLoader, DeadLetter};
use es_core::Client;
use tokio_util::sync::CancellationToken;

use crate::cli::IngestArgs;
use crate::engine::progress::Progress;
use crate::error::{Error, Result};
use crate::project::Workplace;

/// Sends the documents of a file that is a bulk body. Documents that are rejected again go to a dead
/// letter of their own.
///
/// # Errors
/// Errors before the first document; one after it is in the [`IngestOutcome`].
pub(super) async fn replay(
    work: &Workplace,
    client: &Client,
    args: &IngestArgs,
    file: &Path,
    cancel: &CancellationToken,
    progress: Progress,
) -> Result<IngestOutcome> {
    if !Target::inspect(client, &args.to).await?.exists() {
        return Err(Error::failed(format!("there is no index {}", args.to))
            .with_help(Some("name the one that the documents were rejected by, or create it first")));
    }
    let mut options = work.settings.bulk_options();
    options.max_rejected = args.max_rejected.unwrap_or(options.max_rejected);
    let batches = es_bulk::replay(file, options.batch_limits())?;
    let letter = work.dead_letter(&args.to, &uuid::Uuid::now_v7().to_string());
    let mut loader = BulkLoader::new(client.clone(), &args.to, options)
        .with_dead_letter(DeadLetter::new(&letter))
        .with_cancellation(cancel.clone())
        .with_observer(move |step| progress.advance(step.settled()));
    if let Some(pipeline) = &args.pipeline {
        loader = loader.with_pipeline(pipeline);
    }
    let loaded = loader.load(futures::stream::iter(batches)).await;
    let refreshed = client.indices().refresh(&args.to).await;
    let (here, error) = match loaded {
        Ok(summary) => (summary, refreshed.err().map(es_bulk::Error::from)),
        Err(error) => (error.summary().cloned().unwrap_or_default(), Some(error)),
    };
    Ok(IngestOutcome { whole: here.clone(), here, dead_letter: written_dead_letter(&letter), error })
}
