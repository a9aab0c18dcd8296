//! Counts of a field's values by bin, with what each bin holds.

use super::Resolution;

/// Numbers nearer to each other than this share of their size are the same edge: they
/// differ by the rounding of an interpolation.
const SAME: f64 = 1e-12;

/// Where bins meet: strictly increasing numbers. The first bin reaches down to minus
/// infinity and the last up to infinity, so that every value is in exactly one.
#[derive(Clone, Debug, PartialEq)]
pub struct BinEdges(Vec<f64>);

impl BinEdges {
    /// The edges, sorted, without repetitions and without what is not a finite number.
    pub fn new(mut edges: Vec<f64>) -> Self {
        edges.retain(|edge| edge.is_finite());
        edges.sort_by(f64::total_cmp);
        edges.dedup_by(|later, earlier| later == earlier);
        Self(edges)
    }

    /// Edges from quantiles of the reference, in ascending order. A number that is several
    /// quantiles is so frequent that it gets a bin of its own.
    ///
    /// ```
    /// use es_monitor::distribution::{BinEdges, Resolution};
    /// let quantiles = [0.0, 0.0, 1.5, 3.0];
    /// let edges = BinEdges::from_quantiles(&quantiles, Resolution::Double);
    /// assert_eq!(edges.as_slice(), [0.0, 0.0_f64.next_up(), 1.5, 3.0]);
    /// let edges = BinEdges::from_quantiles(&quantiles, Resolution::Whole);
    /// assert_eq!(edges.as_slice(), [0.0, 1.0, 2.0, 3.0]);
    /// ```
    pub fn from_quantiles(quantiles: &[f64], resolution: Resolution) -> Self {
        let mut edges: Vec<f64> = Vec::with_capacity(quantiles.len() + 1);
        let mut frequent: Vec<f64> = Vec::new();
        for quantile in quantiles.iter().copied().filter(|quantile| quantile.is_finite()) {
            let edge = resolution.snap(quantile);
            match edges.last() {
                Some(last) if edge <= *last || edge - last <= SAME * edge.abs() => {
                    if (quantile - last).abs() <= SAME * quantile.abs() {
                        frequent.push(resolution.above(*last));
                    }
                }
                _ => edges.push(edge),
            }
        }
        edges.append(&mut frequent);
        Self::new(edges)
    }

    /// These edges and more of them.
    pub fn with(&self, more: impl IntoIterator<Item = f64>) -> Self {
        Self::new(self.0.iter().copied().chain(more).collect())
    }

    /// The edges.
    pub fn as_slice(&self) -> &[f64] {
        &self.0
    }

    /// The number of bins: one more than there are edges.
    pub fn bins(&self) -> usize {
        self.0.len() + 1
    }

    /// The bins as half-open intervals `[from, to)`, infinite at the ends.
    pub fn intervals(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let from = [f64::NEG_INFINITY].into_iter().chain(self.0.iter().copied());
        from.zip(self.0.iter().copied().chain([f64::INFINITY]))
    }
}

/// What lies in a bin that is not empty.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Content {
    /// The number of values, not zero.
    pub count: u64,
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
    /// The mean of the values.
    pub mean: f64,
}

/// A half-open interval `[from, to)` and what lies in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bin {
    /// The lower end, which belongs to the bin; minus infinity in the first.
    pub from: f64,
    /// The upper end, which does not; infinity in the last.
    pub to: f64,
    /// What lies in it; nothing when it is empty.
    pub content: Option<Content>,
}

impl Bin {
    /// The number of values in it.
    pub fn count(&self) -> u64 {
        self.content.map_or(0, |content| content.count)
    }
}

/// Size and spread of all values of a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
    /// The mean.
    pub mean: f64,
    /// The population standard deviation.
    pub standard_deviation: f64,
}

/// The values of one window by bin.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Numeric {
    /// The bins from the lowest to the highest, without gaps; the same in both windows.
    pub bins: Vec<Bin>,
    /// Documents without a value.
    pub missing: u64,
    /// Size and spread of the values; nothing when there are none.
    pub summary: Option<Summary>,
}

