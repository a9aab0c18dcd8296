//! The test of missing values: is the share of documents without the field the same?
//!
//! Missing values never take part in the distances of the values, which would hide both
//! a gap and a drift, so they have this test of their own.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF as _, Discrete as _, Hypergeometric, Normal};

/// The number of documents expected in a cell below which the normal distribution is not a good
/// approximation.
const LEAST_EXPECTED: f64 = 5.0;

/// The computation of a p-value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProportionTest {
    /// The two-proportion z-test with the pooled share, two-sided.
    ZTest,
    /// Fisher's exact test, two-sided, where fewer than five documents are expected in a cell.
    FisherExact,
}

/// The result of the test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Proportions {
    /// The computation of the p-value.
    pub test: ProportionTest,
    /// The probability of a difference at least as large when nothing changed.
    pub p_value: f64,
}

/// Compares `missing` of `documents` in two windows. `None` when a window has no documents.
///
/// ```
/// use es_monitor::missing_values::compare;
/// let found = compare((120, 4000), (180, 4200)).unwrap();
/// assert!((found.p_value - 0.0019365980422808688).abs() < 1e-9);
/// ```
pub fn compare(reference: (u64, u64), current: (u64, u64)) -> Option<Proportions> {
    let ((missing_n, n), (missing_m, m)) = (reference, current);
    if n == 0 || m == 0 || missing_n > n || missing_m > m {
        return None;
    }
    let missing = missing_n + missing_m;
    let all = n + m;
    if missing == 0 || missing == all {
        return Some(Proportions { test: ProportionTest::FisherExact, p_value: 1.0 });
    }
    let rarer = missing.min(all - missing);
    if rarer as f64 * n.min(m) as f64 / (all as f64) < LEAST_EXPECTED {
        let found = if rarer == missing { missing_n } else { n - missing_n };
        let p_value = fisher(all, rarer, n, found)?;
        return Some(Proportions { test: ProportionTest::FisherExact, p_value });
    }
    let pooled = missing as f64 / all as f64;
    let error = (pooled * (1.0 - pooled) * (1.0 / n as f64 + 1.0 / m as f64)).sqrt();
    let z = (missing_m as f64 / m as f64 - missing_n as f64 / n as f64) / error;
    let p_value = (2.0 * Normal::standard().sf(z.abs())).min(1.0);
    Some(Proportions { test: ProportionTest::ZTest, p_value })
}

/// The probability of every outcome that is at most as probable as `found` marked
/// documents in a draw of `draws` from `all`, of which `marked` are.
fn fisher(all: u64, marked: u64, draws: u64, found: u64) -> Option<f64> {
    let distribution = Hypergeometric::new(all, marked, draws).ok()?;
    // By logarithms, as the binomial coefficients themselves overflow.
    let probability = |outcome| distribution.ln_pmf(outcome).exp();
    // Outcomes as probable as the one found differ from it by rounding.
    let limit = probability(found) * (1.0 + 1e-7);
    let lowest = (draws + marked).saturating_sub(all);
    let outcomes = (lowest..=marked.min(draws)).map(probability);
    Some(outcomes.filter(|probability| *probability <= limit).sum::<f64>().min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// See tests/oracle/methods.py for the numbers.
    #[test]
    fn few_missing_values_are_compared_exactly() {
        let table = [
            ((3, 1000), (0, 1200), 0.093_760_611_526_359_13),
            ((1, 50), (6, 40), 0.041_551_513_172_763_06),
            ((0, 10), (0, 10), 1.0),
            ((10, 10), (7, 7), 1.0),
        ];
        for (reference, current, p_value) in table {
            let found = compare(reference, current).unwrap();
            assert_eq!(found.test, ProportionTest::FisherExact);
            assert!((found.p_value - p_value).abs() < 1e-9, "{found:?}");
            let present = compare((reference.1 - reference.0, reference.1), (current.1 - current.0, current.1));
            assert!((present.unwrap().p_value - p_value).abs() < 1e-9, "missing and present are the same question");
        }
    }

    #[test]
    fn equal_shares_do_not_differ_and_empty_windows_are_not_compared() {
        assert_eq!(compare((100, 1000), (200, 2000)).unwrap().p_value, 1.0);
        assert_eq!(compare((0, 0), (1, 10)), None);
        assert_eq!(compare((1, 10), (0, 0)), None);
        assert_eq!(compare((11, 10), (0, 10)), None);
    }

    #[test]
    fn a_field_that_vanishes_is_seen_at_any_size() {
        assert!(compare((0, 40), (40, 40)).unwrap().p_value < 1e-12);
        assert!(compare((0, 400_000), (400_000, 400_000)).unwrap().p_value < 1e-12);
    }
}
