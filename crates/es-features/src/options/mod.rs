//! The options of a set of features, as a pipeline file, a manifest or a program writes them.
//!
//! The types carry the rules that a JSON Schema can express; [`FeatureSet::problems`] has the
//! others. How the features are computed is left to the rest of the crate.

mod feature;
mod fields;
mod rules;

use es_values::schema::FieldNames;
use es_values::{Query, TimePoint, TimeSpan, TimeZoneName};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use feature::{
    Cardinality, Derivative, Feature, FieldName, Metric, NoOptions, Percentiles, Ratio, RatioTerm, ValueSource,
};
pub use fields::FeatureField;

/// A table with one row for each entity and grid time, and one field for each feature and window.
/// The row at time `t` holds what was known at `t`: a window of length `w` covers `[t - w, t)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeatureSet {
    /// The fields whose values together name an entity. A document that lacks one of them belongs
    /// to no entity; one with several values belongs to each of them.
    #[schemars(with = "FieldNames")]
    pub entity: Vec<String>,
    /// The field with the time of a document; a row holds its grid time under the same name.
    #[schemars(extend("format" = "text"))]
    pub time: String,
    /// The step of the grid of times. Days and weeks follow the calendar of the time zone, other
    /// steps are elapsed time.
    pub every: TimeSpan,
    /// The windows that end at each grid time, in elapsed time: a day is 24 hours.
    #[schemars(length(min = 1))]
    pub windows: Vec<TimeSpan>,
    /// The query that selects the documents; without it, all count.
    #[serde(rename = "where")]
    pub filter: Option<Query>,
    /// The time zone in which days and weeks of the grid begin.
    #[serde(default)]
    pub timezone: TimeZoneName,
    /// The first grid time; by default, the first one after the oldest document.
    pub start: Option<TimePoint>,
    /// The exclusive end of the grid; by default, the last grid time is the first one after the
    /// newest document.
    pub end: Option<TimePoint>,
    /// The features, by name.
    #[schemars(extend("propertyNames" = { "format": "name", "pattern": "^[a-z0-9_]+$" }, "minProperties" = 1))]
    pub features: IndexMap<String, Feature>,
}

impl FeatureSet {
    /// A set of the documents of all times in UTC, without windows and features yet.
    pub fn new<E: Into<String>>(entity: impl IntoIterator<Item = E>, time: impl Into<String>, every: TimeSpan) -> Self {
        Self {
            entity: entity.into_iter().map(Into::into).collect(),
            time: time.into(),
            every,
            windows: Vec::new(),
            filter: None,
            timezone: TimeZoneName::default(),
            start: None,
            end: None,
            features: IndexMap::new(),
        }
    }

    /// Adds a window.
    #[must_use]
    pub fn with_window(mut self, window: TimeSpan) -> Self {
        self.windows.push(window);
        self
    }

    /// Adds a feature, or replaces the one of that name.
    #[must_use]
    pub fn with_feature(mut self, name: impl Into<String>, feature: Feature) -> Self {
        self.features.insert(name.into(), feature);
        self
    }

    /// The fields that identify a row: those of the entity, and the time. Documents whose ids are
    /// made of them are replaced, not duplicated, when rows are computed again.
    pub fn id_fields(&self) -> Vec<&str> {
        self.entity.iter().chain([&self.time]).map(String::as_str).collect()
    }

    /// The longest window.
    pub fn longest_window(&self) -> Option<TimeSpan> {
        self.windows.iter().copied().max_by_key(|window| window.milliseconds())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Hashes of definitions are stored in clusters: an unchanged definition must keep its bytes.
    #[test]
    fn a_set_is_written_with_the_keys_of_the_pipeline_file_in_their_order() {
        let set: FeatureSet = serde_json::from_value(json!({
            "features": {"n": {"count": {}}, "d": {"derivative": {"of": "n"}}},
            "time": "at", "entity": ["shop"], "every": "1d", "windows": ["7d", "24h"],
        }))
        .unwrap();
        assert_eq!(
            serde_json::to_string(&set).unwrap(),
            concat!(
                r#"{"entity":["shop"],"time":"at","every":"1d","windows":["7d","24h"],"where":null,"timezone":"UTC","#,
                r#""start":null,"end":null,"features":{"n":{"count":{}},"d":{"derivative":{"of":"n"}}}}"#
            )
        );
        let set: FeatureSet = serde_json::from_value(json!({
            "entity": ["shop"], "time": "at", "every": "6h", "windows": ["7d"], "where": {"term": {"a": 1}},
            "timezone": "America/New_York", "start": "2013-01-01", "end": "2013-02-01T06:00",
            "features": {"c": {"cardinality": {"field": "x"}}},
        }))
        .unwrap();
        assert_eq!(
            serde_json::to_string(&set).unwrap(),
            concat!(
                r#"{"entity":["shop"],"time":"at","every":"6h","windows":["7d"],"where":{"term":{"a":1}},"#,
                r#""timezone":"America/New_York","start":"2013-01-01","end":"2013-02-01T06:00:00","#,
                r#""features":{"c":{"cardinality":{"field":"x","precision_threshold":null}}}}"#
            )
        );
        assert!(serde_json::from_value::<FeatureSet>(json!({"widnows": []})).is_err());
    }

    #[test]
    fn a_set_is_built_as_it_is_read() {
        let set = FeatureSet::new(["shop"], "at", "1d".parse().unwrap())
            .with_window("7d".parse().unwrap())
            .with_window("12h".parse().unwrap())
            .with_feature("n", Feature::count());
        let read: FeatureSet = serde_json::from_value(json!({
            "entity": ["shop"], "time": "at", "every": "1d", "windows": ["7d", "12h"], "features": {"n": {"count": {}}},
        }))
        .unwrap();
        assert_eq!(set, read);
        assert_eq!(set.id_fields(), ["shop", "at"]);
        assert_eq!(set.longest_window(), Some(set.windows[0]));
    }
}
