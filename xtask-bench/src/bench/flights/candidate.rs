//! Who does the work, and which work there is.

use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) enum Candidate {
    #[serde(rename = "orchestrator")]
    Ours,
    #[serde(rename = "elasticsearch-py")]
    Theirs,
}

impl Candidate {
    pub(super) const ALL: [Self; 2] = [Self::Ours, Self::Theirs];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ours => "orchestrator",
            Self::Theirs => "elasticsearch-py",
        }
    }

    /// The part of an index's name that names its candidate.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Theirs => "theirs",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Work {
    /// From the Parquet file into one index a month.
    In,
    /// From the indices of the year into a Parquet file of all columns.
    Out,
}

impl Work {
    pub(super) const ALL: [Self; 2] = [Self::In, Self::Out];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}
