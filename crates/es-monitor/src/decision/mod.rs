//! From the counts of two windows to the verdict on a field. Pure: the same counts always have the
//! same verdict.

mod chance;
#[cfg(test)]
mod false_alarms;
#[cfg(test)]
mod tests;

use crate::answer::{Counted, Distribution};
use crate::chi_squared;
use crate::distribution::{Categorical, Numeric};
use crate::field::Field;
use crate::jensen_shannon::{self, Base};
use crate::kolmogorov_smirnov as ks;
use crate::l_infinity;
use crate::method::Method;
use crate::missing_values;
use crate::options::{FieldMonitor, MissingRule};
use crate::psi;
use crate::report::{BinLabel, BinReport, Bounds, FieldReport, Measurement, MissingReport, Scale, ValuesReport};
use crate::verdict::{Reason, Verdict, WindowName};
use crate::wasserstein;

/// The result of one method: the numbers if there are any, and the verdict or the reason that there
/// is none.
struct Finding {
    measurement: Option<Measurement>,
    verdict: Result<Verdict, Reason>,
}

impl Finding {
    fn none(reason: Reason) -> Self {
        Self { measurement: None, verdict: Err(reason) }
    }
}

/// Decides on a field by its counts in both windows.
pub(crate) fn decide(
    field: &Field,
    monitor: &FieldMonitor,
    min_values: u64,
    reference: &Counted,
    current: &Counted,
) -> FieldReport {
    let finding = match unfit(reference, current, min_values) {
        Some(reason) => Finding::none(reason),
        None => match (&reference.distribution, &current.distribution) {
            (Distribution::Numeric(r), Distribution::Numeric(c)) => numeric(monitor.method(), r, c),
            (r, c) => categorical(monitor.method(), r, c, chance::are_disjoint(reference, current)),
        },
    };
    let (verdict, reason) = match finding.verdict {
        Ok(verdict) => (verdict, None),
        Err(reason) => (Verdict::NotMeasured, Some(reason)),
    };
    let missing = missing(monitor.missing(), reference, current);
    FieldReport {
        field: field.name.clone(),
        field_type: field.field_type.clone(),
        verdict: match (verdict, missing.verdict) {
            // A monitor that only reports missing values has its verdict from the values.
            (verdict, _) if monitor.missing() == MissingRule::Ignore => verdict,
            (verdict, missing) => Verdict::combine([verdict, missing]),
        },
        values: ValuesReport {
            verdict,
            reason,
            method: monitor.method(),
            measurement: finding.measurement,
            n_reference: reference.documents,
            n_current: current.documents,
            bins: bins(&reference.distribution, &current.distribution),
        },
        missing,
    }
}

/// The reason that no method can compare the counts, if there is one.
fn unfit(reference: &Counted, current: &Counted, min_values: u64) -> Option<Reason> {
    for (window, counted) in [(WindowName::Reference, reference), (WindowName::Current, current)] {
        let (values, documents) = (counted.values, counted.documents);
        if documents + counted.distribution.missing() == 0 {
            return Some(Reason::NoDocuments { window });
        }
        if values != documents {
            return Some(Reason::SeveralValues { window, values, documents });
        }
        if documents < min_values.max(1) {
            return Some(Reason::TooFewValues { window, values, needed: min_values.max(1) });
        }
        if let Distribution::Categorical(Categorical { count_error: by @ 1.., .. }) = counted.distribution {
            return Some(Reason::CountsNotExact { by });
        }
    }
    None
}

fn numeric(method: Method, reference: &Numeric, current: &Numeric) -> Finding {
    match method {
        Method::Wasserstein { max } => scaled_wasserstein(max, reference, current),
        Method::KolmogorovSmirnov { p } => kolmogorov_smirnov(p, reference, current),
        _ => shares(method, &reference.counts(), &current.counts(), "quantile bins of the reference"),
    }
}

