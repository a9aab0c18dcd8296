//! The state of the parts of assets when a plan is made.

use std::collections::BTreeMap;

use crate::fingerprint::Fingerprint;
use crate::partition::PartitionKey;

/// Versions of inputs, by their names. Equal versions mean equal content.
pub type Inputs = BTreeMap<String, String>;

/// The state of one asset, or of one partition of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartitionState {
    /// The result that readers see; `None` when nothing was ever published.
    pub published: Option<Published>,
    /// The error of the last run, if it failed; what was published before it stays.
    pub failure: Option<String>,
}

/// A published result, and what it was made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The definition.
    pub fingerprint: Fingerprint,
    /// The versions of what it was made of, as [`inputs`](super::inputs) told them.
    pub inputs: Inputs,
    /// The version of the content: equal versions mean equal content.
    pub version: String,
    /// The generation of the index, of an asset that is an index.
    pub generation: Option<String>,
    /// The number of rows.
    pub rows: Option<u64>,
}

/// Something for each asset and partition. An asset without partitions has one part,
/// whose partition is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PerPartition<T>(BTreeMap<String, BTreeMap<Option<PartitionKey>, T>>);

impl<T> Default for PerPartition<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> PerPartition<T> {
    /// Nothing for any asset.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what belongs to a part, and returns what did before.
    pub fn insert(&mut self, asset: &str, partition: Option<PartitionKey>, value: T) -> Option<T> {
        self.0.entry(asset.to_owned()).or_default().insert(partition, value)
    }

    /// Takes away what belongs to a part.
    pub fn remove(&mut self, asset: &str, partition: Option<&PartitionKey>) -> Option<T> {
        self.0.get_mut(asset)?.remove(&partition.cloned())
    }

    /// The value of a part.
    #[must_use]
    pub fn get(&self, asset: &str, partition: Option<&PartitionKey>) -> Option<&T> {
        self.0.get(asset)?.get(&partition.cloned())
    }

    /// The parts of `asset`, in the order of their keys.
    pub fn of(&self, asset: &str) -> impl Iterator<Item = (Option<&PartitionKey>, &T)> {
        self.0.get(asset).into_iter().flatten().map(|(part, value)| (part.as_ref(), value))
    }

    /// The assets that something belongs to, in the order of their names.
    pub fn assets(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|(_, parts)| !parts.is_empty()).map(|(name, _)| name.as_str())
    }
}
