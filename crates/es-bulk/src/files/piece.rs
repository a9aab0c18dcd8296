//! What a reader hands out at a time.

use polars::prelude::DataFrame;

use super::place::FilePlace;
use super::refused::RefusedLine;

/// Some rows of a file.
#[derive(Debug)]
pub struct Piece {
    /// The rows, in contiguous columns.
    pub frame: DataFrame,
    /// Where the piece begins: [`FileReader::seek`](super::FileReader::seek) to it reads the
    /// same rows again.
    pub place: FilePlace,
    /// Lines of the piece that are no rows of the frame.
    pub refused: Vec<RefusedLine>,
    /// The numbers of the frame's rows, where they do not simply count on from `place`.
    numbers: Option<Vec<u64>>,
}

impl Piece {
    pub(crate) fn without_gaps(frame: DataFrame, place: FilePlace) -> Self {
        Self { frame, place, refused: Vec::new(), numbers: None }
    }

    /// A piece whose rows have these numbers.
    pub(crate) fn with_gaps(frame: DataFrame, place: FilePlace, numbers: Vec<u64>, refused: Vec<RefusedLine>) -> Self {
        Self { frame, place, refused, numbers: Some(numbers) }
    }

    /// The number that a row of the frame has in its file, counted from 1. For NDJSON that
    /// is the number of its line; for CSV the header and blank lines do not count.
    pub fn number(&self, row: usize) -> u64 {
        match &self.numbers {
            Some(numbers) => numbers.get(row).copied().unwrap_or(self.place.rows + row as u64 + 1),
            None => self.place.rows + row as u64 + 1,
        }
    }
}
