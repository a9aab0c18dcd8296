//! The feature set as aggregations to request and formulas over their answers. Pure.
//!
//! A search at one grid time has a `filter` aggregation for each window, and where there are
//! derivatives another for each window that ends at the previous grid time. They contain the
//! metrics, each requested once however many features need it. Every number of the answer has a
//! slot; the fields of a row are formulas over the slots.

use std::time::Duration;

use serde_json::{Value, json};

use crate::error::{Error, ErrorKind};
use crate::options::{Feature, FeatureField, FeatureSet, Metric, RatioTerm, ValueSource};

/// The aggregations of each grid time, and the formulas that turn their answers into rows.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) ranges: Vec<Range>,
    pub(crate) aggregations: Vec<Aggregation>,
    /// The number of slots of an entity's bucket.
    pub(crate) slots: usize,
    pub(crate) outputs: Vec<(FeatureField, Formula)>,
    /// The slot that counts the documents of the longest window: 0 means no row.
    pub(crate) presence: usize,
    pub(crate) longest_window: Duration,
    /// True when windows that end at the previous grid time are needed.
    pub(crate) needs_previous: bool,
}

/// One window, ending at the grid time or at the previous one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Range {
    pub(crate) length: Duration,
    pub(crate) ends_at: RangeEnd,
    /// The slot of the number of documents.
    pub(crate) count: usize,
    /// Indices into [`Plan::aggregations`], each with its first slot.
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
    Metric(MetricKind, ValueSource),
    /// Count, sum of squares, variance and standard deviation, in this order.
    ExtendedStats(ValueSource),
    /// In ascending order of the percents.
    Percentiles {
        of: ValueSource,
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
pub(crate) enum MetricKind {
    Sum,
    Avg,
    Min,
    Max,
    ValueCount,
}

/// The computation of a field of a row from the slots.
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

/// The offsets of the numbers of [`Aggregation::ExtendedStats`].
const EXTENDED_COUNT: usize = 0;
const EXTENDED_SUM_OF_SQUARES: usize = 1;
const EXTENDED_VARIANCE: usize = 2;
const EXTENDED_STD_DEVIATION: usize = 3;

impl Plan {
    /// Plans the searches of a set. `compression` is the size of the digests of percentiles.
    ///
    /// # Errors
    /// [`ErrorKind::Definition`] for the first rule that the set breaks.
    pub(crate) fn new(set: &FeatureSet, compression: f64) -> Result<Self, Error> {
        set.validate()?;
        let needs_previous = set.features.values().any(|feature| matches!(feature, Feature::Derivative(_)));
        let mut compiler = Compiler { set, compression, ranges: Vec::new(), aggregations: Vec::new(), slots: 0 };
        compiler.add_ranges(RangeEnd::GridTime);
        if needs_previous {
            compiler.add_ranges(RangeEnd::PreviousGridTime);
        }
        let mut outputs = Vec::new();
        for (name, feature) in &set.features {
            for (range, window) in set.windows.iter().enumerate() {
                for field in feature.fields(name, *window) {
                    let formula = compiler.formula(range, feature, field.percent)?;
                    outputs.push((field, formula));
                }
            }
        }
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
    compression: f64,
    /// The windows that end at the grid time, then those that end at the previous one.
    ranges: Vec<Range>,
    aggregations: Vec<Aggregation>,
    slots: usize,
}

impl Compiler<'_> {
    fn add_ranges(&mut self, ends_at: RangeEnd) {
        for window in &self.set.windows {
            let count = self.take_slots(1);
            self.ranges.push(Range { length: window.to_duration(), ends_at, count, metrics: Vec::new() });
        }
    }

    fn take_slots(&mut self, wanted: usize) -> usize {
        let first = self.slots;
        self.slots += wanted;
        first
    }

    /// Returns the first slot of an aggregation in a range, and adds the aggregation if it is new.
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

    fn formula(&mut self, range: usize, feature: &Feature, percent: Option<f64>) -> Result<Formula, Error> {
        let metric = |kind, metric: &Metric| Aggregation::Metric(kind, metric.values.clone());
        let aggregation = match feature {
            Feature::Count(_) => return Ok(Formula::Slot(self.ranges[range].count)),
            Feature::Sum(of) => metric(MetricKind::Sum, of),
            Feature::Avg(of) => metric(MetricKind::Avg, of),
            Feature::Min(of) => metric(MetricKind::Min, of),
            Feature::Max(of) => metric(MetricKind::Max, of),
            Feature::ValueCount(of) => metric(MetricKind::ValueCount, of),
            Feature::SumOfSquares(of) => {
                let stats = self.extended_stats(range, of);
                return Ok(Formula::SumOf { sum: stats + EXTENDED_SUM_OF_SQUARES, count: stats + EXTENDED_COUNT });
            }
            Feature::Variance(of) => return Ok(Formula::Slot(self.extended_stats(range, of) + EXTENDED_VARIANCE)),
            Feature::StdDeviation(of) => {
                return Ok(Formula::Slot(self.extended_stats(range, of) + EXTENDED_STD_DEVIATION));
            }
            Feature::Percentiles(percentiles) => {
                let percents = sorted(&percentiles.percents);
                let offset = percents.iter().position(|known| Some(*known) == percent).unwrap_or(0);
                let (of, compression) = (percentiles.values.clone(), self.compression);
                let first = self.slot(range, Aggregation::Percentiles { of, percents, compression });
                return Ok(Formula::Slot(first + offset));
            }
            Feature::Cardinality(cardinality) => Aggregation::Cardinality {
                field: cardinality.field.clone(),
                precision_threshold: cardinality.precision_threshold,
            },
            Feature::Missing(of) => Aggregation::missing(&of.field),
            Feature::Ratio(ratio) => {
                return Ok(Formula::Ratio { of: self.term(range, &ratio.of), to: self.term(range, &ratio.to) });
            }
            Feature::Derivative(derivative) => {
                let set = self.set;
                let operand = set.features.get(&derivative.of).ok_or_else(|| {
                    Error::new(ErrorKind::Definition, format!("unknown feature `{}` of a derivative", derivative.of))
                })?;
                let now = self.formula(range, operand, None)?;
                let before = self.formula(range + set.windows.len(), operand, None)?;
                return Ok(Formula::Difference { now: Box::new(now), before: Box::new(before) });
            }
        };
        Ok(Formula::Slot(self.slot(range, aggregation)))
    }

    fn extended_stats(&mut self, range: usize, of: &Metric) -> usize {
        self.slot(range, Aggregation::ExtendedStats(of.values.clone()))
    }

    fn term(&mut self, range: usize, term: &RatioTerm) -> usize {
        let aggregation = match term {
            RatioTerm::Count(_) => return self.ranges[range].count,
            RatioTerm::Filter(query) => Aggregation::Filter(query.to_value()),
            RatioTerm::Missing(of) => Aggregation::missing(&of.field),
            RatioTerm::ValueCount(of) => Aggregation::Metric(MetricKind::ValueCount, of.values.clone()),
            RatioTerm::Sum(of) => Aggregation::Metric(MetricKind::Sum, of.values.clone()),
        };
        self.slot(range, aggregation)
    }
}

impl Aggregation {
    /// Documents without a value. The `missing` aggregation needs doc values; this query
    /// works for text fields as well.
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
    /// The value of a field; null for a result that is not a finite number.
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
    use crate::reference::{COMPRESSION, route_delays};

    fn formula(plan: &Plan, field: &str) -> Formula {
        plan.outputs.iter().find(|(output, _)| output.field == field).unwrap().1.clone()
    }

    #[test]
    fn each_aggregation_is_requested_once_in_each_window() {
        let mut set = route_delays();
        set = set.with_feature("again", Feature::avg("dep_delay"));
        set = set.with_feature("variance", Feature::variance("dep_delay"));
        set = set.with_feature("deviation", Feature::std_deviation("dep_delay"));
        let plan = Plan::new(&set, COMPRESSION).unwrap();
        assert_eq!(formula(&plan, "again_7d"), formula(&plan, "delay_mean_7d"));
        assert_ne!(formula(&plan, "again_28d"), formula(&plan, "delay_mean_7d"));
        // avg, percentiles, cardinality, missing, script, extended_stats
        assert_eq!(plan.aggregations.len(), 6);
        assert_eq!(plan.ranges.iter().map(|range| range.metrics.len()).collect::<Vec<_>>(), [6, 6, 1, 1]);
        // A count and 1 + 2 + 1 + 1 + 1 + 4 numbers in each window, a count and a mean in each before.
        assert_eq!(plan.slots, 2 * 11 + 2 * 2);
    }

    #[test]
    fn windows_of_the_previous_time_are_read_only_for_derivatives() {
        let mut set = route_delays();
        assert!(Plan::new(&set, COMPRESSION).unwrap().needs_previous);
        set.features.retain(|_, feature| !matches!(feature, Feature::Derivative(_)));
        let plan = Plan::new(&set, COMPRESSION).unwrap();
        assert!(!plan.needs_previous);
        assert!(plan.ranges.iter().all(|range| range.ends_at == RangeEnd::GridTime));
    }

    #[test]
    fn the_longest_window_decides_which_rows_there_are() {
        let mut set = route_delays();
        set.windows.reverse();
        let plan = Plan::new(&set, COMPRESSION).unwrap();
        assert_eq!((plan.presence, plan.longest_window), (plan.ranges[0].count, set.windows[0].to_duration()));
    }

    #[test]
    fn percentiles_are_found_in_any_order() {
        let mut set = route_delays();
        set.features.clear();
        let set = set.with_feature("p", Feature::percentiles("x", [90.0, 5.0, 50.0]));
        let plan = Plan::new(&set, COMPRESSION).unwrap();
        let first = plan.ranges[0].metrics[0].1;
        for (name, place) in [("p_p5_7d", 0), ("p_p50_7d", 1), ("p_p90_7d", 2)] {
            assert_eq!(formula(&plan, name), Formula::Slot(first + place), "{name}");
        }
    }

    #[test]
    fn formulas_are_null_where_there_is_no_value() {
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
