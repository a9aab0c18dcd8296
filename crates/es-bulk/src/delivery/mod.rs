//! One batch, sent until each of its documents is settled.

mod answer;
mod fate;

use std::time::{Duration, Instant};

use bytes::Bytes;
use es_core::{Method, Request, Response, RetryPolicy, ServerError};
use tracing::{debug, warn};

use crate::batch::{Batch, Origin};
use crate::dead_letter::{Content, Rejection};
use crate::error::{Error, ErrorKind};
use crate::flow::{Flow, Hold};
use crate::load::{BulkLoader, Delivered, GRACE, LONGEST_WAIT, Progress};
use crate::summary::Summary;

use answer::Failure;
pub use answer::{Answer, read as read_answer};
use fate::{Fate, Verdict};

/// The type under which rows are booked that never became documents.
const MALFORMED: &str = "malformed_document";

/// The delivery of one batch.
pub(crate) struct Delivery<'a> {
    loader: &'a BulkLoader,
    flow: &'a Flow,
    hold: Hold<'a>,
    tally: Summary,
    rejections: Vec<Rejection>,
    /// Why documents of it are unknown that the server answered for.
    doubt: Option<Error>,
}

/// A part of a batch that is to be sent.
struct Parcel {
    batch: Batch,
    /// How often it was sent again.
    retries: u32,
    /// When it was sent first, or when a document of it was last acknowledged.
    progress: Option<Instant>,
    /// Whether it was sent before.
    was_sent: bool,
}

impl<'a> Delivery<'a> {
    pub(crate) fn new(loader: &'a BulkLoader, flow: &'a Flow, hold: Hold<'a>) -> Self {
        Self { loader, flow, hold, tally: Summary::default(), rejections: Vec::new(), doubt: None }
    }

