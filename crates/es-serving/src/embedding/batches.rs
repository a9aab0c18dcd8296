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
