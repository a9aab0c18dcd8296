//! Why a step is in a plan.

use std::fmt;

use es_values::quoted_list;

/// Why an asset or partition is to be made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// It has never been published.
    New,
    /// Its definition has changed.
    DefinitionChanged {
        /// The parts that have changed.
        parts: Vec<String>,
    },
    /// Something that it is made of has changed, is new, or is gone.
    InputChanged {
        /// The name of the input.
        name: String,
    },
    /// An asset that it is made of is made anew by the same plan. It may turn out the
    /// same, and then there is nothing to do.
    UpstreamWillChange {
        /// That asset.
        asset: String,
    },
    /// Its last run failed.
    LastRunFailed {
        /// The error of that run.
        error: String,
    },
    /// Its inputs cannot be inspected, so that the step will fail.
    CannotBeInspected {
        /// The reason.
        error: String,
    },
    /// The user asked for it.
    Requested,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New => f.write_str("never built"),
            Self::DefinitionChanged { parts } => {
                write!(f, "changed {}", quoted_list(parts.iter().map(String::as_str)))
            }
            Self::InputChanged { name } => write!(f, "changed input `{name}`"),
            Self::UpstreamWillChange { asset } => write!(f, "`{asset}` will change"),
            Self::LastRunFailed { error } => write!(f, "last run failed: {error}"),
            Self::CannotBeInspected { error } => write!(f, "will fail: {error}"),
            Self::Requested => f.write_str("requested"),
        }
    }
}
