//! The Jensen-Shannon distance of two sets of counts.
//!
//! The square root of the Jensen-Shannon divergence, which is the mean of the
//! Kullback-Leibler divergences of both from their middle. It is a metric and needs no
//! care for empty bins. In base 2 it goes from 0 to 1, as NannyML and TFDV have it (TFDV
//! without the root); in base e from 0 to √ln 2 ≈ 0.833, as Evidently has it.
//!
//! Source: Endres and Schindelin, "A new metric for probability distributions" (2003).

use crate::distribution::shares;

/// The base of the logarithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Base {
    /// Bits: distances from 0 to 1.
    Two,
    /// Nats: distances from 0 to √ln 2.
    E,
}

/// The distance; `None` when a window has no values.
///
/// ```
/// use es_monitor::jensen_shannon::{Base, distance};
/// let found = distance(&[500, 300, 200], &[450, 300, 250], Base::Two).unwrap();
/// assert!((found - 0.05438259553439696).abs() < 1e-12);
/// ```
pub fn distance(reference: &[u64], current: &[u64], base: Base) -> Option<f64> {
    if reference.iter().sum::<u64>() == 0 || current.iter().sum::<u64>() == 0 {
        return None;
    }
    let term = |share: f64, middle: f64| if share > 0.0 { share * (share / middle).ln() } else { 0.0 };
    let divergence: f64 = shares(reference)
        .into_iter()
        .zip(shares(current))
        .map(|(r, c)| (term(r, f64::midpoint(r, c)) + term(c, f64::midpoint(r, c))) / 2.0)
        .sum();
    let unit = match base {
        Base::Two => std::f64::consts::LN_2,
        Base::E => 1.0,
    };
    // Rounding can leave a sum of terms that cancel just below zero.
    Some((divergence.max(0.0) / unit).sqrt())
}

/// The root mean square of the distance when nothing drifts:
/// `√((k − 1)(1/n + 1/m) / 8)` nats for `k` bins that are not empty in both windows, as the
/// divergence is near a quarter of the chi-squared statistic over the sample size.
pub fn no_drift_expectation(reference: &[u64], current: &[u64], base: Base) -> Option<f64> {
    let nats = crate::psi::no_drift_expectation(reference, current)? / 8.0;
    Some(match base {
        Base::Two => (nats / std::f64::consts::LN_2).sqrt(),
        Base::E => nats.sqrt(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::{BinEdges, Numeric};

    /// See tests/oracle/methods.py for the numbers.
    #[test]
    fn agrees_with_evidently_and_nannyml() {
        let reference: Vec<f64> = (1..=1000).map(f64::from).collect();
        let current: Vec<f64> = reference.iter().map(|value| value * 1.1).collect();
        let counts = |values: &[f64], edges: &BinEdges| Numeric::of_values(values, edges, 0).counts();

        let sturges = BinEdges::new((1..12).map(|i| 1.0 + f64::from(i) * (1100.0 - 1.0) / 12.0).collect());
        let found = distance(&counts(&reference, &sturges), &counts(&current, &sturges), Base::E).unwrap();
        assert!((found - 0.173_506_768_904_417_77).abs() < 1e-9, "{found}");

        // Doane's eleven bins of the reference, and one above its largest value.
        let mut doane: Vec<f64> = (1..11).map(|i| 1.0 + f64::from(i) * (1000.0 - 1.0) / 11.0).collect();
        doane.push(1000.0_f64.next_up());
        let doane = BinEdges::new(doane);
        let found = distance(&counts(&reference, &doane), &counts(&current, &doane), Base::Two).unwrap();
        assert!((found - 0.216_965_944_108_678_03).abs() < 1e-9, "{found}");

        let found = distance(&[500, 300, 200], &[450, 300, 250], Base::E).unwrap();
        assert!((found - 0.045_276_480_678_886_21).abs() < 1e-9, "{found}");
    }

    #[test]
    fn the_ends_are_zero_and_one() {
        assert_eq!(distance(&[3, 0], &[9, 0], Base::Two), Some(0.0));
        assert_eq!(distance(&[3, 0], &[0, 9], Base::Two), Some(1.0));
        assert_eq!(distance(&[0, 0], &[0, 9], Base::Two), None);
    }
}
