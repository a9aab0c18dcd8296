//! Several iterations at the same work, in one figure.

use serde::Serialize;

use super::measure::Measured;

/// Medians of what a whole process took, over several iterations at the same documents.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Medians {
    pub(super) wall_seconds: f64,
    /// The quickest and the slowest iteration.
    pub(super) wall_range_seconds: (f64, f64),
    pub(super) cpu_seconds: f64,
    pub(super) cpu_microseconds_per_document: f64,
    pub(super) peak_rss_megabytes: f64,
}

impl Medians {
    /// `None` without a iteration.
    pub(super) fn of(iterations: &[Measured], documents: u64) -> Option<Self> {
        let each = |figure: fn(&Measured) -> f64| iterations.iter().map(figure).collect::<Vec<f64>>();
        let walls = each(|iteration| iteration.wall_seconds);
        let cpu_seconds = median(&each(Measured::cpu_seconds))?;
        Some(Self {
            wall_seconds: median(&walls)?,
            wall_range_seconds: range(&walls),
            cpu_seconds,
            cpu_microseconds_per_document: cpu_seconds * 1e6 / documents as f64,
            peak_rss_megabytes: median(&each(Measured::peak_rss_megabytes))?,
        })
    }
}

/// A ratio for a table; a dash where there is nothing to compare with.
pub(super) fn times(ratio: Option<f64>, digits: usize) -> String {
    ratio.map_or("–".into(), |ratio| format!("{ratio:.digits$}×"))
}

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
    fn processes_are_summed_up_by_medians() {
        let iteration = |wall_seconds, user_seconds| Measured {
            wall_seconds,
            user_seconds,
            system_seconds: 1.0,
            peak_rss_bytes: 50_000_000,
        };
        let medians = Medians::of(&[iteration(2.0, 1.0), iteration(9.0, 3.0), iteration(3.0, 2.0)], 1000).unwrap();
        assert_eq!((medians.wall_seconds, medians.wall_range_seconds), (3.0, (2.0, 9.0)));
        assert_eq!((medians.cpu_seconds, medians.cpu_microseconds_per_document), (3.0, 3000.0));
        assert_eq!(medians.peak_rss_megabytes, 50.0);
        assert_eq!(Medians::of(&[], 1000), None);
    }

    #[test]
    fn ratios_are_times_something_or_unknown() {
        assert_eq!((times(Some(1.235), 2).as_str(), times(None, 2).as_str()), ("1.24×", "–"));
    }

    #[test]
    fn a_range_has_both_ends() {
        assert_eq!(range(&[2.0, 9.0, 1.0]), (1.0, 9.0));
    }
}
