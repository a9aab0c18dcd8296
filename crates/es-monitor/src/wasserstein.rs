//! The Wasserstein-1 distance of two samples: how far, on average, values have to move for
//! one distribution to become the other. It has the unit of the field.
//!
//! From samples it is exact. From bins it is known except for the crossings of the distribution
//! functions inside a bin: the mean of a bin's values fixes the signed area between the functions,
//! which is the distance where they do not cross. The sum of these areas is the lower end, and on a
//! hundred quantile bins within a percent of the exact distance; the upper end follows from the
//! smallest and largest value of each bin. Where the mean of a bin is unknown, as in a plain
//! histogram, its area has a range of its own. [`undecided_bins`] names the bins to split to bring
//! the two ends together.

use crate::distribution::{Content, Numeric};

/// The ends between which the exact distance of binned samples lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DistanceBounds {
    /// The distance if the distribution functions cross inside no bin.
    pub low: f64,
    /// The largest distance that the values inside the bins can make.
    pub high: f64,
}

/// The distance of two sets of values with their counts, in any order; `None` when one has no
/// values.
///
/// ```
/// use es_monitor::wasserstein::distance;
/// let found = distance(&[(0.0, 3), (1.0, 1), (3.0, 6)], &[(5.0, 2), (6.0, 2), (8.0, 6)]).unwrap();
/// assert!((found - 5.1).abs() < 1e-12);
/// ```
pub fn distance(reference: &[(f64, u64)], current: &[(f64, u64)]) -> Option<f64> {
    let total = |points: &[(f64, u64)]| points.iter().map(|(_, count)| *count).sum::<u64>();
    let (n, m) = (total(reference), total(current));
    if n == 0 || m == 0 {
        return None;
    }
    // The distance is the area between the distribution functions (Vallender 1974).
    let mut steps: Vec<(f64, u64, u64)> = reference.iter().map(|(value, count)| (*value, *count, 0)).collect();
    steps.extend(current.iter().map(|(value, count)| (*value, 0, *count)));
    steps.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut f, mut g) = (0, 0);
    let mut area = 0.0;
    for pair in steps.windows(2) {
        f += pair[0].1;
        g += pair[0].2;
        area += (f as f64 / n as f64 - g as f64 / m as f64).abs() * (pair[1].0 - pair[0].0);
    }
    Some(area)
}

/// The bounds of the distance of two binned samples, which have the same bins; `None` when one is
/// empty.
pub fn bounds(reference: &Numeric, current: &Numeric) -> Option<DistanceBounds> {
    let areas = areas(reference, current)?;
    let low = areas.iter().map(|area| area.low).sum::<f64>();
    // Sums of the same numbers with a gap added to some of them: rounding must not cross them.
    let high = areas.iter().map(|area| area.high).sum::<f64>().max(low);
    Some(DistanceBounds { low, high })
}

/// The indices of the bins that keep the bounds apart, those with the largest gap first.
pub fn undecided_bins(reference: &Numeric, current: &Numeric) -> Vec<usize> {
    let Some(areas) = areas(reference, current) else { return Vec::new() };
    let mut open: Vec<(usize, f64)> = areas
        .iter()
        .filter_map(|area| area.bin.map(|place| (place, area.high - area.low)))
        .filter(|(_, gap)| *gap > 0.0)
        .collect();
    open.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    open.into_iter().map(|(place, _)| place).collect()
}

/// The area between the distribution functions over a part of the axis.
struct Area {
    /// The bin it belongs to; none for the gap between the values of two bins.
    bin: Option<usize>,
    low: f64,
    high: f64,
}

fn areas(reference: &Numeric, current: &Numeric) -> Option<Vec<Area>> {
    let (n, m) = (reference.values(), current.values());
    if n == 0 || m == 0 {
        return None;
    }
    let mut areas = Vec::new();
    let (mut f, mut g) = (0, 0);
    let mut end: Option<f64> = None;
    for (place, (r, c)) in reference.bins.iter().zip(&current.bins).enumerate() {
        let (from, to) = match (r.content, c.content) {
            (Some(r), Some(c)) => (r.min.min(c.min), r.max.max(c.max)),
            (Some(only), None) | (None, Some(only)) => (only.min, only.max),
            (None, None) => continue,
        };
        let (f_left, g_left) = (f as f64 / n as f64, g as f64 / m as f64);
        if let Some(end) = end {
            let gap = (f_left - g_left).abs() * (from - end);
            areas.push(Area { bin: None, low: gap, high: gap });
        }
        f += r.count();
        g += c.count();
        let ends = Ends { f_left, f_right: f as f64 / n as f64, g_left, g_right: g as f64 / m as f64 };
        areas.push(area_in_bin(place, (from, to), ends, r.content, c.content));
        end = Some(to);
    }
    Some(areas)
}

/// The distribution functions at both ends of a bin.
#[derive(Clone, Copy)]
struct Ends {
    f_left: f64,
    f_right: f64,
    g_left: f64,
    g_right: f64,
}

