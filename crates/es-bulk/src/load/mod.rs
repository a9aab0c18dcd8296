//! Loads batches: several at once, failed documents again, each one accounted for.

mod ledger;

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use es_core::Client;
use futures::stream::FuturesUnordered;
use futures::{Stream, StreamExt as _, stream};
use tokio_util::sync::CancellationToken;

use crate::batch::Batch;
use crate::dead_letter::{DeadLetter, Rejection};
use crate::delivery::{BatchSender, Delivered, Delivery};
use crate::error::{BoxError, Error, ErrorKind};
use crate::flow::{BatchReader, ConcurrencyLimiter, Flow, MemoryBudget};
use crate::max_rejected::MaxRejected;
use crate::options::{BulkOptions, to_usize};
use crate::progress::Progress;
use crate::summary::Summary;

use ledger::Ledger;
pub use ledger::Settled;

type Checkpoints = Arc<dyn Fn(&Settled) + Send + Sync>;

/// Loads documents into one index.
pub struct BulkLoader {
    sender: BatchSender,
    options: BulkOptions,
    limiter: Option<ConcurrencyLimiter>,
    budget: Option<MemoryBudget>,
    dead_letter: Mutex<Option<DeadLetter>>,
    checkpoints: Option<Checkpoints>,
    earlier: Counts,
    cancel: CancellationToken,
}

/// The counts that the limit of rejections applies to.
#[derive(Clone, Copy, Default)]
struct Counts {
    read: u64,
    rejected: u64,
}

impl BulkLoader {
    /// A loader of an index, which must exist if its mapping matters.
    pub fn new(client: Client, index: &str, options: BulkOptions) -> Self {
        let sender = BatchSender {
            client,
            index: index.to_owned(),
            path: es_core::paths::bulk(index),
            pipeline: None,
            timeout: options.request_timeout,
            retry: options.retry,
            observer: None,
        };
        Self {
            sender,
            options,
            limiter: None,
            budget: None,
            dead_letter: Mutex::new(None),
            checkpoints: None,
            earlier: Counts::default(),
            cancel: CancellationToken::new(),
        }
    }

    /// Keeps rejected documents in a dead letter.
    pub fn with_dead_letter(self, dead_letter: DeadLetter) -> Self {
        *self.letter() = Some(dead_letter);
        self
    }

    /// Sends every document through an ingest pipeline of Elasticsearch, unless its action names
    /// another one.
    pub fn with_pipeline(mut self, name: &str) -> Self {
        self.sender.pipeline = Some(name.to_owned());
        self
    }

    /// Takes the memory of its batches from this budget, which other loads may share, instead of
    /// from one of its own of [`BulkOptions::in_flight_bytes`].
    pub fn with_budget(mut self, budget: &MemoryBudget) -> Self {
        self.budget = Some(budget.clone());
        self
    }

    /// Sends its requests within this limit, which other loads may share, instead of within one
    /// of its own.
    pub fn with_limiter(mut self, limiter: &ConcurrencyLimiter) -> Self {
        self.limiter = Some(limiter.clone());
        self
    }

    /// Reports progress. The observer is called from the task that loads, so it must be quick.
    pub fn with_observer(mut self, observer: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.sender.observer = Some(Arc::new(observer));
        self
    }

    /// Reports the settled beginning of the input each time that it grows. The observer is called
    /// from the task that loads, so it must be quick. A load that resumes there loses nothing,
    /// and sends again only what was sent after it.
    pub fn with_checkpoints(mut self, checkpoints: impl Fn(&Settled) + Send + Sync + 'static) -> Self {
        self.checkpoints = Some(Arc::new(checkpoints));
        self
    }

    /// Adds what an earlier process settled of the same load to the counts that
    /// [`BulkOptions::max_rejected`] limits. The summaries of this loader cover only what it
    /// loads itself.
    pub fn with_earlier(mut self, earlier: &Summary) -> Self {
        self.earlier = Counts { read: earlier.read, rejected: earlier.rejections() };
        self
    }

    /// Stops reading when the token is cancelled; the requests in flight are settled first.
    pub fn with_cancellation(mut self, cancel: CancellationToken) -> Self {
        self.cancel = cancel;
        self
    }

    /// Loads these batches; see [`BulkLoader::load`].
    ///
    /// # Errors
    /// As [`BulkLoader::load`].
    pub async fn load_batches(&self, batches: impl IntoIterator<Item = Batch>) -> Result<Summary, Error> {
        self.load(stream::iter(batches.into_iter().map(Ok::<_, Error>))).await
    }

