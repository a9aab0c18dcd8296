//! What an evaluation found, as it is stored and shown. Every number stands beside what it
//! was computed from.
//!
//! A [`Report`] is written with `serde` and read back the same. Its `Display` is one
//! sentence; that of a [`FieldReport`] is one line for each field. As JSON it looks so:
//!
//! ```
//! # let text = r#"
//! {
//!   "verdict": "no_drift",
//!   "severity": "warn",
//!   "index": "flights-departures",
//!   "time_field": "time_hour",
//!   "reference": {"from": "2013-06-01T00:00:00Z", "to": "2013-07-01T00:00:00Z", "documents": 28231},
//!   "current": {"from": "2013-07-01T00:00:00Z", "to": "2013-08-01T00:00:00Z", "documents": 29428},
//!   "windows_overlap": false,
//!   "fields": [{
//!     "field": "dep_delay",
//!     "field_type": "integer",
//!     "verdict": "no_drift",
//!     "values": {
//!       "verdict": "no_drift",
//!       "method": {"name": "wasserstein", "max": 0.1},
//!       "measurement": {
//!         "value": 0.0264,
//!         "definition": "Wasserstein-1 distance by the means of 2 bins over the reference's standard deviation",
//!         "interval": {"low": 0.0264, "high": 0.0370},
//!         "scale": {"distance": 1.356, "standard_deviation": 51.29}
//!       },
//!       "n_reference": 27236,
//!       "n_current": 28472,
//!       "bins": [
//!         {"kind": "range", "from": null, "to": -1.0, "reference": 13102, "current": 13017},
//!         {"kind": "range", "from": -1.0, "to": null, "reference": 14134, "current": 15455}
//!       ]
//!     },
//!     "missing": {
//!       "verdict": "no_drift",
//!       "rule": "test", "p": 0.01, "min_change": 0.01,
//!       "reference": 995, "current": 956,
//!       "share_reference": 0.0352, "share_current": 0.0325,
//!       "test": "z_test", "p_value": 0.067
//!     }
//!   }],
//!   "evaluated_at": "2013-08-02T06:00:00Z",
//!   "computed_by": "es-monitor 0.1.0",
//!   "searches": 3
//! }
//! # "#;
//! # let report: es_monitor::Report = serde_json::from_str(text).unwrap();
//! # let expected: serde_json::Value = serde_json::from_str(text).unwrap();
//! # assert_eq!(serde_json::to_value(&report).unwrap(), expected);
//! ```
//!
//! What was not measured has a `reason` with a `code`, and no `measurement`, or one whose
//! interval leaves the verdict open.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::missing_values::ProportionTest;
use crate::monitor::{Method, MissingRule, Severity};
use crate::verdict::{Reason, Verdict};
use crate::window::Interval;

/// The evaluation of a monitor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The verdict on all fields together.
    pub verdict: Verdict,
    /// How bad drift is, as the monitor said.
    pub severity: Severity,
    /// The index or alias.
    pub index: String,
    /// The date field that placed documents in the windows.
    pub time_field: String,
    /// The monitor's query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<Value>,
    /// The reference window.
    pub reference: WindowReport,
    /// The current window.
    pub current: WindowReport,
    /// Whether documents belong to both windows; p-values suppose that none do.
    pub windows_overlap: bool,
    /// The fields, in the order of the monitor.
    pub fields: Vec<FieldReport>,
    /// When it was evaluated.
    pub evaluated_at: Timestamp,
    /// The crate and version that computed it.
    pub computed_by: String,
    /// How many searches it took, all in one point in time.
    pub searches: u32,
}

/// A window as it was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowReport {
    /// Its instants.
    #[serde(flatten)]
    pub interval: Interval,
    /// Its documents, with the field or without.
    pub documents: u64,
}

/// What was found of one field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldReport {
    /// The field.
    pub field: String,
    /// Its type in the mapping.
    pub field_type: String,
    /// The verdict on values and missing values together.
    pub verdict: Verdict,
    /// What was found of its values.
    pub values: ValuesReport,
    /// What was found of its missing values.
    pub missing: MissingReport,
}

/// What was found of the values of a field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValuesReport {
    /// The verdict.
    pub verdict: Verdict,
    /// Why there is no verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The method and its threshold.
    pub method: Method,
    /// The numbers, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measurement: Option<Measurement>,
    /// Documents of the reference window with a value.
    pub n_reference: u64,
    /// Documents of the current window with a value.
    pub n_current: u64,
    /// The bins or categories that were counted, the last ones refined.
    pub bins: Vec<BinReport>,
}

