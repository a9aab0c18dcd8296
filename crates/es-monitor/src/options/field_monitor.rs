//! The comparison of one field: a method with its threshold, and the rule for missing values.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::method::Method;

/// The largest number of bins of a field. More would need more buckets in one answer than a
/// server allows by default once they are refined.
pub const MAX_BINS: u32 = 1000;

/// The comparison of a field.
///
/// Distances drift above `max`, tests at or below the level `p`. The tests see ever smaller
/// differences as windows grow; the distances do not. A distance over shares (`psi`, `js`, `linf`)
/// drifts only when chance does not explain it either, as in small windows of many categories.
///
/// `bins` is the number of quantile bins of the reference for a number, and for other fields the
/// number of the most frequent categories of both windows together, beside which all others are
/// one; by default [`FieldMonitor::bins_for`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "method", rename_all = "snake_case", deny_unknown_fields)]
pub enum FieldMonitor {
    /// The Wasserstein distance of a number, divided by the standard deviation of the reference.
    Wasserstein {
        /// The largest distance that is not drift.
        #[schemars(range(min = 0.0))]
        max: f64,
        /// The number of bins; by default, the method's own choice.
        #[schemars(range(min = 2, max = 1000))]
        #[serde(skip_serializing_if = "Option::is_none")]
        bins: Option<u32>,
        /// The rule for missing values.
        #[serde(default)]
        missing: MissingRule,
    },
    /// The Jensen-Shannon distance of a number or a category, in base 2.
    Js {
        /// The largest distance that is not drift.
        #[schemars(range(min = 0.0))]
        max: f64,
        /// The number of bins; by default, the method's own choice.
        #[schemars(range(min = 2, max = 1000))]
        #[serde(skip_serializing_if = "Option::is_none")]
        bins: Option<u32>,
        /// The rule for missing values.
        #[serde(default)]
        missing: MissingRule,
    },
    /// The two-sample Kolmogorov-Smirnov test of a number.
    Ks {
        /// The largest p-value that is drift.
        #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
        p: f64,
        /// The number of bins; by default, the method's own choice.
        #[schemars(range(min = 2, max = 1000))]
        #[serde(skip_serializing_if = "Option::is_none")]
        bins: Option<u32>,
        /// The rule for missing values.
        #[serde(default)]
        missing: MissingRule,
    },
    /// The population stability index of a number or a category.
    Psi {
        /// The largest index that is not drift.
        #[schemars(range(min = 0.0))]
        max: f64,
        /// The number of bins; by default, the method's own choice.
        #[schemars(range(min = 2, max = 1000))]
        #[serde(skip_serializing_if = "Option::is_none")]
        bins: Option<u32>,
        /// The rule for missing values.
        #[serde(default)]
        missing: MissingRule,
    },
    /// The chi-squared test of a category.
    Chi2 {
        /// The largest p-value that is drift.
        #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
        p: f64,
        /// The number of bins; by default, the method's own choice.
        #[schemars(range(min = 2, max = 1000))]
        #[serde(skip_serializing_if = "Option::is_none")]
        bins: Option<u32>,
        /// The rule for missing values.
        #[serde(default)]
        missing: MissingRule,
    },
    /// The largest difference of the share of a category.
    Linf {
        /// The largest difference that is not drift.
        #[schemars(range(min = 0.0, max = 1.0))]
        max: f64,
        /// The number of bins; by default, the method's own choice.
        #[schemars(range(min = 2, max = 1000))]
        #[serde(skip_serializing_if = "Option::is_none")]
        bins: Option<u32>,
        /// The rule for missing values.
        #[serde(default)]
        missing: MissingRule,
    },
}

/// The rule by which a change of the share of documents without a value is drift.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MissingRule {
    /// It never is; the share is only reported.
    Ignore,
    /// It is when it is large enough to matter and larger than chance explains.
    Test(MissingTest),
}

/// The test of the share of documents without a value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MissingTest {
    /// The largest p-value of the two-proportion test that is drift.
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub p: f64,
    /// The smallest change of the share, from 0 to 1, that is drift.
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

impl FieldMonitor {
    /// The Wasserstein distance of a number, drift above `max` standard deviations.
    pub fn wasserstein(max: f64) -> Self {
        Self::Wasserstein { max, bins: None, missing: MissingRule::default() }
    }

    /// The Jensen-Shannon distance of a number or a category, drift above `max`.
    pub fn jensen_shannon(max: f64) -> Self {
        Self::Js { max, bins: None, missing: MissingRule::default() }
    }

    /// The Kolmogorov-Smirnov test of a number, drift up to the p-value `p`.
    pub fn kolmogorov_smirnov(p: f64) -> Self {
        Self::Ks { p, bins: None, missing: MissingRule::default() }
    }

    /// The population stability index of a number or a category, drift above `max`.
    pub fn psi(max: f64) -> Self {
        Self::Psi { max, bins: None, missing: MissingRule::default() }
    }

