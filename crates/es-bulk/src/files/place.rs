//! A point in a file at which reading can go on.

use serde::{Deserialize, Serialize};

/// A point between two rows of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilePlace {
    /// Rows of the file that come before it.
    pub rows: u64,
    /// For text, the offset in bytes of the next row in the uncompressed text.
    pub bytes: Option<u64>,
}
