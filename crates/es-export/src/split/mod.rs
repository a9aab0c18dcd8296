//! The assignment of rows to parts.
//!
//! `hash` lays the parts end to end on the range of a hash, `time` on the axis of time,
//! `strata` finds bounds for each stratum, `definition` is how a split is written down,
//! `keys` is the text that a row is known by, and `proof` what shows that the parts are
//! disjoint and complete.

mod definition;
mod hash;
pub(crate) mod keys;
pub(crate) mod proof;
mod strata;
#[cfg(test)]
mod tests;
mod time;

use jiff::Timestamp;
use polars::prelude::{DataFrame, IdxCa, IdxSize};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};
use definition::Definition;
use hash::ByHash;
use keys::{NullKeys, for_each_key};
pub(crate) use strata::StrataCounter;
use strata::Stratified;
use time::ByTime;

pub use strata::{MOST_STRATA, Stratum};
pub use time::MissingTimes;

/// A rule by which each row belongs to exactly one part.
///
/// The rule looks at the row alone, and so a row keeps its part whatever else is exported,
/// by whichever run. It is written to the manifest, and what was read from there
/// (it is [`Deserialize`]) puts any row where the export put it.
///
/// ```
/// use es_export::Split;
/// use polars::prelude::*;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let parts = vec![("train".to_owned(), 0.8), ("test".to_owned(), 0.2)];
/// let split = Split::by_hash(vec!["order".to_owned()], 7, parts)?;
/// let frames = split.apply(&df!("order" => [1, 2, 3, 4, 5])?)?;
/// assert_eq!(frames[0].height() + frames[1].height(), 5);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Definition", into = "Definition")]
pub struct Split {
    parts: Vec<String>,
    rule: Rule,
}

#[derive(Clone, Debug, PartialEq)]
enum Rule {
    Hash(ByHash),
    Group(ByHash),
    Time(ByTime),
    Stratified(Stratified),
}

impl Split {
    /// A split by the hash of key columns, which together should name a row.
    ///
    /// The key's text (see [`es_frame::DocumentWriter::write_id`], with its quotes) is hashed
    /// with XXH3-64 and the seed; the hash, as a share of 2⁶⁴, falls into one of the parts,
    /// which are laid end to end in their order. The shares add up to 1, and come out as
    /// those of a fair die would.
    ///
    /// # Errors
    /// [`ErrorKind::Split`] when there is no key or no part, the shares do not add up, or a
    /// part's name is taken or cannot be the name of a folder.
    pub fn by_hash(key: Vec<String>, seed: u64, parts: Vec<(String, f64)>) -> Result<Self, Error> {
        let (names, by_hash) = hashed(key, seed, parts)?;
        Ok(Self { parts: names, rule: Rule::Hash(by_hash) })
    }

    /// A split that keeps rows together which agree in the group columns, such as all rows of
    /// one customer. The shares are shares of the groups; rows follow their groups.
    ///
    /// It puts rows where [`Split::by_hash`] with the same columns and seed does.
    ///
    /// # Errors
    /// As [`Split::by_hash`].
    pub fn by_group(group: Vec<String>, seed: u64, parts: Vec<(String, f64)>) -> Result<Self, Error> {
        let (names, by_hash) = hashed(group, seed, parts)?;
        Ok(Self { parts: names, rule: Rule::Group(by_hash) })
    }

    /// A split at points in time: each part ends where the next begins, the instant itself
    /// belonging to the later one. The column is of dates or of instants; a date counts as
    /// its first moment in UTC.
    ///
    /// # Errors
    /// [`ErrorKind::Split`] when the ends do not rise from part to part, are not whole
    /// milliseconds, or another part than the last has none, and for names as
    /// [`Split::by_hash`].
    pub fn by_time(
        column: impl Into<String>,
        parts: Vec<(String, Option<Timestamp>)>,
        missing: MissingTimes,
    ) -> Result<Self, Error> {
        let (names, by_time) = ByTime::new(column.into(), parts, missing)?;
        check_names(&names)?;
        Ok(Self { parts: names, rule: Rule::Time(by_time) })
    }

    /// A split by the hash of key columns whose shares come out in each stratum: among the
    /// rows that agree in the columns `strata`, such as a label.
    ///
    /// The ends of the parts of a stratum on the range of the hash are computed by an [`Export`],
    /// which reads these columns first, in the same point in time. The bounds are exact to
    /// the row for strata of up to 4,096 rows, and to a 4,096th of the stratum above. They
    /// stand in the manifest: by [`Split::is_settled`] split rows elsewhere, and later ones,
    /// fall where they would have fallen then.
    ///
    /// [`Export`]: crate::Export
    ///
    /// # Errors
    /// As [`Split::by_hash`], and when there is no stratum column.
    pub fn stratified(
        strata: Vec<String>,
        key: Vec<String>,
        seed: u64,
        parts: Vec<(String, f64)>,
    ) -> Result<Self, Error> {
        if strata.is_empty() {
            return Err(Error::new(ErrorKind::Split, "a stratified split needs the columns that make the strata"));
        }
        let (names, by_hash) = hashed(key, seed, parts)?;
        Ok(Self { parts: names, rule: Rule::Stratified(Stratified::new(strata, by_hash)) })
    }

    /// The names of the parts, in order.
    pub fn parts(&self) -> &[String] {
        &self.parts
    }

    /// The columns that decide, each once: those of the key or the time, then those of the
    /// strata.
    pub fn columns(&self) -> Vec<String> {
        let mut columns = self.key().to_vec();
        if let Rule::Stratified(stratified) = &self.rule {
            for name in stratified.columns() {
                if !columns.contains(name) {
                    columns.push(name.clone());
                }
            }
        }
        columns
    }

