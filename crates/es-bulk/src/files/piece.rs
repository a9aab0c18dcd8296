//! The rows that a reader of tables returns at a time.

use polars::prelude::DataFrame;

use super::place::FilePlace;

/// Some rows of a file.
#[derive(Clone, Debug)]
pub struct Piece {
    /// The rows, in contiguous columns.
    pub frame: DataFrame,
    /// The beginning of the piece: [`FileReader::seek`](super::FileReader::seek) to it reads the same
    /// rows again.
    pub place: FilePlace,
}

impl Piece {
    /// The number that a row of the frame has in its file, counted from 1. In CSV the header and blank
    /// lines do not count.
    pub fn number(&self, row: usize) -> u64 {
        self.place.rows + row as u64 + 1
    }
}
