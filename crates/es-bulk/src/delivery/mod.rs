//! Sends one batch until each of its documents is settled.

mod answer;
mod decision;
mod sender;

use std::time::{Duration, Instant};

use bytes::Bytes;
use es_core::{Response, ServerError};
use tracing::{debug, warn};

use crate::batch::{Batch, Checkpoint};
use crate::dead_letter::{Content, Rejection};
use crate::error::{Error, ErrorKind};
use crate::flow::{BatchPermit, BytesPermit, Flow};
use crate::options::{GRACE, LONGEST_WAIT};
use crate::progress::Progress;
use crate::summary::Summary;

use answer::Failure;
pub use answer::{Answer, read as read_answer};
use decision::{ItemAction, RequestAction};
pub(crate) use sender::BatchSender;

/// The type under which rows are counted that never became documents.
const MALFORMED: &str = "malformed_document";

/// The delivery of one batch.
pub(crate) struct Delivery<'a> {
    sender: &'a BatchSender,
    flow: &'a Flow,
    permit: BatchPermit,
    tally: Summary,
    rejections: Vec<Rejection>,
    /// The reason why documents are unknown although the server answered for them.
    uncertainty: Option<Error>,
    /// The part of the tally that the observer knows.
    reported: Progress,
}

/// A batch that is no longer in flight.
#[derive(Debug)]
pub(crate) struct Delivered {
    /// Its place in the input, from 0.
    pub(crate) sequence: u64,
    pub(crate) documents: u64,
    pub(crate) checkpoint: Option<Checkpoint>,
    /// The account of its documents.
    pub(crate) tally: Summary,
    pub(crate) rejections: Vec<Rejection>,
    /// Every document is acknowledged or rejected.
    pub(crate) is_settled: bool,
    /// The memory of the rejections, until they are written.
    pub(crate) bytes: BytesPermit,
}

/// A part of a batch that is to be sent.
struct PendingBatch {
    batch: Batch,
    /// The number of times that it was sent again.
    retries: u32,
    /// The time when it was sent first, or when a document of it was last acknowledged.
    progress: Option<Instant>,
    was_sent: bool,
}

impl<'a> Delivery<'a> {
    pub(crate) fn new(sender: &'a BatchSender, flow: &'a Flow, permit: BatchPermit) -> Self {
        Self {
            sender,
            flow,
            permit,
            tally: Summary::default(),
            rejections: Vec::new(),
            uncertainty: None,
            reported: Progress::default(),
        }
    }

    /// Sends the batch; whatever fails, each of its documents is counted. The error says why it
    /// is not settled.
    pub(crate) async fn run(mut self, sequence: u64, mut batch: Batch) -> (Delivered, Result<(), Error>) {
        let (documents, checkpoint) = (batch.len() as u64, batch.checkpoint());
        self.tally.read = documents;
        for (origin, row) in batch.take_refused() {
            self.tally.read += 1;
            self.add_rejection(Rejection {
                number: None,
                row: Some(row.row),
                origin,
                status: None,
                error_type: MALFORMED.to_owned(),
                reason: row.reason,
                content: Content::Row(row.text),
            });
        }
        self.report();
        let mut waiting = vec![PendingBatch { batch, retries: 0, progress: None, was_sent: false }];
        let mut failed = None;
        while let Some(pending) = waiting.pop() {
            if pending.batch.is_empty() {
                continue;
            }
            if let Err(error) = self.send(pending, &mut waiting).await {
                failed = Some(error);
                break;
            }
            self.report();
            let refused: usize = self.rejections.iter().map(|rejection| rejection.content.memory()).sum();
            let held: usize = waiting.iter().map(|pending| pending.batch.memory()).sum();
            self.permit.bytes.shrink(refused + held);
        }
        for PendingBatch { batch, .. } in &waiting {
            self.tally.add_unknown(batch, 0..batch.len());
        }
        self.report();
        let failed = failed.or(self.uncertainty);
        let (tally, rejections, bytes) = (self.tally, self.rejections, self.permit.bytes);
        let is_settled = failed.is_none();
        let delivered = Delivered { sequence, documents, checkpoint, tally, rejections, is_settled, bytes };
        (delivered, failed.map_or(Ok(()), Err))
    }

