//! A split as manifests have it: enough to put any row in its part.

use indexmap::IndexMap;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::hash::{ByHash, HASH};
use super::strata::Stratum;
use super::time::MissingTimes;
use super::{Rule, Split};
use crate::error::{Error, ErrorKind};
use crate::schemas::Instant;

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "by", rename_all = "snake_case")]
pub(super) enum Definition {
    /// By the hash of the key.
    Hash(Hashed),
    /// As by hash, of a key that names a group.
    Group(Hashed),
    /// At points in time.
    Time {
        column: String,
        parts: Vec<Span>,
        /// The part of rows without a time; absent when there must be none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        missing: Option<String>,
    },
    /// As by hash, with bounds for each stratum.
    Stratified {
        #[serde(flatten)]
        hashed: Hashed,
        strata_columns: Vec<String>,
        /// Absent before they are counted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        strata: Option<Vec<StratumBounds>>,
    },
}

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub(super) struct Hashed {
    hash: String,
    key: Vec<String>,
    seed: u64,
    parts: IndexMap<String, f64>,
}

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub(super) struct Span {
    name: String,
    /// Exclusive; absent in the last part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Instant>")]
    until: Option<Timestamp>,
}

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub(super) struct StratumBounds {
    /// The text of the JSON object of the stratum columns, without nulls, exactly as
    /// documents are written: text, so that no reader writes its numbers otherwise.
    values: String,
    rows: u64,
    /// The end of each part on the range of the hash, exclusive except for the last, in
    /// hexadecimal digits: not every reader of JSON keeps so large numbers exact.
    ends: Vec<String>,
}

impl From<Split> for Definition {
    fn from(split: Split) -> Self {
        let Split { parts, rule } = split;
        match rule {
            Rule::Hash(rule) => Self::Hash(Hashed::new(parts, &rule)),
            Rule::Group(rule) => Self::Group(Hashed::new(parts, &rule)),
            Rule::Time(rule) => {
                let spans = parts.into_iter().enumerate().filter_map(|(place, name)| {
                    let (_, until) = rule.span(place)?;
                    Some(Span { name, until })
                });
                let missing = match rule.missing() {
                    MissingTimes::Refuse => None,
                    MissingTimes::Part(name) => Some(name.clone()),
                };
                Self::Time { column: rule.column().clone(), parts: spans.collect(), missing }
            }
            Rule::Stratified(rule) => {
                let bounds = |stratum: &Stratum| StratumBounds {
                    values: stratum.values().to_owned(),
                    rows: stratum.rows(),
                    ends: stratum.ends().iter().map(|end| format!("{end:016x}")).collect(),
                };
                Self::Stratified {
                    hashed: Hashed::new(parts, rule.by_hash()),
                    strata_columns: rule.columns().to_vec(),
                    strata: rule.strata().map(|strata| strata.iter().map(bounds).collect()),
                }
            }
        }
    }
}

impl TryFrom<Definition> for Split {
    type Error = Error;

    fn try_from(definition: Definition) -> Result<Self, Error> {
        match definition {
            Definition::Hash(hashed) => {
                let Hashed { key, seed, parts, .. } = hashed.checked()?;
                Self::by_hash(key, seed, parts.into_iter().collect())
            }
            Definition::Group(hashed) => {
                let Hashed { key, seed, parts, .. } = hashed.checked()?;
                Self::by_group(key, seed, parts.into_iter().collect())
            }
            Definition::Time { column, parts, missing } => {
                let parts = parts.into_iter().map(|Span { name, until }| (name, until)).collect();
                Self::by_time(column, parts, missing.map_or(MissingTimes::Refuse, MissingTimes::Part))
            }
            Definition::Stratified { hashed, strata_columns, strata } => {
                let Hashed { key, seed, parts, .. } = hashed.checked()?;
                let split = Self::stratified(strata_columns, key, seed, parts.into_iter().collect())?;
                let Some(strata) = strata else { return Ok(split) };
                let of_parts = split.parts().len();
                let strata = strata.iter().map(|stratum| stratum.read(of_parts)).collect::<Result<_, _>>()?;
                Ok(split.settled(strata))
            }
        }
    }
}

impl Hashed {
    fn new(names: Vec<String>, rule: &ByHash) -> Self {
        let parts = names.into_iter().zip(rule.shares().iter().copied()).collect();
        Self { hash: HASH.to_owned(), key: rule.key().to_vec(), seed: rule.seed(), parts }
    }

    fn checked(self) -> Result<Self, Error> {
        if self.hash != HASH {
            return Err(Error::new(ErrorKind::Split, format!("a split by the hash {} is not known here", self.hash)));
        }
        Ok(self)
    }
}

impl StratumBounds {
    fn read(&self, parts: usize) -> Result<Stratum, Error> {
        let ends = self.ends.iter().map(|end| u64::from_str_radix(end, 16)).collect::<Result<Vec<_>, _>>();
        match ends {
            Ok(ends) if ends.len() == parts && ends.is_sorted() => {
                Ok(Stratum::new(self.values.clone(), self.rows, ends))
            }
            _ => Err(Error::new(ErrorKind::Split, format!("the bounds of stratum {} are damaged", self.values))),
        }
    }
}
