//! Rules that a promotion can be bound to. Pure.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::version::{Metrics, Version};
use crate::error::{Error, ErrorKind};

/// The rule that a version must be better than the one that it replaces.
///
/// ```
/// use es_serving::registry::PromotionRule;
/// let rule: PromotionRule = serde_json::from_str(r#"{"metric": "auc", "min_gain": 0.01}"#).unwrap();
/// assert_eq!((rule.part.as_str(), rule.min_gain), ("test", 0.01));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PromotionRule {
    /// The metric to compare, such as `auc`.
    pub metric: String,
    /// The part of the data that it was measured on. Default: `test`.
    #[serde(default = "test_part")]
    pub part: String,
    /// The least gain over the version before. With a negative one a version may be worse by so much.
    /// Default: 0, no worse than before.
    #[serde(default)]
    pub min_gain: f64,
    /// The direction in which the metric gets better. Default: `higher`.
    #[serde(default)]
    pub direction: Direction,
}

/// The direction in which a metric gets better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Higher is better, as of an accuracy.
    #[default]
    Higher,
    /// Lower is better, as of an error.
    Lower,
}

fn test_part() -> String {
    "test".to_owned()
}

/// The role of a version in a promotion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It is to be promoted.
    Candidate,
    /// The alias points to it.
    Champion,
}

/// The answer of a rule, with the numbers that it compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum RuleVerdict {
    /// Allowed: there is no version before.
    First {
        /// The candidate's value.
        candidate: f64,
    },
    /// Allowed: the gain suffices.
    Gained {
        /// The candidate's value.
        candidate: f64,
        /// The champion's value.
        champion: f64,
        /// The gain; negative for a loss.
        gain: f64,
    },
    /// Refused: the gain does not suffice.
    TooLittle {
        /// The candidate's value.
        candidate: f64,
        /// The champion's value.
        champion: f64,
        /// The gain; negative for a loss.
        gain: f64,
        /// The least gain of the rule.
        min_gain: f64,
    },
    /// Refused: a version has no such metric.
    Missing {
        /// The role of the version.
        role: Role,
        /// The version.
        version: u32,
        /// The metrics that it has, as `auc on test`.
        known: Vec<String>,
    },
}

impl RuleVerdict {
    /// Returns whether the promotion is allowed.
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::First { .. } | Self::Gained { .. })
    }
}

impl PromotionRule {
    /// A rule of a metric on the test part, higher being better, without a least gain.
    pub fn new(metric: impl Into<String>) -> Self {
        Self { metric: metric.into(), part: test_part(), min_gain: 0.0, direction: Direction::default() }
    }

    /// Compares a candidate with the version that it would replace.
    ///
    /// Decimal numbers are compared as they are written, up to the rounding of double precision: from
    /// 0.2 to 0.3 is a gain of 0.1.
    pub fn judge(&self, candidate: &Version, champion: Option<&Version>) -> RuleVerdict {
        self.judge_metrics(
            (candidate.number, &candidate.metrics),
            champion.map(|champion| (champion.number, &champion.metrics)),
        )
    }

    /// As [`PromotionRule::judge`], of versions that are known by their numbers and metrics alone.
    pub(crate) fn judge_metrics(&self, candidate: (u32, &Metrics), champion: Option<(u32, &Metrics)>) -> RuleVerdict {
        let value = |metrics: &Metrics| metrics.get(&self.metric)?.get(&self.part).copied();
        let missing = |role, (version, metrics)| RuleVerdict::Missing { role, version, known: known(metrics) };
        let Some(new) = value(candidate.1) else { return missing(Role::Candidate, candidate) };
        let Some(champion) = champion else { return RuleVerdict::First { candidate: new } };
        let Some(old) = value(champion.1) else { return missing(Role::Champion, champion) };
        let gain = match self.direction {
            Direction::Higher => new - old,
            Direction::Lower => old - new,
        };
        // Each of the three numbers is off by half a unit of its last place at most.
        let rounding = f64::EPSILON * (new.abs() + old.abs());
        let suffices = gain >= self.min_gain || (gain > 0.0 && gain + rounding >= self.min_gain);
        if suffices || (self.min_gain < 0.0 && gain + rounding >= self.min_gain) {
            RuleVerdict::Gained { candidate: new, champion: old, gain }
        } else {
            RuleVerdict::TooLittle { candidate: new, champion: old, gain, min_gain: self.min_gain }
        }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.min_gain.is_finite() {
            return Ok(());
        }
        let message = format!("the least gain of {} is {}, and not a finite number", self.metric, self.min_gain);
        Err(Error::new(ErrorKind::Invalid, message).with_help("set PromotionRule::min_gain to a number, such as 0.01"))
    }

    /// The verdict if it allows the promotion, or else the error that says why it does not.
    pub(crate) fn enforce(&self, verdict: RuleVerdict, candidate: u32, alias: &str) -> Result<RuleVerdict, Error> {
        match verdict.is_allowed() {
            true => Ok(verdict),
            false => Err(self.refusal(&verdict, candidate, alias)),
        }
    }

