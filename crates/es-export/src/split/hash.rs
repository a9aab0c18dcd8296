//! Parts laid end to end on the range of a hash.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::error::{Error, ErrorKind};

/// The hash function's name, as it stands in manifests.
pub(super) const HASH: &str = "xxh3_64";

/// A split by the hash of key columns.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ByHash {
    key: Vec<String>,
    seed: u64,
    shares: Vec<f64>,
    bounds: Bounds,
}

/// The ends of the parts on the range of the hash, exclusive except for the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bounds(Vec<u64>);

impl Bounds {
    /// Bounds that rise; the last part ends with the range, whatever is said of it.
    pub(super) fn new(mut bounds: Vec<u64>) -> Self {
        if let Some(last) = bounds.last_mut() {
            *last = u64::MAX;
        }
        Self(bounds)
    }

    pub(super) fn part_of(&self, hash: u64) -> u32 {
        let part = self.0.partition_point(|bound| *bound <= hash);
        // The greatest hash of all is not below the last bound and belongs to the last part.
        part.min(self.0.len() - 1) as u32
    }

    pub(super) fn ends(&self) -> &[u64] {
        &self.0
    }
}

impl ByHash {
    pub(super) fn new(key: Vec<String>, seed: u64, shares: Vec<f64>) -> Result<Self, Error> {
        let total: f64 = shares.iter().sum();
        let shares_fit = shares.iter().all(|share| *share > 0.0) && (total - 1.0).abs() < 1e-9;
        if key.is_empty() || shares.is_empty() || !shares_fit {
            return Err(Error::new(
                ErrorKind::Split,
                format!("a split needs a key and shares that add up to 1, not {total}"),
            ));
        }
        let bounds = ends_of(&shares)
            .map(|end| {
                // 2⁶⁴ as a float; the conversion saturates.
                (end * 18_446_744_073_709_551_616.0) as u64
            })
            .collect();
        Ok(Self { key, seed, shares, bounds: Bounds::new(bounds) })
    }

    pub(super) fn key(&self) -> &[String] {
        &self.key
    }

    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    pub(super) fn shares(&self) -> &[f64] {
        &self.shares
    }

    pub(super) fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    pub(super) fn hash(&self, key: &[u8]) -> u64 {
        xxh3_64_with_seed(key, self.seed)
    }

    /// The part of a key's text.
    pub(super) fn part_of(&self, key: &[u8]) -> u32 {
        self.bounds.part_of(self.hash(key))
    }
}

/// The end of each part when all are laid end to end from 0 to 1.
pub(super) fn ends_of(shares: &[f64]) -> impl Iterator<Item = f64> {
    shares.iter().scan(0.0, |end, share| {
        *end += share;
        Some(*end)
    })
}
