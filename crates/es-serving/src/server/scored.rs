//! The outcome of a batch, and the search for the rows that make it fail. Pure except for the requests, which
//! a trait makes.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;

use super::quote;
use super::tensors;
use crate::error::{Error, ErrorKind};
use crate::open_inference::Tensor;
use crate::signature::Signature;

/// The number of rows that are tried alone before the whole batch is halved, while the server has not
/// scored any row yet.
const SAMPLE: usize = 8;

/// The outcome of a batch: each row is scored, rejected or unknown.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// The outputs of the signature, in its order, with the rows of `scored`.
    pub outputs: Vec<Tensor>,
    /// The numbers of the rows that are scored, ascending.
    pub scored: Vec<usize>,
    /// The rows that the model does not take, or for which it has no number.
    pub rejected: Vec<RejectedRow>,
    /// The rows that the server did not answer. They can be scored again later.
    pub unknown: Vec<UnknownRow>,
}

/// A row that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedRow {
    /// Its number in the batch.
    pub row: usize,
    /// The reason, in the server's words where it has some.
    pub reason: Arc<str>,
}

/// A row without an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownRow {
    /// Its number in the batch.
    pub row: usize,
    /// The reason that there is none.
    pub reason: Arc<str>,
}

impl Scored {
    /// The number of rows of the batch.
    pub fn rows(&self) -> usize {
        self.scored.len() + self.rejected.len() + self.unknown.len()
    }

    /// Returns true when every row is scored.
    pub fn is_complete(&self) -> bool {
        self.rejected.is_empty() && self.unknown.is_empty()
    }
}

/// The outcome of a request for some of the rows.
#[derive(Debug)]
pub(crate) enum Piece {
    /// The outputs of all rows, and the rows among them (from 0) without a number.
    Outputs(Vec<Tensor>, Vec<(usize, String)>),
    /// No answer of the model.
    NoAnswer(String),
    /// Too large, or with a value that the server cannot be sent.
    NotSent(String),
    /// Refused, perhaps for some of the rows.
    Failed(String),
}

/// Scores some rows of a batch.
#[async_trait]
pub(crate) trait ScoreRows: Sync {
    /// The name of rows in messages.
    fn noun(&self) -> &'static str {
        "rows"
    }

    /// Scores these rows. With `once_more`, a failed request is repeated once.
    ///
    /// # Errors
    /// Those that concern the model as a whole.
    async fn score_rows(&self, rows: Range<usize>, once_more: bool) -> Result<Piece, Error>;
}

/// Scores a batch, halving what fails down to single rows. `is_known` says that the model scored rows
/// before.
pub(crate) async fn score(
    asked: &dyn ScoreRows,
    rows: usize,
    is_known: bool,
    signature: &Signature,
) -> Result<Scored, Error> {
    let mut account = Account { is_known, ..Account::default() };
    // Ranges to score, the first one last, so that rows come in their order.
    let mut left = Vec::new();
    if rows > 0 {
        left.push(0..rows);
    }
    while let Some(range) = left.pop() {
        let is_whole = range.len() == rows;
        match asked.score_rows(range.clone(), is_whole || range.len() == 1).await? {
            Piece::Outputs(outputs, without_number) => account.add(&range, outputs, without_number)?,
            Piece::NoAnswer(reason) => {
                // The server is away: the other rows would wait as long for nothing.
                let reason: Arc<str> = reason.into();
                for row in std::iter::once(range).chain(left.drain(..).rev()).flatten() {
                    account.unknown.push(UnknownRow { row, reason: reason.clone() });
                }
            }
            Piece::NotSent(reason) | Piece::Failed(reason) if range.len() == 1 => {
                account.rejected.insert(range.start, reason.into());
            }
            piece => {
                if let (Piece::Failed(reason), false) = (&piece, account.is_known)
                    && range.len() > SAMPLE
                    && !account.is_sampled
                {
                    account.is_sampled = true;
                    refuse_what_fails_everywhere(asked, &range, reason).await?;
                }
                let middle = range.start + range.len() / 2;
                left.push(middle..range.end);
                left.push(range.start..middle);
            }
        }
    }
    account.close(signature)
}