impl Numeric {
    /// Puts values into bins.
    ///
    /// ```
    /// use es_monitor::distribution::{BinEdges, Numeric};
    /// let delays = Numeric::of_values(&[-3.0, 0.0, 4.0], &BinEdges::new(vec![0.0, 5.0]), 2);
    /// assert_eq!(delays.counts(), [1, 2, 0]);
    /// assert_eq!(delays.missing, 2);
    /// ```
    pub fn of_values(values: &[f64], edges: &BinEdges, missing: u64) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let mut rest = sorted.as_slice();
        let bins = edges.intervals().map(|(from, to)| {
            let (inside, above) = rest.split_at(rest.partition_point(|value| *value < to));
            rest = above;
            Bin { from, to, content: summarize(inside).map(|(count, all)| content(count, all)) }
        });
        let bins = bins.collect();
        Self { bins, missing, summary: summarize(&sorted).map(|(_, all)| all) }
    }

    /// The counts of the bins.
    pub fn counts(&self) -> Vec<u64> {
        self.bins.iter().map(Bin::count).collect()
    }

    /// The number of values in the bins.
    pub fn values(&self) -> u64 {
        self.bins.iter().map(Bin::count).sum()
    }
}

fn content(count: u64, all: Summary) -> Content {
    Content { count, min: all.min, max: all.max, mean: all.mean }
}

fn summarize(sorted: &[f64]) -> Option<(u64, Summary)> {
    let (min, max) = (*sorted.first()?, *sorted.last()?);
    let n = sorted.len() as f64;
    let mean = sorted.iter().sum::<f64>() / n;
    let variance = sorted.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n;
    Some((sorted.len() as u64, Summary { min, max, mean, standard_deviation: variance.sqrt() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn repeated_quantiles_get_a_bin_of_their_own() {
        let table: [(&[f64], Resolution, &[f64]); 9] = [
            (&[1.0, 2.0, 3.0], Resolution::Double, &[1.0, 2.0, 3.0]),
            (&[5.0, 5.0, 5.0], Resolution::Double, &[5.0, 5.0_f64.next_up()]),
            (&[5.0, 5.0, 5.0], Resolution::Single, &[5.0, f64::from(5.0_f32.next_up())]),
            (&[5.0, 5.0, 5.0], Resolution::Whole, &[5.0, 6.0]),
            (&[1.0, 2.0, 2.0, 2.0, 9.0], Resolution::Double, &[1.0, 2.0, 2.0_f64.next_up(), 9.0]),
            (&[2.0, 2.000_000_000_000_000_4, 3.0], Resolution::Double, &[2.0, 2.0_f64.next_up(), 3.0]),
            (&[0.2, 0.7, 2.5], Resolution::Whole, &[1.0, 3.0]),
            (&[0.2, 0.7, 1.000_000_000_000_000_2, 2.5], Resolution::Whole, &[1.0, 2.0, 3.0]),
            (&[f64::NAN, 1.0, f64::INFINITY], Resolution::Double, &[1.0]),
        ];
        for (quantiles, resolution, expected) in table {
            let edges = BinEdges::from_quantiles(quantiles, resolution);
            assert_eq!(edges.as_slice(), expected, "{quantiles:?}");
        }
    }

    proptest! {
        #[test]
        fn every_value_is_in_exactly_one_bin(
            values in prop::collection::vec(-50.0..50.0f64, 0..60),
            edges in prop::collection::vec(-60.0..60.0f64, 0..8),
        ) {
            let edges = BinEdges::new(edges);
            let binned = Numeric::of_values(&values, &edges, 0);
            prop_assert_eq!(binned.bins.len(), edges.bins());
            prop_assert_eq!(binned.values(), values.len() as u64);
            for bin in binned.bins {
                let inside: Vec<f64> = values.iter().copied().filter(|v| bin.from <= *v && *v < bin.to).collect();
                prop_assert_eq!(bin.count(), inside.len() as u64);
                if let Some(content) = bin.content {
                    prop_assert!(content.min <= content.mean + 1e-9 && content.mean <= content.max + 1e-9);
                }
            }
        }

        #[test]
        fn edges_from_quantiles_increase(mut quantiles in prop::collection::vec(-3.0..3.0f64, 0..20), whole: bool) {
            quantiles.sort_by(f64::total_cmp);
            let resolution = if whole { Resolution::Whole } else { Resolution::Double };
            let edges = BinEdges::from_quantiles(&quantiles, resolution);
            prop_assert!(edges.as_slice().windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(!whole || edges.as_slice().iter().all(|edge| edge.fract() == 0.0));
        }
    }
}
