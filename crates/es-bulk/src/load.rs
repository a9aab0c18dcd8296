//! Sends batches: several at once, failed documents again, every one accounted for.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use es_core::{Backoff, Client, RetryPolicy};
use futures::{Stream, StreamExt as _};
use tokio_util::sync::CancellationToken;

use crate::batch::Batch;
use crate::dead_letter::DeadLetter;
use crate::deliver::Delivery;
use crate::error::{Error, ErrorKind};
use crate::outcome::Rejection;
use crate::summary::Summary;

/// How many rejected documents a load bears.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MaxRejected {
    /// A number of documents.
    Documents(u64),
    /// A share of the documents read, from 0 to 1, judged when the load ends and, once
    /// 10,000 were read, on the way.
    Share(f64),
}

/// The limits of a load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BulkOptions {
    /// Requests under way at once; with the size of a batch this bounds the bytes in flight.
    /// Default: 4.
    pub concurrency: usize,
    /// How long and how often requests, and single documents that the server had no room
    /// for, are sent again. Default: 8 times within 5 minutes.
    pub retry: RetryPolicy,
    /// The time limit of one request. Default: 2 minutes.
    pub request_timeout: Duration,
    /// The load fails when more documents are rejected. Default: none may be.
    pub max_rejected: MaxRejected,
}

impl Default for BulkOptions {
    fn default() -> Self {
        Self {
            concurrency: 4,
            retry: RetryPolicy {
                max: 8,
                total: Duration::from_secs(300),
                backoff: Backoff { first: Duration::from_millis(250), longest: Duration::from_secs(30) },
            },
            request_timeout: Duration::from_secs(120),
            max_rejected: MaxRejected::Documents(0),
        }
    }
}

/// A step of a load: documents and bytes acknowledged since the step before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Documents that now are in the index.
    pub documents: u64,
    /// Bytes of their request bodies.
    pub bytes: u64,
}

type Observer = Arc<dyn Fn(Progress) + Send + Sync>;

/// Loads documents into one index.
pub struct BulkLoader {
    pub(crate) client: Client,
    pub(crate) path: String,
    index: String,
    pub(crate) options: BulkOptions,
    pub(crate) dead_letter: Mutex<Option<DeadLetter>>,
    pub(crate) observer: Option<Observer>,
    cancel: CancellationToken,
}

impl BulkLoader {
    /// A loader of an index, which must exist if its mapping matters.
    pub fn new(client: Client, index: &str, options: BulkOptions) -> Self {
        Self {
            client,
            path: es_core::paths::bulk(index),
            index: index.to_owned(),
            options,
            dead_letter: Mutex::new(None),
            observer: None,
            cancel: CancellationToken::new(),
        }
    }

    /// Keeps rejected documents in a dead letter.
    pub fn with_dead_letter(self, dead_letter: DeadLetter) -> Self {
        *self.dead_letter.lock().unwrap_or_else(PoisonError::into_inner) = Some(dead_letter);
        self
    }

    /// Tells of progress; called from the task that loads, so it must be quick.
    pub fn with_observer(mut self, observer: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Stops reading when the token is cancelled; what is under way is settled first.
    pub fn with_cancellation(mut self, cancel: CancellationToken) -> Self {
        self.cancel = cancel;
        self
    }

    /// Loads all batches.
    ///
    /// # Errors
    /// [`ErrorKind::Input`] when the input fails, [`ErrorKind::Elasticsearch`] when the
    /// retries are used up, [`ErrorKind::TooManyRejected`]; each with the [`Summary`] so far.
    pub async fn load(&self, batches: impl Stream<Item = Result<Batch, Error>>) -> Result<Summary, Error> {
        let started = Instant::now();
        let account = Mutex::new(Account::default());
        let stop = CancellationToken::new();
        let mut input_error = None;
        {
            let fed = batches.take_until(self.cancel.cancelled()).take_until(stop.cancelled());
            let requests = fed
                .map(|batch| async {
                    let batch = batch?;
                    self.account(&account).summary.read += batch.len() as u64;
                    Delivery::new(self, &account).run(batch).await
                })
                .buffer_unordered(self.options.concurrency.max(1));
            let mut requests = pin!(requests);
            while let Some(outcome) = requests.next().await {
                let outcome = outcome.and_then(|()| self.check_rejections(&account, false));
                if let Err(error) = outcome {
                    // What is under way is settled; nothing new is read.
                    stop.cancel();
                    input_error.get_or_insert(error);
                }
            }
        }
        let dead_letter = self.flush_dead_letter();
        let last_check = self.check_rejections(&account, true);
        let mut summary = account.into_inner().unwrap_or_else(PoisonError::into_inner).summary;
        summary.took = started.elapsed();
        summary.interrupted = self.cancel.is_cancelled();
        match input_error.map_or(Ok(()), Err).and(last_check).and(dead_letter) {
            Ok(()) => Ok(summary),
            Err(error) => Err(error.with_summary(summary)),
        }
    }

    fn check_rejections(&self, account: &Mutex<Account>, at_end: bool) -> Result<(), Error> {
        let account = self.account(account);
        let (read, rejected) = (account.summary.read, account.summary.rejections());
        let too_many = match self.options.max_rejected {
            MaxRejected::Documents(most) => rejected > most,
            MaxRejected::Share(share) => (at_end || read >= 10_000) && rejected as f64 > share * read as f64,
        };
        let Some((first, source)) = account.first_rejection.as_ref().filter(|_| too_many) else { return Ok(()) };
        let help = match self.dead_letter.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            Some(letter) => letter.documents().map(|path| {
                format!(
                    "all of them, with the reasons, are in {} and beside it; the first one is {source}",
                    path.display()
                )
            }),
            None => None,
        };
        Err(Error::new(
            ErrorKind::TooManyRejected,
            format!(
                "{rejected} of {read} documents were rejected by {}: the first was number {}: {}: {}",
                self.index, first.number, first.error_type, first.reason
            ),
        )
        .with_help(help.unwrap_or_else(|| format!("the document is {source}"))))
    }

    fn flush_dead_letter(&self) -> Result<(), Error> {
        self.dead_letter.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map_or(Ok(()), DeadLetter::flush)
    }

    pub(crate) fn account<'a>(&self, account: &'a Mutex<Account>) -> std::sync::MutexGuard<'a, Account> {
        account.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The books of a load.
#[derive(Default)]
pub(crate) struct Account {
    pub(crate) summary: Summary,
    /// The first rejection, with the beginning of its document.
    pub(crate) first_rejection: Option<(Rejection, String)>,
}
