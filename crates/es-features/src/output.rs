//! The fields of a row: how they are called, and whether the definition makes sense.

use std::collections::HashMap;

use crate::definition::{Feature, FeatureSet, Percentiles, RatioTerm, Values};
use crate::error::DefinitionError;
use crate::grid::Step;
use es_values::nearest;

/// A field of a row that holds a feature.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// The field's name: `delay_mean_7d`, or `delay_p99_9_7d` for the percentile 99.9.
    pub field: String,
    /// The feature, by its place in [`FeatureSet::features`].
    pub feature: usize,
    /// The window, by its place in [`FeatureSet::windows`].
    pub window: usize,
    /// Which percentile it is, where the feature is percentiles.
    pub percent: Option<f64>,
    /// Whether it is a whole number and never null: a count. Else it is a double.
    pub is_count: bool,
}

impl FeatureSet {
    /// The feature fields of a row: features in their order, and for each its windows.
    pub fn outputs(&self) -> Vec<Output> {
        let mut outputs = Vec::new();
        for (feature, (name, definition)) in self.features.iter().enumerate() {
            for (window, at) in self.windows.iter().enumerate() {
                let output = |percent: Option<f64>| Output {
                    field: match percent {
                        Some(percent) => format!("{name}_{}_{}", percentile_label(percent), at.name),
                        None => format!("{name}_{}", at.name),
                    },
                    feature,
                    window,
                    percent,
                    is_count: definition.is_count(),
                };
                match definition {
                    Feature::Percentiles(percentiles) => {
                        outputs.extend(percentiles.percents.iter().map(|percent| output(Some(*percent))));
                    }
                    _ => outputs.push(output(None)),
                }
            }
        }
        outputs
    }

    /// The fields that identify a row: the entity's and the time. Documents that have their
    /// ids from these are replaced, not doubled, when rows are computed again.
    pub fn id_fields(&self) -> Vec<&str> {
        self.entity.iter().chain([&self.time]).map(String::as_str).collect()
    }

    /// Checks everything that can be checked without the source.
    ///
    /// # Errors
    /// The first contradiction that is found.
    pub fn validate(&self) -> Result<(), DefinitionError> {
        for (thing, missing) in [
            ("entity field", self.entity.is_empty()),
            ("window", self.windows.is_empty()),
            ("feature", self.features.is_empty()),
        ] {
            if missing {
                return Err(DefinitionError::Empty { thing });
            }
        }
        self.validate_grid()?;
        for window in &self.windows {
            if !is_name(&window.name) {
                return Err(DefinitionError::Name { thing: "window", name: window.name.clone() });
            }
            if window.length.is_zero() || !is_whole_milliseconds(window.length) {
                return Err(DefinitionError::WindowLength { window: window.name.clone() });
            }
        }
        let mut by_name = HashMap::new();
        for (name, feature) in &self.features {
            if !is_name(name) {
                return Err(DefinitionError::Name { thing: "feature", name: name.clone() });
            }
            if by_name.insert(name.as_str(), feature).is_some() {
                return Err(DefinitionError::FeatureTwice { feature: name.clone() });
            }
        }
        for (name, feature) in &self.features {
            match feature {
                Feature::Percentiles(percentiles) => validate_percentiles(name, percentiles)?,
                Feature::Derivative { of } => validate_derivative(name, of, &by_name)?,
                _ => {}
            }
        }
        self.validate_names()
    }

    fn validate_grid(&self) -> Result<(), DefinitionError> {
        if let Step::Elapsed(step) = self.grid.every
            && (step.is_zero() || !is_whole_milliseconds(step))
        {
            return Err(DefinitionError::Step);
        }
        match (self.grid.start, self.grid.end) {
            (Some(start), Some(end)) if start >= end => Err(DefinitionError::GridIsEmpty { start, end }),
            _ => Ok(()),
        }
    }

