//! The two-sample Kolmogorov-Smirnov test: the largest difference of two distribution
//! functions, and how probable one as large is by chance.
//!
//! From samples the statistic is exact. From bins it is known at the edges, which gives a lower
//! end, and bounded between them, which gives an upper one; [`undecided_bins`] names the bins to
//! split to bring the two together.

use std::f64::consts::PI;

use crate::distribution::Numeric;

/// The largest product of the sample sizes for which the p-value is exact: 20 milliseconds of work.
const EXACT_UP_TO: u64 = 10_000_000;

/// The ends between which the statistic of binned samples lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StatisticBounds {
    /// The largest difference at an edge of a bin.
    pub low: f64,
    /// The largest difference that the values inside the bins can make.
    pub high: f64,
}

/// The statistic of two samples; `None` when one is empty.
///
/// ```
/// use es_monitor::kolmogorov_smirnov::statistic;
/// assert_eq!(statistic(&[1.0, 2.0, 3.0, 4.0], &[3.0, 4.0, 5.0, 6.0]), Some(0.5));
/// ```
pub fn statistic(reference: &[f64], current: &[f64]) -> Option<f64> {
    if reference.is_empty() || current.is_empty() {
        return None;
    }
    let sorted = |values: &[f64]| {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        values
    };
    let (reference, current) = (sorted(reference), sorted(current));
    let up_to = |values: &[f64], value: f64| values.partition_point(|other| *other <= value) as f64;
    let (n, m) = (reference.len() as f64, current.len() as f64);
    let difference = |value: &f64| (up_to(&reference, *value) / n - up_to(&current, *value) / m).abs();
    Some(reference.iter().chain(&current).map(difference).fold(0.0, f64::max))
}

/// The bounds of the statistic of two binned samples, which have the same bins; `None` when one is
/// empty.
pub fn bounds(reference: &Numeric, current: &Numeric) -> Option<StatisticBounds> {
    let reaches = reaches(reference, current)?;
    let low = reaches.iter().map(|reach| reach.at_edges).fold(0.0, f64::max);
    let high = reaches.iter().map(|reach| reach.inside).fold(low, f64::max);
    Some(StatisticBounds { low, high })
}

/// The indices of the bins inside which the statistic may be larger than at any edge.
pub fn undecided_bins(reference: &Numeric, current: &Numeric) -> Vec<usize> {
    let (Some(reaches), Some(bounds)) = (reaches(reference, current), bounds(reference, current)) else {
        return Vec::new();
    };
    reaches.iter().enumerate().filter(|(_, reach)| reach.inside > bounds.low).map(|(place, _)| place).collect()
}

/// The largest difference of the distribution functions at the ends of a bin, and the largest one
/// that is possible inside.
struct Reach {
    at_edges: f64,
    inside: f64,
}

fn reaches(reference: &Numeric, current: &Numeric) -> Option<Vec<Reach>> {
    let (n, m) = (reference.values(), current.values());
    if n == 0 || m == 0 {
        return None;
    }
    let (mut f, mut g) = (0, 0);
    let share = |count: u64, all: u64| count as f64 / all as f64;
    let bins = reference.bins.iter().zip(&current.bins).map(|(r, c)| {
        let (f_left, g_left) = (share(f, n), share(g, m));
        f += r.count();
        g += c.count();
        let (f_right, g_right) = (share(f, n), share(g, m));
        let at_edges = (f_left - g_left).abs().max((f_right - g_right).abs());
        // The furthest apart they can be: all of one before any of the other. Where all values of
        // a bin are one number, both step at once and the difference is largest at an edge.
        let single = match (r.content, c.content) {
            (Some(r), Some(c)) => r.min == r.max && c.min == c.max && r.min == c.min,
            _ => true,
        };
        let apart = (f_right - g_left).max(g_right - f_left);
        Reach { at_edges, inside: if single { at_edges } else { apart.max(at_edges) } }
    });
    Some(bins.collect())
}

/// The two-sided p-value of a statistic of samples of `n` and `m` values: exact, as in
/// scipy's `ks_2samp(method="exact")`, up to a product of ten million; above it the limit
/// distribution. Near 0.01 that is larger than the exact value by a few percent, and by a
/// third where one sample has only thirty values. Ties make either larger than it should be.
///
/// ```
/// use es_monitor::kolmogorov_smirnov::p_value;
/// assert!((p_value(0.091, 1000, 1000) - 0.0005028776494501317).abs() < 1e-9);
/// ```
pub fn p_value(statistic: f64, n: u64, m: u64) -> f64 {
    match n.checked_mul(m) {
        Some(0) => 1.0,
        Some(product) if product <= EXACT_UP_TO => exact_p_value(statistic, n, m),
        _ => {
            let effective = n as f64 * (m as f64 / (n as f64 + m as f64));
            kolmogorov_survival(effective.sqrt() * statistic)
        }
    }
}

/// The share of all orders of the pooled values in which the statistic is as large.
///
/// An order is a path over a grid, one step a value; it counts when it leaves a band about
/// the diagonal. The share at a grid point follows from its two neighbours, as the last
/// step came from each with a known probability (Hodges 1957, in survival form so that
/// small values keep their digits).
fn exact_p_value(statistic: f64, n: u64, m: u64) -> f64 {
    // In whole numbers, so that a difference equal to the statistic is seen as equal.
    let limit = (statistic * (n * m) as f64).round() as u64;
    if limit == 0 {
        return 1.0;
    }
    let outside = |i: u64, j: u64| (i * m).abs_diff(j * n) >= limit;
    let mut left = vec![0.0_f64; m as usize + 1];
    for i in 0..=n {
        for j in 0..=m {
            let at = j as usize;
            left[at] = if outside(i, j) {
                1.0
            } else if i + j == 0 {
                0.0
            } else {
                let (from_reference, from_current) = (i as f64 / (i + j) as f64, j as f64 / (i + j) as f64);
                let before = if j == 0 { 0.0 } else { left[at - 1] };
                from_reference * left[at] + from_current * before
            };
        }
    }
    left[m as usize]
}

