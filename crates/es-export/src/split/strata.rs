//! Shares that are kept in each stratum: the ends of its parts on the range of the hash.
//!
//! A [`StrataCounter`] sees the keys of all rows once and keeps of each stratum either all hashes,
//! while they are few, or how many fall into each of equal buckets. Its memory is bounded by
//! the number of strata.

use std::collections::HashMap;

use es_frame::DocumentWriter;
use polars::prelude::DataFrame;

use super::hash::{Bounds, ByHash, ends_of};
use super::keys::{NullKeys, for_each_key, no_column};
use crate::error::{Error, ErrorKind};

/// The most strata that a split may have. Counting takes up to 32 KiB for each.
pub const MOST_STRATA: usize = 1_024;

/// Equal ranges of the hash that a stratum's rows are counted in, and how many hashes are
/// kept as they are before that.
const BUCKETS: usize = 4_096;

/// The bits of a hash below those that say its bucket.
const BUCKET_SHIFT: u32 = u64::BITS - BUCKETS.trailing_zeros();

/// A stratum of a split, with the bounds that were found for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Stratum {
    /// Its values, as the JSON object of the stratum columns; a null is left out.
    values: String,
    rows: u64,
    bounds: Bounds,
}

impl Stratum {
    pub(super) fn new(values: String, rows: u64, ends: Vec<u64>) -> Self {
        Self { values, rows, bounds: Bounds::new(ends) }
    }

    /// Its values, as the text of the JSON object of the stratum columns; a null is left out.
    pub fn values(&self) -> &str {
        &self.values
    }

    /// The rows it had when it was counted.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The ends of its parts on the range of the hash, exclusive except for the last.
    pub fn ends(&self) -> &[u64] {
        self.bounds.ends()
    }
}

/// A stratified split.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stratified {
    columns: Vec<String>,
    by_hash: ByHash,
    strata: Option<Vec<Stratum>>,
    /// The place of each stratum by its values.
    places: HashMap<String, usize>,
}

impl Stratified {
    pub(super) fn new(columns: Vec<String>, by_hash: ByHash) -> Self {
        Self { columns, by_hash, strata: None, places: HashMap::new() }
    }

    pub(super) fn with_strata(self, strata: Vec<Stratum>) -> Self {
        let places = strata.iter().enumerate().map(|(place, stratum)| (stratum.values.clone(), place)).collect();
        Self { strata: Some(strata), places, ..self }
    }

    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    pub(super) fn by_hash(&self) -> &ByHash {
        &self.by_hash
    }

    pub(super) fn strata(&self) -> Option<&[Stratum]> {
        self.strata.as_deref()
    }

    /// The part of each row, whose key's text is shown. Rows of a stratum that was not counted
    /// fall where the shares alone put them.
    pub(super) fn assign(&self, frame: &DataFrame, mut see: impl FnMut(&[u8])) -> Result<Vec<u32>, Error> {
        let Some(strata) = &self.strata else {
            return Err(Error::new(ErrorKind::Split, "the strata of a split were not counted yet")
                .with_help("take the split of the manifest that an export wrote"));
        };
        let mut parts = Vec::with_capacity(frame.height());
        for_each_stratum(frame, &self.columns, self.by_hash.key(), |stratum, key| {
            let stratum = std::str::from_utf8(stratum).ok().and_then(|values| self.places.get(values));
            let bounds = stratum.map_or(self.by_hash.bounds(), |place| &strata[*place].bounds);
            see(key);
            parts.push(bounds.part_of(self.by_hash.hash(key)));
            Ok(())
        })?;
        Ok(parts)
    }
}

