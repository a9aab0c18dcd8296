//! The options of a monitor, as a pipeline file, a manifest or a program writes them.
//!
//! The types carry the rules that a JSON Schema can express; [`Monitor::problems`] has the
//! others. Which index is measured, and when, is left to [`crate::Evaluation`].

mod field_monitor;
mod rules;
mod window;

use es_values::{Query, TimeZoneName};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use field_monitor::{FieldMonitor, MAX_BINS, MissingRule, MissingTest};
pub use window::{CurrentWindow, ReferenceWindow, Until};

/// A comparison of fields between two windows of time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Monitor {
    /// The field with the time of a document.
    #[schemars(extend("format" = "text"))]
    pub time: String,
    /// The window that sets the norm.
    pub reference: ReferenceWindow,
    /// The window that is compared with it.
    pub current: CurrentWindow,
    /// The time zone of the dates of the windows.
    #[serde(default)]
    pub timezone: TimeZoneName,
    /// The query that selects the documents; without it, all count.
    #[serde(rename = "where")]
    pub filter: Option<Query>,
    /// The comparison of each field, in the order of the report.
    #[schemars(extend("minProperties" = 1))]
    pub fields: IndexMap<String, FieldMonitor>,
    /// The consequence of drift.
    #[serde(default)]
    pub severity: Severity,
}

/// The consequence of a failed check or monitor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It is reported, and the run continues.
    Warn,
    /// The run fails.
    #[default]
    Error,
}

impl Monitor {
    /// A monitor of all documents, without fields yet, whose drift is an error.
    pub fn new(time: impl Into<String>, reference: ReferenceWindow, current: CurrentWindow) -> Self {
        Self {
            time: time.into(),
            reference,
            current,
            timezone: TimeZoneName::default(),
            filter: None,
            fields: IndexMap::new(),
            severity: Severity::default(),
        }
    }

    /// Adds a field, or replaces its comparison.
    #[must_use]
    pub fn with_field(mut self, name: impl Into<String>, field: FieldMonitor) -> Self {
        self.fields.insert(name.into(), field);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Hashes of definitions are stored in clusters: an unchanged definition must keep its bytes.
    #[test]
    fn a_monitor_is_written_with_the_keys_of_the_pipeline_file_in_their_order() {
        let monitor: Monitor = serde_json::from_value(json!({
            "fields": {"dep_delay": {"method": "wasserstein", "max": 0.1}, "carrier": {"p": 0.01, "method": "chi2"}},
            "current": {"last": "30d"}, "reference": {"from": "2013-01-01", "to": "2013-02-01T00:00"},
            "time": "time_hour",
        }))
        .unwrap();
        assert_eq!(
            serde_json::to_string(&monitor).unwrap(),
            concat!(
                r#"{"time":"time_hour","reference":{"from":"2013-01-01","to":"2013-02-01T00:00:00"},"#,
                r#""current":{"last":"30d","until":"now"},"timezone":"UTC","where":null,"fields":{"#,
                r#""dep_delay":{"method":"wasserstein","max":0.1,"missing":{"test":{"p":0.01,"min_change":0.01}}},"#,
                r#""carrier":{"method":"chi2","p":0.01,"missing":{"test":{"p":0.01,"min_change":0.01}}}},"#,
                r#""severity":"error"}"#
            )
        );
        let monitor: Monitor = serde_json::from_value(json!({
            "time": "t", "reference": {"from": "2013-01-01", "to": "2013-02-01"},
            "current": {"from": "2013-02-01", "to": "2013-03-01"}, "where": {"term": {"a": 1}},
            "timezone": "America/New_York", "severity": "warn",
            "fields": {"x": {"method": "ks", "p": 0.01, "bins": 50, "missing": "ignore"}},
        }))
        .unwrap();
        assert_eq!(
            serde_json::to_string(&monitor).unwrap(),
            concat!(
                r#"{"time":"t","reference":{"from":"2013-01-01","to":"2013-02-01"},"#,
                r#""current":{"from":"2013-02-01","to":"2013-03-01"},"timezone":"America/New_York","#,
                r#""where":{"term":{"a":1}},"fields":{"x":{"method":"ks","p":0.01,"bins":50,"missing":"ignore"}},"#,
                r#""severity":"warn"}"#
            )
        );
        assert!(serde_json::from_value::<Monitor>(json!({"of": "flights"})).is_err());
    }
}
