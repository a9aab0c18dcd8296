//! The distance between neighbouring values of a numeric field.

/// The distance between the values that a field can hold. Elasticsearch rounds the ends of
/// a range to it, so an edge between two neighbours would move onto one of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Resolution {
    /// Whole numbers.
    Whole,
    /// Double precision: 52 bits after the first.
    Double,
    /// Single precision: 23 bits after the first.
    Single,
    /// Half precision: 10 bits after the first.
    Half,
    /// Multiples of a number above zero.
    Step(f64),
}

impl Resolution {
    /// The smallest edge that has the same values of the field below it.
    pub(crate) fn snap(self, edge: f64) -> f64 {
        let up = |edge: f64, step: f64| {
            let steps = edge / step;
            // A number of steps that is whole but for rounding is that number.
            let whole = if (steps - steps.round()).abs() <= 1e-9 { steps.round() } else { steps.ceil() };
            whole * step
        };
        match self {
            Self::Whole => up(edge, 1.0),
            Self::Double => edge,
            Self::Single | Self::Half => f64::from(edge as f32),
            Self::Step(step) => up(edge, step),
        }
    }

    /// An edge above a value of the field and not above the next one.
    pub(crate) fn above(self, value: f64) -> f64 {
        match self {
            Self::Whole => value + 1.0,
            Self::Double => value.next_up(),
            Self::Single => f64::from((value as f32).next_up()),
            // The distance of neighbours is between 2^-11 and 2^-10 of them, and 2^-24 at zero.
            Self::Half => value + (value.abs() / 1024.0).max(1.0 / 16_777_216.0),
            Self::Step(step) => self.snap(value) + step,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_are_values_of_the_field() {
        let table = [
            (Resolution::Whole, 1.5, 2.0, 3.0),
            (Resolution::Whole, -1.5, -1.0, 0.0),
            (Resolution::Whole, 2.000_000_000_1, 2.0, 3.0),
            (Resolution::Double, 1.5, 1.5, 1.5_f64.next_up()),
            (Resolution::Single, 0.1, f64::from(0.1_f32), f64::from(0.1_f32.next_up())),
            (Resolution::Half, 1.0, 1.0, 1.0 + 1.0 / 1024.0),
            (Resolution::Step(0.01), 0.123, 0.13, 0.14),
            (Resolution::Step(0.01), 0.07, 0.07, 0.08),
        ];
        for (resolution, edge, snapped, above) in table {
            assert!((resolution.snap(edge) - snapped).abs() < 1e-15, "{resolution:?} {edge}");
            let found = resolution.above(resolution.snap(edge));
            assert!((found - above).abs() < 1e-12 && found > snapped, "{resolution:?} {edge} {found}");
        }
    }
}