/// The survival function of Kolmogorov's distribution.
///
/// Two series of it are known; each converges in a few terms on one side of 1.
fn kolmogorov_survival(x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    if x < 1.0 {
        let terms = (1..=6).map(|k| (-(f64::from(2 * k - 1) * PI / x).powi(2) / 8.0).exp());
        return 1.0 - (2.0 * PI).sqrt() / x * terms.sum::<f64>();
    }
    let terms = (1..=6).map(|k| {
        let term = (-2.0 * (f64::from(k) * x).powi(2)).exp();
        if k % 2 == 1 { term } else { -term }
    });
    2.0 * terms.sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::BinEdges;
    use proptest::prelude::*;

    /// See tests/oracle/methods.py for the numbers.
    #[test]
    fn agrees_with_scipy() {
        let reference: Vec<f64> = (1..=1000).map(f64::from).collect();
        let current: Vec<f64> = reference.iter().map(|value| value * 1.1).collect();
        let found = statistic(&reference, &current).unwrap();
        assert!((found - 0.091).abs() < 1e-12);

        let small = [1.0, 2.0, 2.5, 4.0, 7.0, 7.5, 9.0];
        let other = [2.2, 3.0, 5.0, 6.0, 8.0, 8.5, 8.7, 9.5, 11.0, 12.0];
        let found = statistic(&small, &other).unwrap();
        assert!((found - 0.457_142_857_142_857_13).abs() < 1e-12);
        assert!((p_value(found, 7, 10) - 0.281_417_112_299_465_3).abs() < 1e-9);

        let survival = [
            (0.3, 0.999_990_694_198_665_5),
            (0.5, 0.963_945_243_664_875_1),
            (0.8, 0.544_142_411_574_198_1),
            (1.0, 0.269_999_671_677_354_56),
            (1.36, 0.049_485_876_755_377_876),
            (2.0, 0.000_670_925_255_779_695_3),
            (4.0, 2.532_833_109_818_835e-14),
        ];
        for (x, expected) in survival {
            assert!((kolmogorov_survival(x) / expected - 1.0).abs() < 1e-9, "{x}");
        }
    }

    #[test]
    fn the_limit_is_near_the_exact_value_where_it_takes_over() {
        let (n, m) = (3162, 3162);
        for statistic in [0.02, 0.034, 0.041, 0.05] {
            let exact = exact_p_value(statistic, n, m);
            let limit = kolmogorov_survival((n as f64 / 2.0).sqrt() * statistic);
            assert!(limit >= exact * 0.999 && limit < exact * 1.1, "{statistic}: {exact} {limit}");
        }
    }

    #[test]
    fn the_ends_are_one_and_zero() {
        assert_eq!(p_value(0.0, 10, 10), 1.0);
        assert_eq!(p_value(0.5, 0, 10), 1.0);
        assert_eq!(p_value(0.0, 1_000_000, 1_000_000), 1.0);
        assert!(p_value(1.0, 1_000_000, 1_000_000) == 0.0);
        assert_eq!(statistic(&[], &[1.0]), None);
        let empty = Numeric::of_values(&[], &BinEdges::new(vec![0.0]), 0);
        assert_eq!(bounds(&empty, &empty), None);
        assert_eq!(undecided_bins(&empty, &empty), [0_usize; 0]);
    }

    #[test]
    fn bins_of_one_number_give_the_exact_statistic() {
        let edges = BinEdges::new(vec![1.0, 2.0, 3.0]);
        let (reference, current) = ([0.0, 1.0, 1.0, 2.0, 3.0], [0.0, 0.0, 2.0, 3.0]);
        let (r, c) = (Numeric::of_values(&reference, &edges, 0), Numeric::of_values(&current, &edges, 0));
        let exact = statistic(&reference, &current).unwrap();
        assert_eq!(bounds(&r, &c), Some(StatisticBounds { low: exact, high: exact }));
    }

    proptest! {
        #[test]
        fn the_exact_statistic_is_within_the_bounds(
            reference in prop::collection::vec(0..40_i32, 1..50),
            current in prop::collection::vec(0..40_i32, 1..50),
            edges in prop::collection::vec(0..40_i32, 0..8),
        ) {
            let floats = |values: &[i32]| values.iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
            let (reference, current, edges) = (floats(&reference), floats(&current), BinEdges::new(floats(&edges)));
            let exact = statistic(&reference, &current).unwrap();
            prop_assert_eq!(Some(exact), statistic(&current, &reference));
            let (r, c) = (Numeric::of_values(&reference, &edges, 0), Numeric::of_values(&current, &edges, 0));
            let found = bounds(&r, &c).unwrap();
            prop_assert!(found.low <= exact + 1e-12 && exact <= found.high + 1e-12, "{:?} {}", found, exact);
            prop_assert_eq!(undecided_bins(&r, &c).is_empty(), found.low == found.high);
            prop_assert_eq!(statistic(&reference, &reference), Some(0.0));
        }

        #[test]
        fn larger_differences_are_less_probable(n in 1..60_u64, m in 1..60_u64, d in 0.0..0.9f64) {
            let (small, large) = (p_value(d, n, m), p_value(d + 0.1, n, m));
            prop_assert!((0.0..=1.0 + 1e-12).contains(&small) && large <= small + 1e-12);
            prop_assert!((p_value(d, n, m) - p_value(d, m, n)).abs() < 1e-12);
        }
    }
}
