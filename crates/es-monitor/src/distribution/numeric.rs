//! Counts of the values of a field by bin, with the range and mean of each bin.

use super::Resolution;
use crate::error::{Error, ErrorKind};

/// Numbers nearer to each other than this share of their size are the same edge: they
/// differ by the rounding of an interpolation.
const SAME: f64 = 1e-12;

/// The edges between bins: strictly increasing numbers. The first bin reaches down to minus
/// infinity and the last up to infinity, so that every value is in exactly one.
#[derive(Clone, Debug, PartialEq)]
pub struct BinEdges(Vec<f64>);

impl BinEdges {
    /// The edges, sorted, without repetitions and without numbers that are not finite.
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

/// The values in a bin that is not empty.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Content {
    /// The number of values, not zero.
    pub count: u64,
    /// The smallest value, or a lower bound of it.
    pub min: f64,
    /// The largest value, or an upper bound of it.
    pub max: f64,
    /// The mean of the values, where it is known.
    pub mean: Option<f64>,
}

/// A half-open interval `[from, to)` and the values in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bin {
    /// The inclusive lower end; may be minus infinity in the first bin.
    pub from: f64,
    /// The exclusive upper end; may be infinity in the last bin.
    pub to: f64,
    /// The values in it; `None` when it is empty.
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
    /// Size and spread of the values; `None` when there are none, and for a histogram.
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

    /// A histogram: bins between `edges`, one more than there are `counts`, as `numpy.histogram`
    /// returns them. Both windows must have the same edges.
    ///
    /// The methods that compare shares ([`crate::psi`], [`crate::jensen_shannon`],
    /// [`crate::l_infinity`], [`crate::chi_squared`]) need no more than that. Without the smallest
    /// and largest value and the mean of each bin, the bounds of the others are wider:
    /// [`crate::kolmogorov_smirnov::bounds`] is exact at the edges, but cannot use that all values
    /// of a bin are one number, and [`crate::wasserstein::bounds`] knows the values of a bin no
    /// better than by its width. There is no [`Numeric::summary`] either.
    ///
    /// ```
    /// use es_monitor::distribution::Numeric;
    /// use es_monitor::kolmogorov_smirnov;
    ///
    /// let edges = [0.0, 10.0, 20.0, 30.0];
    /// let reference = Numeric::of_counts(&edges, &[50, 30, 20])?;
    /// let current = Numeric::of_counts(&edges, &[30, 30, 40])?;
    /// let bounds = kolmogorov_smirnov::bounds(&reference, &current).unwrap();
    /// assert!((bounds.low - 0.2).abs() < 1e-12 && (bounds.high - 0.5).abs() < 1e-12);
    /// # Ok::<(), es_monitor::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Histogram`] when there is not one more edge than counts, or the edges are not
    /// finite numbers that increase.
    pub fn of_counts(edges: &[f64], counts: &[u64]) -> Result<Self, Error> {
        if counts.is_empty() || edges.len() != counts.len() + 1 {
            return Err(Error::new(
                ErrorKind::Histogram,
                format!("expected one more edge than counts, found {} edges and {} counts", edges.len(), counts.len()),
            )
            .with_help("give the lower edge of every bin, and the upper edge of the last one"));
        }
        let increases = |pair: &[f64]| pair[0].is_finite() && pair[1].is_finite() && pair[0] < pair[1];
        if let Some(index) = edges.windows(2).position(|pair| !increases(pair)) {
            let (edge, next) = (edges[index], edges[index + 1]);
            return Err(Error::new(
                ErrorKind::Histogram,
                format!("expected edges that are finite numbers and increase, found {edge} and then {next}"),
            )
            .with_help("sort the edges, and remove bins without width"));
        }
        let bins = edges.windows(2).zip(counts).map(|(ends, count)| {
            let (from, to) = (ends[0], ends[1]);
            let content = (*count > 0).then_some(Content { count: *count, min: from, max: to, mean: None });
            Bin { from, to, content }
        });
        Ok(Self { bins: bins.collect(), missing: 0, summary: None })
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
    Content { count, min: all.min, max: all.max, mean: Some(all.mean) }
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

    #[test]
    fn a_histogram_whose_edges_do_not_fit_is_refused() {
        for (edges, counts, expected) in [
            (&[0.0, 1.0][..], &[1, 2][..], "expected one more edge than counts, found 2 edges and 2 counts"),
            (&[0.0], &[], "expected one more edge than counts, found 1 edges and 0 counts"),
            (&[0.0, 2.0, 2.0], &[1, 2], "expected edges that are finite numbers and increase, found 2 and then 2"),
            (&[0.0, f64::NAN], &[1], "expected edges that are finite numbers and increase, found 0 and then NaN"),
            (&[0.0, f64::INFINITY], &[1], "expected edges that are finite numbers and increase, found 0 and then inf"),
        ] {
            let error = Numeric::of_counts(edges, counts).unwrap_err();
            assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Histogram, expected));
        }
        let histogram = Numeric::of_counts(&[0.0, 1.0, 3.0], &[0, 4]).unwrap();
        assert_eq!((histogram.counts(), histogram.values(), histogram.missing), (vec![0, 4], 4, 0));
        assert_eq!(histogram.bins[0].content, None);
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
                    let mean = content.mean.unwrap();
                    prop_assert!(content.min <= mean + 1e-9 && mean <= content.max + 1e-9);
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