    /// Sends a batch once; what is left of it is put back, after the wait that it needs.
    async fn send(&mut self, mut pending: PendingBatch, waiting: &mut Vec<PendingBatch>) -> Result<(), Error> {
        let permit = self.flow.limiter.acquire().await;
        self.permit.ahead = None;
        pending.progress.get_or_insert_with(Instant::now);
        let answer = self.sender.send(&pending.batch).await;
        self.count(&mut pending, &answer);
        let (documents, has_ids) = (pending.batch.len(), pending.batch.has_ids());
        let error = match answer {
            Ok(response) => {
                let answer = answer::read(response.body(), documents).map_err(|message| {
                    self.tally.add_unknown(&pending.batch, 0..documents);
                    Error::new(ErrorKind::Elasticsearch, message)
                })?;
                let bytes = pending.batch.body().len() as u64;
                let refused = answer.failures.iter().filter(|failure| matches!(failure.status, 429 | 503)).count();
                let share = refused as f64 / documents as f64;
                permit.answered(bytes * answer.acknowledged() / documents as u64, share);
                self.tally.refused_items += refused as u64;
                let retry = self.settle(&mut pending, answer, waiting)?;
                return self.retry_documents(pending, retry, waiting).await;
            }
            Err(error) => error,
        };
        match error.kind() {
            es_core::ErrorKind::Overloaded | es_core::ErrorKind::TimedOut => permit.answered(0, 1.0),
            _ => drop(permit),
        }
        match decision::of_request(&error, documents, has_ids) {
            RequestAction::Split => {
                debug!(documents, %error, "a batch is too large and is split");
                waiting.extend(pending.halves());
                Ok(())
            }
            RequestAction::Reject => {
                self.reject_too_large(&pending.batch, &error);
                Ok(())
            }
            RequestAction::Retry if self.wait(&pending, error.retry_after(), &error).await => {
                waiting.push(PendingBatch { retries: pending.retries + 1, ..pending });
                Ok(())
            }
            RequestAction::FailLoad => {
                self.return_unsent(documents);
                Err(error.into())
            }
            RequestAction::Retry | RequestAction::Unknown => {
                self.tally.add_unknown(&pending.batch, 0..documents);
                Err(error.into())
            }
        }
    }

    /// Puts back the documents that the server had no room for, or rejects them once they have
    /// been sent for long enough.
    async fn retry_documents(
        &mut self,
        pending: PendingBatch,
        failures: Vec<Failure>,
        waiting: &mut Vec<PendingBatch>,
    ) -> Result<(), Error> {
        let Some(first) = failures.first() else { return Ok(()) };
        let reason = format!("{}: {}", first.error.error_type, first.error.reason);
        if self.wait(&pending, None, &reason).await {
            waiting.push(PendingBatch { retries: pending.retries + 1, ..pending });
            return Ok(());
        }
        let times = u64::from(pending.retries) + 1;
        let mut refusal = None;
        for mut failure in failures {
            failure.error.reason = format!("{} (sent {times} times)", failure.error.reason);
            if decision::concerns_the_index(&failure) {
                self.return_unsent(1);
                refusal.get_or_insert_with(|| self.index_refused(&failure));
            } else {
                self.reject(&pending.batch, failure);
            }
        }
        refusal.map_or(Ok(()), Err)
    }

    /// Counts what was sent.
    fn count(&mut self, pending: &mut PendingBatch, answer: &Result<Response, es_core::Error>) {
        let kind = answer.as_ref().err().map(es_core::Error::kind);
        if kind == Some(es_core::ErrorKind::Connect) {
            return;
        }
        let (documents, bytes) = (pending.batch.len() as u64, pending.batch.body().len() as u64);
        self.tally.requests += 1;
        self.tally.bytes += bytes;
        self.tally.refused_requests += u64::from(kind == Some(es_core::ErrorKind::Overloaded));
        if std::mem::replace(&mut pending.was_sent, true) {
            self.tally.sent_again += documents;
            self.tally.bytes_sent_again += bytes;
        }
    }

    /// Counts what an answer says. Returns what is to be sent again after a wait, with the reasons.
    fn settle(
        &mut self,
        pending: &mut PendingBatch,
        answer: Answer,
        waiting: &mut Vec<PendingBatch>,
    ) -> Result<Vec<Failure>, Error> {
        let batch = &pending.batch;
        let (mut retry, mut positions, mut smaller) = (Vec::new(), Vec::new(), Vec::new());
        let mut refusal = None;
        let mut acknowledged = answer.acknowledged();
        self.tally.created += answer.created;
        self.tally.updated += answer.updated;
        self.tally.unchanged += answer.unchanged;
        self.tally.dropped += answer.dropped;
        self.tally.deleted += answer.deleted;
        for failure in answer.failures {
            let position = failure.position;
            match decision::of_item(&failure, batch.action(position), batch.has_ids()) {
                ItemAction::Unchanged => {
                    self.tally.unchanged += 1;
                    acknowledged += 1;
                }
                ItemAction::Retry => {
                    positions.push(position);
                    retry.push(Failure { position: retry.len(), ..failure });
                }
                ItemAction::Split if batch.len() > 1 => smaller.push(position),
                ItemAction::Split | ItemAction::Reject => self.reject(batch, failure),
                ItemAction::Unknown => {
                    self.tally.add_unknown(batch, [position]);
                    self.uncertainty.get_or_insert_with(|| uncertain(&failure));
                }
                ItemAction::FailLoad => {
                    self.return_unsent(1);
                    refusal.get_or_insert_with(|| self.index_refused(&failure));
                }
            }
        }
        if acknowledged > 0 {
            pending.progress = Some(Instant::now());
        }
        if let Some(refusal) = refusal {
            self.tally.add_unknown(batch, positions.into_iter().chain(smaller));
            return Err(refusal);
        }
        if !smaller.is_empty() {
            let rest = pending.with(pending.batch.subset(&smaller));
            waiting.extend(if rest.batch.len() > 1 { rest.halves() } else { vec![rest] });
        }
        // The body of the settled ones is not held while the others wait.
        *pending = pending.with(pending.batch.subset(&positions));
        Ok(retry)
    }

