//! Positions in files.

use serde::{Deserialize, Serialize};

/// A point between two rows of a file, to which reading can return.
///
/// Readers return places; they fit the same file, read with any options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FilePlace {
    /// The number of rows of the file before this point. For NDJSON these are lines, blank and broken
    /// ones included, so that the numbers are those that an editor shows.
    pub rows: u64,
    /// For text, the number of bytes of the uncompressed text before this point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}
