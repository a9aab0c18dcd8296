//! Groups of fields that fit into one search. Pure.

use std::ops::Range;

/// The largest group of fields from `start` on, at least one, that together have no more than
/// `max` buckets. `buckets` are those of each field.
pub(super) fn group(buckets: &[usize], start: usize, max: usize) -> Range<usize> {
    let mut sum = 0_usize;
    let fitting = buckets[start..].iter().take_while(|count| {
        sum = sum.saturating_add(**count);
        sum <= max
    });
    start..(start + fitting.count().max(1)).min(buckets.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_requested_in_groups_that_fit_one_answer() {
        let buckets = [6000, 4000, 1, 20_000, 2];
        let mut sizes = Vec::new();
        let mut start = 0;
        while start < buckets.len() {
            let group = group(&buckets, start, 10_000);
            start = group.end;
            sizes.push(group.len());
        }
        assert_eq!(sizes, [2, 1, 1, 1]);
        assert_eq!(group(&[], 0, 10), 0..0);
    }
}