fn area_in_bin(
    place: usize,
    (from, to): (f64, f64),
    ends: Ends,
    reference: Option<Content>,
    current: Option<Content>,
) -> Area {
    let (p, q) = (ends.f_right - ends.f_left, ends.g_right - ends.g_left);
    let (low_f, high_f) = mean_range(reference, (from, to));
    let (low_g, high_g) = mean_range(current, (from, to));
    let base = (ends.f_left - ends.g_left) * (to - from);
    let signed = |mean_f: f64, mean_g: f64| base + p * (to - mean_f) - q * (to - mean_g);
    let (least, most) = (signed(high_f, low_g), signed(low_f, high_g));
    let low = if least <= 0.0 && most >= 0.0 { 0.0 } else { least.abs().min(most.abs()) };
    let apart = (ends.f_right - ends.g_left).max(ends.g_right - ends.f_left) * (to - from);
    let cannot_cross = ends.f_left >= ends.g_right || ends.g_left >= ends.f_right;
    let are_known = low_f == high_f && low_g == high_g;
    if cannot_cross || from == to {
        let high = if are_known { low } else { least.abs().max(most.abs()).min(apart).max(low) };
        return Area { bin: Some(place), low, high };
    }
    if !are_known {
        return Area { bin: Some(place), low, high: apart.max(low) };
    }
    // Moving all values of a window to their mean, where each function is flat except for one
    // step, changes the area by at most their deviation from it.
    let (mean_f, mean_g) = (low_f, low_g);
    let (first, second) = (mean_f.min(mean_g), mean_f.max(mean_g));
    let between = if mean_f <= mean_g { ends.f_right - ends.g_left } else { ends.f_left - ends.g_right };
    let at_means = (ends.f_left - ends.g_left).abs() * (first - from)
        + between.abs() * (second - first)
        + (ends.f_right - ends.g_right).abs() * (to - second);
    let moved = at_means + p * deviation_limit(reference, mean_f) + q * deviation_limit(current, mean_g);
    Area { bin: Some(place), low, high: apart.min(moved).max(low) }
}

/// The range of the mean of the values of a window in a bin: one number where it is known. A
/// distribution without values in the bin is flat there, and its mean does not matter.
fn mean_range(content: Option<Content>, (from, to): (f64, f64)) -> (f64, f64) {
    match content {
        None => (to, to),
        Some(Content { mean: Some(mean), .. }) => (mean.clamp(from, to), mean.clamp(from, to)),
        Some(Content { mean: None, min, max, .. }) => (min.clamp(from, to), max.clamp(from, to)),
    }
}

