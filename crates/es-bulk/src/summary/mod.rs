//! The account of a load, in numbers that add up.

mod prometheus;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::batch::Batch;

/// The account of a load: `read = created + updated + unchanged + deleted + dropped + rejected + unknown`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Summary {
    /// Documents handed to the loader, and rows that never became documents; without those that
    /// were not written because the index took none, which is an error of the load.
    pub read: u64,
    /// Acknowledged as new.
    pub created: u64,
    /// Acknowledged as replacing an older version.
    pub updated: u64,
    /// Acknowledged as there already: nothing to change, a newer version, nothing to remove.
    pub unchanged: u64,
    /// Acknowledged as removed.
    pub deleted: u64,
    /// Acknowledged and not written, as an ingest pipeline of the server dropped them.
    pub dropped: u64,
    /// Rejected, by type of the exception.
    pub rejected: BTreeMap<String, u64>,
    /// Neither acknowledged nor rejected: these may have been written or not.
    pub unknown: u64,
    /// The origins of the unknown documents.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown_rows: Vec<RowRange>,
    /// The number of times that a single document was sent again.
    pub sent_again: u64,
    /// The bytes of these, uncompressed.
    pub bytes_sent_again: u64,
    /// Bulk requests that were sent, answered or not.
    pub requests: u64,
    /// Bytes of the bodies of these requests, uncompressed.
    pub bytes: u64,
    /// Requests that the server had no room for (429).
    pub refused_requests: u64,
    /// The number of times that the server had no room for a single document of a request.
    pub refused_items: u64,
    /// The highest number of requests in flight.
    pub concurrency_highest: u64,
    /// The limit of requests in flight at the end.
    pub concurrency_last: u64,
    /// Time from the start of the load to its end, in milliseconds.
    #[serde(rename = "took_ms", serialize_with = "milliseconds", deserialize_with = "of_milliseconds")]
    pub took: Duration,
    /// The load was stopped before its input ended.
    pub interrupted: bool,
}

/// A range of documents that follow each other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RowRange {
    /// The file; none where the documents come from no file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The first row of the file, counted from 1, or else the first document, counted from 0.
    pub from: u64,
    /// The last one.
    pub to: u64,
    /// The number of unknown documents in the range.
    pub documents: u64,
}

impl fmt::Display for RowRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, documents, .. } = self;
        match &self.file {
            Some(file) => write!(f, "{documents} of {file}, rows {from} to {to}"),
            None => write!(f, "{documents} of the documents {from} to {to}"),
        }
    }
}

fn milliseconds<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(value.as_millis().try_into().unwrap_or(u64::MAX))
}

fn of_milliseconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u64::deserialize(deserializer).map(Duration::from_millis)
}

impl Summary {
    /// The number of documents that are in the index as they should be: created, updated, unchanged, deleted.
    pub fn acknowledged(&self) -> u64 {
        self.created + self.updated + self.unchanged + self.deleted
    }

    /// The number of documents that were rejected.
    pub fn rejections(&self) -> u64 {
        self.rejected.values().sum()
    }

    /// Tells whether every document that was read is accounted for.
    pub fn adds_up(&self) -> bool {
        self.read == self.acknowledged() + self.dropped + self.rejections() + self.unknown
    }

    /// The documents acknowledged per second.
    pub fn rate(&self) -> f64 {
        self.acknowledged() as f64 / self.took.as_secs_f64().max(1e-9)
    }

    /// The bytes of request bodies sent per second.
    pub fn byte_rate(&self) -> f64 {
        self.bytes as f64 / self.took.as_secs_f64().max(1e-9)
    }

    /// Adds the summary of the rest of a load that was resumed. The concurrency at the end and
    /// the interruption are those of the rest.
    pub fn merge(&mut self, after: &Self) {
        self.add(after);
        self.took += after.took;
        self.concurrency_highest = self.concurrency_highest.max(after.concurrency_highest);
        self.concurrency_last = after.concurrency_last;
        self.interrupted = after.interrupted;
    }

