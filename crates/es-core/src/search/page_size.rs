//! The number of rows to request in a page, learned from the pages that came. Pure but for a lock:
//! several slices of one search share it, as what one learns holds for the others.

use std::sync::{Mutex, PoisonError};

/// Rows of the first page of a target in bytes, while the size of a row is unknown.
const FIRST_ROWS: usize = 1_000;

/// A page is likely to be at most this much larger than the mean of those before it.
const PAGES_DIFFER_BY: f64 = 1.1;

/// The size of pages: a limit in rows, a target in bytes, and what was learned of both.
///
/// ```
/// use es_core::PageSize;
///
/// let size = PageSize::new(5_000, 1_000_000);
/// assert_eq!(size.rows(), 1_000, "the size of a row is unknown");
/// size.learn(500_000, 1_000);
/// assert_eq!(size.rows(), 2_000, "500 bytes a row");
/// ```
#[derive(Debug)]
pub struct PageSize {
    max_rows: usize,
    target_bytes: usize,
    first_rows: usize,
    learned: Mutex<Learned>,
}

#[derive(Clone, Copy, Debug)]
struct Learned {
    /// Bytes of a row, a running mean.
    row_bytes: Option<f64>,
    /// The limit in rows, lowered when a page was larger than the client accepts.
    max_rows: usize,
}

impl PageSize {
    /// Pages of about `target_bytes`, and of `max_rows` rows at most.
    pub fn new(max_rows: usize, target_bytes: usize) -> Self {
        let max_rows = max_rows.max(1);
        let learned = Mutex::new(Learned { row_bytes: None, max_rows });
        Self { max_rows, target_bytes, first_rows: FIRST_ROWS, learned }
    }

    /// Pages of `rows` rows from the first one on, whatever their size in bytes, until one is
    /// refused or too large: for hits of known size and for the buckets of an aggregation.
    pub fn of_rows(rows: usize) -> Self {
        Self { first_rows: rows, ..Self::new(rows, usize::MAX) }
    }

    /// The number of rows to request, at least 1.
    pub fn rows(&self) -> usize {
        let learned = self.learned();
        let by_bytes = match learned.row_bytes {
            // A page has at least one row, however large that is.
            Some(row_bytes) => (self.target_bytes as f64 / row_bytes.max(1.0)) as usize,
            None => self.first_rows,
        };
        by_bytes.clamp(1, learned.max_rows)
    }

    /// The number of bytes that a page of `rows` rows is likely to have at most; 0 while unknown.
    pub fn likely_bytes(&self, rows: usize) -> usize {
        self.learned().row_bytes.map_or(0, |row_bytes| (rows as f64 * row_bytes * PAGES_DIFFER_BY) as usize)
    }

    /// Records the size of a page that came.
    pub fn learn(&self, bytes: usize, rows: usize) {
        if rows == 0 {
            return;
        }
        let mut learned = self.lock();
        let row_bytes = bytes as f64 / rows as f64;
        learned.row_bytes = Some(learned.row_bytes.map_or(row_bytes, |known| 0.5 * known + 0.5 * row_bytes));
        learned.max_rows = learned.max_rows.saturating_mul(2).min(self.max_rows);
    }

    /// Records that a page of `rows` rows was larger than the client accepts, and halves the
    /// limit. Returns `false` when no smaller page can be requested.
    pub fn shrink(&self, rows: usize) -> bool {
        let mut learned = self.lock();
        // Another slice may have lowered it already.
        learned.max_rows = learned.max_rows.min((rows / 2).max(1));
        rows > 1
    }

    fn learned(&self) -> Learned {
        *self.lock()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Learned> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_grow_to_their_bytes_and_no_further() {
        let size = PageSize::new(5_000, 1_000_000);
        assert_eq!((size.rows(), size.likely_bytes(1_000)), (1_000, 0));
        size.learn(100_000, 1_000);
        assert_eq!(size.likely_bytes(10), 1_100);
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
    fn a_page_too_large_is_halved_and_may_grow_again() {
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

    #[test]
    fn pages_of_rows_do_not_depend_on_bytes() {
        let size = PageSize::of_rows(10_000);
        assert_eq!(size.rows(), 10_000);
        size.learn(usize::MAX, 10_000);
        assert_eq!(size.rows(), 10_000);
        assert!(size.shrink(10_000));
        assert_eq!(size.rows(), 5_000);
        assert_eq!(PageSize::of_rows(0).rows(), 1);
    }
}
