//! `features`: entity × time features, computed by Elasticsearch aggregations.

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use crate::kinds::index::IndexSpec;
use es_values::schema::FieldNames;
use es_values::schema::exactly_one;
use es_values::{Query, TimePoint, TimeSpan, TimeZoneName};

/// An index with one row an entity and grid time. The row at time `t` says what was
/// known at `t`: a window of length `w` covers `[t - w, t)`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Features {
    /// The asset whose documents are aggregated.
    #[schemars(extend("format" = "name", "pattern" = "^[a-z0-9_]+$"))]
    pub from: String,
    /// The fields that name an entity.
    #[schemars(with = "FieldNames")]
    pub entity: Vec<String>,
    /// The field that holds a document's time.
    #[schemars(extend("format" = "text"))]
    pub time: String,
    /// The step of the grid of times.
    pub every: TimeSpan,
    /// The windows that end at each grid time.
    #[schemars(length(min = 1))]
    pub windows: Vec<TimeSpan>,
    /// Which documents count; without it, all.
    #[serde(rename = "where")]
    pub filter: Option<Query>,
    /// The time zone in which days and weeks of the grid begin.
    #[serde(default)]
    pub timezone: TimeZoneName,
    /// The first grid time; without it, the first after the oldest document.
    pub start: Option<TimePoint>,
    /// The end of the grid, which does not hold it; without it, the last grid time is
    /// the first after the newest document.
    pub end: Option<TimePoint>,
    /// The features, by name.
    #[schemars(extend("propertyNames" = { "format": "name", "pattern": "^[a-z0-9_]+$" }, "minProperties" = 1))]
    pub features: IndexMap<String, Feature>,
    /// How the index is made.
    #[serde(default)]
    pub index: IndexSpec,
}

/// One feature, computed in every window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    /// The number of documents.
    Count(NoOptions),
    /// The sum of the values.
    Sum(Metric),
    /// The mean of the values.
    Avg(Metric),
    /// The smallest value.
    Min(Metric),
    /// The largest value.
    Max(Metric),
    /// The sum of the squares of the values.
    SumOfSquares(Metric),
    /// The population standard deviation of the values.
    StdDeviation(Metric),
    /// The population variance of the values.
    Variance(Metric),
    /// Percentiles of the values.
    Percentiles(Percentiles),
    /// The approximate number of distinct values.
    Cardinality(Cardinality),
    /// The number of values.
    ValueCount(Metric),
    /// The number of documents without a value.
    Missing(FieldName),
    /// One count or sum divided by another.
    Ratio(Ratio),
    /// The change of another feature since the entity's previous row.
    Derivative(Derivative),
}

/// An aggregation without options, written `{}`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoOptions {}

/// A field by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldName {
    /// The field.
    #[schemars(extend("format" = "text"))]
    pub field: String,
}

/// Where the values of an aggregation come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueSource {
    /// A field.
    Field(String),
    /// A Painless script that returns a value or null.
    Script(String),
}

/// An aggregation over the values of a field or a script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "MetricKeys", into = "MetricKeys")]
#[schemars(with = "MetricKeys")]
pub struct Metric {
    /// Where the values come from.
    pub values: ValueSource,
}

/// Percentiles of the values of a field or a script.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "PercentilesKeys", into = "PercentilesKeys")]
#[schemars(with = "PercentilesKeys")]
pub struct Percentiles {
    /// Where the values come from.
    pub values: ValueSource,
    /// Which percentiles, each from 0 to 100.
    pub percents: Vec<f64>,
}

/// An aggregation over values as it is written.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
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
    /// Which percentiles, each from 0 to 100.
    #[schemars(length(min = 1), inner(range(min = 0.0, max = 100.0)), extend("uniqueItems" = true))]
    percents: Vec<f64>,
}

fn one_source(schema: &mut Schema) {
    exactly_one(schema, &["field", "script"]);
}

