//! The books of a load: batches settle in any order, and are written down in theirs.
//!
//! What was refused goes to the dead letter, and a checkpoint is told, when every batch before
//! it is settled too. So the letter has the order of the input, and at a checkpoint exactly what
//! belongs to it.

use std::collections::BTreeMap;

use crate::batch::Checkpoint;
use crate::dead_letter::{DeadLetter, LetterLength, Rejection};
use crate::error::Error;
use crate::flow::Share;
use crate::summary::Summary;

/// The batches from the first one on that are all settled.
#[derive(Clone, Debug, Default)]
pub struct Settled {
    /// How many batches these are.
    pub batches: u64,
    /// How many documents. The number of the next one, if the first one of the load was 0.
    pub documents: u64,
    /// How far the file of the last of them is settled, if it came from a file.
    pub checkpoint: Option<Checkpoint>,
    /// How long the dead letter is with what was refused of these batches; it is with the
    /// operating system.
    pub letter: LetterLength,
    /// The account of exactly these batches.
    pub summary: Summary,
}

/// A batch that is no longer under way.
#[derive(Debug)]
pub(crate) struct Delivered<'a> {
    /// Its place in the input, from 0.
    pub(crate) sequence: u64,
    pub(crate) documents: u64,
    pub(crate) checkpoint: Option<Checkpoint>,
    /// The account of its documents.
    pub(crate) tally: Summary,
    pub(crate) rejections: Vec<Rejection>,
    /// Why it is not settled, if it is not.
    pub(crate) failed: Option<Error>,
    /// The memory of the rejections, until they are written.
    pub(crate) share: Share<'a>,
}

/// The books.
#[derive(Debug, Default)]
pub(crate) struct Ledger<'a> {
    /// The account of all batches that are no longer under way.
    pub(crate) booked: Summary,
    /// The first document that was refused, as far as is known.
    pub(crate) first_rejection: Option<Rejection>,
    settled: Settled,
    /// Batches with one before them that is still under way.
    early: BTreeMap<u64, Delivered<'a>>,
    /// A batch is not settled and never will be: nothing after it is part of the beginning.
    is_broken: bool,
}

impl<'a> Ledger<'a> {
    /// Books a batch. Returns whether the settled beginning has grown.
    pub(crate) fn book(&mut self, batch: Delivered<'a>, letter: Option<&mut DeadLetter>) -> Result<bool, Error> {
        self.booked.add(&batch.tally);
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
            if next.get().failed.is_some() {
                self.is_broken = true;
                break;
            }
            let batch = next.remove();
            write(letter.as_deref_mut(), &batch)?;
            self.settled.batches += 1;
            self.settled.documents += batch.documents;
            self.settled.summary.add(&batch.tally);
            self.settled.checkpoint = batch.checkpoint.or(self.settled.checkpoint.take());
            drop(batch.share);
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

    /// Writes what is left when no batch is under way any more.
    pub(crate) fn close(&mut self, letter: Option<&mut DeadLetter>) -> Result<(), Error> {
        let Some(letter) = letter else { return Ok(()) };
        let early = std::mem::take(&mut self.early);
        let written = early.into_values().try_for_each(|batch| write(Some(letter), &batch));
        written.and(letter.sync())
    }
}

fn write(letter: Option<&mut DeadLetter>, batch: &Delivered<'_>) -> Result<(), Error> {
    let Some(letter) = letter else { return Ok(()) };
    batch.rejections.iter().try_for_each(|rejection| letter.add(rejection))
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use proptest::prelude::*;

    use super::*;
    use crate::dead_letter::Content;
    use crate::error::ErrorKind;
    use crate::files::FilePlace;
    use crate::flow::Budget;

    fn delivered(budget: &Budget, sequence: u64, is_failed: bool) -> Delivered<'_> {
        let rejection = Rejection {
            number: Some(sequence * 2),
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
            failed: is_failed.then(|| Error::new(ErrorKind::Elasticsearch, "gone")),
            share: budget.take(1).now_or_never().unwrap(),
        }
    }

    proptest! {
        /// In whatever order batches settle, checkpoints tell of a beginning of the input
        /// without gaps, and the letter holds exactly what was refused of it, in its order.
        #[test]
        fn what_is_settled_is_a_beginning(
            order in Just((0..12_u64).collect::<Vec<_>>()).prop_shuffle(),
            failing in prop::option::of(0..12_u64),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("letter");
            let mut letter = DeadLetter::new(&path);
            letter.begin().unwrap();
            let budget = Budget::new(1 << 20);
            let mut ledger = Ledger::default();
            let mut seen = std::collections::BTreeSet::new();
            let texts = || -> Vec<String> {
                let errors = std::fs::read_to_string(path.with_extension("errors.ndjson")).unwrap_or_default();
                let read = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["text"].as_str().unwrap().to_owned();
                errors.lines().map(read).collect()
            };
            for sequence in order {
                let grew = ledger.book(delivered(&budget, sequence, failing == Some(sequence)), Some(&mut letter)).unwrap();
                seen.insert(sequence);
                let gap = (0..12).find(|number| !seen.contains(number) || failing == Some(*number)).unwrap_or(12);
                let settled = ledger.settled();
                prop_assert_eq!(settled.batches, gap);
                prop_assert_eq!((settled.documents, settled.summary.read, settled.summary.created), (gap * 2, gap * 2, gap));
                prop_assert_eq!(settled.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.row), gap);
                prop_assert_eq!(ledger.booked.read, seen.len() as u64 * 2);
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
