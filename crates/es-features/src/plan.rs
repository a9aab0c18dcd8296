//! The feature set as aggregations to ask for and formulas over their answers. Pure.
//!
//! A search at one grid time has a `filter` aggregation for each window, and where there
//! are derivatives another for each window that ends at the grid time before. In these lie
//! the metrics, each asked for once however many features need it. Every number of the
//! answer has a slot; the fields of a row are formulas over the slots.

use std::time::Duration;

use serde_json::{Value, json};

use crate::definition::{Feature, FeatureSet, Percentiles, RatioTerm, Values};
use crate::error::DefinitionError;
use crate::output::Output;

/// What is asked of Elasticsearch at each grid time, and what is made of the answer.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) ranges: Vec<Range>,
    pub(crate) aggregations: Vec<Aggregation>,
    /// How many numbers an entity's bucket holds.
    pub(crate) slots: usize,
    pub(crate) outputs: Vec<(Output, Formula)>,
    /// The slot that counts the documents of the longest window: 0 means no row.
    pub(crate) presence: usize,
    pub(crate) longest_window: Duration,
    /// Whether windows that end at the grid time before are needed.
    pub(crate) needs_previous: bool,
}

/// One window, ending at the grid time or at the one before.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Range {
    pub(crate) length: Duration,
    pub(crate) ends_at: RangeEnd,
    /// The slot of the number of documents.
    pub(crate) count: usize,
    /// Aggregations by their place in [`Plan::aggregations`], each with its first slot.
    pub(crate) metrics: Vec<(usize, usize)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RangeEnd {
    GridTime,
    PreviousGridTime,
}

/// An aggregation whose answer is one number or a fixed list of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Aggregation {
    Metric(Metric, Values),
    /// Count, sum of squares, variance and standard deviation, in this order.
    ExtendedStats(Values),
    /// In ascending order of the percents.
    Percentiles {
        of: Values,
        percents: Vec<f64>,
        compression: f64,
    },
    Cardinality {
        field: String,
        precision_threshold: Option<u32>,
    },
    /// The number of documents that match a query.
    Filter(Value),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Metric {
    Sum,
    Avg,
    Min,
    Max,
    ValueCount,
}

/// How a field of a row comes from the slots.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Formula {
    Slot(usize),
    /// A sum that is 0 where there are no values, which Elasticsearch leaves null.
    SumOf {
        sum: usize,
        count: usize,
    },
    Ratio {
        of: usize,
        to: usize,
    },
    Difference {
        now: Box<Formula>,
        before: Box<Formula>,
    },
}

/// The places of the numbers in [`Aggregation::ExtendedStats`].
const EXTENDED_COUNT: usize = 0;
const EXTENDED_SUM_OF_SQUARES: usize = 1;
const EXTENDED_VARIANCE: usize = 2;
const EXTENDED_STD_DEVIATION: usize = 3;

impl Plan {
    pub(crate) fn new(set: &FeatureSet) -> Result<Self, DefinitionError> {
        set.validate()?;
        let needs_previous = set.features.iter().any(|(_, feature)| matches!(feature, Feature::Derivative { .. }));
        let mut compiler = Compiler { set, ranges: Vec::new(), aggregations: Vec::new(), slots: 0 };
        compiler.add_ranges(RangeEnd::GridTime);
        if needs_previous {
            compiler.add_ranges(RangeEnd::PreviousGridTime);
        }
        let formula = |output: Output| {
            let (name, feature) = &set.features[output.feature];
            let formula = compiler.formula(output.window, name, feature, output.percent)?;
            Ok((output, formula))
        };
        let outputs = set.outputs().into_iter().map(formula).collect::<Result<Vec<_>, DefinitionError>>()?;
        let longest = compiler.ranges[..set.windows.len()].iter().max_by_key(|range| range.length);
        let (longest_window, presence) = longest.map_or((Duration::ZERO, 0), |range| (range.length, range.count));
        Ok(Self {
            ranges: compiler.ranges,
            aggregations: compiler.aggregations,
            slots: compiler.slots,
            outputs,
            presence,
            longest_window,
            needs_previous,
        })
    }
}

struct Compiler<'a> {
    set: &'a FeatureSet,
    /// The windows that end at the grid time, then those that end at the one before.
    ranges: Vec<Range>,
    aggregations: Vec<Aggregation>,
    slots: usize,
}