    fn refusal(&self, verdict: &RuleVerdict, candidate: u32, alias: &str) -> Error {
        let Self { metric, part, .. } = self;
        let (message, help) = match verdict {
            RuleVerdict::Missing { role, version, known } => {
                let what = match role {
                    Role::Candidate => "which is to be promoted",
                    Role::Champion => "which it would replace",
                };
                let message = format!("version {version}, {what} as {alias}, has no metric {metric} on {part}");
                let help = match known.as_slice() {
                    [] => "it was registered without metrics".to_owned(),
                    known => format!("it has {}", known.join(", ")),
                };
                (message, help)
            }
            verdict => {
                let message = format!("version {candidate} is not promoted to {alias}: {verdict}");
                (message, format!("the rule compares {metric} on {part}; promote without it, or register a better one"))
            }
        };
        Error::new(ErrorKind::Refused, message).with_help(help)
    }
}

impl fmt::Display for RuleVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First { candidate } => write!(f, "{candidate}, and there is no version before"),
            Self::Gained { candidate, champion, gain } => write!(f, "{candidate} against {champion}, a gain of {gain}"),
            Self::TooLittle { candidate, champion, gain, min_gain } => {
                write!(f, "{candidate} against {champion} is a gain of {gain}, and at least {min_gain} is asked for")
            }
            Self::Missing { version, .. } => write!(f, "version {version} lacks the metric"),
        }
    }
}

fn known(metrics: &Metrics) -> Vec<String> {
    let pairs = metrics.iter().flat_map(|(metric, parts)| parts.keys().map(move |part| (metric, part)));
    pairs.map(|(metric, part)| format!("{metric} on {part}")).collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::Signature;
    use crate::registry::NewVersion;

    fn version(number: u32, auc: Option<f64>) -> Version {
        let new =
            NewVersion::served("late", "http://models/late", Signature::default()).with_metric("loss", "val", 1.0);
        let new = match auc {
            Some(auc) => new.with_metric("auc", "test", auc),
            None => new,
        };
        new.into_version(number, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn the_gain_decides_in_its_direction() {
        use Direction::{Higher, Lower};
        let table = [
            (Higher, 0.0, 0.9, 0.9, true),
            (Higher, 0.0, 0.9, 0.91, true),
            (Higher, 0.0, 0.9, 0.899_999_999, false),
            (Higher, 0.01, 0.9, 0.91, true),
            (Higher, 0.01, 0.9, 0.909, false),
            (Higher, 0.1, 0.2, 0.3, true),
            (Higher, 0.1, 0.7, 0.8, true),
            (Higher, 1e-17, 0.9, 0.9, false),
            (Higher, -0.01, 0.9, 0.89, true),
            (Higher, -0.01, 0.9, 0.889, false),
            (Lower, 0.0, 0.9, 0.9, true),
            (Lower, 0.1, 0.3, 0.2, true),
            (Lower, 0.1, 0.2, 0.3, false),
            (Lower, 0.1, 0.3, 0.21, false),
            (Higher, f64::NAN, 0.2, 0.3, false),
        ];
        for (direction, min_gain, old, new, allowed) in table {
            let rule = PromotionRule { min_gain, direction, ..PromotionRule::new("auc") };
            let verdict = rule.judge(&version(2, Some(new)), Some(&version(1, Some(old))));
            assert_eq!(verdict.is_allowed(), allowed, "{direction:?} {min_gain} {old} {new}: {verdict}");
        }
    }

    #[test]
    fn without_a_champion_the_metric_alone_is_needed() {
        let rule = PromotionRule::new("auc");
        assert_eq!(rule.judge(&version(1, Some(0.5)), None), RuleVerdict::First { candidate: 0.5 });
        let known = vec!["loss on val".to_owned()];
        let verdict = rule.judge(&version(1, None), None);
        assert_eq!(verdict, RuleVerdict::Missing { role: Role::Candidate, version: 1, known });
        assert!(!verdict.is_allowed());
    }

    #[test]
    fn refusals_have_the_numbers_or_the_name_of_the_metric() {
        let rule = PromotionRule { min_gain: 0.05, ..PromotionRule::new("auc") };
        let table = [
            (version(2, Some(0.75)), version(1, Some(0.5)), None),
            (
                version(2, Some(0.5)),
                version(1, Some(0.5)),
                Some(
                    "version 2 is not promoted to champion: 0.5 against 0.5 is a gain of 0, and at least 0.05 is asked for",
                ),
            ),
            (
                version(2, None),
                version(1, Some(0.5)),
                Some("version 2, which is to be promoted as champion, has no metric auc on test"),
            ),
            (
                version(2, Some(0.5)),
                version(1, None),
                Some("version 1, which it would replace as champion, has no metric auc on test"),
            ),
        ];
        for (candidate, champion, message) in table {
            let verdict = rule.judge(&candidate, Some(&champion));
            let found = rule.enforce(verdict, 2, "champion").err();
            assert_eq!(found.as_ref().map(ToString::to_string).as_deref(), message);
            assert!(found.is_none_or(|error| error.kind() == ErrorKind::Refused && error.help().is_some()));
        }
    }

    #[test]
    fn a_rule_is_read_with_its_defaults_and_without_unknown_keys() {
        let rule: PromotionRule = serde_json::from_str(r#"{"metric": "rmse", "direction": "lower"}"#).unwrap();
        assert_eq!(rule, PromotionRule { direction: Direction::Lower, ..PromotionRule::new("rmse") });
        let error = serde_json::from_str::<PromotionRule>(r#"{"metric": "auc", "least": 1}"#).unwrap_err();
        assert!(error.to_string().contains("unknown field `least`"), "{error}");
        let wrong = PromotionRule { min_gain: f64::INFINITY, ..rule };
        assert_eq!(wrong.check().unwrap_err().to_string(), "the least gain of rmse is inf, and not a finite number");
    }
}
