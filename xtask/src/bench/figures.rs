//! Several turns at the same work, in one figure.

/// The middle value; between the two in the middle of an even number of them.
pub(super) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = *sorted.get((sorted.len() - 1) / 2)?;
    Some((lower + upper) / 2.0)
}

/// The least and the greatest value.
pub(super) fn range(values: &[f64]) -> (f64, f64) {
    (values.iter().copied().fold(f64::INFINITY, f64::min), values.iter().copied().fold(0.0, f64::max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_in_the_middle() {
        for (values, expected) in
            [(vec![], None), (vec![3.0], Some(3.0)), (vec![9.0, 1.0, 2.0], Some(2.0)), (vec![1.0, 4.0], Some(2.5))]
        {
            assert_eq!(median(&values), expected);
        }
    }

    #[test]
    fn a_range_has_both_ends() {
        assert_eq!(range(&[2.0, 9.0, 1.0]), (1.0, 9.0));
    }
}
