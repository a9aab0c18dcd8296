//! The names of the fields of a row.

use es_values::TimeSpan;

use super::{Feature, FeatureSet};

/// A field of a row that holds a feature.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureField {
    /// The name of the field: `delay_mean_7d`, or `delay_p99_9_7d` for the percentile 99.9.
    pub field: String,
    /// The name of the feature.
    pub feature: String,
    /// The window.
    pub window: TimeSpan,
    /// The percentile, where the feature is percentiles.
    pub percent: Option<f64>,
    /// True for a count, which is a whole number and never null; other fields are doubles.
    pub is_count: bool,
}

impl FeatureField {
    /// The name under which the field is joined to the rows of another table:
    /// `route_delays__delay_mean_7d`.
    pub fn joined_name(&self, table: &str) -> String {
        format!("{table}__{}", self.field)
    }
}

impl Feature {
    /// The fields of this feature, called `name`, in one window.
    pub fn fields(&self, name: &str, window: TimeSpan) -> Vec<FeatureField> {
        let field = |percent: Option<f64>| FeatureField {
            field: match percent {
                Some(percent) => format!("{name}_{}_{window}", percentile_label(percent)),
                None => format!("{name}_{window}"),
            },
            feature: name.to_owned(),
            window,
            percent,
            is_count: self.is_count(),
        };
        match self {
            Self::Percentiles(percentiles) => {
                percentiles.percents.iter().map(|percent| field(Some(*percent))).collect()
            }
            _ => vec![field(None)],
        }
    }
}

impl FeatureSet {
    /// The feature fields of a row: features in their order, and for each its windows.
    pub fn fields(&self) -> Vec<FeatureField> {
        let fields = |(name, feature): (&String, &Feature)| {
            self.windows.iter().flat_map(|window| feature.fields(name, *window)).collect::<Vec<_>>()
        };
        self.features.iter().flat_map(fields).collect()
    }
}

/// The part of a field's name that stands for a percentile: `p50`, and `p99_9` for 99.9.
fn percentile_label(percent: f64) -> String {
    format!("p{percent}").replace('.', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_named_by_feature_percentile_and_window() {
        let set = FeatureSet::new(["carrier"], "time_hour", "1d".parse().unwrap())
            .with_window("7d".parse().unwrap())
            .with_window("28d".parse().unwrap())
            .with_feature("flights", Feature::count())
            .with_feature("delay", Feature::percentiles("dep_delay", [50.0, 99.9]));
        let names: Vec<String> = set.fields().iter().map(|field| field.joined_name("route_delays")).collect();
        assert_eq!(
            names,
            [
                "route_delays__flights_7d",
                "route_delays__flights_28d",
                "route_delays__delay_p50_7d",
                "route_delays__delay_p99_9_7d",
                "route_delays__delay_p50_28d",
                "route_delays__delay_p99_9_28d",
            ]
        );
        for (percent, label) in [(50.0, "p50"), (99.9, "p99_9"), (0.0, "p0"), (99.99, "p99_99"), (100.0, "p100")] {
            assert_eq!(percentile_label(percent), label);
        }
    }
}
