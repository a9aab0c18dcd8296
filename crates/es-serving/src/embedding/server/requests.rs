//! The division of texts into requests. Pure.

use std::ops::Range;

use super::options::RequestBatch;

/// Divides texts of these numbers of bytes into requests that keep the limits, in their order.
pub(super) fn divide(lengths: impl Iterator<Item = usize>, limits: RequestBatch) -> Vec<Range<usize>> {
    let most = usize::try_from(limits.bytes.as_bytes()).unwrap_or(usize::MAX);
    let mut requests: Vec<Range<usize>> = Vec::new();
    let mut bytes = 0_usize;
    for (text, length) in lengths.enumerate() {
        match requests.last_mut() {
            Some(request) if request.len() < limits.texts.get() && bytes.saturating_add(length) <= most => {
                request.end = text + 1;
                bytes += length;
            }
            _ => {
                requests.push(text..text + 1);
                bytes = length;
            }
        }
    }
    requests
}

#[cfg(test)]
mod tests {
    use es_values::ByteSize;

    use super::*;

    #[test]
    fn requests_keep_both_limits() {
        let limits = RequestBatch { texts: 3.try_into().unwrap(), bytes: ByteSize::bytes(10) };
        // The bytes of texts, and the numbers of texts of each request.
        let table: [(&[usize], &[usize]); 5] =
            [(&[1, 1, 1, 1], &[3, 1]), (&[6, 4, 1], &[2, 1]), (&[99, 99], &[1, 1]), (&[0], &[1]), (&[], &[])];
        for (lengths, expected) in table {
            let found = divide(lengths.iter().copied(), limits);
            assert_eq!(found.iter().map(Range::len).collect::<Vec<_>>(), expected, "{lengths:?}");
            assert!(found.iter().cloned().flatten().eq(0..lengths.len()), "{found:?}");
        }
    }
}