    /// Waits before a batch is sent again. False if it has been sent for long enough.
    async fn wait(&self, pending: &PendingBatch, asked: Option<Duration>, reason: &impl std::fmt::Display) -> bool {
        let policy = self.sender.retry;
        if pending.retries >= policy.max {
            return false;
        }
        let wait =
            policy.backoff.wait(pending.retries, fastrand::f64()).min(LONGEST_WAIT).max(asked.unwrap_or_default());
        let passed = pending.progress.map_or(Duration::ZERO, |since| since.elapsed());
        if passed.saturating_add(wait) > policy.total {
            return false;
        }
        let documents = pending.batch.len();
        match pending.retries {
            0 => warn!(documents, ?wait, %reason, "documents are sent again"),
            retries => debug!(documents, retries, ?wait, %reason, "documents are sent again"),
        }
        self.flow.pause(wait, GRACE).await
    }

    /// Takes documents that were certainly not written, and whose load fails, out of the account.
    fn return_unsent(&mut self, documents: usize) {
        self.tally.read -= documents as u64;
    }

    /// The error of a load whose index takes no documents.
    fn index_refused(&self, failure: &Failure) -> Error {
        let ServerError { error_type, reason, .. } = &failure.error;
        let (kind, help) = match (error_type.as_str(), failure.status) {
            ("index_not_found_exception", _) => (es_core::ErrorKind::NotFound, "create the index"),
            ("index_closed_exception", _) => (es_core::ErrorKind::BadRequest, "open the index"),
            ("invalid_index_name_exception", _) => (
                es_core::ErrorKind::BadRequest,
                "name an index in lower case, without spaces and any of \\ / * ? \" < > | , #",
            ),
            ("security_exception", _) => {
                (es_core::ErrorKind::Forbidden, "grant the privileges `index` or `create` on the index")
            }
            (_, 429) => (es_core::ErrorKind::Overloaded, "free disk space; the server removes the block by itself"),
            _ => (es_core::ErrorKind::Forbidden, "see the settings of the index and of the cluster"),
        };
        let help = failure.error.advice().unwrap_or_else(|| help.to_owned());
        let reason = reason.trim_end_matches(';');
        let message = format!("{} takes no documents: {error_type}: {reason}", self.sender.index);
        es_core::Error::new(kind, message).with_help(help).into()
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
        self.add_rejection(Rejection {
            number: Some(batch.number(document)),
            row: Some(batch.row(document)),
            origin: batch.origin(document),
            status: Some(status),
            error_type,
            reason,
            content: Content::Document { lines, source: batch.source_start(document) },
        });
    }

    fn add_rejection(&mut self, rejection: Rejection) {
        *self.tally.rejected.entry(rejection.error_type.clone()).or_default() += 1;
        self.rejections.push(rejection);
    }

    /// Reports what was counted since the last report.
    fn report(&mut self) {
        let counted = Progress {
            // The loader reports what it reads.
            read: 0,
            acknowledged: self.tally.acknowledged() + self.tally.dropped,
            rejected: self.rejections.len() as u64,
            unknown: self.tally.unknown,
            bytes: self.tally.bytes,
        };
        let before = std::mem::replace(&mut self.reported, counted);
        self.sender.report(Progress {
            read: 0,
            acknowledged: counted.acknowledged - before.acknowledged,
            rejected: counted.rejected - before.rejected,
            unknown: counted.unknown - before.unknown,
            bytes: counted.bytes - before.bytes,
        });
    }
}

impl PendingBatch {
    /// The same state with other documents.
    fn with(&self, batch: Batch) -> Self {
        Self { batch, ..*self }
    }

    fn halves(&self) -> Vec<Self> {
        let [left, right] = self.batch.halves();
        // The last one is sent first.
        [right, left].into_iter().map(|batch| self.with(batch)).collect()
    }
}

fn uncertain(failure: &Failure) -> Error {
    let ServerError { error_type, reason, .. } = &failure.error;
    Error::new(ErrorKind::Elasticsearch, format!("a document may have been written or not: {error_type}: {reason}"))
}