/// The largest mean absolute deviation that values of a range and mean can have: all of
/// them at the two ends.
fn deviation_limit(content: Option<Content>, mean: f64) -> f64 {
    match content {
        Some(content) if content.min < content.max => {
            let mean = mean.clamp(content.min, content.max);
            2.0 * (mean - content.min) * (content.max - mean) / (content.max - content.min)
        }
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::BinEdges;
    use proptest::prelude::*;

    fn points(values: &[f64]) -> Vec<(f64, u64)> {
        values.iter().map(|value| (*value, 1)).collect()
    }

    /// See tests/oracle/methods.py for the numbers.
    #[test]
    fn agrees_with_scipy_and_evidently() {
        let reference: Vec<f64> = (1..=1000).map(f64::from).collect();
        let current: Vec<f64> = reference.iter().map(|value| value * 1.1).collect();
        let found = distance(&points(&reference), &points(&current)).unwrap();
        assert!((found - 50.05).abs() < 1e-9, "{found}");
        let all = Numeric::of_values(&reference, &BinEdges::new(vec![]), 0).summary.unwrap();
        assert!((found / all.standard_deviation - 0.173_378_372_526_852_7).abs() < 1e-9);

        let small = [1.0, 2.0, 2.5, 4.0, 7.0, 7.5, 9.0];
        let other = [2.2, 3.0, 5.0, 6.0, 8.0, 8.5, 8.7, 9.5, 11.0, 12.0];
        assert!((distance(&points(&small), &points(&other)).unwrap() - 2.675_714_285_714_285_3).abs() < 1e-9);
    }

    fn in_bins(reference: &[f64], current: &[f64], edges: Vec<f64>) -> DistanceBounds {
        let edges = BinEdges::new(edges);
        bounds(&Numeric::of_values(reference, &edges, 0), &Numeric::of_values(current, &edges, 0)).unwrap()
    }

    #[test]
    fn a_shift_is_measured_exactly_in_any_bins() {
        let reference: Vec<f64> = (0..400).map(|i| f64::from(i).powi(2)).collect();
        let current: Vec<f64> = reference.iter().map(|value| value + 20_000.0).collect();
        for edges in [vec![], vec![100.0, 5000.0, 40_000.0, 90_000.0]] {
            let found = in_bins(&reference, &current, edges);
            assert!((found.low - 20_000.0).abs() < 1e-6 && found.high >= found.low, "{found:?}");
        }
    }

    #[test]
    fn an_outlier_in_the_last_bin_counts_with_its_distance() {
        let (reference, current) = ([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 1e6]);
        let exact = distance(&points(&reference), &points(&current)).unwrap();
        assert!((in_bins(&reference, &current, vec![2.0, 3.0, 4.0]).low - exact).abs() < 1e-6);
    }

    /// Spread and shape change, so the functions cross, with a long tail.
    #[test]
    fn quantile_bins_lose_little() {
        let reference: Vec<f64> = (1..3000).map(|i| (f64::from(i * 7 % 3001) / 700.0).exp()).collect();
        let current: Vec<f64> = (1..2000).map(|i| (f64::from(i * 7 % 2003) / 450.0).exp() * 0.8).collect();
        let exact = distance(&points(&reference), &points(&current)).unwrap();
        let mut sorted = reference.clone();
        sorted.sort_by(f64::total_cmp);
        for (bins, error) in [(10, 0.05), (20, 0.021), (100, 0.01), (200, 0.01)] {
            let edges = (1..bins).map(|edge| sorted[edge * sorted.len() / bins]).collect();
            let found = in_bins(&reference, &current, edges);
            assert!(found.low <= exact && exact <= found.high, "{bins}: {found:?} {exact}");
            assert!(found.low > exact * (1.0 - error), "{bins}: {found:?} {exact}");
        }
    }

    #[test]
    fn samples_without_values_have_no_distance() {
        assert_eq!(distance(&[], &[(1.0, 1)]), None);
        assert_eq!(distance(&[(1.0, 0)], &[(1.0, 1)]), None);
        let empty = Numeric::of_values(&[], &BinEdges::new(vec![1.0]), 4);
        assert_eq!(bounds(&empty, &empty), None);
        assert!(undecided_bins(&empty, &empty).is_empty());
    }

    proptest! {
        #[test]
        fn the_exact_distance_is_within_the_bounds_of_histograms(
            reference in prop::collection::vec(-30.0..30.0f64, 1..50),
            current in prop::collection::vec(-20.0..40.0f64, 1..50),
            inner in prop::collection::vec(-40.0..50.0f64, 0..8),
        ) {
            let exact = distance(&points(&reference), &points(&current)).unwrap();
            let edges = BinEdges::new(inner.into_iter().chain([-100.0, 100.0]).collect());
            let histogram = |values: &[f64]| {
                let counts = Numeric::of_values(values, &edges, 0).counts();
                Numeric::of_counts(edges.as_slice(), &counts[1..counts.len() - 1]).unwrap()
            };
            let (r, c) = (histogram(&reference), histogram(&current));
            let found = bounds(&r, &c).unwrap();
            prop_assert!(found.low <= exact + 1e-9 && exact <= found.high + 1e-9, "{:?} {}", found, exact);
            let with_means = bounds(&Numeric::of_values(&reference, &edges, 0), &Numeric::of_values(&current, &edges, 0));
            let narrow = with_means.unwrap();
            prop_assert!(found.low <= narrow.low + 1e-9 && narrow.high <= found.high + 1e-9, "{:?} {:?}", found, narrow);
        }

        #[test]
        fn the_exact_distance_is_within_the_bounds(
            reference in prop::collection::vec(-30.0..30.0f64, 1..50),
            current in prop::collection::vec(-20.0..40.0f64, 1..50),
            edges in prop::collection::vec(-40.0..50.0f64, 0..8),
        ) {
            let exact = distance(&points(&reference), &points(&current)).unwrap();
            let edges = BinEdges::new(edges);
            let (r, c) = (Numeric::of_values(&reference, &edges, 0), Numeric::of_values(&current, &edges, 0));
            let found = bounds(&r, &c).unwrap();
            prop_assert!(found.low <= exact + 1e-9 && exact <= found.high + 1e-9, "{:?} {}", found, exact);
            let mirrored = bounds(&c, &r).unwrap();
            prop_assert!((mirrored.low - found.low).abs() < 1e-9 && (mirrored.high - found.high).abs() < 1e-9);
            prop_assert!(found.high - found.low < 1e-9 || !undecided_bins(&r, &c).is_empty());
        }

        #[test]
        fn it_is_a_metric(
            mut a in prop::collection::vec(-30.0..30.0f64, 1..20),
            b in prop::collection::vec(-30.0..30.0f64, 1..20),
            c in prop::collection::vec(-30.0..30.0f64, 1..20),
            by in -5.0..5.0f64,
        ) {
            let d = |a: &[f64], b: &[f64]| distance(&points(a), &points(b)).unwrap();
            let moved: Vec<f64> = a.iter().map(|value| value + by).collect();
            prop_assert!(d(&a, &a) < 1e-9);
            prop_assert!((d(&a, &moved) - by.abs()).abs() < 1e-9);
            prop_assert!((d(&a, &b) - d(&b, &a)).abs() < 1e-9);
            prop_assert!(d(&a, &c) <= d(&a, &b) + d(&b, &c) + 1e-9);
            let before = d(&a, &b);
            a.reverse();
            prop_assert!((d(&a, &b) - before).abs() < 1e-9);
        }
    }
}
