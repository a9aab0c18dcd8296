//! The number of slices that a point in time is read in. Pure.
//!
//! The server gives slice `i` of `n` to the shard `i % shards` of each index when there are at
//! least as many slices as shards (`SliceBuilder` of Elasticsearch): then every slice stays on
//! one shard of an index, and slices are even when their number is a multiple of the shards'.

use crate::options::ReadOptions;

/// The server's default of `index.max_slices_per_pit`.
pub(crate) const DEFAULT_SLICES: usize = 1024;

/// The number of slices for this many rows. `shards` is the number of each index's.
pub(crate) fn number_of_slices(options: &ReadOptions, rows: u64, shards: &[usize], max: usize) -> usize {
    let max = max.max(1);
    if let Some(asked) = options.slices {
        return (asked as usize).clamp(1, max);
    }
    let of_one_index = shards.iter().copied().max().unwrap_or(1).max(1);
    let for_rows = options.slice_rows.map_or(1, |each| rows.div_ceil(each.max(1)));
    let wanted = usize::try_from(for_rows).unwrap_or(max).max(options.concurrency as usize).max(1);
    let even = wanted.min(max).next_multiple_of(of_one_index);
    match (even <= max, max >= of_one_index) {
        (true, _) => even,
        (false, true) => max - max % of_one_index,
        (false, false) => max,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_multiples_of_shards_and_bounded() {
        let options =
            |slices, slice_rows, concurrency| ReadOptions { slices, slice_rows, concurrency, ..ReadOptions::default() };
        let table: [(ReadOptions, u64, &[usize], usize, usize); 12] = [
            (options(None, None, 3), 0, &[1], DEFAULT_SLICES, 3),
            (options(None, None, 3), 0, &[2], DEFAULT_SLICES, 4),
            (options(None, None, 1), 0, &[5], DEFAULT_SLICES, 5),
            (options(None, None, 3), 0, &[1, 2, 1], DEFAULT_SLICES, 4),
            (options(None, None, 3), 0, &[], DEFAULT_SLICES, 3),
            (options(None, Some(1_000), 3), 9_001, &[1], DEFAULT_SLICES, 10),
            (options(None, Some(1_000), 3), 9_001, &[4], DEFAULT_SLICES, 12),
            (options(None, Some(1), 3), u64::MAX, &[3], 1024, 1023),
            (options(None, None, 8), 0, &[6], 4, 4),
            (options(Some(7), Some(1), 3), 9_001, &[2], DEFAULT_SLICES, 7),
            (options(Some(0), None, 3), 1, &[2], DEFAULT_SLICES, 1),
            (options(Some(9_999), None, 3), 1, &[2], 64, 64),
        ];
        for (options, rows, shards, max, expected) in table {
            assert_eq!(number_of_slices(&options, rows, shards, max), expected, "{options:?} {rows} {shards:?}");
        }
    }
}