impl Compiler<'_> {
    fn add_ranges(&mut self, ends_at: RangeEnd) {
        for window in &self.set.windows {
            let count = self.take_slots(1);
            self.ranges.push(Range { length: window.length, ends_at, count, metrics: Vec::new() });
        }
    }

    fn take_slots(&mut self, wanted: usize) -> usize {
        let first = self.slots;
        self.slots += wanted;
        first
    }

    /// The first slot of an aggregation in a range; it is added where it is new.
    fn slot(&mut self, range: usize, aggregation: Aggregation) -> usize {
        let index = self.aggregations.iter().position(|known| *known == aggregation).unwrap_or_else(|| {
            self.aggregations.push(aggregation);
            self.aggregations.len() - 1
        });
        if let Some((_, slot)) = self.ranges[range].metrics.iter().find(|(known, _)| *known == index) {
            return *slot;
        }
        let slot = self.take_slots(self.aggregations[index].slots());
        self.ranges[range].metrics.push((index, slot));
        slot
    }

    fn formula(
        &mut self,
        range: usize,
        name: &str,
        feature: &Feature,
        percent: Option<f64>,
    ) -> Result<Formula, DefinitionError> {
        let aggregation = match feature {
            Feature::Count => return Ok(Formula::Slot(self.ranges[range].count)),
            Feature::Sum(of) => Aggregation::Metric(Metric::Sum, of.clone()),
            Feature::Avg(of) => Aggregation::Metric(Metric::Avg, of.clone()),
            Feature::Min(of) => Aggregation::Metric(Metric::Min, of.clone()),
            Feature::Max(of) => Aggregation::Metric(Metric::Max, of.clone()),
            Feature::ValueCount(of) => Aggregation::Metric(Metric::ValueCount, of.clone()),
            Feature::SumOfSquares(of) => {
                let stats = self.slot(range, Aggregation::ExtendedStats(of.clone()));
                return Ok(Formula::SumOf { sum: stats + EXTENDED_SUM_OF_SQUARES, count: stats + EXTENDED_COUNT });
            }
            Feature::Variance(of) => {
                let stats = self.slot(range, Aggregation::ExtendedStats(of.clone()));
                return Ok(Formula::Slot(stats + EXTENDED_VARIANCE));
            }
            Feature::StdDeviation(of) => {
                let stats = self.slot(range, Aggregation::ExtendedStats(of.clone()));
                return Ok(Formula::Slot(stats + EXTENDED_STD_DEVIATION));
            }
            Feature::Percentiles(percentiles) => {
                let place = sorted(&percentiles.percents).iter().position(|known| Some(*known) == percent);
                let first = self.slot(range, Aggregation::percentiles(percentiles));
                return Ok(Formula::Slot(first + place.unwrap_or(0)));
            }
            Feature::Cardinality(cardinality) => Aggregation::Cardinality {
                field: cardinality.field.clone(),
                precision_threshold: cardinality.precision_threshold,
            },
            Feature::Missing { field } => Aggregation::missing(field),
            Feature::Ratio { of, to } => {
                return Ok(Formula::Ratio { of: self.term(range, of), to: self.term(range, to) });
            }
            Feature::Derivative { of } => {
                let set = self.set;
                let unknown =
                    || DefinitionError::DerivativeOfUnknown { feature: name.to_owned(), of: of.clone(), nearest: None };
                let (operand_name, operand) = set.features.iter().find(|(name, _)| name == of).ok_or_else(unknown)?;
                let now = self.formula(range, operand_name, operand, None)?;
                let before = self.formula(range + set.windows.len(), operand_name, operand, None)?;
                return Ok(Formula::Difference { now: Box::new(now), before: Box::new(before) });
            }
        };
        Ok(Formula::Slot(self.slot(range, aggregation)))
    }

    fn term(&mut self, range: usize, term: &RatioTerm) -> usize {
        let aggregation = match term {
            RatioTerm::Count => return self.ranges[range].count,
            RatioTerm::Filter(query) => Aggregation::Filter(query.clone()),
            RatioTerm::Missing { field } => Aggregation::missing(field),
            RatioTerm::ValueCount(of) => Aggregation::Metric(Metric::ValueCount, of.clone()),
            RatioTerm::Sum(of) => Aggregation::Metric(Metric::Sum, of.clone()),
        };
        self.slot(range, aggregation)
    }
}

impl Aggregation {
    fn percentiles(percentiles: &Percentiles) -> Self {
        Self::Percentiles {
            of: percentiles.of.clone(),
            percents: sorted(&percentiles.percents),
            compression: percentiles.compression.unwrap_or(Percentiles::COMPRESSION),
        }
    }

    /// Documents without a value. The `missing` aggregation needs doc values; this query
    /// works for text fields too.
    fn missing(field: &str) -> Self {
        Self::Filter(json!({"bool": {"must_not": {"exists": {"field": field}}}}))
    }

    pub(crate) fn slots(&self) -> usize {
        match self {
            Self::Metric(..) | Self::Cardinality { .. } | Self::Filter(_) => 1,
            Self::ExtendedStats(_) => 4,
            Self::Percentiles { percents, .. } => percents.len(),
        }
    }
}

