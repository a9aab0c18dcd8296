//! What to monitor: the windows, the fields, the methods and their thresholds.

use indexmap::IndexMap;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, ErrorKind};
use crate::window::Window;

/// The largest number of bins of a field. More would need more buckets in one answer than
/// a server allows by default once they are refined.
pub const MAX_BINS: u32 = 1000;

/// How many values each window needs, unless the monitor says otherwise.
pub const DEFAULT_MIN_VALUES: u64 = 30;

/// A comparison of fields between a reference and a current window of one index.
///
/// ```
/// use es_monitor::{FieldMonitor, Method, Monitor, Window};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let june = Window::Between { from: "2013-06-01T00:00:00Z".parse()?, to: "2013-07-01T00:00:00Z".parse()? };
/// let july = Window::Between { from: "2013-07-01T00:00:00Z".parse()?, to: "2013-08-01T00:00:00Z".parse()? };
/// let monitor = Monitor::new("flights-departures", "time_hour", june, july)
///     .field("dep_delay", FieldMonitor::new(Method::Wasserstein { max: 0.1 }))
///     .field("carrier", FieldMonitor::new(Method::JensenShannon { max: 0.1 }));
/// monitor.check()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Monitor {
    /// The index or alias.
    pub index: String,
    /// The date field that places a document in a window.
    pub time_field: String,
    /// What is compared with.
    pub reference: Window,
    /// What is compared.
    pub current: Window,
    /// Which documents take part: an Elasticsearch query. None: all.
    pub query: Option<Value>,
    /// The fields, in the order of the report.
    pub fields: IndexMap<String, FieldMonitor>,
    /// How bad drift is.
    pub severity: Severity,
    /// With fewer values of a field in a window there is no verdict on it.
    pub min_values: u64,
}

/// How one field is compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FieldMonitor {
    /// The method and its threshold.
    pub method: Method,
    /// For a numeric field the number of quantile bins of the reference, for others the
    /// number of its most frequent categories that are told apart. None: the method's own
    /// number, see [`FieldMonitor::bins_for`].
    pub bins: Option<u32>,
    /// The test of missing values.
    pub missing: MissingRule,
}

/// A method with the threshold that makes a difference a drift.
///
/// Distances drift above `max`, tests at or below the level `p`. The tests see ever smaller
/// differences as windows grow; the distances do not.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name")]
pub enum Method {
    /// [`crate::psi`]: over ten quantile bins, or categories.
    #[serde(rename = "psi")]
    Psi {
        /// The largest index that is no drift.
        max: f64,
    },
    /// [`crate::jensen_shannon`] in base 2: over ten quantile bins, or categories.
    #[serde(rename = "js")]
    JensenShannon {
        /// The largest distance that is no drift.
        max: f64,
    },
    /// [`crate::l_infinity`]: over ten quantile bins, or categories.
    #[serde(rename = "linf")]
    LInfinity {
        /// The largest difference of a share that is no drift.
        max: f64,
    },
    /// [`crate::wasserstein`] over the standard deviation of the reference, numeric fields only.
    #[serde(rename = "wasserstein")]
    Wasserstein {
        /// The largest distance that is no drift, in standard deviations of the reference.
        max: f64,
    },
    /// [`crate::kolmogorov_smirnov`], numeric fields only.
    #[serde(rename = "ks")]
    KolmogorovSmirnov {
        /// The largest p-value that is drift.
        p: f64,
    },
    /// [`crate::chi_squared`]: over ten quantile bins, or categories.
    #[serde(rename = "chi2")]
    ChiSquared {
        /// The largest p-value that is drift.
        p: f64,
    },
}

/// Whether a change of the share of documents without the field is drift.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum MissingRule {
    /// It is when [`crate::missing_values`] finds it improbable and it is large enough to
    /// matter: in large windows the smallest change is improbable.
    Test {
        /// The largest p-value that is drift.
        p: f64,
        /// The smallest change of the share, from 0 to 1, that is drift.
        min_change: f64,
    },
    /// It never is; the test is reported all the same.
    Report,
}

impl Default for MissingRule {
    /// At p ≤ 0.01 and a change of at least one percentage point.
    fn default() -> Self {
        Self::Test { p: 0.01, min_change: 0.01 }
    }
}

/// How bad drift is to those who run the monitor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It is told.
    Warn,
    /// It fails the run.
    #[default]
    Error,
}

impl Method {
    /// Its short name, as in configuration and reports.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Psi { .. } => "psi",
            Self::JensenShannon { .. } => "js",
            Self::LInfinity { .. } => "linf",
            Self::Wasserstein { .. } => "wasserstein",
            Self::KolmogorovSmirnov { .. } => "ks",
            Self::ChiSquared { .. } => "chi2",
        }
    }

    /// Whether it needs values that have an order and a distance.
    pub fn is_numeric_only(&self) -> bool {
        matches!(self, Self::Wasserstein { .. } | Self::KolmogorovSmirnov { .. })
    }

    fn check(&self) -> Result<(), String> {
        let (parameter, value, right) = match *self {
            Self::Psi { max } | Self::Wasserstein { max } => ("max", max, max.is_finite() && max > 0.0),
            Self::JensenShannon { max } | Self::LInfinity { max } => ("max", max, max > 0.0 && max < 1.0),
            Self::KolmogorovSmirnov { p } | Self::ChiSquared { p } => ("p", p, p > 0.0 && p < 1.0),
        };
        let range = match self {
            Self::Psi { .. } | Self::Wasserstein { .. } => "above 0",
            _ => "between 0 and 1",
        };
        if right { Ok(()) } else { Err(format!("{parameter} of {} is {value}: it must be {range}", self.name())) }
    }
}

