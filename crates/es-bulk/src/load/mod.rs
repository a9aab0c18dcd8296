//! Sends batches: several at once, failed documents again, every one accounted for.

mod ledger;
mod options;

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use es_core::Client;
use futures::stream::FuturesUnordered;
use futures::{Stream, StreamExt as _};
use tokio_util::sync::CancellationToken;

use crate::batch::Batch;
use crate::dead_letter::DeadLetter;
use crate::delivery::Delivery;
use crate::error::{Error, ErrorKind};
use crate::flow::{Flow, Reading};
use crate::summary::Summary;

pub(crate) use ledger::Delivered;
use ledger::Ledger;
pub use ledger::Settled;
pub use options::{BulkOptions, Concurrency, MaxRejected};
pub(crate) use options::{GRACE, LONGEST_WAIT};

/// A step of a load: documents and bytes acknowledged since the step before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Documents that now are in the index.
    pub documents: u64,
    /// Bytes of their request bodies.
    pub bytes: u64,
}

type Observer = Arc<dyn Fn(Progress) + Send + Sync>;
type Checkpoints = Arc<dyn Fn(&Settled) + Send + Sync>;

/// Loads documents into one index.
pub struct BulkLoader {
    pub(crate) client: Client,
    pub(crate) path: String,
    index: String,
    pub(crate) pipeline: Option<String>,
    pub(crate) options: BulkOptions,
    dead_letter: Mutex<Option<DeadLetter>>,
    pub(crate) observer: Option<Observer>,
    checkpoints: Option<Checkpoints>,
    earlier: Counted,
    cancel: CancellationToken,
}

/// What the limit of rejections is judged by.
#[derive(Clone, Copy, Default)]
struct Counted {
    read: u64,
    rejected: u64,
}

impl BulkLoader {
    /// A loader of an index, which must exist if its mapping matters.
    pub fn new(client: Client, index: &str, options: BulkOptions) -> Self {
        Self {
            client,
            path: es_core::paths::bulk(index),
            index: index.to_owned(),
            pipeline: None,
            options,
            dead_letter: Mutex::new(None),
            observer: None,
            checkpoints: None,
            earlier: Counted::default(),
            cancel: CancellationToken::new(),
        }
    }

    /// Keeps rejected documents in a dead letter.
    pub fn with_dead_letter(self, dead_letter: DeadLetter) -> Self {
        *self.dead_letter.lock().unwrap_or_else(PoisonError::into_inner) = Some(dead_letter);
        self
    }

    /// Sends every document through an ingest pipeline of Elasticsearch, unless its action names
    /// another one.
    pub fn with_pipeline(mut self, name: &str) -> Self {
        self.pipeline = Some(name.to_owned());
        self
    }