fn sorted(percents: &[f64]) -> Vec<f64> {
    let mut sorted = percents.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

impl Formula {
    /// The value of a field. What is not a finite number is null.
    pub(crate) fn value(&self, slots: &[Option<f64>]) -> Option<f64> {
        let value = match self {
            Self::Slot(slot) => slots[*slot],
            Self::SumOf { sum, count } => {
                if slots[*count] == Some(0.0) {
                    Some(0.0)
                } else {
                    slots[*sum]
                }
            }
            Self::Ratio { of, to } => match (slots[*of], slots[*to]) {
                (Some(of), Some(to)) if to != 0.0 => Some(of / to),
                _ => None,
            },
            Self::Difference { now, before } => match (now.value(slots), before.value(slots)) {
                (Some(now), Some(before)) => Some(now - before),
                _ => None,
            },
        };
        value.filter(|value| value.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::{field, route_delays};

    fn formula(plan: &Plan, field: &str) -> Formula {
        plan.outputs.iter().find(|(output, _)| output.field == field).unwrap().1.clone()
    }

    #[test]
    fn each_aggregation_is_asked_for_once_in_each_window() {
        let mut set = route_delays();
        set.features.push(("again".to_owned(), Feature::Avg(field("dep_delay"))));
        set.features.push(("variance".to_owned(), Feature::Variance(field("dep_delay"))));
        set.features.push(("deviation".to_owned(), Feature::StdDeviation(field("dep_delay"))));
        let plan = Plan::new(&set).unwrap();
        assert_eq!(formula(&plan, "again_7d"), formula(&plan, "delay_mean_7d"));
        assert_ne!(formula(&plan, "again_28d"), formula(&plan, "delay_mean_7d"));
        // avg, percentiles, cardinality, missing, script, extended_stats
        assert_eq!(plan.aggregations.len(), 6);
        assert_eq!(plan.ranges.iter().map(|range| range.metrics.len()).collect::<Vec<_>>(), [6, 6, 1, 1]);
        // A count and 1 + 2 + 1 + 1 + 1 + 4 numbers in each window, a count and a mean in each before.
        assert_eq!(plan.slots, 2 * 11 + 2 * 2);
    }

    #[test]
    fn windows_of_the_time_before_are_read_only_for_derivatives() {
        let mut set = route_delays();
        assert!(Plan::new(&set).unwrap().needs_previous);
        set.features.retain(|(_, feature)| !matches!(feature, Feature::Derivative { .. }));
        let plan = Plan::new(&set).unwrap();
        assert!(!plan.needs_previous);
        assert!(plan.ranges.iter().all(|range| range.ends_at == RangeEnd::GridTime));
    }

    #[test]
    fn the_longest_window_decides_which_rows_there_are() {
        let mut set = route_delays();
        set.windows.reverse();
        let plan = Plan::new(&set).unwrap();
        assert_eq!((plan.presence, plan.longest_window), (plan.ranges[0].count, set.windows[0].length));
    }

    #[test]
    fn percentiles_are_found_in_whatever_order_they_are_given() {
        let mut set = route_delays();
        set.features = vec![(
            "p".to_owned(),
            Feature::Percentiles(Percentiles { of: field("x"), percents: vec![90.0, 5.0, 50.0], compression: None }),
        )];
        let plan = Plan::new(&set).unwrap();
        let first = plan.ranges[0].metrics[0].1;
        for (name, place) in [("p_p5_7d", 0), ("p_p50_7d", 1), ("p_p90_7d", 2)] {
            assert_eq!(formula(&plan, name), Formula::Slot(first + place), "{name}");
        }
    }

    #[test]
    fn formulas_say_null_where_there_is_no_value() {
        let slots = [Some(6.0), Some(0.0), None, Some(4.0), Some(f64::MAX), Some(-f64::MAX)];
        let slot = |index| Box::new(Formula::Slot(index));
        for (formula, expected) in [
            (Formula::Slot(0), Some(6.0)),
            (Formula::Slot(2), None),
            (Formula::Ratio { of: 0, to: 3 }, Some(1.5)),
            (Formula::Ratio { of: 1, to: 3 }, Some(0.0)),
            (Formula::Ratio { of: 0, to: 1 }, None),
            (Formula::Ratio { of: 2, to: 3 }, None),
            (Formula::Ratio { of: 0, to: 2 }, None),
            (Formula::Difference { now: slot(0), before: slot(3) }, Some(2.0)),
            (Formula::Difference { now: slot(2), before: slot(3) }, None),
            (Formula::Difference { now: slot(0), before: slot(2) }, None),
            (Formula::Difference { now: slot(4), before: slot(5) }, None),
            (Formula::SumOf { sum: 2, count: 1 }, Some(0.0)),
            (Formula::SumOf { sum: 0, count: 3 }, Some(6.0)),
            (Formula::SumOf { sum: 2, count: 3 }, None),
        ] {
            assert_eq!(formula.value(&slots), expected, "{formula:?}");
        }
    }
}
