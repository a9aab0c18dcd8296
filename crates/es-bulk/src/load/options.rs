//! The limits of a load.

use std::time::Duration;

use es_core::{Backoff, RetryPolicy};

/// How many requests may be under way at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concurrency {
    /// Always so many.
    Fixed(usize),
    /// As many as the cluster gains by, and at most this many.
    Adaptive {
        /// The most.
        max: usize,
    },
}

impl Default for Concurrency {
    /// As many as the cluster gains by, and at most 16.
    fn default() -> Self {
        Self::Adaptive { max: 16 }
    }
}

/// How many rejected documents a load bears.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MaxRejected {
    /// A number of documents.
    Documents(u64),
    /// A share of the documents read, from 0 to 1, judged when the load ends and, once
    /// 10,000 were read, on the way.
    Share(f64),
}

impl MaxRejected {
    /// Whether so many are too many.
    pub(crate) fn is_exceeded(self, read: u64, rejected: u64, at_end: bool) -> bool {
        match self {
            Self::Documents(most) => rejected > most,
            Self::Share(share) => (at_end || read >= 10_000) && rejected as f64 > share * read as f64,
        }
    }
}

/// The longest wait before something is sent again, whatever the options say: a load goes on
/// within 10 seconds after the server is healthy again.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How long what the server had no room for is sent again once a load is to end.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

/// The limits of a load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BulkOptions {
    /// Requests under way at once. Default: as many as the cluster gains by, at most 16.
    pub concurrency: Concurrency,
    /// The bytes of all batches that a load holds at once, whether they are read ahead, under
    /// way or waiting to be sent again. While there is no room, the input is not read. A batch
    /// that is larger goes alone. Default: 40 MiB.
    pub in_flight_bytes: usize,
    /// How long and how often requests, and single documents that the server had no room for,
    /// are sent again. The total counts from the last time that any document of the batch was
    /// acknowledged; a wait is never longer than 5 seconds unless the server asks for more.
    /// Default: as often as 5 minutes allow.
    pub retry: RetryPolicy,
    /// The time limit of one request. Default: 2 minutes.
    pub request_timeout: Duration,
    /// The load fails when more documents are rejected. Default: none may be.
    pub max_rejected: MaxRejected,
}

impl Default for BulkOptions {
    fn default() -> Self {
        Self {
            concurrency: Concurrency::default(),
            in_flight_bytes: 40 << 20,
            retry: RetryPolicy {
                max: u32::MAX,
                total: Duration::from_secs(300),
                backoff: Backoff { first: Duration::from_millis(250), longest: LONGEST_WAIT },
            },
            request_timeout: Duration::from_secs(120),
            max_rejected: MaxRejected::Documents(0),
        }
    }
}
