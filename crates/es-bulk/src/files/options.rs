//! How files are read: what a caller may set, and the limits that hold unless it does.

use super::format::{Compression, FileFormat};

/// Rows of a piece, at most, unless the caller says otherwise.
pub const DEFAULT_PIECE_ROWS: usize = 50_000;

/// Bytes of a piece, at most, unless the caller says otherwise: 8 MiB.
pub const DEFAULT_PIECE_BYTES: usize = 8 << 20;

/// The longest record of a text file, in bytes: 100 MiB, which is also what Elasticsearch
/// takes as one request unless it is set otherwise.
pub const LONGEST_RECORD: usize = 100 << 20;

/// How a file is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadOptions {
    /// The format; without it, the one that the name tells.
    pub format: Option<FileFormat>,
    /// How the file is compressed; without it, what its first bytes say, or else its name.
    pub compression: Option<Compression>,
    /// Rows of a piece, at most. Text formats keep to `piece_bytes` alone.
    pub piece_rows: usize,
    /// Bytes of a piece, about: of column data for Arrow IPC, of uncompressed text for CSV and
    /// NDJSON; of Parquet a quarter of it by what its footer says, and no more than 2 MiB, as
    /// values may turn out to be larger. A single row that is larger makes a larger piece.
    /// Several times as much is in memory while a piece is made, and of Parquet a page and a
    /// dictionary of every column that is read.
    pub piece_bytes: usize,
    /// The columns that frames have; without it, all. Names that the file lacks are passed
    /// over. Parquet leaves the others unread.
    pub columns: Option<Vec<String>>,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            format: None,
            compression: None,
            piece_rows: DEFAULT_PIECE_ROWS,
            piece_bytes: DEFAULT_PIECE_BYTES,
            columns: None,
        }
    }
}