/// The numbers of a method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// The distance or statistic.
    pub value: f64,
    /// What the value is, in words.
    pub definition: String,
    /// Where the exact value of the samples is, if bins leave that open: the value is the
    /// lower end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Bounds>,
    /// How probable a value at least as large is when nothing drifts. Of an interval, the
    /// lower end's: the exact one is at most this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_value: Option<f64>,
    /// What the value is on average when nothing drifts, from the sizes of the samples and
    /// the number of bins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_drift_expectation: Option<f64>,
    /// The degrees of freedom of a chi-squared statistic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub degrees_of_freedom: Option<u32>,
    /// A Wasserstein distance before it was divided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<Scale>,
}

/// The ends of an interval, which belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// The least that the number can be.
    pub low: f64,
    /// The most that it can be.
    pub high: f64,
}

/// How a distance in the unit of the field became one without a unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scale {
    /// The distance in the unit of the field.
    pub distance: f64,
    /// What it was divided by: the population standard deviation of the reference.
    pub standard_deviation: f64,
}

/// The documents of a bin or category in both windows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BinReport {
    /// Which bin or category.
    #[serde(flatten)]
    pub bin: BinLabel,
    /// Documents of the reference window.
    pub reference: u64,
    /// Documents of the current window.
    pub current: u64,
}

/// Which values a bin holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum BinLabel {
    /// The numbers from `from` up to and not including `to`; null is without end.
    Range {
        /// The lower end.
        from: Option<f64>,
        /// The upper end.
        to: Option<f64>,
    },
    /// One value.
    Category {
        /// The value.
        category: String,
    },
    /// Every other value.
    Other,
}

/// What was found of the documents without the field.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MissingReport {
    /// The verdict.
    pub verdict: Verdict,
    /// What makes a change a drift.
    #[serde(flatten)]
    pub rule: MissingRule,
    /// Documents of the reference window without the field.
    pub reference: u64,
    /// Documents of the current window without the field.
    pub current: u64,
    /// Their share of the reference window, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share_reference: Option<f64>,
    /// Their share of the current window, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share_current: Option<f64>,
    /// How the p-value was computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<ProportionTest>,
    /// How probable a change at least as large is when nothing changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_value: Option<f64>,
}

impl Report {
    /// The fields with a verdict.
    pub fn fields_with(&self, verdict: Verdict) -> impl Iterator<Item = &FieldReport> {
        self.fields.iter().filter(move |field| field.verdict == verdict)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names =
            |verdict| self.fields_with(verdict).map(|field| field.field.as_str()).collect::<Vec<_>>().join(", ");
        let all = self.fields.len();
        match self.verdict {
            Verdict::NoDrift => write!(f, "no drift in {}", counted(all as u64, "field")),
            Verdict::Drift => {
                let drifted = self.fields_with(Verdict::Drift).count();
                write!(f, "drift in {drifted} of {all} fields: {}", names(Verdict::Drift))
            }
            Verdict::NotMeasured => write!(f, "not measured: {}", names(Verdict::NotMeasured)),
        }?;
        let (reference, current) = (&self.reference, &self.current);
        write!(
            f,
            " ({} of {} against {} of {})",
            counted(current.documents, "document"),
            current.interval,
            reference.documents,
            reference.interval
        )
    }
}

/// A number with its noun: 1 field, 2 fields.
fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

impl fmt::Display for FieldReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}; {}", self.field, self.verdict, self.values, self.missing)
    }
}

impl fmt::Display for ValuesReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = match self.method {
            Method::Psi { max }
            | Method::JensenShannon { max }
            | Method::LInfinity { max }
            | Method::Wasserstein { max } => format!("limit {}", short(max)),
            Method::KolmogorovSmirnov { p } | Method::ChiSquared { p } => format!("drift up to p {}", short(p)),
        };
        write!(f, "{}", self.method.name())?;
        if let Some(found) = &self.measurement {
            write!(f, " {}", short(found.value))?;
            if let Some(p_value) = found.p_value {
                write!(f, ", p {}", short(p_value))?;
            }
            write!(f, " ({limit})")?;
            if let Some(expected) = found.no_drift_expectation {
                write!(f, ", {} by chance alone", short(expected))?;
            }
        }
        if let Some(reason) = &self.reason {
            write!(f, ", not measured as {reason}")?;
        }
        write!(f, ", {} against {} values", self.n_current, self.n_reference)
    }
}

impl fmt::Display for MissingReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.share_reference, self.share_current) {
            (Some(_), Some(_)) if self.reference == 0 && self.current == 0 => f.write_str("none missing"),
            (Some(reference), Some(current)) => {
                write!(f, "missing {:.2}% against {:.2}%", 100.0 * current, 100.0 * reference)?;
                self.p_value.map_or(Ok(()), |p_value| write!(f, ", p {}", short(p_value)))
            }
            _ => write!(f, "missing {} against {}", self.current, self.reference),
        }
    }
}

