//! The rows that a reader of tables returns at a time.

use polars::prelude::DataFrame;

use super::place::FilePlace;
use super::refused::RefusedLine;

/// Some rows of a file.
#[derive(Clone, Debug)]
pub struct Piece {
    /// The rows, in contiguous columns.
    pub frame: DataFrame,
    /// The beginning of the piece: [`FileReader::seek`](super::FileReader::seek) to it reads the same
    /// rows again.
    pub place: FilePlace,
    /// The rows among them that are not in the frame, in order: records of CSV with too many values, or
    /// with a value that its column cannot hold.
    pub refused: Vec<RefusedLine>,
}

impl Piece {
    /// The number that a row of the frame has in its file, counted from 1. In CSV the header and blank
    /// lines do not count, and refused rows do.
    pub fn number(&self, row: usize) -> u64 {
        let alone = self.place.rows + row as u64 + 1;
        // Refused rows before this one: the number of rows between the piece's beginning and a refused
        // row never falls.
        let (mut from, mut to) = (0, self.refused.len());
        while from < to {
            let middle = from + (to - from) / 2;
            if self.refused[middle].row - middle as u64 <= alone {
                from = middle + 1;
            } else {
                to = middle;
            }
        }
        alone + from as u64
    }

    /// The number of the last row, refused or not; that before the piece if it has none.
    pub(crate) fn last(&self) -> u64 {
        self.place.rows + (self.frame.height() + self.refused.len()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_rows_count() {
        let refused = |row| RefusedLine::new(row, Some(0), b"", "");
        let piece = |refused: Vec<RefusedLine>| Piece {
            frame: DataFrame::empty(),
            place: FilePlace { rows: 10, bytes: None },
            refused,
        };
        let numbers = |piece: &Piece| (0..3).map(|row| piece.number(row)).collect::<Vec<_>>();
        assert_eq!(numbers(&piece(vec![])), [11, 12, 13]);
        assert_eq!(numbers(&piece(vec![refused(11)])), [12, 13, 14]);
        assert_eq!(numbers(&piece(vec![refused(12), refused(13)])), [11, 14, 15]);
        assert_eq!(numbers(&piece(vec![refused(11), refused(13), refused(15)])), [12, 14, 16]);
        assert_eq!(piece(vec![refused(11), refused(12)]).last(), 12);
    }
}
