//! One batch, sent until each of its documents is settled.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use es_core::{Method, Request, Response};
use tracing::{debug, warn};

use crate::batch::Batch;
use crate::error::{Error, ErrorKind};
use crate::load::{Account, BulkLoader, Progress};
use crate::outcome::{self, Outcome, Rejection};
use crate::summary::Summary;

/// The delivery of one batch.
pub(crate) struct Delivery<'a> {
    loader: &'a BulkLoader,
    account: &'a Mutex<Account>,
    /// Documents whose fate is not booked yet.
    open: u64,
}

impl<'a> Delivery<'a> {
    pub(crate) fn new(loader: &'a BulkLoader, account: &'a Mutex<Account>) -> Self {
        Self { loader, account, open: 0 }
    }

    /// Sends the batch; whatever fails, each of its documents ends in the books.
    pub(crate) async fn run(mut self, batch: Batch) -> Result<(), Error> {
        self.open = batch.len() as u64;
        let outcome = self.send_all(batch).await;
        if outcome.is_err() {
            self.loader.account(self.account).summary.unknown += self.open;
        }
        outcome
    }

    async fn send_all(&mut self, batch: Batch) -> Result<(), Error> {
        let started = Instant::now();
        let policy = self.loader.options.retry;
        let mut waiting = vec![batch];
        let mut retries = 0;
        while let Some(batch) = waiting.pop() {
            let answer = match self.send(&batch).await {
                Ok(answer) => answer,
                Err(error) if error.kind() == es_core::ErrorKind::TooLarge && batch.len() > 1 => {
                    debug!(documents = batch.len(), "a batch was too large and is split");
                    waiting.extend(batch.halves());
                    continue;
                }
                Err(error) if error.kind() == es_core::ErrorKind::TooLarge => {
                    self.reject(&batch, 0, 413, "content_too_long", "larger than the server takes")?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let outcomes = outcome::read(answer.body(), batch.len())
                .map_err(|message| Error::new(ErrorKind::Elasticsearch, message))?;
            let later = self.settle(&batch, outcomes)?;
            if later.is_empty() {
                continue;
            }
            let wait = policy.backoff.wait(retries, fastrand::f64());
            if retries >= policy.max || started.elapsed() + wait > policy.total {
                let reason = "the server had no room for it, however often it was sent";
                for document in later {
                    self.reject(&batch, document, 429, "es_rejected_execution_exception", reason)?;
                }
                continue;
            }
            warn!(documents = later.len(), ?wait, "the server had no room for some documents");
            tokio::time::sleep(wait).await;
            retries += 1;
            self.loader.account(self.account).summary.sent_again += later.len() as u64;
            waiting.push(batch.subset(&later));
        }
        Ok(())
    }

    async fn send(&self, batch: &Batch) -> Result<Response, es_core::Error> {
        let options = &self.loader.options;
        let request = Request::new(Method::Post, self.loader.path.as_str())
            .query("filter_path", "items.*.status,items.*.result,items.*.error")
            .ndjson(batch.body().clone())
            .timeout(options.request_timeout)
            .retry(options.retry);
        // The same document under the same id, written twice, is one document.
        let request = if batch.has_ids() { request.repeatable() } else { request };
        self.loader.client.send(&request).await
    }

    /// Books the outcomes of a batch and returns the documents to send again.
    fn settle(&mut self, batch: &Batch, outcomes: Vec<Outcome>) -> Result<Vec<usize>, Error> {
        let mut later = Vec::new();
        let mut rejected = Vec::new();
        let mut settled = Summary::default();
        for (document, outcome) in outcomes.into_iter().enumerate() {
            match outcome {
                Outcome::Created => settled.created += 1,
                Outcome::Updated => settled.updated += 1,
                Outcome::Unchanged => settled.unchanged += 1,
                Outcome::Later => later.push(document),
                Outcome::Rejected { status, error } => rejected.push((document, status, error)),
            }
        }
        let progress = Progress { documents: settled.acknowledged(), bytes: batch.body().len() as u64 };
        self.open -= progress.documents;
        {
            let mut account = self.loader.account(self.account);
            account.summary.created += settled.created;
            account.summary.updated += settled.updated;
            account.summary.unchanged += settled.unchanged;
            account.summary.requests += 1;
            account.summary.bytes += progress.bytes;
        }
        if let Some(observer) = &self.loader.observer {
            observer(progress);
        }
        for (document, status, error) in rejected {
            self.reject(batch, document, status, &error.error_type, &error.summary())?;
        }
        Ok(later)
    }

    fn reject(
        &mut self,
        batch: &Batch,
        document: usize,
        status: u16,
        error_type: &str,
        reason: &str,
    ) -> Result<(), Error> {
        let rejection = Rejection {
            number: batch.number(document),
            status,
            error_type: error_type.to_owned(),
            reason: reason.to_owned(),
        };
        let mut account = self.loader.account(self.account);
        *account.summary.rejected.entry(rejection.error_type.clone()).or_default() += 1;
        self.open -= 1;
        let mut dead_letter = self.loader.dead_letter.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = dead_letter.as_mut().map_or(Ok(()), |letter| letter.add(batch, document, &rejection));
        account.first_rejection.get_or_insert_with(|| {
            let source = String::from_utf8_lossy(batch.source(document)).chars().take(200).collect();
            (rejection, source)
        });
        kept
    }
}
