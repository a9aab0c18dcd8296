//! The division of rows into parts.

use es_values::TimePoint;
use es_values::schema::FieldNames;
use indexmap::IndexMap;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use crate::error::{Error, ErrorKind};
use crate::split::{MissingTimes, Split};

/// The division of rows into parts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "by", rename_all = "snake_case", deny_unknown_fields)]
#[schemars(rename = "Split")]
pub enum SplitOptions {
    /// By a hash of each row's key, so that a row stays in its part when the data grows.
    Hash {
        /// The fields that are hashed.
        #[schemars(with = "FieldNames")]
        key: Vec<String>,
        /// The seed of the hash. Another seed gives another division.
        #[serde(default)]
        seed: u64,
        /// The parts and their shares, which sum to 1.
        #[schemars(with = "Shares")]
        parts: IndexMap<String, f64>,
    },
    /// By a hash of the group that a row belongs to: no group is in two parts.
    Group {
        /// The fields that make up a group.
        #[schemars(with = "FieldNames")]
        key: Vec<String>,
        /// The seed of the hash. Another seed gives another division.
        #[serde(default)]
        seed: u64,
        /// The parts and their shares of the groups, which sum to 1.
        #[schemars(with = "Shares")]
        parts: IndexMap<String, f64>,
    },
    /// By a hash of each row's key, with the shares kept in each stratum.
    Stratified {
        /// The fields that are hashed.
        #[schemars(with = "FieldNames")]
        key: Vec<String>,
        /// The fields whose values make up the strata.
        #[schemars(with = "FieldNames")]
        strata: Vec<String>,
        /// The seed of the hash. Another seed gives another division.
        #[serde(default)]
        seed: u64,
        /// The parts and their shares, which sum to 1.
        #[schemars(with = "Shares")]
        parts: IndexMap<String, f64>,
    },
    /// By time.
    Time {
        /// The field with the time.
        #[schemars(extend("format" = "text", "minLength" = 1))]
        field: String,
        /// The parts, from the earliest to the latest. Only the last one has no end.
        #[schemars(extend(
            "propertyNames" = { "format": "name", "pattern": "^[a-z0-9_]+$" },
            "minProperties" = 2
        ))]
        parts: IndexMap<String, TimePart>,
    },
}

/// A part of a split by time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimePart {
    /// The end of the part, exclusive, in UTC unless it names an offset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<TimePoint>,
}

impl SplitOptions {
    /// The shares of the parts, where the split is by shares.
    #[must_use]
    pub fn shares(&self) -> Option<&IndexMap<String, f64>> {
        match self {
            Self::Hash { parts, .. } | Self::Group { parts, .. } | Self::Stratified { parts, .. } => Some(parts),
            Self::Time { .. } => None,
        }
    }

    /// The names of the parts, in their order.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        let (shares, times) = match self {
            Self::Hash { parts, .. } | Self::Group { parts, .. } | Self::Stratified { parts, .. } => {
                (Some(parts), None)
            }
            Self::Time { parts, .. } => (None, Some(parts)),
        };
        let shares = shares.into_iter().flat_map(|parts| parts.keys());
        shares.chain(times.into_iter().flat_map(|parts| parts.keys())).map(String::as_str)
    }

    /// The contradictions of the options, if any: shares that do not sum to 1, and parts that are
    /// not in the order of time.
    #[must_use]
    pub fn check(&self) -> Vec<Problem> {
        match self {
            Self::Hash { parts, .. } | Self::Group { parts, .. } | Self::Stratified { parts, .. } => check_sum(parts),
            Self::Time { parts, .. } => check_order(parts),
        }
    }
}

impl TryFrom<&SplitOptions> for Split {
    type Error = Error;

    fn try_from(options: &SplitOptions) -> Result<Self, Error> {
        let shares = |parts: &IndexMap<String, f64>| parts.iter().map(|(name, share)| (name.clone(), *share)).collect();
        match options {
            SplitOptions::Hash { key, seed, parts } => Self::by_hash(key.clone(), *seed, shares(parts)),
            SplitOptions::Group { key, seed, parts } => Self::by_group(key.clone(), *seed, shares(parts)),
            SplitOptions::Stratified { key, strata, seed, parts } => {
                Self::stratified(strata.clone(), key.clone(), *seed, shares(parts))
            }
            SplitOptions::Time { field, parts } => {
                let part = |(name, part): (&String, &TimePart)| {
                    let until = part.until.map(|until| until.to_timestamp(&TimeZone::UTC)).transpose();
                    let until = until.map_err(|error| {
                        Error::new(ErrorKind::Split, format!("the end of part {name} is not a point in time: {error}"))
                    })?;
                    Ok((name.clone(), until))
                };
                let parts = parts.iter().map(part).collect::<Result<_, Error>>()?;
                Self::by_time(field, parts, MissingTimes::Refuse)
            }
        }
    }
}