/// Windows that have no value in common are compared as two groups, whatever the share of each value:
/// of thousands of new values none has a share that a distance would see.
fn categorical(method: Method, reference: &Distribution, current: &Distribution, are_disjoint: bool) -> Finding {
    let counts = |distribution: &Distribution| match distribution {
        Distribution::Numeric(numeric) => numeric.counts(),
        Distribution::Categorical(categorical) => categorical.counts(),
    };
    let (reference, current) = (counts(reference), counts(current));
    let found = shares(method, &reference, &current, "categories");
    if are_disjoint && found.verdict != Ok(Verdict::Drift) {
        let all = |counts: &[u64]| counts.iter().sum::<u64>();
        let of = "groups: the values of the reference and those of the current window, which has none of them";
        return shares(method, &[all(&reference), 0], &[0, all(&current)], of);
    }
    found
}

/// The methods that compare counts without regard to the values in the bins.
fn shares(method: Method, reference: &[u64], current: &[u64], of: &str) -> Finding {
    let used = reference.iter().zip(current).filter(|(r, c)| **r > 0 || **c > 0).count();
    let found = match method {
        Method::Psi { max } => psi::index(reference, current).map(|value| {
            let expectation = psi::no_drift_expectation(reference, current);
            let definition = format!("population stability index in nats over {used} {of}");
            (max, measured(value, definition, expectation))
        }),
        Method::JensenShannon { max } => jensen_shannon::distance(reference, current, Base::Two).map(|value| {
            let expectation = jensen_shannon::no_drift_expectation(reference, current, Base::Two);
            let definition = format!("Jensen-Shannon distance in base 2 over {used} {of}");
            (max, measured(value, definition, expectation))
        }),
        Method::LInfinity { max } => l_infinity::distance(reference, current)
            .map(|value| (max, measured(value, format!("largest difference of a share of {used} {of}"), None))),
        Method::ChiSquared { p } => return chi_squared_test(p, reference, current, of),
        // Both need numbers, and fields of other kinds were refused before anything was counted.
        Method::Wasserstein { .. } | Method::KolmogorovSmirnov { .. } => None,
    };
    match found {
        Some((max, measurement)) => {
            let p_value = chance::p_value(method, reference, current);
            let is_drift = measurement.value > max && p_value.is_some_and(|p_value| p_value <= chance::LEVEL);
            let verdict = if is_drift { Verdict::Drift } else { Verdict::NoDrift };
            Finding { measurement: Some(Measurement { p_value, ..measurement }), verdict: Ok(verdict) }
        }
        None => Finding::none(Reason::TooFewGroups),
    }
}

fn measured(value: f64, definition: String, no_drift_expectation: Option<f64>) -> Measurement {
    Measurement {
        value,
        definition,
        interval: None,
        p_value: None,
        no_drift_expectation,
        degrees_of_freedom: None,
        scale: None,
    }
}

fn chi_squared_test(level: f64, reference: &[u64], current: &[u64], of: &str) -> Finding {
    let Some(found) = chi_squared::test(reference, current) else {
        if chance::is_constant(reference, current) {
            let definition = format!("chi-squared statistic of homogeneity over 1 group of {of}: a constant");
            let measurement = Measurement { p_value: Some(1.0), ..measured(0.0, definition, None) };
            return Finding { measurement: Some(measurement), verdict: Ok(Verdict::NoDrift) };
        }
        return Finding::none(Reason::TooFewGroups);
    };
    let groups = found.degrees_of_freedom + 1;
    let definition = format!("chi-squared statistic of homogeneity over {groups} groups of {of}");
    let measurement = Measurement {
        p_value: Some(found.p_value),
        degrees_of_freedom: Some(found.degrees_of_freedom),
        ..measured(found.statistic, definition, None)
    };
    let verdict = if found.p_value <= level { Verdict::Drift } else { Verdict::NoDrift };
    Finding { measurement: Some(measurement), verdict: Ok(verdict) }
}

fn kolmogorov_smirnov(level: f64, reference: &Numeric, current: &Numeric) -> Finding {
    let Some(bounds) = ks::bounds(reference, current) else { return Finding::none(Reason::TooFewGroups) };
    let (n, m) = (reference.values(), current.values());
    // The larger the statistic, the smaller its p-value.
    let (largest_p, smallest_p) = (ks::p_value(bounds.low, n, m), ks::p_value(bounds.high, n, m));
    let verdict = if largest_p <= level {
        Ok(Verdict::Drift)
    } else if smallest_p > level {
        Ok(Verdict::NoDrift)
    } else {
        Err(Reason::Undecided { low: smallest_p, high: largest_p, threshold: level })
    };
    let definition = format!("two-sample Kolmogorov-Smirnov statistic at the edges of {} bins", reference.bins.len());
    let measurement = Measurement {
        interval: Some(Bounds { low: bounds.low, high: bounds.high }),
        p_value: Some(largest_p),
        ..measured(bounds.low, definition, None)
    };
    Finding { measurement: Some(measurement), verdict }
}