    /// No two fields may have one name, and none may be an object that holds another.
    fn validate_names(&self) -> Result<(), DefinitionError> {
        let entity = self.entity.iter().map(|field| (field.clone(), format!("the entity field `{field}`")));
        let time = [(self.time.clone(), "the time field".to_owned())];
        let features = self.outputs().into_iter().map(|output| {
            let (feature, window) = (&self.features[output.feature].0, &self.windows[output.window].name);
            (output.field, format!("feature `{feature}` in the window {window}"))
        });
        let fields: Vec<(String, String)> = entity.chain(time).chain(features).collect();
        let mut owners: HashMap<&str, &str> = HashMap::new();
        for (field, owner) in &fields {
            if let Some(first) = owners.insert(field, owner) {
                return Err(DefinitionError::Collision {
                    field: field.clone(),
                    first: first.to_owned(),
                    second: owner.clone(),
                });
            }
        }
        for (field, owner) in &fields {
            for (dot, _) in field.match_indices('.') {
                if let Some(first) = owners.get(&field[..dot]) {
                    return Err(DefinitionError::Collision {
                        field: field[..dot].to_owned(),
                        first: (*first).to_owned(),
                        second: owner.clone(),
                    });
                }
            }
        }
        Ok(())
    }
}

impl Feature {
    fn is_count(&self) -> bool {
        matches!(self, Self::Count | Self::ValueCount(_) | Self::Cardinality(_) | Self::Missing { .. })
    }

    /// Where the values come from, for those that aggregate values.
    pub(crate) fn values(&self) -> Vec<&Values> {
        match self {
            Self::Sum(values)
            | Self::Avg(values)
            | Self::Min(values)
            | Self::Max(values)
            | Self::SumOfSquares(values)
            | Self::StdDeviation(values)
            | Self::Variance(values)
            | Self::ValueCount(values) => vec![values],
            Self::Percentiles(percentiles) => vec![&percentiles.of],
            Self::Ratio { of, to } => [of, to].into_iter().filter_map(RatioTerm::values).collect(),
            Self::Count | Self::Cardinality(_) | Self::Missing { .. } | Self::Derivative { .. } => Vec::new(),
        }
    }
}

impl RatioTerm {
    fn values(&self) -> Option<&Values> {
        match self {
            Self::ValueCount(values) | Self::Sum(values) => Some(values),
            Self::Count | Self::Filter(_) | Self::Missing { .. } => None,
        }
    }
}