impl ValueSource {
    fn from_keys(field: Option<String>, script: Option<String>) -> Result<Self, &'static str> {
        match (field, script) {
            (Some(field), None) => Ok(Self::Field(field)),
            (None, Some(script)) => Ok(Self::Script(script)),
            _ => Err("an aggregation has exactly one of field and script"),
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
    type Error = &'static str;

    fn try_from(keys: MetricKeys) -> Result<Self, Self::Error> {
        let values = ValueSource::from_keys(keys.field, keys.script)?;
        Ok(Self { values })
    }
}

impl From<Metric> for MetricKeys {
    fn from(metric: Metric) -> Self {
        let (field, script) = metric.values.into_keys();
        Self { field, script }
    }
}

impl TryFrom<PercentilesKeys> for Percentiles {
    type Error = &'static str;

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

/// The approximate number of distinct values of a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cardinality {
    /// The field.
    #[schemars(extend("format" = "text"))]
    pub field: String,
    /// Up to about so many distinct values the number is close to exact.
    #[schemars(range(min = 0, max = 40_000))]
    pub precision_threshold: Option<u32>,
}

/// One count or sum divided by another; without a value where the divisor is zero.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ratio {
    /// The dividend.
    pub of: RatioTerm,
    /// The divisor.
    pub to: RatioTerm,
}

/// What can stand in a ratio.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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

/// The change of another feature since the entity's previous row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Derivative {
    /// The other feature.
    #[schemars(extend("format" = "name", "pattern" = "^[a-z0-9_]+$"))]
    pub of: String,
}

/// A field of a feature row, and what it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureField {
    /// The field's name, such as `delay_mean_7d` or `delay_p50_7d`.
    pub field: String,
    /// The feature's name.
    pub feature: String,
    /// The window.
    pub window: TimeSpan,
    /// Which percentile it is, where the feature is percentiles.
    pub percent: Option<f64>,
}

impl FeatureField {
    /// The name under which the field is joined to the rows of another asset:
    /// `route_delays__delay_mean_7d`.
    #[must_use]
    pub fn joined_name(&self, asset: &str) -> String {
        format!("{asset}__{}", self.field)
    }
}

impl Feature {
    /// The fields that this feature, called `name`, has in one window.
    #[must_use]
    pub fn fields(&self, name: &str, window: TimeSpan) -> Vec<FeatureField> {
        let field = |percent: Option<f64>| FeatureField {
            field: match percent {
                Some(percent) => format!("{name}_{}_{window}", percentile_label(percent)),
                None => format!("{name}_{window}"),
            },
            feature: name.to_owned(),
            window,
            percent,
        };
        match self {
            Self::Percentiles(percentiles) => {
                percentiles.percents.iter().map(|percent| field(Some(*percent))).collect()
            }
            _ => vec![field(None)],
        }
    }
}

impl Features {
    /// Every feature field of a row: features in the order of the file, and for each
    /// its windows.
    #[must_use]
    pub fn fields(&self) -> Vec<FeatureField> {
        let mut fields = Vec::new();
        for (name, feature) in &self.features {
            for window in &self.windows {
                fields.extend(feature.fields(name, *window));
            }
        }
        fields
    }

    /// The longest window.
    #[must_use]
    pub fn longest_window(&self) -> Option<TimeSpan> {
        self.windows.iter().copied().max_by_key(|window| window.milliseconds())
    }
}

/// How a percentile is called in a field's name: `p50`, and `p99_9` for 99.9.
#[must_use]
pub fn percentile_label(percent: f64) -> String {
    format!("p{percent}").replace('.', "_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_are_named_by_feature_percentile_and_window() {
        let windows: Vec<TimeSpan> = vec!["7d".parse().unwrap(), "28d".parse().unwrap()];
        let feature: Feature = serde_json::from_value(json!({
            "percentiles": { "field": "dep_delay", "percents": [50, 99.9] }
        }))
        .unwrap();
        let names: Vec<String> = windows
            .iter()
            .flat_map(|window| feature.fields("delay", *window))
            .map(|field| field.joined_name("route_delays"))
            .collect();
        assert_eq!(
            names,
            [
                "route_delays__delay_p50_7d",
                "route_delays__delay_p99_9_7d",
                "route_delays__delay_p50_28d",
                "route_delays__delay_p99_9_28d",
            ]
        );
        let count = Feature::Count(NoOptions {});
        assert_eq!(count.fields("flights", windows[0])[0].field, "flights_7d");
    }

    #[test]
    fn features_are_written_as_they_are_read() {
        for written in [
            json!({ "count": {} }),
            json!({ "avg": { "script": "1" } }),
            json!({ "ratio": { "of": { "filter": { "term": { "a": {} } } }, "to": { "count": {} } } }),
            json!({ "derivative": { "of": "x" } }),
        ] {
            let feature: Feature = serde_json::from_value(written.clone()).unwrap();
            assert_eq!(serde_json::to_value(feature).unwrap(), written);
        }
        assert!(serde_json::from_value::<Feature>(json!({ "avg": {} })).is_err());
    }
}
