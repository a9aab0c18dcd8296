//! The proof that the parts of a split are disjoint and complete.
//!
//! Each row adds the XXH3-128 hash of its key's text to a sum: to that of the whole before
//! rows are divided, and to that of its part afterwards, computed from the rows that
//! the part was given. A row that was lost, doubled or altered on the way makes the parts' sums
//! differ from the whole's.

use std::collections::HashSet;
use std::io;
use std::path::Path;

use jiff::Timestamp;
use polars::prelude::DataFrame;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::time::times_of;
use super::{Rule, Split, divide};
use crate::error::{Error, ErrorKind};
#[cfg(doc)]
use crate::manifest::ManifestPart;
use crate::schemas::Instant;

/// Groups above this are not counted: their hashes would have to be held in memory.
const MOST_GROUPS: usize = 500_000;

/// The sum of the hashes of rows' keys, which does not depend on their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeySum {
    /// The number of rows that were added.
    pub rows: u64,
    /// The sum of the XXH3-128 hashes of the keys' texts, modulo 2¹²⁸, in 32 hexadecimal
    /// digits.
    #[serde(serialize_with = "as_hexadecimal", deserialize_with = "of_hexadecimal")]
    #[schemars(with = "String", extend("pattern" = "^[0-9a-f]{32}$"))]
    pub sum: u128,
}

/// JSON has no numbers of this size.
fn as_hexadecimal<S: Serializer>(sum: &u128, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{sum:032x}"))
}

fn of_hexadecimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
    let text = String::deserialize(deserializer)?;
    u128::from_str_radix(&text, 16).map_err(serde::de::Error::custom)
}

impl KeySum {
    fn add(&mut self, key: &[u8]) {
        self.rows += 1;
        self.sum = self.sum.wrapping_add(xxh3_128(key));
    }

    /// The sum of the rows of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { rows: self.rows + other.rows, sum: self.sum.wrapping_add(other.sum) }
    }
}

/// The proof that the parts of a split are disjoint and complete.
///
/// The text of a row's key (see `key`), as a JSON string, or `null` where a row may lack it,
/// is hashed. The sum of these hashes over all rows was computed before rows were divided,
/// and over the rows of each part (see [`ManifestPart::keys`]) from what it was given: the
/// sums of the parts add up to that of the whole, as do the numbers of rows and of groups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ManifestProof {
    /// The columns of the key. Their values are joined by `|`, with a `\` before each `|` and
    /// `\` in texts.
    pub key: Vec<String>,
    /// The hash function: `xxh3_128`, without a seed.
    pub hash: String,
    /// Of all rows, before they were divided.
    pub whole: ManifestKeys,
    /// Why groups were not counted, in a split by group, if they were not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups_not_counted: Option<String>,
}

/// The sums of the keys of some rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ManifestKeys {
    /// The rows, and the sum of their keys' hashes.
    #[serde(flatten)]
    pub sum: KeySum,
    /// The number of groups, in a split by group. No group is in two parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<u64>,
    /// The first time, to the millisecond, in a split by time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Instant>")]
    pub earliest: Option<Timestamp>,
    /// The last time, to the millisecond, in a split by time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Instant>")]
    pub latest: Option<Timestamp>,
}

/// The sums of some rows: of all, or of a part.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Seen {
    keys: KeySum,
    /// The least and the greatest time in milliseconds, of a split by time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    times: Option<(i64, i64)>,
    /// The hashes of the groups, of a split by group. They are kept in a file of their own.
    #[serde(skip)]
    groups: HashSet<u64>,
}

/// The account of a split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Proof {
    whole: Seen,
    parts: Vec<Seen>,
    /// Groups are counted, and are not too many.
    counts_groups: bool,
}

impl Proof {
    pub(crate) fn new(split: &Split) -> Self {
        let parts = vec![Seen::default(); split.parts().len()];
        Self { whole: Seen::default(), parts, counts_groups: split.keeps_groups() }
    }

    /// Adds rows to the whole, and then divides them as [`Split::apply`] does.
    pub(crate) fn divide(&mut self, split: &Split, frame: &DataFrame) -> Result<Vec<DataFrame>, Error> {
        let Self { whole, counts_groups, .. } = self;
        let places = split.assign_seeing(frame, |key| whole.add(key, *counts_groups))?;
        whole.see_times(split, frame)?;
        self.bound();
        divide(frame, &places, split.parts().len())
    }

    /// Adds the rows that a part was given.
    pub(crate) fn see_part(&mut self, split: &Split, part: usize, frame: &DataFrame) -> Result<(), Error> {
        let Self { parts, counts_groups, .. } = self;
        split.for_each_key(frame, |key| parts[part].add(key, *counts_groups))?;
        parts[part].see_times(split, frame)
    }

