//! The result of an evaluation, as it is stored and shown. Every number is beside the numbers that
//! it was computed from.
//!
//! A [`Report`] is written with `serde` and read back the same. Its `Display` is one sentence; that
//! of a [`FieldReport`] is one line for each field. Its JSON:
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
//! A field that was not measured has a `reason` with a `code`, and no `measurement`, or one whose
//! interval leaves the verdict open.

mod missing_rule;
mod text;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::interval::Interval;
use crate::method::Method;
use crate::missing_values::ProportionTest;
use crate::options::{MissingRule, Severity};
use crate::verdict::{Reason, Verdict};

pub(crate) use text::short;

/// The evaluation of a monitor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The verdict on all fields together.
    pub verdict: Verdict,
    /// The consequence of drift.
    pub severity: Severity,
    /// The index or alias.
    pub index: String,
    /// The field with the time of a document.
    pub time_field: String,
    /// The query that selected the documents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<Value>,
    /// The reference window.
    pub reference: WindowReport,
    /// The current window.
    pub current: WindowReport,
    /// True when an instant belongs to both windows; p-values assume that none does.
    pub windows_overlap: bool,
    /// The fields, in the order of the monitor.
    pub fields: Vec<FieldReport>,
    /// The time of the evaluation.
    pub evaluated_at: Timestamp,
    /// The crate and version that computed it.
    pub computed_by: String,
    /// The number of searches, all in one point in time.
    pub searches: u32,
}

/// A window with its number of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowReport {
    /// Its instants.
    #[serde(flatten)]
    pub interval: Interval,
    /// The documents in it, with the field or without.
    pub documents: u64,
}

/// The result for one field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldReport {
    /// The field.
    pub field: String,
    /// Its type in the mapping.
    pub field_type: String,
    /// The verdict on values and missing values together.
    pub verdict: Verdict,
    /// The result for its values.
    pub values: ValuesReport,
    /// The result for its missing values.
    pub missing: MissingReport,
}

/// The result for the values of a field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValuesReport {
    /// The verdict.
    pub verdict: Verdict,
    /// The reason that there is no verdict.
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
    /// The bins or categories that were counted, after the last refinement.
    pub bins: Vec<BinReport>,
}

/// The numbers of a method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// The distance or statistic.
    pub value: f64,
    /// The definition of the value, in words.
    pub definition: String,
    /// The interval of the exact value of the samples, if bins leave that open; the value is its
    /// lower end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Bounds>,
    /// The probability of a value at least as large when nothing drifts. Of an interval, that of
    /// the lower end: the exact one is at most this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_value: Option<f64>,
    /// The mean of the value when nothing drifts, from the sizes of the samples and the number of
    /// bins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_drift_expectation: Option<f64>,
    /// The degrees of freedom of a chi-squared statistic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub degrees_of_freedom: Option<u32>,
    /// A Wasserstein distance before it was divided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<Scale>,
}

/// The inclusive ends of an interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// The scale of a distance that was divided to have no unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scale {
    /// The distance in the unit of the field.
    pub distance: f64,
    /// The divisor: the population standard deviation of the reference.
    pub standard_deviation: f64,
}

/// The documents of a bin or category in both windows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BinReport {
    /// The bin or category.
    #[serde(flatten)]
    pub bin: BinLabel,
    /// Documents of the reference window.
    pub reference: u64,
    /// Documents of the current window.
    pub current: u64,
}

/// The values of a bin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum BinLabel {
    /// The numbers from `from` up to but not including `to`; null for an open end.
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

/// The result for the documents without the field.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MissingReport {
    /// The verdict.
    pub verdict: Verdict,
    /// The rule by which a change is drift.
    #[serde(flatten, with = "missing_rule")]
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
    /// The computation of the p-value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<ProportionTest>,
    /// The probability of a change at least as large when nothing changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_value: Option<f64>,
}

impl Report {
    /// The fields with a verdict.
    pub fn fields_with(&self, verdict: Verdict) -> impl Iterator<Item = &FieldReport> {
        self.fields.iter().filter(move |field| field.verdict == verdict)
    }
}

#[cfg(test)]
mod tests;
