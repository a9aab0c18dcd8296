//! The account of a load: batches settle in any order, and are recorded in theirs.
//!
//! Rejections go to the dead letter, and a checkpoint is reported, once every batch before them
//! is settled too. So the dead letter has the order of the input, and at a checkpoint it holds
//! exactly what belongs to it.

use std::collections::BTreeMap;

use crate::batch::Checkpoint;
use crate::dead_letter::{DeadLetter, LetterLength, Rejection};
use crate::delivery::Delivered;
use crate::error::Error;
use crate::summary::Summary;

/// The settled beginning of a load: the batches up to the first one that is not settled.
#[derive(Clone, Debug, Default)]
pub struct Settled {
    /// The number of batches.
    pub batches: u64,
    /// The number of documents. The next one has this number, if the first one of the load had 0.
    pub documents: u64,
    /// The point up to which the file of the last of them is settled, if it came from a file.
    pub checkpoint: Option<Checkpoint>,
    /// The length of the dead letter with the rejections of these batches, which have been
    /// handed to the operating system.
    pub letter: LetterLength,
    /// The account of exactly these batches.
    pub summary: Summary,
}

/// The account.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// The account of all batches that are no longer in flight.
    pub(crate) total: Summary,
    /// The first rejection that is known.
    pub(crate) first_rejection: Option<Rejection>,
    settled: Settled,
    /// Batches that follow one that is still in flight.
    early: BTreeMap<u64, Delivered>,
    /// A batch is not settled and never will be: nothing after it is part of the beginning.
    is_broken: bool,
}

impl Ledger {
    /// Records a batch. Returns whether the settled beginning has grown.
    pub(crate) fn record(&mut self, batch: Delivered, letter: Option<&mut DeadLetter>) -> Result<bool, Error> {
        self.total.add(&batch.tally);
        if let Some(first) = batch.rejections.first() {
            self.first_rejection.get_or_insert_with(|| first.clone());
        }
        self.early.insert(batch.sequence, batch);
        let before = self.settled.batches;
        let mut letter = letter;
        while !self.is_broken {
            let Some(next) = self.early.first_entry().filter(|entry| *entry.key() == self.settled.batches) else {
                break;
            };
            if !next.get().is_settled {
                self.is_broken = true;
                break;
            }
            let batch = next.remove();
            write(letter.as_deref_mut(), &batch)?;
            self.settled.batches += 1;
            self.settled.documents += batch.documents;
            self.settled.summary.add(&batch.tally);
            self.settled.checkpoint = batch.checkpoint.or(self.settled.checkpoint.take());
            drop(batch.bytes);
        }
        if self.settled.batches == before {
            return Ok(false);
        }
        if let Some(letter) = letter {
            letter.flush()?;
            self.settled.letter = letter.length();
        }
        Ok(true)
    }

    /// The settled beginning.
    pub(crate) fn settled(&self) -> &Settled {
        &self.settled
    }

    /// Writes what is left when no batch is in flight any more.
    pub(crate) fn close(&mut self, letter: Option<&mut DeadLetter>) -> Result<(), Error> {
        let Some(letter) = letter else { return Ok(()) };
        let early = std::mem::take(&mut self.early);
        let written = early.into_values().try_for_each(|batch| write(Some(letter), &batch));
        written.and(letter.sync())
    }
}

fn write(letter: Option<&mut DeadLetter>, batch: &Delivered) -> Result<(), Error> {
    let Some(letter) = letter else { return Ok(()) };
    batch.rejections.iter().try_for_each(|rejection| letter.add(rejection))
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use proptest::prelude::*;

    use super::*;
    use crate::dead_letter::Content;
    use crate::files::FilePlace;
    use crate::flow::MemoryBudget;

    fn delivered(budget: &MemoryBudget, sequence: u64, is_failed: bool) -> Delivered {
        let rejection = Rejection {
            number: Some(sequence * 2),
            row: None,
            origin: None,
            status: Some(400),
            error_type: "bad".to_owned(),
            reason: String::new(),
            content: Content::Row(format!("{sequence}")),
        };
        let rejected = BTreeMap::from([("bad".to_owned(), 1)]);
        Delivered {
            sequence,
            documents: 2,
            checkpoint: Some(Checkpoint { file: "f".into(), place: FilePlace::default(), row: sequence + 1 }),
            tally: Summary { read: 2, created: 1, rejected, ..Summary::default() },
            rejections: vec![rejection],
            is_settled: !is_failed,
            bytes: budget.acquire(1).now_or_never().unwrap(),
        }
    }

    proptest! {
        /// In whatever order batches settle, a checkpoint is a beginning of the input without
        /// gaps, and the dead letter holds exactly the rejections of it, in its order.
        #[test]
        fn what_is_settled_is_a_beginning(
            order in Just((0..12_u64).collect::<Vec<_>>()).prop_shuffle(),
            failing in prop::option::of(0..12_u64),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("letter");
            let mut letter = DeadLetter::new(&path);
            letter.begin().unwrap();
            let budget = MemoryBudget::of_bytes(1 << 20);
            let mut ledger = Ledger::default();
            let mut seen = std::collections::BTreeSet::new();
            let texts = || -> Vec<String> {
                let errors = std::fs::read_to_string(path.with_extension("errors.ndjson")).unwrap_or_default();
                let read = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["text"].as_str().unwrap().to_owned();
                errors.lines().map(read).collect()
            };
            for sequence in order {
                let grew = ledger.record(delivered(&budget, sequence, failing == Some(sequence)), Some(&mut letter)).unwrap();
                seen.insert(sequence);
                let gap = (0..12).find(|number| !seen.contains(number) || failing == Some(*number)).unwrap_or(12);
                let settled = ledger.settled();
                prop_assert_eq!(settled.batches, gap);
                prop_assert_eq!((settled.documents, settled.summary.read, settled.summary.created), (gap * 2, gap * 2, gap));
                prop_assert_eq!(settled.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.row), gap);
                prop_assert_eq!(ledger.total.read, seen.len() as u64 * 2);
                if grew {
                    let expected: Vec<String> = (0..gap).map(|number| number.to_string()).collect();
                    prop_assert_eq!(texts(), expected);
                    let length = std::fs::metadata(path.with_extension("errors.ndjson")).unwrap().len();
                    prop_assert_eq!(settled.letter.errors, length);
                }
            }
            ledger.close(Some(&mut letter)).unwrap();
            prop_assert_eq!(texts(), (0..12).map(|number: u64| number.to_string()).collect::<Vec<_>>());
        }
    }
}
