//! Sends single bulk requests, and reports the progress that they make.

use std::time::Duration;

use es_core::{Client, Method, Request, Response, RetryPolicy};

use super::answer;
use crate::batch::Batch;
use crate::progress::{Observer, Progress};

/// The common part of all bulk requests of a load.
pub(crate) struct BatchSender {
    pub(crate) client: Client,
    pub(crate) index: String,
    pub(crate) path: String,
    pub(crate) pipeline: Option<String>,
    pub(crate) timeout: Duration,
    /// The limits of sending again.
    pub(crate) retry: RetryPolicy,
    pub(crate) observer: Option<Observer>,
}

impl BatchSender {
    /// Sends a batch once.
    pub(crate) async fn send(&self, batch: &Batch) -> Result<Response, es_core::Error> {
        let request = Request::new(Method::Post, self.path.as_str())
            .query("filter_path", answer::FILTER)
            .ndjson(batch.body().clone())
            .timeout(self.timeout)
            // Waiting for a retry must not take a permit from another batch.
            .retry(RetryPolicy::NEVER);
        let request = match &self.pipeline {
            Some(name) => request.query("pipeline", name),
            None => request,
        };
        // The same document under the same id, written twice, is one document.
        let request = if batch.has_ids() { request.repeatable() } else { request };
        self.client.send(&request).await
    }

    pub(crate) fn report(&self, step: Progress) {
        if let Some(observer) = self.observer.as_ref().filter(|_| step != Progress::default()) {
            observer(step);
        }
    }
}
