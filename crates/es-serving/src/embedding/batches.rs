//! Batches of texts of similar length. Pure.

use std::ops::Range;

use super::onnx::EmbedBatch;

/// The numbers of texts in the order of their batches, the longest first.
pub(super) fn order(lengths: &[usize]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|text| std::cmp::Reverse(lengths[*text]));
    order
}

/// Divides texts, the longest first, into batches that keep the limits. A single text may have more tokens.
pub(super) fn batches(lengths: impl ExactSizeIterator<Item = usize>, limits: EmbedBatch) -> Vec<Range<usize>> {
    let texts = limits.texts.get();
    let tokens = limits.tokens.get();
    let mut batches: Vec<Range<usize>> = Vec::new();
    let mut room = 0;
    for (place, length) in lengths.enumerate() {
        match batches.last_mut() {
            Some(batch) if batch.len() < room => batch.end = place + 1,
            _ => {
                // All of a batch are filled up to the length of its first.
                room = texts.min((tokens / length.max(1)).max(1));
                batches.push(place..place + 1);
            }
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_keep_both_limits_with_what_fills_them_up() {
        let limits = |texts: usize, tokens: usize| EmbedBatch {
            texts: texts.try_into().unwrap(),
            tokens: tokens.try_into().unwrap(),
        };
        // The lengths of texts, and the numbers of texts of each batch.
        let table: [(&[usize], EmbedBatch, &[usize]); 5] = [
            (&[5, 5, 5], limits(2, 100), &[2, 1]),
            (&[9, 3, 1], limits(8, 20), &[2, 1]),
            // One text may have more tokens than a batch.
            (&[99, 4, 4, 4], limits(8, 10), &[1, 2, 1]),
            (&[0, 0], limits(8, 1), &[1, 1]),
            (&[], limits(8, 1), &[]),
        ];
        for (lengths, limits, expected) in table {
            let found = batches(lengths.iter().copied(), limits);
            assert_eq!(found.iter().map(Range::len).collect::<Vec<_>>(), expected, "{lengths:?}");
            assert!(found.iter().cloned().flatten().eq(0..lengths.len()), "{found:?}");
        }
    }

    #[test]
    fn the_longest_come_first() {
        assert_eq!(order(&[2, 9, 2, 5]), [1, 3, 0, 2]);
    }
}
