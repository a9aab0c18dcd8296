//! The population stability index of two sets of counts.
//!
//! `PSI = Σ (rᵢ − cᵢ) ln(rᵢ / cᵢ)` over the shares of reference and current, in nats: the
//! symmetric Kullback-Leibler divergence. It is zero for equal shares and has no upper end.
//!
//! A share of zero would make it infinite. As Evidently does, an empty bin counts as a
//! share of 1e-4, and the other shares stay as they are; but never as more than half a
//! document's share, so that in large windows an empty bin stays emptier than one with a
//! single document.

use crate::distribution::shares;

const EMPTY_SHARE: f64 = 1e-4;

/// The index; `None` when a window has no values.
///
/// ```
/// use es_monitor::psi;
/// let index = psi::index(&[500, 300, 200], &[450, 300, 250]).unwrap();
/// assert!((index - 0.0164252033486018).abs() < 1e-12);
/// ```
pub fn index(reference: &[u64], current: &[u64]) -> Option<f64> {
    let (n, m) = (reference.iter().sum::<u64>(), current.iter().sum::<u64>());
    if n == 0 || m == 0 {
        return None;
    }
    let filled = |share: f64, size: u64| if share > 0.0 { share } else { EMPTY_SHARE.min(0.5 / size as f64) };
    let pairs = shares(reference).into_iter().zip(shares(current)).filter(|(r, c)| *r > 0.0 || *c > 0.0);
    Some(pairs.map(|(r, c)| (filled(r, n), filled(c, m))).map(|(r, c)| (r - c) * (r / c).ln()).sum())
}

/// The mean of the index when nothing drifts: `(k − 1)(1/n + 1/m)` for `k` bins that are not empty
/// in both windows. A threshold that is not well above it alarms on chance.
///
/// Source: Yurdakul, "Statistical properties of population stability index" (2018).
pub fn no_drift_expectation(reference: &[u64], current: &[u64]) -> Option<f64> {
    let (n, m) = (reference.iter().sum::<u64>(), current.iter().sum::<u64>());
    if n == 0 || m == 0 {
        return None;
    }
    let used = reference.iter().zip(current).filter(|(r, c)| **r > 0 || **c > 0).count();
    Some((used as f64 - 1.0) * (1.0 / n as f64 + 1.0 / m as f64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::{BinEdges, Numeric};

    /// Twelve equal bins are Sturges' rule for these 2000 values; see tests/oracle/methods.py.
    #[test]
    fn agrees_with_evidently() {
        let reference: Vec<f64> = (1..=1000).map(f64::from).collect();
        let current: Vec<f64> = reference.iter().map(|value| value * 1.1).collect();
        let edges = BinEdges::new((1..12).map(|i| 1.0 + f64::from(i) * (1100.0 - 1.0) / 12.0).collect());
        let counts = |values: &[f64]| Numeric::of_values(values, &edges, 0).counts();
        let found = index(&counts(&reference), &counts(&current)).unwrap();
        assert!((found - 0.572_874_822_783_581_5).abs() < 1e-9, "{found}");
    }

    #[test]
    fn an_empty_bin_weighs_less_than_one_with_a_document() {
        for size in [100_u64, 10_000, 1_000_000] {
            let reference = [size / 2, size / 2];
            let with = index(&reference, &[size - 1, 1]).unwrap();
            let without = index(&reference, &[size, 0]).unwrap();
            assert!(without > with && without.is_finite(), "{size}: {without} {with}");
        }
    }

    #[test]
    fn windows_without_values_have_no_index() {
        assert_eq!(index(&[0, 0], &[1, 2]), None);
        assert_eq!(index(&[1, 2], &[]), None);
        assert_eq!(index(&[5, 0], &[7, 0]), Some(0.0));
        assert_eq!(no_drift_expectation(&[10, 20, 0], &[0, 30, 0]), Some(2.0 / 30.0));
        assert_eq!(no_drift_expectation(&[0], &[3]), None);
    }
}