impl FieldMonitor {
    /// A field compared by a method, with the defaults for everything else.
    pub fn new(method: Method) -> Self {
        Self { method, bins: None, missing: MissingRule::default() }
    }

    /// The number of bins, or of categories, in force.
    pub fn bins_for(&self, numeric: bool) -> u32 {
        self.bins.unwrap_or(match (numeric, self.method.is_numeric_only()) {
            (true, true) | (false, _) => 100,
            (true, false) => 10,
        })
    }

    fn check(&self) -> Result<(), String> {
        self.method.check()?;
        if let Some(bins) = self.bins.filter(|bins| !(2..=MAX_BINS).contains(bins)) {
            return Err(format!("bins is {bins}: it must be from 2 to {MAX_BINS}"));
        }
        match self.missing {
            MissingRule::Test { p, .. } if !(p > 0.0 && p < 1.0) => {
                Err(format!("p of the missing values' test is {p}: it must be between 0 and 1"))
            }
            MissingRule::Test { min_change, .. } if !(0.0..=1.0).contains(&min_change) => {
                Err(format!("min_change of the missing values' test is {min_change}: it must be from 0 to 1"))
            }
            _ => Ok(()),
        }
    }
}

impl Monitor {
    /// A monitor of all documents, without fields yet, that fails a run when one drifts.
    pub fn new(index: impl Into<String>, time_field: impl Into<String>, reference: Window, current: Window) -> Self {
        Self {
            index: index.into(),
            time_field: time_field.into(),
            reference,
            current,
            query: None,
            fields: IndexMap::new(),
            severity: Severity::default(),
            min_values: DEFAULT_MIN_VALUES,
        }
    }

    /// Adds a field, or replaces what was said of it.
    pub fn field(mut self, name: impl Into<String>, field: FieldMonitor) -> Self {
        self.fields.insert(name.into(), field);
        self
    }

    /// Whether the monitor can be evaluated at all, as far as can be told without a server.
    ///
    /// # Errors
    /// [`ErrorKind::Spec`] for the first thing that is wrong.
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |message: String| Err(Error::new(ErrorKind::Spec, message));
        if self.fields.is_empty() {
            return wrong("the monitor names no fields".to_owned());
        }
        for (name, window) in [("reference", &self.reference), ("current", &self.current)] {
            match window {
                Window::Between { from, to } if from >= to => {
                    return wrong(format!("the {name} window ends at {to}, not after it starts at {from}"));
                }
                Window::Last { duration, .. } if *duration <= SignedDuration::ZERO => {
                    return wrong(format!("the {name} window has no length: {duration:#}"));
                }
                _ => {}
            }
        }
        for (name, field) in &self.fields {
            if let Err(message) = field.check() {
                return wrong(format!("field {name}: {message}"));
            }
        }
        if self.query.as_ref().is_some_and(|query| !query.is_object()) {
            return wrong("the query is not an object".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::Until;

    fn monitor(field: FieldMonitor) -> Monitor {
        let window = Window::Last { duration: SignedDuration::from_hours(1), until: Until::Now };
        Monitor::new("i", "t", window, window).field("f", field)
    }

    #[test]
    fn what_cannot_be_is_named() {
        let test = |p, min_change| MissingRule::Test { p, min_change };
        let psi = FieldMonitor::new(Method::Psi { max: 0.2 });
        assert!(monitor(psi).check().is_ok());
        let table = [
            (FieldMonitor::new(Method::Psi { max: f64::NAN }), "field f: max of psi is NaN: it must be above 0"),
            (
                FieldMonitor::new(Method::JensenShannon { max: 1.5 }),
                "field f: max of js is 1.5: it must be between 0 and 1",
            ),
            (
                FieldMonitor::new(Method::KolmogorovSmirnov { p: 0.0 }),
                "field f: p of ks is 0: it must be between 0 and 1",
            ),
            (FieldMonitor { bins: Some(1), ..psi }, "field f: bins is 1: it must be from 2 to 1000"),
            (
                FieldMonitor { missing: test(2.0, 0.0), ..psi },
                "field f: p of the missing values' test is 2: it must be between 0 and 1",
            ),
            (
                FieldMonitor { missing: test(0.1, -1.0), ..psi },
                "field f: min_change of the missing values' test is -1: it must be from 0 to 1",
            ),
        ];
        for (field, expected) in table {
            let error = monitor(field).check().unwrap_err();
            assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Spec, expected));
        }
    }

    #[test]
    fn windows_and_query_are_checked() {
        let good = monitor(FieldMonitor::new(Method::Psi { max: 0.2 }));
        let from = "2013-06-01T00:00:00Z".parse().unwrap();
        let table = [
            Monitor { fields: IndexMap::new(), ..good.clone() },
            Monitor { reference: Window::Between { from, to: from }, ..good.clone() },
            Monitor { current: Window::Last { duration: SignedDuration::ZERO, until: Until::Now }, ..good.clone() },
            Monitor { query: Some(Value::from("origin:JFK")), ..good },
        ];
        for wrong in table {
            assert_eq!(wrong.check().unwrap_err().kind(), ErrorKind::Spec, "{wrong:?}");
        }
    }

    #[test]
    fn methods_are_written_as_in_configuration() {
        let text = serde_json::to_string(&Method::KolmogorovSmirnov { p: 0.01 }).unwrap();
        assert_eq!(text, r#"{"name":"ks","p":0.01}"#);
        assert_eq!(serde_json::from_str::<Method>(&text).unwrap().name(), "ks");
    }
}