    /// The chi-squared test of a category, drift up to the p-value `p`.
    pub fn chi_squared(p: f64) -> Self {
        Self::Chi2 { p, bins: None, missing: MissingRule::default() }
    }

    /// The largest difference of the share of a category, drift above `max`.
    pub fn l_infinity(max: f64) -> Self {
        Self::Linf { max, bins: None, missing: MissingRule::default() }
    }

    /// Sets the number of bins.
    #[must_use]
    pub fn with_bins(mut self, count: u32) -> Self {
        match &mut self {
            Self::Wasserstein { bins, .. }
            | Self::Js { bins, .. }
            | Self::Ks { bins, .. }
            | Self::Psi { bins, .. }
            | Self::Chi2 { bins, .. }
            | Self::Linf { bins, .. } => *bins = Some(count),
        }
        self
    }

    /// Sets the rule for missing values.
    #[must_use]
    pub fn with_missing(mut self, rule: MissingRule) -> Self {
        match &mut self {
            Self::Wasserstein { missing, .. }
            | Self::Js { missing, .. }
            | Self::Ks { missing, .. }
            | Self::Psi { missing, .. }
            | Self::Chi2 { missing, .. }
            | Self::Linf { missing, .. } => *missing = rule,
        }
        self
    }

    /// The method with its threshold.
    pub fn method(&self) -> Method {
        match *self {
            Self::Wasserstein { max, .. } => Method::Wasserstein { max },
            Self::Js { max, .. } => Method::JensenShannon { max },
            Self::Ks { p, .. } => Method::KolmogorovSmirnov { p },
            Self::Psi { max, .. } => Method::Psi { max },
            Self::Chi2 { p, .. } => Method::ChiSquared { p },
            Self::Linf { max, .. } => Method::LInfinity { max },
        }
    }

    /// The number of bins, where it is given.
    pub fn bins(&self) -> Option<u32> {
        match *self {
            Self::Wasserstein { bins, .. }
            | Self::Js { bins, .. }
            | Self::Ks { bins, .. }
            | Self::Psi { bins, .. }
            | Self::Chi2 { bins, .. }
            | Self::Linf { bins, .. } => bins,
        }
    }

    /// The rule for missing values.
    pub fn missing(&self) -> MissingRule {
        match *self {
            Self::Wasserstein { missing, .. }
            | Self::Js { missing, .. }
            | Self::Ks { missing, .. }
            | Self::Psi { missing, .. }
            | Self::Chi2 { missing, .. }
            | Self::Linf { missing, .. } => missing,
        }
    }

    /// The number of bins of a number, or of categories of another field, that is used.
    pub fn bins_for(&self, numeric: bool) -> u32 {
        self.bins().unwrap_or(match (numeric, self.method().is_numeric_only()) {
            (true, true) | (false, _) => 100,
            (true, false) => 10,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(value: Value) -> Result<FieldMonitor, serde_json::Error> {
        serde_json::from_value(value)
    }

    #[test]
    fn constructors_build_the_written_form() {
        for (field, written) in [
            (FieldMonitor::wasserstein(0.1), json!({"method": "wasserstein", "max": 0.1})),
            (FieldMonitor::jensen_shannon(0.1), json!({"method": "js", "max": 0.1})),
            (FieldMonitor::kolmogorov_smirnov(0.01), json!({"method": "ks", "p": 0.01})),
            (FieldMonitor::psi(0.2).with_bins(20), json!({"method": "psi", "max": 0.2, "bins": 20})),
            (FieldMonitor::chi_squared(0.01).with_bins(20), json!({"method": "chi2", "p": 0.01, "bins": 20})),
            (
                FieldMonitor::l_infinity(0.1).with_missing(MissingRule::Ignore),
                json!({"method": "linf", "max": 0.1, "missing": "ignore"}),
            ),
        ] {
            assert_eq!(read(written.clone()).unwrap(), field);
            assert_eq!(field.method().name(), written["method"]);
        }
    }

    #[test]
    fn rules_for_missing_values_are_read() {
        let rule = read(json!({"method": "js", "max": 0.1, "missing": {"test": {"min_change": 0.05}}})).unwrap();
        assert_eq!(rule.missing(), MissingRule::Test(MissingTest { p: 0.01, min_change: 0.05 }));
        assert!(read(json!({"method": "js", "max": 0.1, "p": 0.01})).is_err());
        assert_eq!(read(json!({"method": "linf", "max": 0.1, "bins": 10})).unwrap().bins(), Some(10));
    }

    #[test]
    fn methods_choose_their_own_number_of_bins() {
        let (psi, ks) = (FieldMonitor::psi(0.2), FieldMonitor::kolmogorov_smirnov(0.01));
        assert_eq!([psi.bins_for(true), psi.bins_for(false), ks.bins_for(true)], [10, 100, 100]);
        assert_eq!(psi.with_bins(7).bins_for(true), 7);
    }
}
