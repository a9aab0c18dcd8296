//! One feature: the aggregation that computes it, and where its values come from.

use es_values::schema::exactly_one;
use es_values::{InvalidValue, Query};
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

/// One feature, computed in every window.
///
/// The value in brackets is that of a window without documents or values. Dates count in
/// milliseconds since 1970, booleans as 0 and 1. A result that is not a finite number, such as a
/// mean with an infinite value, is null.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    /// The number of documents \[0\].
    Count(NoOptions),
    /// The sum of the values \[0\].
    Sum(Metric),
    /// The mean of the values \[null\].
    Avg(Metric),
    /// The smallest value \[null\].
    Min(Metric),
    /// The largest value \[null\].
    Max(Metric),
    /// The sum of the squares of the values \[0\].
    SumOfSquares(Metric),
    /// The population standard deviation of the values \[null\].
    StdDeviation(Metric),
    /// The population variance of the values \[null\].
    Variance(Metric),
    /// Percentiles of the values \[null\], one field each.
    Percentiles(Percentiles),
    /// The approximate number of distinct values \[0\].
    Cardinality(Cardinality),
    /// The number of values \[0\]; a document may have several.
    ValueCount(Metric),
    /// The number of documents without a value \[0\].
    Missing(FieldName),
    /// One count or sum divided by another \[null\].
    Ratio(Ratio),
    /// The change of another feature since the previous grid time, in the same window; null where
    /// either value is.
    Derivative(Derivative),
}

/// An aggregation without options, written `{}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoOptions {}

/// A field by its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldName {
    /// The field.
    #[schemars(extend("format" = "text"))]
    pub field: String,
}

/// The source of the values of an aggregation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ValueSource {
    /// A field.
    Field(String),
    /// A Painless script that returns the value of a document, or null for none.
    Script(String),
}

/// An aggregation over the values of a field or a script.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "MetricKeys", into = "MetricKeys")]
#[schemars(with = "MetricKeys")]
pub struct Metric {
    /// The source of the values.
    pub values: ValueSource,
}

/// Percentiles of the values of a field or a script, by t-digest.
///
/// While an entity has fewer than 20 × [`percentile_compression`] values in a window, the digest
/// keeps all of them and a percentile is exact: that of linear interpolation between the two
/// closest ranks (NumPy's and Polars' `linear`). From there on it is approximate. Measured with
/// the default compression on 10,000 to 300,000 values, the percentile 100 *q* lies between the
/// exact ones of *q* ± 0.02 *q* (1 − *q*), and between those of *q* ± 0.06 *q* (1 − *q*) where the
/// values are a few whole numbers.
///
/// That holds from Elasticsearch 8.9 on; before, a digest is never exact. Its
/// `execution_hint: high_accuracy` is not used: it interpolates in another way, which is further
/// off for few values, and takes several times as long.
///
/// [`percentile_compression`]: crate::ComputeOptions::percentile_compression
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "PercentilesKeys", into = "PercentilesKeys")]
#[schemars(with = "PercentilesKeys")]
pub struct Percentiles {
    /// The source of the values.
    pub values: ValueSource,
    /// The percentiles, each from 0 to 100.
    pub percents: Vec<f64>,
}

/// An aggregation over values as it is written.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Metric", transform = one_source)]
struct MetricKeys {
    /// The field that holds the values.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "text"))]
    field: Option<String>,
    /// A Painless script that returns a value or null.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "text"))]
    script: Option<String>,
}

/// Percentiles as they are written.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Percentiles", transform = one_source)]
struct PercentilesKeys {
    /// The field that holds the values.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "text"))]
    field: Option<String>,
    /// A Painless script that returns a value or null.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "text"))]
    script: Option<String>,
    /// The percentiles, each from 0 to 100.
    #[schemars(length(min = 1), inner(range(min = 0.0, max = 100.0)), extend("uniqueItems" = true))]
    percents: Vec<f64>,
}

/// The approximate number of distinct values of a field, by HyperLogLog++.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cardinality {
    /// The field.
    #[schemars(extend("format" = "text"))]
    pub field: String,
    /// The number of distinct values up to which the result is close to exact; by default that of
    /// Elasticsearch, 3,000.
    #[schemars(range(min = 0, max = 40_000))]
    pub precision_threshold: Option<u32>,
}

/// One count or sum divided by another; null where the divisor is zero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ratio {
    /// The dividend.
    pub of: RatioTerm,
    /// The divisor.
    pub to: RatioTerm,
}

/// The dividend or the divisor of a ratio.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RatioTerm {
    /// The number of documents.
    Count(NoOptions),
    /// The number of documents that match a query.
    Filter(Query),
    /// The number of documents without a value.
    Missing(FieldName),
    /// The number of values.
    ValueCount(Metric),
    /// The sum of the values.
    Sum(Metric),
}

