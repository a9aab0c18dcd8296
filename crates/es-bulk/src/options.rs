//! The options of a load.

use std::time::Duration;

use es_core::{Backoff, RetryPolicy};
use es_values::{ByteSize, TimeSpan};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::batch::BatchLimits;
use crate::initial_load::Finish;
use crate::max_rejected::MaxRejected;

/// The longest wait before something is sent again, whatever the options say: a load resumes
/// within 10 seconds after the server is healthy again.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// The time for which documents are still sent again once a load is to end.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

/// The options of a load: the size of its requests, how many are in flight, and what makes it
/// fail.
///
/// ```
/// use es_bulk::{BulkOptions, MaxRejected};
///
/// let options = BulkOptions::default().with_concurrency(4).with_max_rejected(MaxRejected::Share(0.01));
/// assert_eq!(options.batch_bytes.to_string(), "8mb");
/// let same: BulkOptions = serde_json::from_str(r#"{"concurrency": 4, "max_rejected": "1%"}"#)?;
/// assert_eq!(same, options);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BulkOptions {
    /// The size of a bulk request at which it is sent. A request exceeds it by less than one
    /// document.
    pub batch_bytes: ByteSize,
    /// The number of documents of a bulk request at which it is sent.
    #[schemars(range(min = 1))]
    pub batch_documents: u32,
    /// The time that the first document of a bulk request waits for others, where the input is
    /// slow.
    pub batch_age: TimeSpan,
    /// The number of bulk requests in flight at once. Without it, the concurrency rises while
    /// throughput improves, up to `max_concurrency`.
    #[schemars(range(min = 1, max = 256))]
    pub concurrency: Option<u32>,
    /// The maximum number of bulk requests in flight where `concurrency` is not set.
    #[schemars(range(min = 1, max = 256))]
    pub max_concurrency: u32,
    /// The bytes of bulk requests that are held in memory at once, whether they are read ahead,
    /// in flight or waiting to be sent again. The input is not read while there is no room; a
    /// single larger request is sent alone.
    pub in_flight_bytes: ByteSize,
    /// The maximum number of rejected documents; the load fails when there are more.
    pub max_rejected: MaxRejected,
    /// The number of segments that each shard of a new index is merged into after it was
    /// loaded; without it, merging is left to the server.
    #[schemars(range(min = 1))]
    pub force_merge_segments: Option<u32>,
    /// The time limit of one request. Default: 2 minutes.
    #[serde(skip)]
    pub request_timeout: Duration,
    /// The limits of sending again requests that failed, and single documents that the server
    /// had no room for. The total counts from the last time that any document of the batch was
    /// acknowledged; a wait is never longer than 5 seconds unless the server asks for more.
    /// Default: any number of retries within 5 minutes.
    #[serde(skip)]
    pub retry: RetryPolicy,
}

impl Default for BulkOptions {
    fn default() -> Self {
        Self {
            batch_bytes: ByteSize::mebibytes(8),
            batch_documents: 10_000,
            batch_age: TimeSpan::seconds(1),
            concurrency: None,
            max_concurrency: 16,
            in_flight_bytes: ByteSize::mebibytes(40),
            max_rejected: MaxRejected::default(),
            force_merge_segments: None,
            request_timeout: Duration::from_secs(120),
            retry: RetryPolicy {
                max: u32::MAX,
                total: Duration::from_secs(300),
                backoff: Backoff { first: Duration::from_millis(250), longest: LONGEST_WAIT },
            },
        }
    }
}

impl BulkOptions {
    /// Keeps exactly this many requests in flight.
    #[must_use]
    pub fn with_concurrency(self, requests: u32) -> Self {
        Self { concurrency: Some(requests), ..self }
    }

    /// Finds the best number of requests in flight, up to this many.
    #[must_use]
    pub fn with_max_concurrency(self, requests: u32) -> Self {
        Self { concurrency: None, max_concurrency: requests, ..self }
    }