    /// Adds the counts.
    pub(crate) fn add(&mut self, other: &Self) {
        self.read += other.read;
        self.created += other.created;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
        self.deleted += other.deleted;
        self.dropped += other.dropped;
        for (error_type, count) in &other.rejected {
            match self.rejected.get_mut(error_type) {
                Some(sum) => *sum += count,
                None => drop(self.rejected.insert(error_type.clone(), *count)),
            }
        }
        self.unknown += other.unknown;
        self.unknown_rows.extend_from_slice(&other.unknown_rows);
        self.sent_again += other.sent_again;
        self.bytes_sent_again += other.bytes_sent_again;
        self.requests += other.requests;
        self.bytes += other.bytes;
        self.refused_requests += other.refused_requests;
        self.refused_items += other.refused_items;
    }

    /// Counts documents that may have been written or not.
    pub(crate) fn add_unknown(&mut self, batch: &Batch, documents: impl IntoIterator<Item = usize>) {
        for document in documents {
            self.unknown += 1;
            let (file, row) = match batch.origin(document) {
                Some(origin) => (Some(origin.file), origin.row),
                None => (None, batch.number(document)),
            };
            match self.unknown_rows.last_mut() {
                Some(last) if last.file.as_deref() == file.as_deref() && last.to < row => {
                    last.to = row;
                    last.documents += 1;
                }
                _ => {
                    let file = file.map(|file| file.to_string());
                    self.unknown_rows.push(RowRange { file, from: row, to: row, documents: 1 });
                }
            }
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} read = {} acknowledged + ", self.read, self.acknowledged())?;
        if self.dropped > 0 {
            write!(f, "{} dropped + ", self.dropped)?;
        }
        write!(f, "{} rejected + {} unknown", self.rejections(), self.unknown)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn some() -> Summary {
        Summary {
            read: 23,
            created: 1,
            updated: 2,
            unchanged: 3,
            deleted: 4,
            dropped: 2,
            rejected: BTreeMap::from([("a".to_owned(), 5)]),
            unknown: 6,
            unknown_rows: vec![RowRange { file: Some("f".to_owned()), from: 3, to: 9, documents: 6 }],
            sent_again: 7,
            bytes_sent_again: 8,
            requests: 9,
            bytes: 10,
            refused_requests: 11,
            refused_items: 12,
            concurrency_highest: 13,
            concurrency_last: 14,
            took: Duration::from_millis(500),
            interrupted: true,
        }
    }

    #[test]
    fn parts_of_a_load_add_up() {
        let mut sum = some();
        assert!(sum.adds_up());
        let rest = Summary {
            rejected: BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 4)]),
            concurrency_highest: 2,
            concurrency_last: 1,
            interrupted: false,
            ..some()
        };
        sum.merge(&rest);
        assert!(sum.adds_up());
        assert_eq!((sum.read, sum.acknowledged(), sum.rejections(), sum.unknown), (46, 20, 10, 12));
        assert_eq!(sum.rejected, BTreeMap::from([("a".to_owned(), 6), ("b".to_owned(), 4)]));
        assert_eq!((sum.sent_again, sum.bytes_sent_again, sum.requests, sum.bytes), (14, 16, 18, 20));
        assert_eq!((sum.refused_requests, sum.refused_items), (22, 24));
        assert_eq!((sum.concurrency_highest, sum.concurrency_last, sum.interrupted), (13, 1, false));
        assert_eq!((sum.took, sum.rate(), sum.byte_rate()), (Duration::from_secs(1), 20.0, 20.0));
        assert_eq!(sum.unknown_rows.len(), 2);
        assert_eq!(sum.unknown_rows[0].to_string(), "6 of f, rows 3 to 9");
        assert_eq!(sum.to_string(), "46 read = 20 acknowledged + 4 dropped + 10 rejected + 12 unknown");
        sum.read += 1;
        assert!(!sum.adds_up());
    }

    #[test]
    fn a_summary_is_read_as_it_was_written() {
        let written = serde_json::to_value(some()).unwrap();
        assert_eq!(written["took_ms"], 500);
        assert_eq!(written["unknown_rows"], json!([{"file": "f", "from": 3, "to": 9, "documents": 6}]));
        assert_eq!(serde_json::from_value::<Summary>(written).unwrap(), some());
        // One of an older version lacks numbers.
        let old: Summary = serde_json::from_value(json!({"read": 3, "created": 3})).unwrap();
        assert_eq!(old, Summary { read: 3, created: 3, ..Summary::default() });
    }
}
