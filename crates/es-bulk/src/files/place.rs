//! Where in a file reading stands.

use serde::{Deserialize, Serialize};

/// A point between two rows of a file, to which reading can return.
///
/// Places are handed out by readers; they fit the same file, read with any options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FilePlace {
    /// The rows of the file before this point. For NDJSON these are lines, blank and broken
    /// ones too, so that the numbers are those that an editor shows.
    pub rows: u64,
    /// For text, how many bytes of the uncompressed text come before this point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}