/// The change of another feature since the previous grid time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Derivative {
    /// The other feature, which has a single value: neither percentiles nor a derivative.
    #[schemars(extend("format" = "name", "pattern" = "^[a-z0-9_]+$"))]
    pub of: String,
}

fn one_source(schema: &mut Schema) {
    exactly_one(schema, &["field", "script"]);
}

impl Feature {
    /// The number of documents.
    pub fn count() -> Self {
        Self::Count(NoOptions {})
    }

    /// The sum of the values of a field, or of a [`Metric::script`].
    pub fn sum(values: impl Into<Metric>) -> Self {
        Self::Sum(values.into())
    }

    /// The mean of the values of a field, or of a [`Metric::script`].
    pub fn avg(values: impl Into<Metric>) -> Self {
        Self::Avg(values.into())
    }

    /// The smallest value of a field, or of a [`Metric::script`].
    pub fn min(values: impl Into<Metric>) -> Self {
        Self::Min(values.into())
    }

    /// The largest value of a field, or of a [`Metric::script`].
    pub fn max(values: impl Into<Metric>) -> Self {
        Self::Max(values.into())
    }

    /// The sum of the squares of the values of a field, or of a [`Metric::script`].
    pub fn sum_of_squares(values: impl Into<Metric>) -> Self {
        Self::SumOfSquares(values.into())
    }

    /// The population standard deviation of the values of a field, or of a [`Metric::script`].
    pub fn std_deviation(values: impl Into<Metric>) -> Self {
        Self::StdDeviation(values.into())
    }

    /// The population variance of the values of a field, or of a [`Metric::script`].
    pub fn variance(values: impl Into<Metric>) -> Self {
        Self::Variance(values.into())
    }

    /// Percentiles, each from 0 to 100, of the values of a field, or of a [`Metric::script`].
    pub fn percentiles(values: impl Into<Metric>, percents: impl Into<Vec<f64>>) -> Self {
        Self::Percentiles(Percentiles { values: values.into().values, percents: percents.into() })
    }

    /// The approximate number of distinct values of a field.
    pub fn cardinality(field: impl Into<String>) -> Self {
        Self::Cardinality(Cardinality { field: field.into(), precision_threshold: None })
    }

    /// The number of values of a field, or of a [`Metric::script`].
    pub fn value_count(values: impl Into<Metric>) -> Self {
        Self::ValueCount(values.into())
    }

    /// The number of documents without a value of a field.
    pub fn missing(field: impl Into<String>) -> Self {
        Self::Missing(FieldName { field: field.into() })
    }

    /// One count or sum divided by another.
    pub fn ratio(of: RatioTerm, to: RatioTerm) -> Self {
        Self::Ratio(Ratio { of, to })
    }

    /// The change of the feature called `of` since the previous grid time.
    pub fn derivative(of: impl Into<String>) -> Self {
        Self::Derivative(Derivative { of: of.into() })
    }

    /// Returns true for whole numbers that are never null.
    pub(crate) fn is_count(&self) -> bool {
        matches!(self, Self::Count(_) | Self::ValueCount(_) | Self::Cardinality(_) | Self::Missing(_))
    }

    /// The sources of the values that the feature aggregates.
    pub fn value_sources(&self) -> Vec<&ValueSource> {
        match self {
            Self::Sum(metric)
            | Self::Avg(metric)
            | Self::Min(metric)
            | Self::Max(metric)
            | Self::SumOfSquares(metric)
            | Self::StdDeviation(metric)
            | Self::Variance(metric)
            | Self::ValueCount(metric) => vec![&metric.values],
            Self::Percentiles(percentiles) => vec![&percentiles.values],
            Self::Ratio(ratio) => [&ratio.of, &ratio.to].into_iter().filter_map(RatioTerm::value_source).collect(),
            Self::Count(_) | Self::Cardinality(_) | Self::Missing(_) | Self::Derivative(_) => Vec::new(),
        }
    }
}

impl RatioTerm {
    /// The number of documents.
    pub fn count() -> Self {
        Self::Count(NoOptions {})
    }

    /// The number of documents without a value of a field.
    pub fn missing(field: impl Into<String>) -> Self {
        Self::Missing(FieldName { field: field.into() })
    }

    /// The number of values of a field, or of a [`Metric::script`].
    pub fn value_count(values: impl Into<Metric>) -> Self {
        Self::ValueCount(values.into())
    }

    /// The sum of the values of a field, or of a [`Metric::script`].
    pub fn sum(values: impl Into<Metric>) -> Self {
        Self::Sum(values.into())
    }

