//! The methods of comparison, each with its threshold.

use serde::{Deserialize, Serialize};

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
        /// The largest index that is not drift.
        max: f64,
    },
    /// [`crate::jensen_shannon`] in base 2: over ten quantile bins, or categories.
    #[serde(rename = "js")]
    JensenShannon {
        /// The largest distance that is not drift.
        max: f64,
    },
    /// [`crate::l_infinity`]: over ten quantile bins, or categories.
    #[serde(rename = "linf")]
    LInfinity {
        /// The largest difference of a share that is not drift.
        max: f64,
    },
    /// [`crate::wasserstein`] over the standard deviation of the reference; for numbers only.
    #[serde(rename = "wasserstein")]
    Wasserstein {
        /// The largest distance that is not drift, in standard deviations of the reference.
        max: f64,
    },
    /// [`crate::kolmogorov_smirnov`]; for numbers only.
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

impl Method {
    /// The short name, as in options and reports.
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

    /// Returns true for a method that needs values with an order and a distance.
    pub fn is_numeric_only(&self) -> bool {
        matches!(self, Self::Wasserstein { .. } | Self::KolmogorovSmirnov { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_have_their_short_names_in_reports() {
        let text = serde_json::to_string(&Method::KolmogorovSmirnov { p: 0.01 }).unwrap();
        assert_eq!(text, r#"{"name":"ks","p":0.01}"#);
        assert_eq!(serde_json::from_str::<Method>(&text).unwrap().name(), "ks");
    }
}