fn check_sum(shares: &IndexMap<String, f64>) -> Vec<Problem> {
    let sum: f64 = shares.values().sum();
    // Shares such as 0.7, 0.2 and 0.1 do not sum to 1 exactly in binary.
    if (sum - 1.0).abs() <= 1e-9 {
        return Vec::new();
    }
    let rounded = (sum * 1e6).round() / 1e6;
    let message = format!("the shares of the parts sum to {rounded}, not to 1");
    vec![Problem::invalid(["parts".into()], message, "every row belongs to one part: adjust the shares")]
}

/// Each part ends where the next one begins, and only the last one has no end.
fn check_order(parts: &IndexMap<String, TimePart>) -> Vec<Problem> {
    let mut invalid = Vec::new();
    let last = parts.len().saturating_sub(1);
    let mut earlier = None;
    for (place, (name, part)) in parts.iter().enumerate() {
        let path = || vec!["parts".into(), name.as_str().into()];
        let end = || ["parts".into(), name.as_str().into(), "until".into()];
        match part.until {
            None if place < last => {
                let message = format!("part `{name}` has no end, and is not the last one");
                invalid.push(Problem::invalid(path(), message, "set its end with `until`"));
            }
            Some(until) if place == last => {
                let message = format!("part `{name}` is the last one, and ends at {until}");
                let help = "every row belongs to one part: leave `until` out, and filter later rows in the query";
                invalid.push(Problem::invalid(end(), message, help));
            }
            Some(until) => {
                // A time that no clock shows is reported by its own type.
                let Ok(instant) = until.to_timestamp(&TimeZone::UTC) else { continue };
                if earlier.is_some_and(|earlier| earlier >= instant) {
                    let message = format!("part `{name}` ends at {until}, before it begins");
                    let help = "write the parts from the earliest to the latest";
                    invalid.push(Problem::invalid(end(), message, help));
                }
                earlier = Some(instant);
            }
            None => {}
        }
    }
    invalid
}

/// The schema of parts with shares.
struct Shares;

impl JsonSchema for Shares {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Shares".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "object",
            "propertyNames": { "format": "name", "pattern": "^[a-z0-9_]+$" },
            "additionalProperties": { "type": "number", "exclusiveMinimum": 0, "maximum": 1 },
            "minProperties": 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn split(value: Value) -> SplitOptions {
        serde_json::from_value(value).unwrap()
    }

    fn complaints(value: Value) -> Vec<String> {
        split(value).check().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_split_is_written_as_it_was_read_and_becomes_a_rule() {
        let shares = json!({"train": 0.8, "test": 0.2});
        let table = [
            json!({"by": "hash", "key": ["k"], "seed": 7, "parts": shares}),
            json!({"by": "group", "key": ["k", "l"], "seed": 0, "parts": shares}),
            json!({"by": "stratified", "key": ["k"], "strata": ["s"], "seed": 1, "parts": shares}),
            json!({"by": "time", "field": "t", "parts": {"train": {"until": "2013-09-01"}, "test": {}}}),
        ];
        for value in table {
            let options = split(value.clone());
            assert_eq!(json!(options), value);
            assert_eq!(options.parts().collect::<Vec<_>>(), ["train", "test"]);
            assert!(options.check().is_empty());
            assert_eq!(Split::try_from(&options).unwrap().parts(), ["train", "test"]);
        }
        let by_time = split(json!({"by": "time", "field": "t", "parts": {"a": {"until": "2013-09-01"}, "b": {}}}));
        let end = Split::try_from(&by_time).unwrap().span(0).unwrap().1.unwrap();
        assert_eq!(end.to_string(), "2013-09-01T00:00:00Z");
        serde_json::from_value::<SplitOptions>(json!({"by": "hash", "key": ["k"], "part": {}})).unwrap_err();
    }

    #[test]
    fn shares_sum_to_one() {
        for by in ["hash", "group", "stratified"] {
            let value = |b: f64| {
                let mut value = json!({"by": by, "key": ["k"], "parts": {"a": 0.7, "b": b, "c": 0.1}});
                if by == "stratified" {
                    value["strata"] = json!(["s"]);
                }
                value
            };
            assert!(complaints(value(0.2)).is_empty(), "{by}");
            assert_eq!(complaints(value(0.1)), ["parts: the shares of the parts sum to 0.9, not to 1"], "{by}");
            assert_eq!(Split::try_from(&split(value(0.1))).unwrap_err().kind(), ErrorKind::Split);
        }
    }

    #[test]
    fn parts_of_time_are_in_order_and_the_last_has_no_end() {
        let time = |parts: Value| complaints(json!({"by": "time", "field": "t", "parts": parts}));
        let until = |time: &str| json!({"until": time});
        assert!(time(json!({"a": until("2013-01-01"), "b": until("2013-02-01T06:00"), "c": {}})).is_empty());
        assert_eq!(time(json!({"a": {}, "b": {}})), ["parts.a: part `a` has no end, and is not the last one"]);
        assert_eq!(
            time(json!({"a": until("2013-01-01"), "b": until("2014-01-01")})),
            ["parts.b.until: part `b` is the last one, and ends at 2014-01-01"]
        );
        assert_eq!(
            time(json!({"a": until("2013-01-01"), "b": until("2012-01-01"), "c": {}})),
            ["parts.b.until: part `b` ends at 2012-01-01, before it begins"]
        );
    }
}