fn scaled_wasserstein(max: f64, reference: &Numeric, current: &Numeric) -> Finding {
    let (Some(found), Some(summary)) = (wasserstein::bounds(reference, current), reference.summary) else {
        return Finding::none(Reason::TooFewGroups);
    };
    let deviation = summary.standard_deviation;
    if summary.min == summary.max || deviation <= 0.0 {
        return constant(summary.min, found.low);
    }
    let bounds = Bounds { low: found.low / deviation, high: found.high / deviation };
    let verdict = if bounds.low > max {
        Ok(Verdict::Drift)
    } else if bounds.high <= max {
        Ok(Verdict::NoDrift)
    } else {
        Err(Reason::Undecided { low: bounds.low, high: bounds.high, threshold: max })
    };
    let definition = format!(
        "Wasserstein-1 distance by the means of {} bins over the reference's standard deviation",
        reference.bins.len()
    );
    let measurement = Measurement {
        interval: Some(bounds),
        scale: Some(Scale { distance: found.low, standard_deviation: deviation }),
        ..measured(bounds.low, definition, None)
    };
    Finding { measurement: Some(measurement), verdict }
}

/// A reference of one value: the same value alone in the current window is not drift, and anything
/// else is a distance without a scale.
fn constant(value: f64, distance: f64) -> Finding {
    if distance > 0.0 {
        return Finding::none(Reason::ConstantReference { value, distance });
    }
    let definition = "Wasserstein-1 distance of two constants that are the same".to_owned();
    Finding { measurement: Some(measured(0.0, definition, None)), verdict: Ok(Verdict::NoDrift) }
}

fn missing(rule: MissingRule, reference: &Counted, current: &Counted) -> MissingReport {
    let missing_of_all = |counted: &Counted| {
        let missing = counted.distribution.missing();
        (missing, counted.documents + missing)
    };
    let share = |(missing, all): (u64, u64)| (all > 0).then(|| missing as f64 / all as f64);
    let (r, c) = (missing_of_all(reference), missing_of_all(current));
    let found = missing_values::compare(r, c);
    let verdict = match (rule, found, share(r), share(c)) {
        (MissingRule::Test(test), Some(found), Some(r), Some(c)) => {
            if found.p_value <= test.p && (r - c).abs() >= test.min_change { Verdict::Drift } else { Verdict::NoDrift }
        }
        (MissingRule::Ignore, Some(_), _, _) => Verdict::NoDrift,
        _ => Verdict::NotMeasured,
    };
    MissingReport {
        verdict,
        rule,
        reference: r.0,
        current: c.0,
        share_reference: share(r),
        share_current: share(c),
        test: found.map(|found| found.test),
        p_value: found.map(|found| found.p_value),
    }
}

fn bins(reference: &Distribution, current: &Distribution) -> Vec<BinReport> {
    match (reference, current) {
        (Distribution::Numeric(r), Distribution::Numeric(c)) => {
            let finite = |end: f64| end.is_finite().then_some(end);
            let bins = r.bins.iter().zip(&c.bins).map(|(r, c)| BinReport {
                bin: BinLabel::Range { from: finite(r.from), to: finite(r.to) },
                reference: r.count(),
                current: c.count(),
            });
            bins.collect()
        }
        (Distribution::Categorical(r), Distribution::Categorical(c)) => {
            let named = r.categories.iter().zip(&c.categories).map(|((category, r), (_, c))| BinReport {
                bin: BinLabel::Category { category: category.clone() },
                reference: *r,
                current: *c,
            });
            named.chain([BinReport { bin: BinLabel::Other, reference: r.other, current: c.other }]).collect()
        }
        _ => Vec::new(),
    }
}