    /// Lets this many documents be rejected before the load fails.
    #[must_use]
    pub fn with_max_rejected(self, max_rejected: MaxRejected) -> Self {
        Self { max_rejected, ..self }
    }

    /// Holds at most this many bytes of requests in memory.
    #[must_use]
    pub fn with_in_flight_bytes(self, in_flight_bytes: ByteSize) -> Self {
        Self { in_flight_bytes, ..self }
    }

    /// Sends requests of this size.
    #[must_use]
    pub fn with_batch_bytes(self, batch_bytes: ByteSize) -> Self {
        Self { batch_bytes, ..self }
    }

    /// Sends requests of at most this many documents.
    #[must_use]
    pub fn with_batch_documents(self, batch_documents: u32) -> Self {
        Self { batch_documents, ..self }
    }

    /// Sends requests and documents again within these limits.
    #[must_use]
    pub fn with_retry(self, retry: RetryPolicy) -> Self {
        Self { retry, ..self }
    }

    /// Limits the time of one request.
    #[must_use]
    pub fn with_request_timeout(self, request_timeout: Duration) -> Self {
        Self { request_timeout, ..self }
    }

    /// The limits of a batch.
    pub fn batch_limits(&self) -> BatchLimits {
        BatchLimits {
            bytes: to_usize(self.batch_bytes),
            documents: usize::try_from(self.batch_documents).unwrap_or(usize::MAX),
            age: self.batch_age.to_duration(),
        }
    }

    /// The steps that end an initial load with these options.
    pub fn finish(&self) -> Finish {
        Finish { force_merge: self.force_merge_segments, retry: self.retry, ..Finish::default() }
    }

    pub(crate) fn concurrency(&self) -> Concurrency {
        match self.concurrency {
            Some(requests) => Concurrency::Fixed(requests as usize),
            None => Concurrency::Adaptive { max: self.max_concurrency as usize },
        }
    }
}

/// The number of bytes, or the whole memory where there are more.
pub(crate) fn to_usize(size: ByteSize) -> usize {
    usize::try_from(size.as_bytes()).unwrap_or(usize::MAX)
}

/// The number of requests in flight at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Concurrency {
    /// Always this many.
    Fixed(usize),
    /// As many as throughput improves by, and at most this many.
    Adaptive { max: usize },
}

#[cfg(test)]
impl Default for Concurrency {
    fn default() -> Self {
        BulkOptions::default().concurrency()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_keys_and_defaults_are_those_of_a_pipeline_file() {
        let defaults = json!({
            "batch_bytes": "8mb", "batch_documents": 10_000, "batch_age": "1s", "concurrency": null,
            "max_concurrency": 16, "in_flight_bytes": "40mb", "max_rejected": 0, "force_merge_segments": null,
        });
        assert_eq!(serde_json::to_string(&BulkOptions::default()).unwrap(), defaults.to_string());
        assert_eq!(serde_json::from_value::<BulkOptions>(json!({})).unwrap(), BulkOptions::default());
        let error = serde_json::from_value::<BulkOptions>(json!({"retry": 3})).unwrap_err();
        assert!(error.to_string().starts_with("unknown field `retry`"), "{error}");
        let schema = serde_json::to_value(schemars::schema_for!(BulkOptions)).unwrap();
        let keys: Vec<_> = schema["properties"].as_object().unwrap().keys().collect();
        assert_eq!(keys, defaults.as_object().unwrap().keys().collect::<Vec<_>>());
    }

    #[test]
    fn limits_of_batches_and_the_last_steps_come_from_the_options() {
        let options = BulkOptions { force_merge_segments: Some(2), ..BulkOptions::default() };
        let BatchLimits { bytes, documents, age } = options.batch_limits();
        assert_eq!((bytes, documents, age), (8 << 20, 10_000, Duration::from_secs(1)));
        assert_eq!((options.finish().force_merge, options.finish().retry), (Some(2), options.retry));
        assert_eq!(options.with_concurrency(3).with_max_concurrency(5).concurrency(), Concurrency::Adaptive { max: 5 });
    }
}
