//! A fingerprint of a set of documents.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use xxhash_rust::xxh3::xxh3_128;

/// A 128-bit fingerprint of a multiset of documents: the sum of their XXH3 hashes.
/// It does not depend on their order, so it can be computed in parallel, and stays the same when a
/// file is rewritten with other row groups. It detects changes, but not collisions made on purpose.
///
/// ```
/// use es_core::ContentHash;
/// let (mut a, mut b) = (ContentHash::default(), ContentHash::default());
/// a.add(b"1");
/// a.add(b"2");
/// b.add(b"2");
/// b.add(b"1");
/// assert_eq!(a, b);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ContentHash {
    #[serde(serialize_with = "as_hexadecimal", deserialize_with = "of_hexadecimal")]
    sum: u128,
    documents: u64,
}

/// JSON has no numbers of this size, so it is written as text.
fn as_hexadecimal<S: Serializer>(sum: &u128, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{sum:032x}"))
}

fn of_hexadecimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
    let text = String::deserialize(deserializer)?;
    u128::from_str_radix(&text, 16).map_err(serde::de::Error::custom)
}

impl ContentHash {
    /// Adds one document.
    pub fn add(&mut self, document: &[u8]) {
        self.sum = self.sum.wrapping_add(xxh3_128(document));
        self.documents += 1;
    }

    /// Adds all documents of another hash.
    pub fn merge(&mut self, other: Self) {
        self.sum = self.sum.wrapping_add(other.sum);
        self.documents += other.documents;
    }

    /// The number of documents that were added.
    pub fn documents(&self) -> u64 {
        self.documents
    }
}

impl fmt::Display for ContentHash {
    /// The fingerprint as 32 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The count is part of the value, so that documents whose hashes cancel out are still detected.
        let mut bytes = [0; 24];
        bytes[..16].copy_from_slice(&self.sum.to_le_bytes());
        bytes[16..].copy_from_slice(&self.documents.to_le_bytes());
        write!(f, "{:032x}", xxh3_128(&bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_that_was_kept_goes_on() {
        let (mut whole, mut begun) = (ContentHash::default(), ContentHash::default());
        whole.add(b"a");
        begun.add(b"a");
        let kept = serde_json::to_string(&begun).unwrap();
        let mut read: ContentHash = serde_json::from_str(&kept).unwrap();
        whole.add(b"b");
        read.add(b"b");
        assert_eq!((whole, whole.to_string()), (read, read.to_string()));
        assert_ne!(whole, begun);
    }
}