/// A number with the digits that a person reads: four, or a power of ten when it is tiny or huge.
pub(crate) fn short(number: f64) -> String {
    let size = number.abs();
    if size == 0.0 {
        return "0".to_owned();
    }
    if !(1e-4..1e9).contains(&size) {
        return format!("{number:.1e}");
    }
    let before = size.log10().floor() as i32 + 1;
    let after = usize::try_from(4 - before).unwrap_or(0);
    let text = format!("{number:.after$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_short() {
        let table = [
            (0.0, "0"),
            (0.1, "0.1"),
            (0.018_234_5, "0.01823"),
            (123.456, "123.5"),
            (28_243.0, "28243"),
            (-2.5, "-2.5"),
            (3.7e-12, "3.7e-12"),
            (1000.0, "1000"),
        ];
        for (number, text) in table {
            assert_eq!(short(number), text);
        }
    }

    fn window(from: &str, to: &str, documents: u64) -> WindowReport {
        let interval = Interval { from: from.parse().unwrap(), to: to.parse().unwrap() };
        WindowReport { interval, documents }
    }

    fn report() -> Report {
        let delay = FieldReport {
            field: "dep_delay".to_owned(),
            field_type: "double".to_owned(),
            verdict: Verdict::Drift,
            values: ValuesReport {
                verdict: Verdict::Drift,
                reason: None,
                method: Method::KolmogorovSmirnov { p: 0.01 },
                measurement: Some(Measurement {
                    value: 0.0423,
                    definition: "d".to_owned(),
                    interval: Some(Bounds { low: 0.0423, high: 0.0431 }),
                    p_value: Some(2.5e-20),
                    no_drift_expectation: None,
                    degrees_of_freedom: None,
                    scale: None,
                }),
                n_reference: 27_234,
                n_current: 28_485,
                bins: vec![
                    BinReport { bin: BinLabel::Range { from: None, to: Some(0.0) }, reference: 7, current: 8 },
                    BinReport { bin: BinLabel::Other, reference: 0, current: 1 },
                ],
            },
            missing: MissingReport {
                verdict: Verdict::NoDrift,
                rule: MissingRule::default(),
                reference: 1009,
                current: 940,
                share_reference: Some(0.0357),
                share_current: Some(0.0319),
                test: Some(ProportionTest::ZTest),
                p_value: Some(0.0125),
            },
        };
        let mut carrier = delay.clone();
        carrier.field = "carrier".to_owned();
        carrier.verdict = Verdict::NotMeasured;
        carrier.values.verdict = Verdict::NotMeasured;
        carrier.values.measurement = None;
        carrier.values.reason = Some(Reason::TooFewGroups);
        carrier.values.method = Method::ChiSquared { p: 0.01 };
        Report {
            verdict: Verdict::Drift,
            severity: Severity::Warn,
            index: "flights".to_owned(),
            time_field: "time_hour".to_owned(),
            query: Some(json!({"match_all": {}})),
            reference: window("2013-06-01T00:00:00Z", "2013-07-01T00:00:00Z", 28_243),
            current: window("2013-07-01T00:00:00Z", "2013-08-01T00:00:00Z", 29_425),
            windows_overlap: false,
            fields: vec![delay, carrier],
            evaluated_at: "2013-08-02T00:00:00Z".parse().unwrap(),
            computed_by: "es-monitor 0.1.0".to_owned(),
            searches: 3,
        }
    }

    #[test]
    fn sentences_name_values_limits_and_sizes() {
        let report = report();
        assert_eq!(
            report.to_string(),
            "drift in 1 of 2 fields: dep_delay (29425 documents of 2013-07-01T00:00:00Z to 2013-08-01T00:00:00Z \
             against 28243 of 2013-06-01T00:00:00Z to 2013-07-01T00:00:00Z)"
        );
        assert_eq!(
            report.fields[0].to_string(),
            "dep_delay: drift: ks 0.0423, p 2.5e-20 (drift up to p 0.01), 28485 against 27234 values; \
             missing 3.19% against 3.57%, p 0.0125"
        );
        assert_eq!(
            report.fields[1].values.to_string(),
            "chi2, not measured as fewer than two groups have the five documents that the test expects, \
             28485 against 27234 values"
        );
    }

    #[test]
    fn a_report_is_read_back_as_it_was_written() {
        let report = report();
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            value["reference"],
            json!({"from": "2013-06-01T00:00:00Z", "to": "2013-07-01T00:00:00Z", "documents": 28_243})
        );
        assert_eq!(value["fields"][0]["values"]["method"], json!({"name": "ks", "p": 0.01}));
        assert_eq!(
            value["fields"][0]["values"]["bins"][0],
            json!({"kind": "range", "from": null, "to": 0.0, "reference": 7, "current": 8})
        );
        assert_eq!(value["fields"][0]["missing"]["rule"], "test");
        assert_eq!(value["fields"][1]["values"]["reason"], json!({"code": "too_few_groups"}));
    }
}
