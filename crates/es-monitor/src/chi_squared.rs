//! The chi-squared test of homogeneity: are two sets of counts draws from one distribution?
//!
//! Both windows are taken as samples, as in NannyML and scipy's `chi2_contingency` without
//! the continuity correction. (Evidently takes the reference as exact, which gives far
//! smaller p-values, and zero for a category that the reference has not seen.)
//!
//! The chi-squared distribution is a good approximation where at least five documents are
//! expected in every cell (Cochran 1954). Categories with fewer are counted together first,
//! so a category that only one window has counts as evidence and never divides by zero. The categories
//! must not be chosen by the counts of one window alone: those are high there by chance.

use statrs::distribution::{ChiSquared as Distribution, ContinuousCDF as _};

const LEAST_EXPECTED: f64 = 5.0;

/// The result of the test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChiSquared {
    /// The statistic.
    pub statistic: f64,
    /// The number of groups that were compared, less one.
    pub degrees_of_freedom: u32,
    /// The probability of a statistic at least as large when nothing drifts.
    pub p_value: f64,
}

/// Runs the test; `None` when fewer than two groups are large enough to be compared.
///
/// ```
/// use es_monitor::chi_squared;
/// let found = chi_squared::test(&[500, 300, 200], &[450, 300, 250]).unwrap();
/// assert!((found.statistic - 8.187134502923977).abs() < 1e-12);
/// assert_eq!(found.degrees_of_freedom, 2);
/// ```
pub fn test(reference: &[u64], current: &[u64]) -> Option<ChiSquared> {
    let (n, m) = (reference.iter().sum::<u64>() as f64, current.iter().sum::<u64>() as f64);
    if n == 0.0 || m == 0.0 {
        return None;
    }
    let smaller = n.min(m) / (n + m);
    let cells = reference.iter().zip(current).map(|(r, c)| (*r as f64, *c as f64));
    let (mut groups, rare): (Vec<_>, Vec<_>) = cells.partition(|(r, c)| (r + c) * smaller >= LEAST_EXPECTED);
    let rare = rare.into_iter().fold((0.0, 0.0), |sum, (r, c)| (sum.0 + r, sum.1 + c));
    if (rare.0 + rare.1) * smaller >= LEAST_EXPECTED {
        groups.push(rare);
    } else if let Some(smallest) = groups.iter_mut().min_by(|a, b| (a.0 + a.1).total_cmp(&(b.0 + b.1))) {
        *smallest = (smallest.0 + rare.0, smallest.1 + rare.1);
    }
    let degrees_of_freedom = u32::try_from(groups.len()).ok()?.checked_sub(1).filter(|freedom| *freedom > 0)?;
    let statistic = groups
        .iter()
        .map(|(r, c)| {
            let (expected_r, expected_c) = ((r + c) * n / (n + m), (r + c) * m / (n + m));
            (r - expected_r).powi(2) / expected_r + (c - expected_c).powi(2) / expected_c
        })
        .sum();
    let distribution = Distribution::new(f64::from(degrees_of_freedom)).ok()?;
    Some(ChiSquared { statistic, degrees_of_freedom, p_value: distribution.sf(statistic) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// See tests/oracle/methods.py for the numbers.
    #[test]
    fn agrees_with_scipy() {
        let found = test(&[500, 300, 200], &[450, 300, 250]).unwrap();
        assert!((found.p_value - 0.016_679_626_882_406_89).abs() < 1e-9, "{found:?}");
        let unseen = test(&[500, 500, 0], &[450, 500, 50]).unwrap();
        assert!((unseen.statistic - 52.631_578_947_368_425).abs() < 1e-9, "{unseen:?}");
        assert!((unseen.p_value / 3.725_613_894_868_333e-12 - 1.0).abs() < 1e-9, "{unseen:?}");
    }

    #[test]
    fn rare_categories_are_counted_together() {
        // Two of the categories expect 2.5 documents a window, together they expect 5.
        let pooled = test(&[500, 490, 5, 5], &[500, 500, 0, 0]).unwrap();
        assert_eq!(pooled, test(&[500, 490, 10], &[500, 500, 0]).unwrap());
        // Even together they expect too few, and go to the smallest that has enough.
        let joined = test(&[500, 499, 1], &[500, 500, 0]).unwrap();
        assert_eq!(joined, test(&[500, 500], &[500, 500]).unwrap());
        assert_eq!(joined.p_value, 1.0);
    }

    #[test]
    fn one_group_cannot_be_compared() {
        for (reference, current) in [(vec![100, 0], vec![90, 0]), (vec![3, 1], vec![2, 2]), (vec![], vec![])] {
            assert_eq!(test(&reference, &current), None, "{reference:?} {current:?}");
        }
    }
}