    fn bound(&mut self) {
        if self.counts_groups && self.whole.groups.len() > MOST_GROUPS {
            self.counts_groups = false;
            self.whole.groups = HashSet::new();
            self.parts.iter_mut().for_each(|part| part.groups = HashSet::new());
        }
    }

    /// Checks the account, and puts it in the terms of the manifest.
    ///
    /// # Errors
    /// [`ErrorKind::Split`] when the parts are not disjoint and complete.
    pub(crate) fn check(&self, split: &Split) -> Result<(ManifestProof, Vec<ManifestKeys>), Error> {
        let wrong = |what: String| {
            Error::new(ErrorKind::Split, format!("the parts of the split do not add up: {what}"))
                .with_help("this should not happen; nothing was changed, so try again and report it")
        };
        let sum = self.parts.iter().fold(KeySum::default(), |sum, part| sum.and(part.keys));
        if sum != self.whole.keys {
            return Err(wrong(format!("{} rows were divided into {}, or others", self.whole.keys.rows, sum.rows)));
        }
        let groups: usize = self.parts.iter().map(|part| part.groups.len()).sum();
        if self.counts_groups && groups != self.whole.groups.len() {
            return Err(wrong(format!("{} groups are in {groups}", self.whole.groups.len())));
        }
        for (place, part) in self.parts.iter().enumerate() {
            let (Some((least, greatest)), Some((from, until))) = (part.times, split.span(place)) else { continue };
            let is_within = from.is_none_or(|from| from.as_millisecond() <= least)
                && until.is_none_or(|until| greatest < until.as_millisecond());
            if !is_within {
                return Err(wrong(format!("part {} holds times outside of its span", split.parts()[place])));
            }
        }
        let keys = |seen: &Seen| ManifestKeys {
            sum: seen.keys,
            groups: self.counts_groups.then_some(seen.groups.len() as u64),
            earliest: seen.times.and_then(|(least, _)| jiff::Timestamp::from_millisecond(least).ok()),
            latest: seen.times.and_then(|(_, greatest)| jiff::Timestamp::from_millisecond(greatest).ok()),
        };
        let proof = ManifestProof {
            key: split.key().to_vec(),
            hash: "xxh3_128".to_owned(),
            whole: keys(&self.whole),
            groups_not_counted: (split.keeps_groups() && !self.counts_groups)
                .then(|| format!("more than {MOST_GROUPS} groups")),
        };
        Ok((proof, self.parts.iter().map(keys).collect()))
    }

    /// Writes the hashes of the groups where there are any to count.
    pub(crate) fn save_groups(&self, path: &Path) -> io::Result<()> {
        if !self.counts_groups {
            return Ok(());
        }
        let sets = std::iter::once(&self.whole).chain(&self.parts).map(|seen| &seen.groups);
        let mut bytes = Vec::new();
        for groups in sets {
            bytes.extend_from_slice(&(groups.len() as u64).to_le_bytes());
            groups.iter().for_each(|group| bytes.extend_from_slice(&group.to_le_bytes()));
        }
        let hash = xxh3_64(&bytes);
        bytes.extend_from_slice(&hash.to_le_bytes());
        crate::commit::replace(path, &bytes)
    }

    /// Reads what [`Proof::save_groups`] wrote; `None` when it is not whole.
    pub(crate) fn with_groups(mut self, path: &Path) -> Option<Self> {
        if !self.counts_groups {
            return Some(self);
        }
        let bytes = std::fs::read(path).ok()?;
        let (body, hash) = bytes.split_last_chunk::<8>()?;
        if u64::from_le_bytes(*hash) != xxh3_64(body) {
            return None;
        }
        let mut numbers = body.chunks_exact(8).filter_map(|chunk| Some(u64::from_le_bytes(chunk.try_into().ok()?)));
        for seen in std::iter::once(&mut self.whole).chain(&mut self.parts) {
            let length = numbers.next()?;
            seen.groups = numbers.by_ref().take(length as usize).collect();
            if seen.groups.len() as u64 != length {
                return None;
            }
        }
        Some(self)
    }
}

impl Seen {
    fn add(&mut self, key: &[u8], counts_groups: bool) {
        self.keys.add(key);
        if counts_groups {
            self.groups.insert(xxh3_64(key));
        }
    }

    fn see_times(&mut self, split: &Split, frame: &DataFrame) -> Result<(), Error> {
        if let Rule::Time(rule) = &split.rule {
            for time in times_of(frame, rule.column())?.into_iter().flatten() {
                let (least, greatest) = self.times.unwrap_or((time, time));
                self.times = Some((least.min(time), greatest.max(time)));
            }
        }
        Ok(())
    }
}
