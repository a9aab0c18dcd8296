//! `monitor`: drift of fields between a reference and a current window.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kinds::checks::Severity;
use es_values::{Query, TimePoint, TimeSpan, TimeZoneName};

/// A comparison of the fields of an asset between two windows of time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Monitor {
    /// The asset whose documents are compared.
    #[schemars(extend("format" = "name", "pattern" = "^[a-z0-9_]+$"))]
    pub of: String,
    /// The field that holds a document's time.
    #[schemars(extend("format" = "text"))]
    pub time: String,
    /// The window that sets the norm.
    pub reference: ReferenceWindow,
    /// The window that is compared with it.
    pub current: CurrentWindow,
    /// The time zone of the windows' dates.
    #[serde(default)]
    pub timezone: TimeZoneName,
    /// Which documents count; without it, all.
    #[serde(rename = "where")]
    pub filter: Option<Query>,
    /// How each field is compared.
    #[schemars(extend("minProperties" = 1))]
    pub fields: IndexMap<String, FieldMonitor>,
    /// What it means when a field has drifted.
    #[serde(default)]
    pub severity: Severity,
}

/// A window between two dates; the end is not in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReferenceWindow {
    /// The start.
    pub from: TimePoint,
    /// The end, which is not in the window.
    pub to: TimePoint,
}

/// The window that is compared with the reference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, deny_unknown_fields)]
pub enum CurrentWindow {
    /// A window between two dates; the end is not in it.
    Between {
        /// The start.
        from: TimePoint,
        /// The end, which is not in the window.
        to: TimePoint,
    },
    /// The last stretch of time.
    Last {
        /// How long it is.
        last: TimeSpan,
        /// Where it ends.
        #[serde(default)]
        until: Until,
    },
}

/// Where a window that covers the last stretch of time ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// At the present moment.
    #[default]
    Now,
    /// At the newest document, which is in the window.
    Latest,
}

/// How a field is compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "method", rename_all = "snake_case", deny_unknown_fields)]
pub enum FieldMonitor {
    /// The Wasserstein distance of a number, divided by the reference's standard
    /// deviation.
    Wasserstein {
        /// The largest distance that is no drift.
        #[schemars(range(min = 0.0))]
        max: f64,
        /// How many bins the values are put in; without it, the method's own choice.
        #[schemars(range(min = 2, max = 1000))]
        #[serde(skip_serializing_if = "Option::is_none")]
        bins: Option<u32>,
        /// When the share of missing values has drifted.
        #[serde(default)]
        missing: MissingRule,
    },
    /// The Jensen-Shannon distance of a number or a category.
    Js {
        /// The largest distance that is no drift.
        #[schemars(range(min = 0.0))]
        max: f64,
        /// How many bins the values are put in; without it, the method's own choice.
        #[schemars(range(min = 2, max = 1000))]
        #[serde(skip_serializing_if = "Option::is_none")]
        bins: Option<u32>,
        /// When the share of missing values has drifted.
        #[serde(default)]
        missing: MissingRule,
    },
    /// The two-sample Kolmogorov-Smirnov test of a number.
    Ks {
        /// Drift is a p-value below this level.
        #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
        p: f64,
        /// How many bins the values are put in; without it, the method's own choice.
        #[schemars(range(min = 2, max = 1000))]
        #[serde(skip_serializing_if = "Option::is_none")]
        bins: Option<u32>,
        /// When the share of missing values has drifted.
        #[serde(default)]
        missing: MissingRule,
    },
    /// The population stability index of a number or a category.
    Psi {
        /// The largest index that is no drift.
        #[schemars(range(min = 0.0))]
        max: f64,
        /// How many bins the values are put in; without it, the method's own choice.
        #[schemars(range(min = 2, max = 1000))]
        #[serde(skip_serializing_if = "Option::is_none")]
        bins: Option<u32>,
        /// When the share of missing values has drifted.
        #[serde(default)]
        missing: MissingRule,
    },
    /// The chi-squared test of a category.
    Chi2 {
        /// Drift is a p-value below this level.
        #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
        p: f64,
        /// When the share of missing values has drifted.
        #[serde(default)]
        missing: MissingRule,
    },
    /// The largest difference of a category's share.
    Linf {
        /// The largest difference that is no drift.
        #[schemars(range(min = 0.0, max = 1.0))]
        max: f64,
        /// When the share of missing values has drifted.
        #[serde(default)]
        missing: MissingRule,
    },
}

/// A method of comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Wasserstein distance.
    Wasserstein,
    /// Jensen-Shannon distance.
    Js,
    /// Kolmogorov-Smirnov test.
    Ks,
    /// Population stability index.
    Psi,
    /// Chi-squared test.
    Chi2,
    /// Largest difference of shares.
    Linf,
}

impl FieldMonitor {
    /// The method.
    #[must_use]
    pub fn method(&self) -> Method {
        match self {
            Self::Wasserstein { .. } => Method::Wasserstein,
            Self::Js { .. } => Method::Js,
            Self::Ks { .. } => Method::Ks,
            Self::Psi { .. } => Method::Psi,
            Self::Chi2 { .. } => Method::Chi2,
            Self::Linf { .. } => Method::Linf,
        }
    }

    /// The rule for missing values.
    #[must_use]
    pub fn missing(&self) -> MissingRule {
        match self {
            Self::Wasserstein { missing, .. }
            | Self::Js { missing, .. }
            | Self::Ks { missing, .. }
            | Self::Psi { missing, .. }
            | Self::Chi2 { missing, .. }
            | Self::Linf { missing, .. } => *missing,
        }
    }
}

/// When the share of documents without a value has drifted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MissingRule {
    /// Never: it is reported and has no say.
    Ignore,
    /// When it differs by enough, and by more than chance explains.
    Test(MissingTest),
}

/// The test of the share of documents without a value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MissingTest {
    /// Drift is a p-value of the two-proportion test up to this level.
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub p: f64,
    /// Drift is a difference of at least this share.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub min_change: f64,
}

impl Default for MissingTest {
    fn default() -> Self {
        Self { p: 0.01, min_change: 0.01 }
    }
}

impl Default for MissingRule {
    fn default() -> Self {
        Self::Test(MissingTest::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn windows_and_rules_are_read() {
        let window: CurrentWindow = serde_json::from_value(json!({ "last": "30d" })).unwrap();
        let CurrentWindow::Last { until, .. } = window else { panic!("{window:?}") };
        assert_eq!(until, Until::Now);
        let rule = json!({ "method": "ks", "p": 0.01, "missing": "ignore" });
        let rule: FieldMonitor = serde_json::from_value(rule).unwrap();
        assert_eq!(rule.missing(), MissingRule::Ignore);
        let rule = json!({ "method": "js", "max": 0.1, "missing": { "test": { "min_change": 0.05 } } });
        let rule: FieldMonitor = serde_json::from_value(rule).unwrap();
        assert_eq!(
            (rule.method(), rule.missing()),
            (Method::Js, MissingRule::Test(MissingTest { p: 0.01, min_change: 0.05 }))
        );
        let mixed = json!({ "method": "js", "max": 0.1, "p": 0.01 });
        assert!(serde_json::from_value::<FieldMonitor>(mixed).is_err());
    }
}
