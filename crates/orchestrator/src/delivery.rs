//! Batches into an index: the loader with what the settings say, and the failure of whichever
//! side failed first.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::settings::{RejectionLimit, Settings};
use es_bulk::{Batch, BulkLoader, BulkOptions, Concurrency, DeadLetter, MaxRejected, Summary};
use es_core::Client;
use futures::{Stream, StreamExt as _};
use tokio_util::sync::CancellationToken;

use crate::error::{Error, ErrorKind};
use crate::feed::{self, Outlet};
use crate::project::beside_pipeline;
use crate::store::loads::{Keeper, Reached};
use crate::engine::progress::Progress;

/// The folder of dead letters, beside the pipeline.
const REJECTED: &str = ".orchestrator/rejected";

/// A load on its way.
pub struct Delivery<'a> {
    /// The connection.
    pub client: &'a Client,
    /// The settings in force.
    pub settings: &'a Settings,
    /// The index.
    pub index: &'a str,
    /// The ingest pipeline that documents go through.
    pub pipeline: Option<&'a str>,
    /// How many documents may be rejected.
    pub max_rejected: RejectionLimit,
    /// The path of the dead letter, without an extension.
    pub letter: PathBuf,
    /// What an earlier process settled of this load.
    pub before: &'a Reached,
    /// Notes how far the load got.
    pub keeper: Option<Arc<Keeper>>,
    /// Stops it.
    pub cancel: &'a CancellationToken,
}

/// What became of a load.
#[derive(Debug)]
pub struct Delivered {
    /// What became of the documents.
    pub summary: Summary,
    /// Why it did not end well.
    pub failure: Option<Error>,
}

/// The path of the dead letter of a run, without an extension.
pub fn letter(folder: &Path, name: &str, run: &str) -> PathBuf {
    beside_pipeline(folder, &format!("{REJECTED}/{name}-{run}"))
}

/// What was written of a dead letter: the documents, or where none of what was refused is one,
/// the reasons.
pub fn written(letter: &Path) -> Option<PathBuf> {
    let is_there = |path: &PathBuf| path.metadata().is_ok_and(|file| file.len() > 0);
    DeadLetter::files(letter).into_iter().find(is_there)
}

impl Delivery<'_> {
    /// Sends all batches that a thread of its own reads.
    pub async fn run_reading(
        self,
        read: impl FnOnce(&Outlet) -> Result<(), Error> + Send + 'static,
        progress: Progress,
    ) -> Delivered {
        let index = self.index;
        let (batches, reader) = feed::in_background(read);
        let mut delivered = self.run(batches, progress).await;
        if let Err(defect) = feed::ended(reader, index).await {
            delivered.failure.get_or_insert(defect);
        }
        delivered
    }

    /// Sends all batches.
    pub async fn run(
        self,
        batches: impl Stream<Item = Result<Batch, Error>> + Send,
        progress: Progress,
    ) -> Delivered {
        let letter = match self.before.summary.read {
            0 => DeadLetter::new(&self.letter),
            _ => DeadLetter::append_to(&self.letter, self.before.letter),
        };
        let mut loader = BulkLoader::new(self.client.clone(), self.index, self.options())
            .with_dead_letter(letter)
            .with_earlier(&self.before.summary)
            .with_cancellation(self.cancel.clone())
            .with_observer(move |step| progress.advance(step.documents));
        if let Some(pipeline) = self.pipeline {
            loader = loader.with_pipeline(pipeline);
        }
        if let Some(keeper) = self.keeper.clone() {
            loader = loader.with_checkpoints(move |settled| keeper.settles(settled));
        }

        // The failure of the input is kept as it is: the loader only knows that there was one.
        let input_failure = Arc::new(Mutex::new(None));
        let input = {
            let (keeper, input_failure) = (self.keeper.clone(), input_failure.clone());
            batches.map(move |batch| match batch {
                Ok(batch) => {
                    if let Some(keeper) = &keeper {
                        keeper.hands_over(&batch);
                    }
                    Ok(batch)
                }
                Err(failure) => {
                    let message = failure.to_string();
                    input_failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
                    Err(es_bulk::Error::new(es_bulk::ErrorKind::Input, message))
                }
            })
        };
        let loaded = loader.load(input).await;
        let (summary, failure) = match loaded {
            Ok(summary) if summary.interrupted => {
                let failure = Error::new(ErrorKind::Interrupted, format!("interrupted after {summary}"));
                (summary, Some(failure))
            }
            Ok(summary) => (summary, None),
            Err(error) => (error.summary().cloned().unwrap_or_default(), Some(Error::from(error))),
        };
        let of_input = input_failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        Delivered { summary, failure: of_input.or(failure) }
    }

    fn options(&self) -> BulkOptions {
        let bulk = &self.settings.bulk;
        BulkOptions {
            concurrency: match bulk.concurrency {
                Some(requests) => Concurrency::Fixed(requests as usize),
                None => Concurrency::Adaptive { max: bulk.max_concurrency as usize },
            },
            in_flight_bytes: usize::try_from(bulk.in_flight_bytes.as_bytes()).unwrap_or(usize::MAX),
            request_timeout: self.settings.cluster.request_timeout.to_duration(),
            max_rejected: match self.max_rejected {
                RejectionLimit::Count(most) => MaxRejected::Documents(most),
                RejectionLimit::Share(share) => MaxRejected::Share(share),
            },
            ..BulkOptions::default()
        }
    }
}