    /// Sends the batch; whatever fails, each of its documents ends in the books.
    pub(crate) async fn run(mut self, sequence: u64, mut batch: Batch) -> Delivered<'a> {
        let (documents, checkpoint) = (batch.len() as u64, batch.checkpoint());
        self.tally.read = documents;
        for (origin, row) in batch.take_refused() {
            self.tally.read += 1;
            self.book_rejection(None, origin, None, MALFORMED.to_owned(), row.reason, Content::Row(row.text));
        }
        let mut waiting = vec![Parcel { batch, retries: 0, progress: None, was_sent: false }];
        let mut failed = None;
        while let Some(parcel) = waiting.pop() {
            if parcel.batch.is_empty() {
                continue;
            }
            if let Err(error) = self.send(parcel, &mut waiting).await {
                failed = Some(error);
                break;
            }
            let refused: usize = self.rejections.iter().map(|rejection| rejection.content.memory()).sum();
            let held: usize = waiting.iter().map(|parcel| parcel.batch.memory()).sum();
            self.hold.share.shrink(refused + held);
        }
        for Parcel { batch, .. } in &waiting {
            self.tally.add_unknown(batch, 0..batch.len());
        }
        let failed = failed.or(self.doubt);
        let (tally, rejections, share) = (self.tally, self.rejections, self.hold.share);
        Delivered { sequence, documents, checkpoint, tally, rejections, failed, share }
    }

    /// Sends a parcel once; what is left of it is put back, after the wait that it needs.
    async fn send(&mut self, mut parcel: Parcel, waiting: &mut Vec<Parcel>) -> Result<(), Error> {
        let passage = self.flow.gate.pass().await;
        self.hold.ahead = None;
        parcel.progress.get_or_insert_with(Instant::now);
        let answer = self.request(&parcel.batch).await;
        self.count(&mut parcel, &answer);
        let (documents, has_ids) = (parcel.batch.len(), parcel.batch.has_ids());
        let error = match answer {
            Ok(response) => {
                let answer = answer::read(response.body(), documents).map_err(|message| {
                    self.tally.add_unknown(&parcel.batch, 0..documents);
                    Error::new(ErrorKind::Elasticsearch, message)
                })?;
                let bytes = parcel.batch.body().len() as u64;
                let refused = answer.failures.iter().filter(|failure| matches!(failure.status, 429 | 503)).count();
                let share = refused as f64 / documents as f64;
                passage.answered(bytes * answer.acknowledged() / documents as u64, share);
                self.tally.refused_items += refused as u64;
                let again = self.settle(&mut parcel, answer, waiting);
                let Some(first) = again.first() else { return Ok(()) };
                let reason = format!("{}: {}", first.error.error_type, first.error.reason);
                if self.wait(&parcel, None, &reason).await {
                    waiting.push(Parcel { retries: parcel.retries + 1, ..parcel });
                } else {
                    let times = u64::from(parcel.retries) + 1;
                    for mut failure in again {
                        failure.error.reason = format!("{} (sent {times} times)", failure.error.reason);
                        self.reject(&parcel.batch, failure);
                    }
                }
                return Ok(());
            }
            Err(error) => error,
        };
        match error.kind() {
            es_core::ErrorKind::Overloaded | es_core::ErrorKind::TimedOut => passage.answered(0, 1.0),
            _ => drop(passage),
        }
        match fate::of_request(&error, documents, has_ids) {
            Verdict::Halves => {
                debug!(documents, %error, "a batch is too large and is split");
                waiting.extend(parcel.halves());
                Ok(())
            }
            Verdict::Rejected => {
                self.reject_too_large(&parcel.batch, &error);
                Ok(())
            }
            Verdict::Again => match self.wait(&parcel, error.retry_after(), &error).await {
                true => {
                    waiting.push(Parcel { retries: parcel.retries + 1, ..parcel });
                    Ok(())
                }
                false => self.give_up(&parcel.batch, error),
            },
            Verdict::Unknown => self.give_up(&parcel.batch, error),
        }
    }

    async fn request(&self, batch: &Batch) -> Result<Response, es_core::Error> {
        let request = Request::new(Method::Post, self.loader.path.as_str())
            .query("filter_path", answer::FILTER)
            .ndjson(batch.body().clone())
            .timeout(self.loader.options.request_timeout)
            // Waiting for a retry must not take a place from another batch.
            .retry(RetryPolicy::NEVER);
        let request = match &self.loader.pipeline {
            Some(name) => request.query("pipeline", name),
            None => request,
        };
        // The same document under the same id, written twice, is one document.
        let request = if batch.has_ids() { request.repeatable() } else { request };
        self.loader.client.send(&request).await
    }

    /// Counts what went over the wire.
    fn count(&mut self, parcel: &mut Parcel, answer: &Result<Response, es_core::Error>) {
        let kind = answer.as_ref().err().map(es_core::Error::kind);
        if kind == Some(es_core::ErrorKind::Connect) {
            return;
        }
        let (documents, bytes) = (parcel.batch.len() as u64, parcel.batch.body().len() as u64);
        self.tally.requests += 1;
        self.tally.bytes += bytes;
        self.tally.refused_requests += u64::from(kind == Some(es_core::ErrorKind::Overloaded));
        if std::mem::replace(&mut parcel.was_sent, true) {
            self.tally.sent_again += documents;
            self.tally.bytes_sent_again += bytes;
        }
    }

    /// Books what an answer says. Returns what is to be sent again after a wait, with the reasons.
    fn settle(&mut self, parcel: &mut Parcel, answer: Answer, waiting: &mut Vec<Parcel>) -> Vec<Failure> {
        let batch = &parcel.batch;
        let (mut again, mut positions, mut smaller) = (Vec::new(), Vec::new(), Vec::new());
        let mut acknowledged = answer.acknowledged();
        self.tally.created += answer.created;
        self.tally.updated += answer.updated;
        self.tally.unchanged += answer.unchanged;
        self.tally.deleted += answer.deleted;
        for failure in answer.failures {
            let position = failure.position;
            match fate::of_item(&failure, batch.action(position), batch.has_ids()) {
                Fate::Unchanged => {
                    self.tally.unchanged += 1;
                    acknowledged += 1;
                }
                Fate::Again => {
                    positions.push(position);
                    again.push(Failure { position: again.len(), ..failure });
                }
                Fate::Smaller if batch.len() > 1 => smaller.push(position),
                Fate::Smaller | Fate::Rejected => self.reject(batch, failure),
                Fate::Unknown => {
                    self.tally.add_unknown(batch, [position]);
                    self.doubt.get_or_insert_with(|| doubtful(&failure));
                }
            }
        }
        if let Some(observer) = &self.loader.observer {
            observer(Progress { documents: acknowledged, bytes: batch.body().len() as u64 });
        }
        if acknowledged > 0 {
            parcel.progress = Some(Instant::now());
        }
        if !smaller.is_empty() {
            let rest = parcel.with(parcel.batch.subset(&smaller));
            waiting.extend(if rest.batch.len() > 1 { rest.halves() } else { vec![rest] });
        }
        // The body of those that are settled is not held while the others wait.
        *parcel = parcel.with(parcel.batch.subset(&positions));
        again
    }

    /// Waits before a parcel is sent again. False if it has been sent for long enough.
    async fn wait(&self, parcel: &Parcel, asked: Option<Duration>, reason: &impl std::fmt::Display) -> bool {
        let policy = self.loader.options.retry;
        if parcel.retries >= policy.max {
            return false;
        }
        let wait =
            policy.backoff.wait(parcel.retries, fastrand::f64()).min(LONGEST_WAIT).max(asked.unwrap_or_default());
        let passed = parcel.progress.map_or(Duration::ZERO, |since| since.elapsed());
        if passed.saturating_add(wait) > policy.total {
            return false;
        }
        let documents = parcel.batch.len();
        match parcel.retries {
            0 => warn!(documents, ?wait, %reason, "documents are sent again"),
            retries => debug!(documents, retries, ?wait, %reason, "documents are sent again"),
        }
        self.flow.pause(wait, GRACE).await
    }

    fn give_up(&mut self, batch: &Batch, error: es_core::Error) -> Result<(), Error> {
        self.tally.add_unknown(batch, 0..batch.len());
        Err(error.into())
    }

    fn reject(&mut self, batch: &Batch, failure: Failure) {
        let reason = failure.error.summary();
        let error_type = match failure.error.error_type {
            unnamed if unnamed.is_empty() => format!("status_{}", failure.status),
            error_type => error_type,
        };
        self.reject_document(batch, failure.position, failure.status, error_type, reason);
    }

    /// Rejects the one document of a batch that the server finds too large.
    fn reject_too_large(&mut self, batch: &Batch, error: &es_core::Error) {
        let server = error.server().filter(|server| !server.error_type.is_empty());
        let error_type = server.map_or("content_too_long", |server| &server.error_type).to_owned();
        let reason = server.map_or_else(|| error.to_string(), ServerError::summary);
        self.reject_document(batch, 0, error.status().unwrap_or(413), error_type, reason);
    }

    fn reject_document(&mut self, batch: &Batch, document: usize, status: u16, error_type: String, reason: String) {
        // A copy, as the batch's body is to be freed.
        let lines = Bytes::copy_from_slice(batch.lines(document));
        let source = batch.source_start(document);
        let (number, origin) = (batch.number(document), batch.origin(document));
        let content = Content::Document { lines, source };
        self.book_rejection(Some(number), origin, Some(status), error_type, reason, content);
    }

    fn book_rejection(
        &mut self,
        number: Option<u64>,
        origin: Option<Origin>,
        status: Option<u16>,
        error_type: String,
        reason: String,
        content: Content,
    ) {
        *self.tally.rejected.entry(error_type.clone()).or_default() += 1;
        self.rejections.push(Rejection { number, origin, status, error_type, reason, content });
    }
}

impl Parcel {
    /// The same of other documents.
    fn with(&self, batch: Batch) -> Self {
        Self { batch, ..*self }
    }

    fn halves(&self) -> Vec<Self> {
        let [left, right] = self.batch.halves();
        // The last one is sent first.
        [right, left].into_iter().map(|batch| self.with(batch)).collect()
    }
}

fn doubtful(failure: &Failure) -> Error {
    let ServerError { error_type, reason, .. } = &failure.error;
    Error::new(ErrorKind::Elasticsearch, format!("a document may have been written or not: {error_type}: {reason}"))
}