/// How a percentile is called in a field's name: `p50`, and `p99_9` for 99.9.
fn percentile_label(percent: f64) -> String {
    format!("p{percent}").replace('.', "_")
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

fn is_whole_milliseconds(length: std::time::Duration) -> bool {
    length.subsec_nanos().is_multiple_of(1_000_000)
}

fn validate_percentiles(name: &str, percentiles: &Percentiles) -> Result<(), DefinitionError> {
    let wrong = |reason: String| DefinitionError::Percentiles { feature: name.to_owned(), reason };
    if percentiles.percents.is_empty() {
        return Err(wrong("there are none".to_owned()));
    }
    if let Some(percent) = percentiles.percents.iter().find(|percent| !(0.0..=100.0).contains(*percent)) {
        return Err(wrong(format!("{percent} is not between 0 and 100")));
    }
    match percentiles.compression {
        Some(compression) if !(compression.is_finite() && compression >= 1.0) => {
            Err(wrong(format!("the compression {compression} is not a number of 1 or more")))
        }
        _ => Ok(()),
    }
}

fn validate_derivative(name: &str, of: &str, features: &HashMap<&str, &Feature>) -> Result<(), DefinitionError> {
    let feature = name.to_owned();
    let of = of.to_owned();
    match features.get(of.as_str()) {
        None => {
            let nearest = nearest(&of, features.keys().copied()).map(str::to_owned);
            Err(DefinitionError::DerivativeOfUnknown { feature, of, nearest })
        }
        Some(Feature::Percentiles(_)) => Err(DefinitionError::DerivativeOfSeveral { feature, of }),
        Some(Feature::Derivative { .. }) => Err(DefinitionError::DerivativeOfDerivative { feature, of }),
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::Window;
    use crate::grid::Grid;
    use crate::reference::{field, route_delays};

    #[test]
    fn fields_are_named_by_feature_percentile_and_window() {
        let names: Vec<String> = route_delays().outputs().into_iter().map(|output| output.field).collect();
        assert_eq!(
            names,
            [
                "flights_7d",
                "flights_28d",
                "delay_mean_7d",
                "delay_mean_28d",
                "delay_p50_7d",
                "delay_p90_7d",
                "delay_p50_28d",
                "delay_p90_28d",
                "destinations_7d",
                "destinations_28d",
                "cancelled_7d",
                "cancelled_28d",
                "speed_7d",
                "speed_28d",
                "delay_change_7d",
                "delay_change_28d",
            ]
        );
        for (percent, label) in [(50.0, "p50"), (99.9, "p99_9"), (0.0, "p0"), (99.99, "p99_99"), (100.0, "p100")] {
            assert_eq!(percentile_label(percent), label);
        }
        assert_eq!(route_delays().id_fields(), ["origin", "carrier", "time_hour"]);
    }

    /// The reference set with one thing changed.
    fn changed(change: impl FnOnce(&mut FeatureSet)) -> Result<(), DefinitionError> {
        let mut set = route_delays();
        change(&mut set);
        set.validate()
    }

    fn add(name: &str, feature: Feature) -> Result<(), DefinitionError> {
        changed(|set| set.features.push((name.to_owned(), feature)))
    }

    fn percentiles(percents: &[f64], compression: Option<f64>) -> Feature {
        Feature::Percentiles(Percentiles { of: field("x"), percents: percents.to_vec(), compression })
    }

    #[test]
    fn contradictions_are_found_and_named() {
        let table = [
            (changed(|set| set.entity.clear()), "needs at least one entity field"),
            (changed(|set| set.windows.clear()), "needs at least one window"),
            (changed(|set| set.features.clear()), "needs at least one feature"),
            (add("Über", Feature::Count), "`Über` cannot be the name of a feature"),
            (add("_a", Feature::Count), "`_a` cannot be the name of a feature"),
            (add("", Feature::Count), "`` cannot be the name of a feature"),
            (add("flights", Feature::Count), "two features called `flights`"),
            (
                add("delay_p50", Feature::Count),
                "the field `delay_p50_7d` of a row is both of feature `delay` in the window 7d and of feature \
                 `delay_p50` in the window 7d",
            ),
            (changed(|set| set.windows.push(Window::days(7))), "the field `flights_7d` of a row is both"),
            (changed(|set| set.time = "flights_7d".to_owned()), "both of the time field and of feature `flights`"),
            (changed(|set| set.entity.push("time_hour".to_owned())), "both of the entity field `time_hour` and of"),
            (changed(|set| set.entity.push("flights_7d.x".to_owned())), "the field `flights_7d` of a row is both"),
            (changed(|set| set.windows[0].length = std::time::Duration::ZERO), "the window 7d is not a positive"),
            (
                changed(|set| set.windows[0].length = std::time::Duration::from_micros(1_500)),
                "the window 7d is not a positive number of milliseconds",
            ),
            (changed(|set| set.grid.every = Step::Elapsed(std::time::Duration::ZERO)), "the step of the grid"),
            (
                changed(|set| {
                    set.grid = Grid {
                        start: Some("2013-01-02T00:00:00Z".parse().unwrap()),
                        end: Some("2013-01-02T00:00:00Z".parse().unwrap()),
                        ..set.grid.clone()
                    }
                }),
                "so it has no instants",
            ),
            (add("p", percentiles(&[], None)), "the percentiles of feature `p` are wrong: there are none"),
            (add("p", percentiles(&[100.1], None)), "100.1 is not between 0 and 100"),
            (add("p", percentiles(&[f64::NAN], None)), "NaN is not between 0 and 100"),
            (add("p", percentiles(&[50.0, 50.0], None)), "the field `p_p50_7d` of a row is both"),
            (add("p", percentiles(&[50.0], Some(0.0))), "the compression 0"),
            (
                add("d", Feature::Derivative { of: "delay_maen".to_owned() }),
                "the derivative of `delay_maen`, which is no feature; did you mean `delay_mean`?",
            ),
            (add("d", Feature::Derivative { of: "delay".to_owned() }), "which are percentiles"),
            (add("d", Feature::Derivative { of: "delay_change".to_owned() }), "which is a derivative itself"),
            (add("d", Feature::Derivative { of: "d".to_owned() }), "which is a derivative itself"),
        ];
        for (result, expected) in table {
            let message = result.unwrap_err().to_string();
            assert!(message.contains(expected), "{message:?} does not say {expected:?}");
        }
        assert_eq!(route_delays().validate(), Ok(()));
    }
}