/// Tries rows spread over a batch alone. When each is refused with the same words by a model that has not
/// scored anything yet, the model is at fault, and the rows are not.
async fn refuse_what_fails_everywhere(asked: &dyn ScoreRows, range: &Range<usize>, reason: &str) -> Result<(), Error> {
    let mut words: Option<String> = None;
    for number in 0..SAMPLE {
        let row = range.start + number * (range.len() - 1) / (SAMPLE - 1);
        let Piece::Failed(found) = asked.score_rows(row..row + 1, false).await? else {
            return Ok(());
        };
        let found = quote::without_numbers(&found);
        if words.get_or_insert_with(|| found.clone()) != &found {
            return Ok(());
        }
    }
    let message = format!(
        "the model refuses {SAMPLE} of {SAMPLE} {} tried alone, each with the same words: {reason}",
        asked.noun()
    );
    Err(Error::new(ErrorKind::Server, message)
        .with_help("compare the model at the server with the signature; nothing was scored"))
}

#[derive(Default)]
struct Account {
    is_known: bool,
    is_sampled: bool,
    outputs: Vec<Tensor>,
    scored: Vec<usize>,
    rejected: BTreeMap<usize, Arc<str>>,
    unknown: Vec<UnknownRow>,
}

impl Account {
    fn add(
        &mut self,
        range: &Range<usize>,
        outputs: Vec<Tensor>,
        without_number: Vec<(usize, String)>,
    ) -> Result<(), Error> {
        let mut keep = vec![true; range.len()];
        for (row, reason) in without_number {
            keep[row] = false;
            self.rejected.insert(range.start + row, reason.into());
        }
        if !keep.contains(&true) {
            return Ok(());
        }
        self.is_known = true;
        self.scored.extend(range.clone().zip(&keep).filter(|(_, keep)| **keep).map(|(row, _)| row));
        let is_whole = !keep.contains(&false);
        let kept = |output: Tensor| if is_whole { Ok(output) } else { tensors::keep(&output, &keep) };
        let outputs: Vec<Tensor> = outputs.into_iter().map(kept).collect::<Result<_, Error>>()?;
        self.outputs = if self.outputs.is_empty() {
            outputs
        } else {
            let joined = std::mem::take(&mut self.outputs).into_iter().zip(outputs);
            joined.map(|(all, more)| tensors::append(all, more)).collect::<Result<_, Error>>()?
        };
        Ok(())
    }

