//! The keys of a `source` asset.

use es_assets::{Definition, Inputs, KeyPath, Output, Parts, Report, Siblings};
use es_values::TimeSpan;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An index that others write, and that the assets of the pipeline read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The index, alias or pattern.
    #[schemars(extend("format" = "text", "minLength" = 1))]
    pub index: String,
    /// The field with the time of a document, of type `date` or `date_nanos`.
    #[schemars(extend("format" = "text"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// The age that the newest document may have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub freshness: Option<Freshness>,
    /// The contract about the fields and their types; without it, they are not checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<Contract>,
}

/// The age that the newest document may have; at least one limit is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("anyOf" = [{ "required": ["warn_after"] }, { "required": ["error_after"] }]))]
pub struct Freshness {
    /// An older one is reported, and the run goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warn_after: Option<TimeSpan>,
    /// An older one fails the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_after: Option<TimeSpan>,
}

/// The contract about the fields of a source, compared with those of its newest success. A change of
/// this key makes the present fields the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Contract {
    /// The fields and their types stay as they are; any change fails the run.
    Freeze,
    /// Fields may be added, and belong to the contract then. One that is gone or has another type
    /// fails the run.
    Evolve,
    /// Changes are reported, and the run goes on.
    Report,
}

/// Characters that no name of an index or alias has, or that make it more than one.
const FOREIGN: [char; 10] = ['\\', '/', '?', '"', '<', '>', '|', ',', '#', ':'];

impl Definition for Source {
    fn output(&self) -> Output {
        Output::Documents
    }

    fn is_evaluated(&self) -> bool {
        true
    }

    fn validate(&self, path: &KeyPath, _: &Siblings<'_>, report: &mut Report<'_>) {
        let index = &self.index;
        let is_foreign = |char: char| char.is_whitespace() || FOREIGN.contains(&char);
        if index.starts_with(['-', '_', '+']) || index.contains(is_foreign) {
            let message = format!("`{index}` is not the name of an index, an alias or a pattern");
            report.invalid(&path.key("index"), message, "name one of this cluster, such as `events` or `logs-*`");
        }
        let Some(freshness) = self.freshness else { return };
        if self.time.is_none() {
            let help = "name the field with the time of a document under `time`";
            report.invalid(&path.key("freshness"), "`freshness` needs `time`", help);
        }
        if let (Some(warn), Some(error)) = (freshness.warn_after, freshness.error_after)
            && warn.milliseconds() >= error.milliseconds()
        {
            let message = format!("`warn_after` {warn} is not shorter than `error_after` {error}");
            let help = "a warning comes before the error";
            report.invalid(&path.key("freshness").key("warn_after"), message, help);
        }
    }

    fn fingerprint(&self, parts: &mut Parts) {
        parts.add("index", &self.index);
        parts.add("time", &self.time);
        parts.add("freshness", self.freshness);
        parts.add(CONTRACT, self.schema);
    }

    /// Documents age while nothing else changes.
    fn inputs_at(&self, now: Timestamp) -> Inputs {
        match self.freshness {
            Some(_) => {
                let minute = TimeZone::UTC.to_datetime(now).strftime("%Y-%m-%dT%H:%M").to_string();
                Inputs::from([("now".to_owned(), minute)])
            }
            None => Inputs::new(),
        }
    }
}

/// The part of the fingerprint whose change makes the present fields the contract.
pub(super) const CONTRACT: &str = "schema";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::Kinds;

    fn problems(keys: &str) -> String {
        let text = format!("version: 1\nname: p\nassets:\n  s: {{ kind: source, {keys} }}\n");
        match Kinds::builtin().format().parse("pipeline.yaml", &text, None) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn keys_that_do_not_agree_are_told() {
        let table = [
            ("index: 'logs-*'", ""),
            ("index: a, time: t, freshness: { warn_after: 2h, error_after: 1d }, schema: freeze", ""),
            ("index: a, time: t, freshness: { error_after: 1d }", ""),
            ("index: a, freshness: { error_after: 1d }", "`freshness` needs `time`"),
            (
                "index: a, time: t, freshness: { warn_after: 24h, error_after: 1d }",
                "`warn_after` 24h is not shorter than `error_after` 1d",
            ),
            ("index: 'a,b'", "`a,b` is not the name of an index, an alias or a pattern"),
            ("index: 'far:a'", "`far:a` is not the name"),
            ("index: _all", "`_all` is not the name"),
        ];
        for (keys, expected) in table {
            let found = problems(keys);
            assert!(found.contains(expected), "{keys}: {found}");
            assert_eq!(found.is_empty(), expected.is_empty(), "{keys}: {found}");
        }
        assert!(!problems("index: a, time: t, freshness: {}").is_empty());
        assert!(!problems("index: a, schema: strict").is_empty());
    }

    #[test]
    fn freshness_is_evaluated_again_each_minute() {
        let source: Source = serde_json::from_value(serde_json::json!({
            "index": "a", "time": "t", "freshness": { "warn_after": "2h" }
        }))
        .unwrap();
        let at = |text: &str| source.inputs_at(text.parse().unwrap());
        assert_eq!(at("2024-01-01T10:00:01Z"), at("2024-01-01T10:00:59Z"));
        assert_ne!(at("2024-01-01T10:00:59Z"), at("2024-01-01T10:01:00Z"));
        let without = Source { freshness: None, ..source.clone() };
        assert!(without.inputs_at("2024-01-01T10:00:00Z".parse().unwrap()).is_empty());
    }
}