/// Calls `see` with the text of each row's stratum and of its key.
fn for_each_stratum(
    frame: &DataFrame,
    columns: &[String],
    key: &[String],
    mut see: impl FnMut(&[u8], &[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let missing = columns.iter().find(|name| frame.column(name).is_err());
    if let Some(name) = missing {
        return Err(no_column(frame, name));
    }
    let mut of_strata = frame.select(columns)?;
    of_strata.rechunk_mut();
    let writer = DocumentWriter::new(&of_strata, &[] as &[&str])?;
    let mut stratum = Vec::new();
    for_each_key(frame, key, NullKeys::Refuse, |row, key| {
        stratum.clear();
        writer.write_document(row, &mut stratum)?;
        see(&stratum, key)
    })
}

/// Counts the strata of a split.
pub(crate) struct StrataCounter {
    columns: Vec<String>,
    by_hash: ByHash,
    strata: HashMap<Vec<u8>, Counted>,
}

/// The hashes of a stratum's rows.
enum Counted {
    /// All of them.
    Each(Vec<u64>),
    /// The number of hashes in each bucket.
    Buckets { rows: u64, of_bucket: Vec<u64> },
}

impl StrataCounter {
    pub(super) fn new(rule: &Stratified) -> Self {
        Self { columns: rule.columns.clone(), by_hash: rule.by_hash.clone(), strata: HashMap::new() }
    }

    /// Counts the rows of a frame that has the key and the stratum columns.
    pub(crate) fn observe(&mut self, frame: &DataFrame) -> Result<(), Error> {
        let Self { columns, by_hash, strata } = self;
        for_each_stratum(frame, columns, by_hash.key(), |stratum, key| {
            let hash = by_hash.hash(key);
            if let Some(counted) = strata.get_mut(stratum) {
                counted.add(hash);
                return Ok(());
            }
            if strata.len() == MOST_STRATA {
                return Err(Error::new(
                    ErrorKind::Split,
                    format!("the columns {} make more than {MOST_STRATA} strata", columns.join(", ")),
                )
                .with_help("stratify by columns with few values, such as the label"));
            }
            strata.insert(stratum.to_vec(), Counted::Each(vec![hash]));
            Ok(())
        })
    }

    /// The strata with the bounds that their shares come out by, in the order of their values.
    pub(crate) fn finish(self) -> Vec<Stratum> {
        let shares = self.by_hash.shares();
        let mut strata: Vec<Stratum> = self
            .strata
            .into_iter()
            .map(|(values, counted)| {
                let rows = counted.rows();
                // JSON is text.
                let values = String::from_utf8_lossy(&values).into_owned();
                Stratum::new(values, rows, counted.ends(shares))
            })
            .collect();
        strata.sort_by(|one, other| one.values.cmp(&other.values));
        strata
    }
}

impl Counted {
    fn add(&mut self, hash: u64) {
        match self {
            Self::Each(hashes) if hashes.len() < BUCKETS => hashes.push(hash),
            Self::Each(hashes) => {
                let mut of_bucket = vec![0; BUCKETS];
                for hash in hashes.iter().chain([&hash]) {
                    of_bucket[(hash >> BUCKET_SHIFT) as usize] += 1;
                }
                *self = Self::Buckets { rows: hashes.len() as u64 + 1, of_bucket };
            }
            Self::Buckets { rows, of_bucket } => {
                *rows += 1;
                of_bucket[(hash >> BUCKET_SHIFT) as usize] += 1;
            }
        }
    }

    fn rows(&self) -> u64 {
        match self {
            Self::Each(hashes) => hashes.len() as u64,
            Self::Buckets { rows, .. } => *rows,
        }
    }

    /// The ends of the parts, so that each has its share of the rows as nearly as possible.
    fn ends(self, shares: &[f64]) -> Vec<u64> {
        let rows = self.rows();
        let targets = ends_of(shares).map(|end| (end * rows as f64).round() as u64);
        match self {
            Self::Each(mut hashes) => {
                hashes.sort_unstable();
                targets.map(|target| end_among(&hashes, target as usize)).collect()
            }
            Self::Buckets { of_bucket, .. } => targets.map(|target| end_of_bucket(&of_bucket, target)).collect(),
        }
    }
}

/// The bound below which `target` of the sorted hashes are. Where equal hashes stand there,
/// they all go to the side that is nearer.
fn end_among(sorted: &[u64], target: usize) -> u64 {
    let Some(at) = sorted.get(target) else { return u64::MAX };
    let below = sorted.partition_point(|hash| hash < at);
    let with = sorted.partition_point(|hash| hash <= at);
    if target - below <= with - target { *at } else { sorted.get(with).copied().unwrap_or(u64::MAX) }
}

/// The edge of a bucket below which the nearest to `target` rows are.
fn end_of_bucket(of_bucket: &[u64], target: u64) -> u64 {
    let mut below = 0;
    for (bucket, rows) in of_bucket.iter().enumerate() {
        let with = below + rows;
        if *rows > 0 && with >= target {
            let edge = if target - below <= with - target { bucket } else { bucket + 1 };
            return if edge == BUCKETS { u64::MAX } else { (edge as u64) << BUCKET_SHIFT };
        }
        below = with;
    }
    u64::MAX
}