    fn close(self, signature: &Signature) -> Result<Scored, Error> {
        let outputs = match self.outputs.is_empty() {
            true => signature.outputs.iter().map(tensors::empty).collect::<Result<_, Error>>()?,
            false => self.outputs,
        };
        let rejected = self.rejected.into_iter().map(|(row, reason)| RejectedRow { row, reason }).collect();
        Ok(Scored { outputs, scored: self.scored, rejected, unknown: self.unknown })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Mutex;

    use proptest::prelude::*;

    use super::*;
    use crate::open_inference::{Datatype, TensorData};
    use crate::signature::TensorSpec;

    /// A server that answers each row with its number, but for some.
    #[derive(Debug, Default)]
    struct Fake {
        /// Rows that make their request fail.
        poison: BTreeSet<usize>,
        /// Rows with an answer that is not a number.
        without_number: BTreeSet<usize>,
        /// The request after which there are no more answers.
        away_after: Option<usize>,
        /// The greatest number of rows of a request.
        most: usize,
        requests: Mutex<Vec<Range<usize>>>,
    }

    #[async_trait]
    impl ScoreRows for Fake {
        async fn score_rows(&self, rows: Range<usize>, _: bool) -> Result<Piece, Error> {
            let mut requests = self.requests.lock().unwrap();
            requests.push(rows.clone());
            if self.away_after.is_some_and(|last| requests.len() > last) {
                return Ok(Piece::NoAnswer("away".to_owned()));
            }
            if rows.len() > self.most {
                return Ok(Piece::NotSent("too large".to_owned()));
            }
            if let Some(row) = rows.clone().find(|row| self.poison.contains(row)) {
                return Ok(Piece::Failed(format!("poison {row}")));
            }
            let numbers = TensorData::Int64(rows.clone().map(|row| i64::try_from(row).unwrap()).collect());
            let without = rows.clone().filter(|row| self.without_number.contains(row));
            let without = without.map(|row| (row - rows.start, "NaN".to_owned())).collect();
            Ok(Piece::Outputs(vec![Tensor::new("row", vec![rows.len()], numbers)?], without))
        }
    }

    fn signature() -> Signature {
        let output = TensorSpec { name: "row".to_owned(), datatype: Datatype::Int64, shape: vec![-1] };
        Signature { outputs: vec![output], ..Signature::default() }
    }

    fn run(fake: &Fake, rows: usize, is_known: bool) -> Result<Scored, Error> {
        futures::executor::block_on(score(fake, rows, is_known, &signature()))
    }

    #[test]
    fn one_row_that_poisons_its_batch_is_rejected_alone() {
        let fake = Fake { poison: [700].into(), most: 1_000, ..Fake::default() };
        let scored = run(&fake, 1_000, false).unwrap();
        assert_eq!(scored.rejected, [RejectedRow { row: 700, reason: "poison 700".into() }]);
        assert_eq!(scored.scored.len(), 999);
        // Two requests for each halving, and one of the sample that was answered.
        assert!(fake.requests.lock().unwrap().len() <= 2 * 10 + 2);
    }

    #[test]
    fn a_model_that_refuses_every_row_is_one_error() {
        let fake = Fake { poison: (0..1_000).collect(), most: 1_000, ..Fake::default() };
        let error = run(&fake, 1_000, false).unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (ErrorKind::Server, "the model refuses 8 of 8 rows tried alone, each with the same words: poison 0")
        );
        assert_eq!(fake.requests.lock().unwrap().len(), 9);
        // A model that has scored before is not at fault.
        assert_eq!(run(&fake, 100, true).unwrap().rejected.len(), 100);
    }

    #[test]
    fn a_batch_without_rows_has_empty_outputs() {
        let scored = run(&Fake::default(), 0, false).unwrap();
        assert_eq!((scored.rows(), scored.outputs[0].shape()), (0, &[0][..]));
    }

    proptest! {
        #[test]
        fn the_account_adds_up_and_no_answer_is_shifted(
            rows in 1..40_usize,
            poison in prop::collection::btree_set(0..40_usize, 0..6),
            without_number in prop::collection::btree_set(0..40_usize, 0..6),
            away_after in prop::option::of(0..30_usize),
            most in 1..40_usize,
        ) {
            let fake = Fake { poison, without_number, away_after, most, ..Fake::default() };
            let scored = run(&fake, rows, true).unwrap();
            prop_assert_eq!(scored.rows(), rows);
            let mut all: Vec<usize> = scored.scored.clone();
            all.extend(scored.rejected.iter().map(|one| one.row).chain(scored.unknown.iter().map(|one| one.row)));
            all.sort_unstable();
            prop_assert_eq!(all, (0..rows).collect::<Vec<_>>());
            prop_assert!(scored.scored.is_sorted() && scored.unknown.is_sorted_by_key(|one| one.row));
            // Each output stands beside its own row.
            let expected: Vec<i64> = scored.scored.iter().map(|row| i64::try_from(*row).unwrap()).collect();
            prop_assert_eq!(scored.outputs[0].data(), &TensorData::Int64(expected));
            for RejectedRow { row, reason } in &scored.rejected {
                prop_assert!(fake.poison.contains(row) || fake.without_number.contains(row), "{row} {reason}");
            }
            prop_assert!(scored.scored.iter().all(|row| !fake.poison.contains(row) && !fake.without_number.contains(row)));
            prop_assert!(fake.away_after.is_some() || scored.unknown.is_empty());
        }
    }
}
