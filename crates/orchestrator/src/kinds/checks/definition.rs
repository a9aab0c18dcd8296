//! Checks as the pipeline file says them, and the rules that their types do not express.

use es_assets::{KeyPath, Report};
use es_values::schema::{FieldNames, exactly_one};
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

/// The consequence of a failed check or monitor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It is reported, and the run goes on.
    Warn,
    /// The run fails.
    #[default]
    Error,
}

/// One check: a rule, and what it means when the documents break it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "CheckKeys", into = "CheckKeys")]
#[schemars(with = "CheckKeys")]
pub struct Check {
    /// The rule.
    pub rule: Rule,
    /// The consequence of breaking it.
    pub severity: Severity,
}

/// A rule about the documents of a partition, or of an asset without partitions.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    /// There are as many documents.
    Rows(RowCount),
    /// Each of these fields has a value in every document.
    NotNull(Vec<String>),
    /// No two documents agree in all of these fields.
    Unique(Vec<String>),
    /// Every value of a field is within bounds; a document without one passes.
    Range(FieldRange),
    /// The approximate search for vectors finds as many of the nearest.
    Recall(Recall),
}

/// A check as it is written: the rule's name is a key beside `severity`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Check", transform = one_rule)]
struct CheckKeys {
    /// The number of documents.
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<RowCount>,
    /// Fields that have a value in every document.
    #[schemars(with = "Option<FieldNames>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    not_null: Option<Vec<String>>,
    /// Fields in all of which no two documents agree.
    #[schemars(with = "Option<FieldNames>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    unique: Option<Vec<String>>,
    /// Bounds of the values of a field.
    #[serde(skip_serializing_if = "Option::is_none")]
    range: Option<FieldRange>,
    /// The share of the nearest vectors that the approximate search finds.
    #[serde(skip_serializing_if = "Option::is_none")]
    recall: Option<Recall>,
    /// The consequence of a failed check.
    #[serde(default)]
    severity: Severity,
}

fn one_rule(schema: &mut Schema) {
    exactly_one(schema, &["rows", "not_null", "unique", "range", "recall"]);
}

/// Bounds of a number of documents, both included; at least one is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("anyOf" = [{ "required": ["min"] }, { "required": ["max"] }]))]
pub struct RowCount {
    /// At least so many.
    pub min: Option<u64>,
    /// At most so many.
    pub max: Option<u64>,
}

/// Bounds of the values of a field, both included; at least one is set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("anyOf" = [{ "required": ["min"] }, { "required": ["max"] }]))]
pub struct FieldRange {
    /// The field.
    #[schemars(extend("format" = "text"))]
    pub field: String,
    /// The smallest value allowed.
    pub min: Option<f64>,
    /// The largest value allowed.
    pub max: Option<f64>,
}

/// The share of the nearest vectors that the approximate search finds, over documents that are sampled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["min"]))]
pub struct Recall {
    /// The field of the vectors.
    #[schemars(extend("format" = "text"))]
    pub field: String,
    /// The number of neighbours of each document.
    #[schemars(range(min = 1, max = 1000))]
    pub k: u16,
    /// The number of documents whose neighbours are searched for.
    #[schemars(range(min = 1, max = 10_000))]
    pub queries: u16,
    /// The candidates of each shard: `num_candidates` of a search.
    #[schemars(range(min = 1, max = 10_000))]
    pub candidates: u32,
    /// The smallest share allowed.
    #[schemars(range(min = 0, max = 1))]
    pub min: f64,
}

impl Default for Recall {
    fn default() -> Self {
        Self { field: "vector".to_owned(), k: 10, queries: 100, candidates: 100, min: 1.0 }
    }
}

impl TryFrom<CheckKeys> for Check {
    type Error = &'static str;

    fn try_from(keys: CheckKeys) -> Result<Self, Self::Error> {
        let rules = [
            keys.rows.map(Rule::Rows),
            keys.not_null.map(Rule::NotNull),
            keys.unique.map(Rule::Unique),
            keys.range.map(Rule::Range),
            keys.recall.map(Rule::Recall),
        ];
        let mut rules = rules.into_iter().flatten();
        match (rules.next(), rules.next()) {
            (Some(rule), None) => Ok(Self { rule, severity: keys.severity }),
            _ => Err("a check has exactly one of rows, not_null, unique, range and recall"),
        }
    }
}

impl From<Check> for CheckKeys {
    fn from(check: Check) -> Self {
        let mut keys = Self { severity: check.severity, ..Self::default() };
        match check.rule {
            Rule::Rows(rows) => keys.rows = Some(rows),
            Rule::NotNull(fields) => keys.not_null = Some(fields),
            Rule::Unique(fields) => keys.unique = Some(fields),
            Rule::Range(range) => keys.range = Some(range),
            Rule::Recall(recall) => keys.recall = Some(recall),
        }
        keys
    }
}

impl Rule {
    /// The rule in words, such as `rows at least 1` or `unique carrier, flight`.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Rows(rows) => format!("rows {}", bounds(rows.min, rows.max)),
            Self::NotNull(fields) => format!("not null {}", fields.join(", ")),
            Self::Unique(fields) => format!("unique {}", fields.join(", ")),
            Self::Range(range) => format!("{} {}", range.field, bounds(range.min, range.max)),
            Self::Recall(recall) => format!("recall of {} at {} at least {}", recall.field, recall.k, recall.min),
        }
    }
}

fn bounds<T: std::fmt::Display>(min: Option<T>, max: Option<T>) -> String {
    match (min, max) {
        (Some(min), Some(max)) => format!("from {min} to {max}"),
        (Some(min), None) => format!("at least {min}"),
        (None, Some(max)) => format!("at most {max}"),
        (None, None) => "without bounds".to_owned(),
    }
}

/// The fields whose values the checks group.
pub fn aggregated_fields(checks: &[Check]) -> Vec<String> {
    let unique = checks.iter().filter_map(|check| match &check.rule {
        Rule::Unique(fields) => Some(fields.clone()),
        _ => None,
    });
    unique.flatten().collect()
}

/// Reports checks that nothing passes. `path` is the place of the list in the file.
pub fn validate(checks: &[Check], path: &KeyPath, report: &mut Report<'_>) {
    for (index, check) in checks.iter().enumerate() {
        let (key, is_backward) = match &check.rule {
            Rule::Rows(rows) => ("rows", rows.min.zip(rows.max).is_some_and(|(min, max)| min > max)),
            Rule::Range(range) => ("range", range.min.zip(range.max).is_some_and(|(min, max)| min > max)),
            Rule::NotNull(_) | Rule::Unique(_) | Rule::Recall(_) => continue,
        };
        if is_backward {
            let path = path.index(index).key(key);
            report.invalid(&path, "`min` is larger than `max`", "no value passes this check");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn checks_are_read_and_written() {
        let written = json!({ "range": { "field": "distance", "min": 1.0, "max": 6000.0 }, "severity": "warn" });
        let check: Check = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(check.rule.describe(), "distance from 1 to 6000");
        assert_eq!(serde_json::to_value(&check).unwrap(), written);
        let check: Check = serde_json::from_value(json!({ "rows": { "min": 1 } })).unwrap();
        assert_eq!(check.severity, Severity::Error);
        assert_eq!(check.rule.describe(), "rows at least 1");
    }

    #[test]
    fn a_check_has_one_rule() {
        assert!(serde_json::from_value::<Check>(json!({ "severity": "warn" })).is_err());
        let two = json!({ "rows": { "min": 1 }, "unique": ["a"] });
        assert!(serde_json::from_value::<Check>(two).is_err());
    }
}
