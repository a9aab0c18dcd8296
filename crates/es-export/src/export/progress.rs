//! How far an export is.

/// What an export is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The strata of the split are counted; rows are read for the first time.
    Counting,
    /// Rows are read and written.
    Reading,
    /// Rows that were read are encoded.
    Encoding,
}

/// A step of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What it is at. The rows of each phase count from zero to the total.
    pub phase: Phase,
    /// Rows of this phase since the step before. The first step of an export that is carried
    /// on has all rows of the finished files.
    pub rows: u64,
    /// Bytes of files written so far.
    pub bytes: u64,
    /// All rows of the export, where they are known before the end.
    pub total: Option<u64>,
}
