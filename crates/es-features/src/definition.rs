//! What a caller asks for: entities, a grid of times, windows and features.
//!
//! These types say nothing of how the features are computed; whether they make sense
//! together is checked by [`FeatureSet::validate`].

use std::time::Duration;

use serde_json::{Map, Value};

use crate::grid::Grid;

/// A table of features: one row an entity and grid time, one field a feature and window.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureSet {
    /// The fields whose values together name an entity. A document that lacks one of them
    /// belongs to no entity; one with several values belongs to each of them.
    pub entity: Vec<String>,
    /// The date field that holds a document's time, and under which a row holds its grid
    /// time.
    pub time: String,
    /// The times of the rows.
    pub grid: Grid,
    /// The windows that each feature is computed in.
    pub windows: Vec<Window>,
    /// Which documents count, as an Elasticsearch query; without it, all.
    pub query: Option<Value>,
    /// The features by name, in the order of their fields.
    pub features: Vec<(String, Feature)>,
}

/// A window of elapsed time: the row at `t` sees the documents of `[t - length, t)`.
///
/// A day of a window is 24 hours, whatever the clocks of the grid's time zone do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// How the window is called in the names of fields, such as `7d`.
    pub name: String,
    /// How long it is, in whole milliseconds.
    pub length: Duration,
}

impl Window {
    /// A window of so many times 24 hours, called `7d` for 7.
    pub fn days(days: u32) -> Self {
        Self { name: format!("{days}d"), length: Duration::from_secs(u64::from(days) * 86_400) }
    }

    /// A window of so many hours, called `6h` for 6.
    pub fn hours(hours: u32) -> Self {
        Self { name: format!("{hours}h"), length: Duration::from_secs(u64::from(hours) * 3_600) }
    }
}

/// One feature. What it is of a window without documents or values stands in brackets.
///
/// Fields of dates count in milliseconds since 1970, booleans as 0 and 1. What is not a
/// finite number, such as a mean with an infinite value, is null.
#[derive(Clone, Debug, PartialEq)]
pub enum Feature {
    /// The number of documents \[0\].
    Count,
    /// The sum of the values \[0\].
    Sum(Values),
    /// The mean of the values \[null\].
    Avg(Values),
    /// The smallest value \[null\].
    Min(Values),
    /// The largest value \[null\].
    Max(Values),
    /// The sum of the squares of the values \[0\].
    SumOfSquares(Values),
    /// The population standard deviation of the values \[null\].
    StdDeviation(Values),
    /// The population variance of the values \[null\].
    Variance(Values),
    /// The number of values \[0\]; a document may have several.
    ValueCount(Values),
    /// Percentiles of the values \[null\], one field each.
    Percentiles(Percentiles),
    /// The number of distinct values of a field \[0\].
    Cardinality(Cardinality),
    /// The number of documents without a value of the field \[0\].
    Missing {
        /// The field.
        field: String,
    },
    /// One count or sum divided by another \[null\], and null where the divisor is 0.
    Ratio {
        /// The dividend.
        of: RatioTerm,
        /// The divisor.
        to: RatioTerm,
    },
    /// The change of another feature since the previous grid time, in the same window;
    /// null where either value is.
    Derivative {
        /// The name of the other feature, which has one value: not percentiles, and not
        /// itself a derivative.
        of: String,
    },
}

/// Where the values of an aggregation come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// A field.
    Field(String),
    /// A script, which returns the value of a document, or null for none.
    Script(Script),
}

/// A Painless script.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// The source.
    pub source: String,
    /// What the script sees as `params`. Sources that differ only here compile once.
    pub params: Map<String, Value>,
}

impl Script {
    /// A script without parameters.
    pub fn new(source: impl Into<String>) -> Self {
        Self { source: source.into(), params: Map::new() }
    }
}

/// Percentiles by t-digest.
///
/// While an entity has fewer than 20 × `compression` values in a window, the digest keeps
/// all of them and a percentile is exact: that of linear interpolation between the two
/// closest ranks (NumPy's and Polars' `linear`). From there on it is approximate. Measured
/// with the default compression on 10,000 to 300,000 values, the percentile 100 *q* lies
/// between the exact ones of *q* ± 0.02 *q* (1 − *q*), and between those of
/// *q* ± 0.06 *q* (1 − *q*) where the values are a few whole numbers.
///
/// That holds from Elasticsearch 8.9 on; before, a digest is never exact. Its
/// `execution_hint: high_accuracy` is not used: it interpolates in another way, which is
/// further off for few values, and takes several times as long.
#[derive(Clone, Debug, PartialEq)]
pub struct Percentiles {
    /// Where the values come from.
    pub of: Values,
    /// Which percentiles, each from 0 to 100.
    pub percents: Vec<f64>,
    /// The digest's size; its memory on the server grows with it, to about 160 bytes times
    /// the compression for each entity and window. Default: [`Percentiles::COMPRESSION`].
    pub compression: Option<f64>,
}

impl Percentiles {
    /// The default of [`Percentiles::compression`]. Elasticsearch's own is 100; this one is
    /// exact for just under 10,000 values and takes as long.
    pub const COMPRESSION: f64 = 500.0;
}

/// The number of distinct values, by HyperLogLog++.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cardinality {
    /// The field.
    pub field: String,
    /// Up to about so many distinct values the number is close to exact; at most 40,000.
    /// Default: Elasticsearch's, 3,000.
    pub precision_threshold: Option<u32>,
}

/// What a ratio is made of.
#[derive(Clone, Debug, PartialEq)]
pub enum RatioTerm {
    /// The number of documents.
    Count,
    /// The number of documents that match a query.
    Filter(Value),
    /// The number of documents without a value of the field.
    Missing {
        /// The field.
        field: String,
    },
    /// The number of values.
    ValueCount(Values),
    /// The sum of the values.
    Sum(Values),
}