    fn value_source(&self) -> Option<&ValueSource> {
        match self {
            Self::ValueCount(metric) | Self::Sum(metric) => Some(&metric.values),
            Self::Count(_) | Self::Filter(_) | Self::Missing(_) => None,
        }
    }
}

impl Metric {
    /// The values of a field.
    pub fn field(name: impl Into<String>) -> Self {
        Self { values: ValueSource::Field(name.into()) }
    }

    /// The values that a Painless script returns, one a document or null.
    pub fn script(source: impl Into<String>) -> Self {
        Self { values: ValueSource::Script(source.into()) }
    }
}

impl From<&str> for Metric {
    fn from(field: &str) -> Self {
        Self::field(field)
    }
}

impl From<String> for Metric {
    fn from(field: String) -> Self {
        Self::field(field)
    }
}

impl ValueSource {
    fn from_keys(field: Option<String>, script: Option<String>) -> Result<Self, InvalidValue> {
        match (field, script) {
            (Some(field), None) => Ok(Self::Field(field)),
            (None, Some(script)) => Ok(Self::Script(script)),
            (field, _) => {
                let found = if field.is_some() { "both" } else { "neither" };
                let message = format!("expected exactly one of `field` and `script`, found {found}");
                Err(InvalidValue::new(message, "name a field, or write a script that returns a value or null"))
            }
        }
    }

    fn into_keys(self) -> (Option<String>, Option<String>) {
        match self {
            Self::Field(field) => (Some(field), None),
            Self::Script(script) => (None, Some(script)),
        }
    }
}

impl TryFrom<MetricKeys> for Metric {
    type Error = InvalidValue;

    fn try_from(keys: MetricKeys) -> Result<Self, Self::Error> {
        Ok(Self { values: ValueSource::from_keys(keys.field, keys.script)? })
    }
}

impl From<Metric> for MetricKeys {
    fn from(metric: Metric) -> Self {
        let (field, script) = metric.values.into_keys();
        Self { field, script }
    }
}

impl TryFrom<PercentilesKeys> for Percentiles {
    type Error = InvalidValue;

    fn try_from(keys: PercentilesKeys) -> Result<Self, Self::Error> {
        Ok(Self { values: ValueSource::from_keys(keys.field, keys.script)?, percents: keys.percents })
    }
}

impl From<Percentiles> for PercentilesKeys {
    fn from(percentiles: Percentiles) -> Self {
        let (field, script) = percentiles.values.into_keys();
        Self { field, script, percents: percentiles.percents }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn features_are_written_as_they_are_read() {
        for written in [
            json!({"count": {}}),
            json!({"avg": {"script": "1"}}),
            json!({"sum_of_squares": {"field": "x"}}),
            json!({"percentiles": {"field": "x", "percents": [50.0, 99.9]}}),
            json!({"cardinality": {"field": "x", "precision_threshold": null}}),
            json!({"missing": {"field": "x"}}),
            json!({"ratio": {"of": {"filter": {"term": {"a": {}}}}, "to": {"count": {}}}}),
            json!({"derivative": {"of": "x"}}),
        ] {
            let feature: Feature = serde_json::from_value(written.clone()).unwrap();
            assert_eq!(serde_json::to_string(&feature).unwrap(), written.to_string());
        }
    }

    #[test]
    fn constructors_build_the_written_form() {
        let filter: Query = serde_json::from_value(json!({"term": {"a": 1}})).unwrap();
        for (feature, written) in [
            (Feature::count(), json!({"count": {}})),
            (Feature::avg("x"), json!({"avg": {"field": "x"}})),
            (Feature::avg(Metric::script("1")), json!({"avg": {"script": "1"}})),
            (Feature::percentiles("x", [50.0]), json!({"percentiles": {"field": "x", "percents": [50.0]}})),
            (Feature::derivative("x"), json!({"derivative": {"of": "x"}})),
            (
                Feature::ratio(RatioTerm::Filter(filter), RatioTerm::value_count("x")),
                json!({"ratio": {"of": {"filter": {"term": {"a": 1}}}, "to": {"value_count": {"field": "x"}}}}),
            ),
        ] {
            assert_eq!(serde_json::to_value(feature).unwrap(), written);
        }
    }

    #[test]
    fn a_metric_has_exactly_one_source() {
        let read = |value: Value| serde_json::from_value::<Feature>(json!({"avg": value})).unwrap_err().to_string();
        assert_eq!(read(json!({})), "expected exactly one of `field` and `script`, found neither");
        assert_eq!(
            read(json!({"field": "x", "script": "1"})),
            "expected exactly one of `field` and `script`, found both"
        );
        assert!(read(json!({"feild": "x"})).contains("unknown field `feild`"));
    }
}