    /// Tells of progress; called from the task that loads, so it must be quick.
    pub fn with_observer(mut self, observer: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Tells how far the input is settled each time that this is more of it than before; called
    /// from the task that loads, so it must be quick. A load that is carried on from there
    /// loses nothing, and sends again only what was sent after it.
    pub fn with_checkpoints(mut self, checkpoints: impl Fn(&Settled) + Send + Sync + 'static) -> Self {
        self.checkpoints = Some(Arc::new(checkpoints));
        self
    }

    /// Says what an earlier process settled of the same load: the limit of rejections is that of
    /// the whole. The summaries of this loader are of what it loads itself.
    pub fn with_earlier(mut self, earlier: &Summary) -> Self {
        self.earlier = Counted { read: earlier.read, rejected: earlier.rejections() };
        self
    }

    /// Stops reading when the token is cancelled; what is under way is settled first.
    pub fn with_cancellation(mut self, cancel: CancellationToken) -> Self {
        self.cancel = cancel;
        self
    }

    /// Loads all batches. The stream is read no further than a few batches ahead, and not at
    /// all while [`BulkOptions::in_flight_bytes`] are held.
    ///
    /// # Errors
    /// [`ErrorKind::Input`] when the input fails, [`ErrorKind::Elasticsearch`] when the
    /// retries are used up or sending again could write documents twice,
    /// [`ErrorKind::TooManyRejected`]; each with the [`Summary`] so far.
    pub async fn load(&self, batches: impl Stream<Item = Result<Batch, Error>>) -> Result<Summary, Error> {
        let started = Instant::now();
        let flow = Flow::new(self.options.concurrency, self.options.in_flight_bytes);
        let mut ledger = Ledger::default();
        let mut batches = pin!(batches.fuse());
        let mut reading = Reading::default();
        let mut under_way = FuturesUnordered::new();
        let mut sequence = 0;
        let mut interrupted = false;
        let begun = self.letter().as_mut().map_or(Ok(()), DeadLetter::begin);
        // A load that has failed for its rejections is not mended by going on.
        let mut failed = begun.and_then(|()| self.check_rejections(&ledger, false)).err();
        let mut is_reading = failed.is_none();
        while is_reading || !under_way.is_empty() {
            tokio::select! {
                biased;
                Some(delivered) = under_way.next(), if !under_way.is_empty() => {
                    if let Err(error) = self.book(&mut ledger, &flow, delivered, started) {
                        // What is under way is settled; nothing new is read.
                        failed.get_or_insert(error);
                        is_reading = false;
                    }
                }
                () = self.cancel.cancelled(), if is_reading => (is_reading, interrupted) = (false, true),
                read = reading.next(&flow, batches.as_mut()), if is_reading => match read {
                    Some(Ok((batch, hold))) => {
                        under_way.push(Delivery::new(self, &flow, hold).run(sequence, batch));
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
        drop(under_way);
        let closed = ledger.close(self.letter().as_mut());
        let last_check = self.check_rejections(&ledger, true);
        let mut summary = std::mem::take(&mut ledger.booked);
        finish(&mut summary, &flow, started);
        summary.interrupted = interrupted;
        match failed.map_or(Ok(()), Err).and(last_check).and(closed) {
            Ok(()) => Ok(summary),
            Err(error) if summary.unknown > 0 => {
                let unknown = in_doubt(&summary);
                Err(error.with_more_help(&unknown).with_summary(summary))
            }
            // Where nothing was begun there is nothing to sum up.
            Err(error) if summary.read == 0 => Err(error),
            Err(error) => Err(error.with_summary(summary)),
        }
    }

    /// Books a batch, tells how far the input is settled, and judges.
    fn book<'a>(
        &self,
        ledger: &mut Ledger<'a>,
        flow: &Flow,
        mut delivered: Delivered<'a>,
        started: Instant,
    ) -> Result<(), Error> {
        let failed = delivered.failed.take();
        // That it failed is all that the ledger needs to know.
        delivered.failed = failed.as_ref().map(|error| Error::new(error.kind(), ""));
        let has_grown = ledger.book(delivered, self.letter().as_mut())?;
        if let Some(tell) = self.checkpoints.as_ref().filter(|_| has_grown) {
            let mut settled = ledger.settled().clone();
            finish(&mut settled.summary, flow, started);
            tell(&settled);
        }
        failed.map_or(Ok(()), Err)?;
        self.check_rejections(ledger, false)
    }

    fn check_rejections(&self, ledger: &Ledger<'_>, at_end: bool) -> Result<(), Error> {
        let read = self.earlier.read + ledger.booked.read;
        let rejected = self.earlier.rejected + ledger.booked.rejections();
        if !self.options.max_rejected.is_exceeded(read, rejected, at_end) {
            return Ok(());
        }
        let Some(first) = ledger.first_rejection.as_ref() else {
            let message =
                format!("{rejected} of {read} documents were rejected by {} before the load was cut off", self.index);
            return Err(Error::new(ErrorKind::TooManyRejected, message)
                .with_help("mend the cause and begin the load anew, or bear more rejected documents"));
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
        Err(Error::new(
            ErrorKind::TooManyRejected,
            format!(
                "{rejected} of {read} documents were rejected by {}: the first was {place}: {}: {}",
                self.index, first.error_type, first.reason
            ),
        )
        .with_help(help))
    }

    fn letter(&self) -> MutexGuard<'_, Option<DeadLetter>> {
        self.dead_letter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds what only the whole load knows.
fn finish(summary: &mut Summary, flow: &Flow, started: Instant) {
    let (highest, last) = flow.gate.reached();
    (summary.concurrency_highest, summary.concurrency_last) = (highest as u64, last as u64);
    summary.took = started.elapsed();
}

/// Says which documents may have been written or not.
fn in_doubt(summary: &Summary) -> String {
    const NAMED: usize = 3;
    let mut places: Vec<String> = summary.unknown_rows.iter().take(NAMED).map(ToString::to_string).collect();
    if summary.unknown_rows.len() > NAMED {
        places.push("and others".to_owned());
    }
    format!("{} documents may have been written or not: {}", summary.unknown, places.join(", "))
}
