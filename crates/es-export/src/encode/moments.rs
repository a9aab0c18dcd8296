//! Mean and variance of values that come in batches.
//!
//! Each batch is summed up in two passes, and batches are put together by the update of
//! [Chan, Golub and LeVeque](http://i.stanford.edu/pub/cstr/reports/cs/tr/79/773/CS-TR-79-773.pdf),
//! which loses no digits to cancellation, however far the mean is from zero.

/// Count, mean, and the sum of the squared distances to the mean.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Moments {
    pub(super) count: u64,
    pub(super) mean: f64,
    squares: f64,
}

impl Moments {
    /// Those of some values.
    pub(super) fn of(values: &[f64]) -> Self {
        if values.is_empty() {
            return Self::default();
        }
        let count = values.len() as f64;
        // The first value as the origin keeps the sum small where values are close together.
        let origin = values[0];
        let mean = origin + values.iter().map(|value| value - origin).sum::<f64>() / count;
        // The correction is zero except for the rounding of the mean.
        let (mut squares, mut correction) = (0.0, 0.0);
        for value in values {
            let distance = value - mean;
            squares += distance * distance;
            correction += distance;
        }
        Self { count: values.len() as u64, mean, squares: squares - correction * correction / count }
    }

    /// Those of two sets of values together.
    pub(super) fn and(self, other: Self) -> Self {
        if self.count == 0 || other.count == 0 {
            return if self.count == 0 { other } else { self };
        }
        let (one, two) = (self.count as f64, other.count as f64);
        let (all, distance) = (one + two, other.mean - self.mean);
        Self {
            count: self.count + other.count,
            mean: self.mean + distance * (two / all),
            squares: self.squares + other.squares + distance * distance * (one * two / all),
        }
    }

    /// The standard deviation of the values as a population; 0 where there is none.
    pub(super) fn std(&self) -> f64 {
        (self.squares.max(0.0) / (self.count.max(1)) as f64).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn batches(values: &[f64], size: usize) -> Moments {
        values.chunks(size).map(Moments::of).fold(Moments::default(), Moments::and)
    }

    #[test]
    fn a_mean_far_from_zero_costs_no_digits() {
        // NIST StRD, NumAcc4: the certified mean is 10000000.2, the sample standard deviation 0.1.
        let values: Vec<f64> =
            (0..1001).map(|n| if n == 0 { 10_000_000.2 } else { [10_000_000.3, 10_000_000.1][n % 2] }).collect();
        for size in [1, 7, 100, 2000] {
            let found = batches(&values, size);
            assert_eq!(found.count, 1001);
            assert!((found.mean - 10_000_000.2).abs() < 1e-8, "{}", found.mean);
            let sample = found.std() * (1001.0_f64 / 1000.0).sqrt();
            assert!((sample - 0.1).abs() < 1e-8, "{sample}");
        }
    }

    #[test]
    fn nothing_has_no_moments() {
        assert_eq!(Moments::of(&[]).and(Moments::default()), Moments::default());
        assert_eq!(Moments::default().std(), 0.0);
        assert_eq!(Moments::of(&[3.0, 3.0]).std(), 0.0);
        assert_eq!(Moments::of(&[5.0]).and(Moments::default()), Moments::of(&[5.0]));
    }

    proptest! {
        #[test]
        fn batches_add_up_to_the_whole(
            values in prop::collection::vec(-1e6..1e6_f64, 1..300), size in 1..50_usize,
        ) {
            let whole = Moments::of(&values);
            let found = batches(&values, size);
            prop_assert_eq!(found.count, whole.count);
            prop_assert!((found.mean - whole.mean).abs() <= 1e-9 * (1.0 + whole.mean.abs()));
            prop_assert!((found.std() - whole.std()).abs() <= 1e-9 * (1.0 + whole.std()));
        }
    }
}