    /// The columns whose values a row is known by in the proof of the manifest.
    pub fn key(&self) -> &[String] {
        match &self.rule {
            Rule::Hash(rule) | Rule::Group(rule) => rule.key(),
            Rule::Time(rule) => std::slice::from_ref(rule.column()),
            Rule::Stratified(rule) => rule.by_hash().key(),
        }
    }

    /// Returns `false` for a stratified split whose strata have not been counted yet: it cannot
    /// divide rows.
    pub fn is_settled(&self) -> bool {
        !matches!(&self.rule, Rule::Stratified(rule) if rule.strata().is_none())
    }

    /// The strata of a stratified split, once they are counted.
    pub fn strata(&self) -> Option<&[Stratum]> {
        match &self.rule {
            Rule::Stratified(rule) => rule.strata(),
            _ => None,
        }
    }

    /// The rows of each part, in the order of the parts, and within a part in their own.
    /// Every row is in exactly one.
    ///
    /// # Errors
    /// [`ErrorKind::Column`] when the frame lacks a column or it is of a type that does not
    /// fit, [`ErrorKind::Split`] when a key is null or a row has no time, and for a
    /// stratified split that is not settled.
    pub fn apply(&self, frame: &DataFrame) -> Result<Vec<DataFrame>, Error> {
        divide(frame, &self.assign(frame)?, self.parts.len())
    }

    /// The part of each row, as a place in [`Split::parts`].
    pub(crate) fn assign(&self, frame: &DataFrame) -> Result<Vec<u32>, Error> {
        match &self.rule {
            Rule::Time(rule) => rule.assign(frame),
            _ => self.assign_seeing(frame, |_| ()),
        }
    }

    /// The same, and calls `see` with the text of each row's key, which a split by hash needs
    /// anyway.
    pub(crate) fn assign_seeing(&self, frame: &DataFrame, mut see: impl FnMut(&[u8])) -> Result<Vec<u32>, Error> {
        match &self.rule {
            Rule::Hash(rule) | Rule::Group(rule) => {
                let mut parts = Vec::with_capacity(frame.height());
                for_each_key(frame, rule.key(), NullKeys::Refuse, |_, key| {
                    see(key);
                    parts.push(rule.part_of(key));
                    Ok(())
                })?;
                Ok(parts)
            }
            Rule::Stratified(rule) => rule.assign(frame, see),
            Rule::Time(rule) => {
                self.for_each_key(frame, see)?;
                rule.assign(frame)
            }
        }
    }

    /// Calls `see` with the text of each row's key.
    fn for_each_key(&self, frame: &DataFrame, mut see: impl FnMut(&[u8])) -> Result<(), Error> {
        // A row may lack its time, and the rule says what becomes of it.
        let nulls = match self.rule {
            Rule::Time(_) => NullKeys::Keep,
            _ => NullKeys::Refuse,
        };
        for_each_key(frame, self.key(), nulls, |_, key| {
            see(key);
            Ok(())
        })
    }

    /// The counter of the strata, before the split is settled; `None` afterwards.
    pub(crate) fn strata_counter(&self) -> Option<StrataCounter> {
        match &self.rule {
            Rule::Stratified(rule) if rule.strata().is_none() => Some(StrataCounter::new(rule)),
            _ => None,
        }
    }

    /// The split with the strata that were counted.
    pub(crate) fn settled(self, strata: Vec<Stratum>) -> Self {
        match self.rule {
            Rule::Stratified(rule) => Self { rule: Rule::Stratified(rule.with_strata(strata)), ..self },
            _ => self,
        }
    }

    /// Returns `true` if the key names a group, whose rows are kept together.
    pub(crate) fn keeps_groups(&self) -> bool {
        matches!(self.rule, Rule::Group(_))
    }

    /// The span of a part of a split by time: from, inclusive, and until, exclusive.
    pub fn span(&self, part: usize) -> Option<(Option<Timestamp>, Option<Timestamp>)> {
        match &self.rule {
            Rule::Time(rule) => rule.span(part),
            _ => None,
        }
    }
}

/// The rows of a frame by the place that each is assigned to.
pub(crate) fn divide(frame: &DataFrame, places: &[u32], of: usize) -> Result<Vec<DataFrame>, Error> {
    let mut rows: Vec<Vec<IdxSize>> = vec![Vec::new(); of];
    for (row, place) in places.iter().enumerate() {
        rows[*place as usize].push(row as IdxSize);
    }
    rows.into_iter()
        .map(|rows| {
            if rows.len() == frame.height() {
                return Ok(frame.clone());
            }
            Ok(frame.take(&IdxCa::from_vec("rows".into(), rows))?)
        })
        .collect()
}

/// The parts of a split by shares.
fn hashed(key: Vec<String>, seed: u64, parts: Vec<(String, f64)>) -> Result<(Vec<String>, ByHash), Error> {
    let (names, shares): (Vec<String>, Vec<f64>) = parts.into_iter().unzip();
    let rule = ByHash::new(key, seed, shares)?;
    check_names(&names)?;
    Ok((names, rule))
}

fn check_names(names: &[String]) -> Result<(), Error> {
    for (place, name) in names.iter().enumerate() {
        if names[..place].contains(name) {
            return Err(Error::new(ErrorKind::Split, format!("two parts of a split are called {name}")));
        }
        if name.is_empty() || name.starts_with(['.', '_']) || name.contains(['/', '\\', '\0', '=']) {
            return Err(Error::new(ErrorKind::Split, format!("a part of a split cannot be called {name:?}"))
                .with_help("each part is a folder: choose a name like train"));
        }
    }
    Ok(())
}
