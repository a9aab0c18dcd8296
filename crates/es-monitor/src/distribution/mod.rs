//! The distribution of the values of a field in one window: [`Numeric`] counts by bin,
//! [`Categorical`] counts by category, both with the number of missing values. The methods compare
//! two of them; their origin is left to the callers.

mod categorical;
mod numeric;
mod resolution;

pub use categorical::Categorical;
pub use numeric::{Bin, BinEdges, Content, Numeric, Summary};
pub use resolution::Resolution;

/// Counts as shares of their sum. All zero when the counts are.
pub fn shares(counts: &[u64]) -> Vec<f64> {
    let total = counts.iter().sum::<u64>().max(1) as f64;
    counts.iter().map(|count| *count as f64 / total).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_sum_to_one_unless_all_counts_are_zero() {
        assert_eq!(shares(&[1, 3, 0]), [0.25, 0.75, 0.0]);
        assert_eq!(shares(&[0, 0]), [0.0, 0.0]);
    }
}
