//! `ingest --replay`: the documents of a dead letter, or of any bulk body, once more.

use std::path::Path;

use es_core::Client;
use tokio_util::sync::CancellationToken;

use super::ingest::Ending;
use super::target::Target;
use crate::cli::IngestArgs;
use crate::delivery::{self, Delivered, Delivery};
use crate::error::Error;
use crate::feed::Outlet;
use crate::project::Workplace;
use crate::settings::batch_limits;
use crate::store::loads::Reached;
use crate::engine::progress::Progress;

/// Sends the documents of a file that is a bulk body. What is rejected again goes to a dead
/// letter of its own.
///
/// # Errors
/// What fails before the first document; what fails after it is in the [`Ending`].
pub async fn replay(
    work: &Workplace,
    client: &Client,
    args: &IngestArgs,
    file: &Path,
    cancel: &CancellationToken,
    progress: Progress,
) -> Result<Ending, Error> {
    if !Target::look(client, &args.to).await?.exists() {
        return Err(Error::failed(format!("there is no index {}", args.to))
            .with_help(Some("name the one that the documents were rejected by, or create it first")));
    }
    let opened = es_bulk::replay(file, batch_limits(&work.settings.bulk))?;
    let before = Reached::default();
    let letter = delivery::letter(&work.folder, &args.to, &uuid::Uuid::now_v7().to_string());
    let delivery = Delivery {
        client,
        settings: &work.settings,
        index: &args.to,
        pipeline: args.pipeline.as_deref(),
        max_rejected: args.max_rejected.unwrap_or(work.settings.bulk.max_rejected),
        letter: letter.clone(),
        before: &before,
        keeper: None,
        cancel,
    };
    let read = move |outlet: &Outlet| {
        for batch in opened {
            if !outlet.take(batch?) {
                break;
            }
        }
        Ok(())
    };
    let Delivered { summary, mut failure } = delivery.run_reading(read, progress).await;
    if let Err(error) = client.indices().refresh(&args.to).await {
        failure.get_or_insert(error.into());
    }
    Ok(Ending { whole: summary.clone(), here: summary, dead_letter: delivery::written(&letter), failure })
}
