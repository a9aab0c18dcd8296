//! How many rows a page is asked to have, so that it has about as many bytes as it may. Shared
//! by all slices of a read, as what one learns is good for the others.

use std::sync::{Mutex, PoisonError};

/// Rows of the first page, when nothing is known of their size.
const FIRST_ROWS: usize = 1_000;

/// How much larger than the ones before it a page is likely to be at most.
const PAGES_DIFFER_BY: f64 = 1.1;

/// The size of pages, and what was learnt of it.
pub(crate) struct PageSize {
    most_rows: usize,
    most_bytes: usize,
    learnt: Mutex<Learnt>,
}

#[derive(Clone, Copy)]
struct Learnt {
    /// Bytes of a row, a running mean.
    row_bytes: Option<f64>,
    /// No more rows than this, since a page with more was too large for the client.
    most_rows: usize,
}

impl PageSize {
    pub(crate) fn new(most_rows: usize, most_bytes: usize) -> Self {
        let most_rows = most_rows.max(1);
        Self { most_rows, most_bytes, learnt: Mutex::new(Learnt { row_bytes: None, most_rows }) }
    }

    /// The number of rows to ask for.
    pub(crate) fn rows(&self) -> usize {
        let learnt = *self.learnt.lock().unwrap_or_else(PoisonError::into_inner);
        let by_bytes = match learnt.row_bytes {
            // A page has at least one row, however large that is.
            Some(row_bytes) => (self.most_bytes as f64 / row_bytes.max(1.0)) as usize,
            None => FIRST_ROWS,
        };
        by_bytes.clamp(1, learnt.most_rows)
    }

    /// How many bytes a page of so many rows is likely to have at most; 0 when nothing is known.
    pub(crate) fn bytes_of(&self, rows: usize) -> usize {
        let learnt = *self.learnt.lock().unwrap_or_else(PoisonError::into_inner);
        learnt.row_bytes.map_or(0, |row_bytes| (rows as f64 * row_bytes * PAGES_DIFFER_BY) as usize)
    }

    /// Takes note of a page that came.
    pub(crate) fn learn(&self, bytes: usize, rows: usize) {
        if rows == 0 {
            return;
        }
        let mut learnt = self.learnt.lock().unwrap_or_else(PoisonError::into_inner);
        let row_bytes = bytes as f64 / rows as f64;
        learnt.row_bytes = Some(learnt.row_bytes.map_or(row_bytes, |known| 0.5 * known + 0.5 * row_bytes));
        learnt.most_rows = learnt.most_rows.saturating_mul(2).min(self.most_rows);
    }

    /// Takes note that a page of so many rows was too large for the client. Whether a smaller
    /// one can be asked for.
    pub(crate) fn shrink(&self, rows: usize) -> bool {
        let mut learnt = self.learnt.lock().unwrap_or_else(PoisonError::into_inner);
        // Another slice may have learnt the same meanwhile.
        learnt.most_rows = learnt.most_rows.min((rows / 2).max(1));
        rows > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_grow_to_their_bytes_and_no_further() {
        let size = PageSize::new(5_000, 1_000_000);
        assert_eq!((size.rows(), size.bytes_of(1_000)), (1_000, 0));
        size.learn(100_000, 1_000);
        assert_eq!(size.bytes_of(10), 1_100);
        assert_eq!(size.rows(), 5_000, "100 bytes a row: the number of rows is the limit");
        size.learn(5_000 * 1_900, 5_000);
        assert_eq!(size.rows(), 1_000, "1,000 bytes a row on average");
        size.learn(0, 0);
        assert_eq!(size.rows(), 1_000);
        size.learn(usize::MAX, 1);
        assert_eq!(size.rows(), 1);
        assert_eq!(PageSize::new(7, 1_000_000).rows(), 7);
        assert_eq!(PageSize::new(0, 0).rows(), 1);
    }

    #[test]
    fn what_was_too_large_is_halved_and_may_grow_again() {
        let size = PageSize::new(5_000, 1_000_000);
        size.learn(10, 1);
        assert_eq!(size.rows(), 5_000);
        assert!(size.shrink(5_000));
        assert_eq!(size.rows(), 2_500);
        assert!(size.shrink(2_500));
        assert!(size.shrink(2_500), "a second slice with the same page");
        assert_eq!(size.rows(), 1_250);
        size.learn(12_500, 1_250);
        assert_eq!(size.rows(), 2_500);
        assert!(!size.shrink(1));
        assert_eq!(size.rows(), 1);
    }
}