    /// Loads all batches. The stream is read no further than a few batches ahead, and not at
    /// all while there is no room in the budget.
    ///
    /// The stream may end with an error of any type: the error of the load has it as its source,
    /// and [`Error::downcast_source`] gives it back.
    ///
    /// # Errors
    /// [`ErrorKind::Input`] when the input fails, unless its error is one of this crate;
    /// [`ErrorKind::Elasticsearch`] when the retries are used up, when sending again could write
    /// documents twice, or when the index takes no documents; [`ErrorKind::DeadLetter`];
    /// [`ErrorKind::TooManyRejected`]. Each has the [`Summary`] so far, unless nothing was sent.
    pub async fn load<E: Into<BoxError>>(
        &self,
        batches: impl Stream<Item = Result<Batch, E>>,
    ) -> Result<Summary, Error> {
        let started = Instant::now();
        let flow = self.flow();
        let mut ledger = Ledger::default();
        let mut batches = pin!(batches.fuse());
        let mut reader = BatchReader::default();
        let mut in_flight = FuturesUnordered::new();
        let mut sequence = 0;
        let mut interrupted = false;
        let begun = self.letter().as_mut().map_or(Ok(()), DeadLetter::begin);
        // A load that has failed for its rejections would fail again if it went on.
        let mut failed = begun.and_then(|()| self.check_rejections(&ledger, false)).err();
        let mut is_reading = failed.is_none();
        while is_reading || !in_flight.is_empty() {
            tokio::select! {
                biased;
                Some((delivered, outcome)) = in_flight.next(), if !in_flight.is_empty() => {
                    if let Err(error) = self.record(&mut ledger, &flow, delivered, outcome, started) {
                        // The requests in flight are settled; nothing new is read.
                        failed.get_or_insert(error);
                        is_reading = false;
                    }
                }
                () = self.cancel.cancelled(), if is_reading => (is_reading, interrupted) = (false, true),
                read = reader.next(&flow, batches.as_mut()), if is_reading => match read {
                    Some(Ok((batch, permit))) => {
                        let read = (batch.len() + batch.refused().len()) as u64;
                        self.sender.report(Progress { read, ..Progress::default() });
                        in_flight.push(Delivery::new(&self.sender, &flow, permit).run(sequence, batch));
                        sequence += 1;
                    }
                    Some(Err(error)) => {
                        failed.get_or_insert(error);
                        is_reading = false;
                    }
                    None => is_reading = false,
                },
            }
            if !is_reading && (failed.is_some() || interrupted) {
                flow.stop();
            }
        }
        drop(in_flight);
        let closed = ledger.close(self.letter().as_mut());
        let last_check = self.check_rejections(&ledger, true);
        let mut summary = std::mem::take(&mut ledger.total);
        complete(&mut summary, &flow, started);
        summary.interrupted = interrupted;
        match failed.map_or(Ok(()), Err).and(last_check).and(closed) {
            Ok(()) => Ok(summary),
            Err(error) if summary.unknown > 0 => {
                let unknown = unknown_documents(&summary);
                Err(error.with_more_help(&unknown).with_summary(summary))
            }
            // Where nothing was sent there is nothing to sum up.
            Err(error) if summary.read == 0 => Err(error),
            Err(error) => Err(error.with_summary(summary)),
        }
    }

    fn flow(&self) -> Flow {
        let options = &self.options;
        let limiter = self.limiter.clone().unwrap_or_else(|| ConcurrencyLimiter::new(options));
        let budget = self.budget.clone();
        let budget = budget.unwrap_or_else(|| MemoryBudget::of_bytes(to_usize(options.in_flight_bytes)));
        Flow::new(limiter, self.limiter.is_none(), budget)
    }

    /// Records a batch, reports the settled beginning, and checks the limit of rejections.
    fn record(
        &self,
        ledger: &mut Ledger,
        flow: &Flow,
        delivered: Delivered,
        outcome: Result<(), Error>,
        started: Instant,
    ) -> Result<(), Error> {
        let has_grown = ledger.record(delivered, self.letter().as_mut())?;
        if let Some(report) = self.checkpoints.as_ref().filter(|_| has_grown) {
            let mut settled = ledger.settled().clone();
            complete(&mut settled.summary, flow, started);
            report(&settled);
        }
        outcome?;
        self.check_rejections(ledger, false)
    }

    fn check_rejections(&self, ledger: &Ledger, at_end: bool) -> Result<(), Error> {
        let read = self.earlier.read + ledger.total.read;
        let rejected = self.earlier.rejected + ledger.total.rejections();
        let limit: MaxRejected = self.options.max_rejected;
        if !limit.is_exceeded(read, rejected, at_end) {
            return Ok(());
        }
        Err(self.too_many_rejected(read, rejected, ledger.first_rejection.as_ref()))
    }

    fn too_many_rejected(&self, read: u64, rejected: u64, first: Option<&Rejection>) -> Error {
        let index = &self.sender.index;
        let Some(first) = first else {
            let message =
                format!("{rejected} of {read} documents were rejected by {index} before the load was interrupted");
            return Error::new(ErrorKind::TooManyRejected, message)
                .with_help("raise `max_rejected` and resume the load; what was written stays");
        };
        let source: String = first.content.text().trim_end().chars().take(200).collect();
        let help = match self.letter().as_ref().and_then(DeadLetter::documents) {
            Some(path) => format!(
                "all of them, with the reasons, are in {} and beside it; the first one is {source}",
                path.display()
            ),
            None => format!("the document is {source}"),
        };
        let place = match (&first.origin, first.number) {
            (Some(origin), _) => format!("row {} of {}", origin.row, origin.file),
            (None, Some(number)) => format!("number {number}"),
            (None, None) => "a row".to_owned(),
        };
        let message = format!(
            "{rejected} of {read} documents were rejected by {index}: the first was {place}: {}: {}",
            first.error_type, first.reason
        );
        Error::new(ErrorKind::TooManyRejected, message).with_help(help)
    }

    fn letter(&self) -> MutexGuard<'_, Option<DeadLetter>> {
        self.dead_letter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds the parts of a summary that only the whole load knows.
fn complete(summary: &mut Summary, flow: &Flow, started: Instant) {
    summary.concurrency_highest = flow.limiter.highest() as u64;
    summary.concurrency_last = flow.limiter.limit() as u64;
    summary.took = started.elapsed();
}

/// Names the documents that may have been written or not.
fn unknown_documents(summary: &Summary) -> String {
    const NAMED: usize = 3;
    let mut places: Vec<String> = summary.unknown_rows.iter().take(NAMED).map(ToString::to_string).collect();
    if summary.unknown_rows.len() > NAMED {
        places.push("and others".to_owned());
    }
    format!("{} documents may have been written or not: {}", summary.unknown, places.join(", "))
}
