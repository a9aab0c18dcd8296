//! The rules for a monitor that its types do not express. Pure.

use es_values::{TimePoint, TimeZoneName};

use super::{CurrentWindow, FieldMonitor, MAX_BINS, MissingRule, Monitor};
use crate::error::Error;
use crate::method::Method;
use es_values::{PathSegment, Problem};

impl Monitor {
    /// Checks every rule that can be checked without Elasticsearch.
    ///
    /// # Errors
    /// [`ErrorKind::Definition`] for the first of [`Monitor::problems`].
    ///
    /// [`ErrorKind::Definition`]: crate::ErrorKind::Definition
    pub fn validate(&self) -> Result<(), Error> {
        self.problems().into_iter().next().map_or(Ok(()), |problem| Err(problem.into()))
    }

    /// Every rule that the monitor breaks, in the order of its keys, without asking
    /// Elasticsearch. Empty for a monitor that can be evaluated where the index has its fields.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        check_window("reference", self.reference.from, self.reference.to, &self.timezone, &mut problems);
        if let CurrentWindow::Between { from, to } = self.current {
            check_window("current", from, to, &self.timezone, &mut problems);
        }
        if self.fields.is_empty() {
            problems.push(Problem::invalid(
                path(["fields"]),
                "expected at least one field, found none",
                "add a field with its method",
            ));
        }
        for (name, field) in &self.fields {
            check_field(name, field, &mut problems);
        }
        problems
    }
}

fn check_window(key: &str, from: TimePoint, to: TimePoint, zone: &TimeZoneName, problems: &mut Vec<Problem>) {
    let mut instant = |end: &str, point: TimePoint| {
        let found = point.to_timestamp(zone.time_zone());
        if found.is_err() {
            problems.push(Problem::invalid(
                path([key, end]),
                format!("`{point}` is out of range"),
                "write a time between the years -9999 and 9999",
            ));
        }
        found.ok()
    };
    let (first, last) = (instant("from", from), instant("to", to));
    if first.zip(last).is_some_and(|(first, last)| first >= last) {
        problems.push(Problem::invalid(
            path([key, "to"]),
            format!("`to` {to} is not after `from` {from}"),
            "the range includes its start but not its end, so this one is empty",
        ));
    }
}

fn check_field(name: &str, field: &FieldMonitor, problems: &mut Vec<Problem>) {
    let method = field.method();
    let (key, value, is_allowed, range) = match method {
        Method::Psi { max } | Method::Wasserstein { max } => {
            ("max", max, max.is_finite() && max > 0.0, "greater than 0")
        }
        Method::JensenShannon { max } | Method::LInfinity { max } => {
            ("max", max, max > 0.0 && max < 1.0, "between 0 and 1")
        }
        Method::KolmogorovSmirnov { p } | Method::ChiSquared { p } => ("p", p, p > 0.0 && p < 1.0, "between 0 and 1"),
    };
    if !is_allowed {
        problems.push(Problem::invalid(
            path(["fields", name, key]),
            format!("`{key}` of {} is {value}, expected a number {range}", method.name()),
            format!("write a number {range}"),
        ));
    }
    if let Some(bins) = field.bins().filter(|bins| !(2..=MAX_BINS).contains(bins)) {
        problems.push(Problem::invalid(
            path(["fields", name, "bins"]),
            format!("`bins` is {bins}, expected a number from 2 to {MAX_BINS}"),
            format!("write a number from 2 to {MAX_BINS}, or none for the method's own choice"),
        ));
    }
    if let MissingRule::Test(test) = field.missing() {
        let mut refuse = |key: &str, value: f64, range: &str| {
            problems.push(Problem::invalid(
                path(["fields", name, "missing", "test", key]),
                format!("`{key}` of the test of missing values is {value}, expected a number {range}"),
                format!("write a number {range}"),
            ));
        };
        if !(test.p > 0.0 && test.p < 1.0) {
            refuse("p", test.p, "between 0 and 1");
        }
        if !(0.0..=1.0).contains(&test.min_change) {
            refuse("min_change", test.min_change, "from 0 to 1");
        }
    }
}

fn path<const N: usize>(keys: [&str; N]) -> Vec<PathSegment> {
    keys.map(PathSegment::from).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{MissingTest, ReferenceWindow, Until};

    fn point(text: &str) -> TimePoint {
        text.parse().unwrap()
    }

    fn monitor(field: FieldMonitor) -> Monitor {
        let january = ReferenceWindow { from: point("2013-01-01"), to: point("2013-02-01") };
        let current = CurrentWindow::Last { last: "1h".parse().unwrap(), until: Until::Now };
        Monitor::new("t", january, current).with_field("f", field)
    }

    fn lines(monitor: &Monitor) -> Vec<String> {
        monitor.problems().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn thresholds_and_bins_out_of_range_are_named() {
        let test = |p, min_change| MissingRule::Test(MissingTest { p, min_change });
        let psi = FieldMonitor::psi(0.2);
        assert_eq!(monitor(psi).problems(), []);
        let table = [
            (FieldMonitor::psi(f64::NAN), "fields.f.max: `max` of psi is NaN, expected a number greater than 0"),
            (
                FieldMonitor::wasserstein(0.0),
                "fields.f.max: `max` of wasserstein is 0, expected a number greater than 0",
            ),
            (FieldMonitor::jensen_shannon(1.5), "fields.f.max: `max` of js is 1.5, expected a number between 0 and 1"),
            (FieldMonitor::kolmogorov_smirnov(0.0), "fields.f.p: `p` of ks is 0, expected a number between 0 and 1"),
            (psi.with_bins(1), "fields.f.bins: `bins` is 1, expected a number from 2 to 1000"),
            (
                psi.with_missing(test(2.0, 0.0)),
                "fields.f.missing.test.p: `p` of the test of missing values is 2, expected a number between 0 and 1",
            ),
            (
                psi.with_missing(test(0.1, -1.0)),
                "fields.f.missing.test.min_change: `min_change` of the test of missing values is -1, expected a number \
                 from 0 to 1",
            ),
        ];
        for (field, expected) in table {
            assert_eq!(lines(&monitor(field)), [expected]);
        }
    }

    #[test]
    fn windows_that_end_before_they_start_are_named() {
        let good = monitor(FieldMonitor::psi(0.2));
        let (day, instant) = (point("2013-06-01"), point("2013-06-01T00:00:00Z"));
        let reference = Monitor { reference: ReferenceWindow { from: day, to: instant }, ..good.clone() };
        assert_eq!(lines(&reference), ["reference.to: `to` 2013-06-01T00:00:00Z is not after `from` 2013-06-01"]);
        let current =
            Monitor { current: CurrentWindow::Between { from: day, to: point("2013-05-01") }, ..good.clone() };
        assert_eq!(lines(&current), ["current.to: `to` 2013-05-01 is not after `from` 2013-06-01"]);
        // The day begins four hours later in New York than in UTC.
        let later = ReferenceWindow { from: day, to: point("2013-06-01T02:00:00Z") };
        let utc = Monitor { reference: later, ..good.clone() };
        assert_eq!(utc.problems(), []);
        let zone = Monitor { timezone: "America/New_York".parse().unwrap(), ..utc };
        assert_eq!(lines(&zone), ["reference.to: `to` 2013-06-01T02:00:00Z is not after `from` 2013-06-01"]);
        let none = Monitor { fields: indexmap::IndexMap::new(), ..good };
        assert_eq!(lines(&none), ["fields: expected at least one field, found none"]);
    }
}
