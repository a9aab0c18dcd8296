//! An answer of success that is not one.

/// The reason that an answer cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It may concern some of the rows only: too few rows, a value of another type.
    Rows(String),
    /// It concerns every answer of this model: a missing output, another type or width.
    Model(String),
}

impl Fault {
    pub(crate) fn rows(reason: impl Into<String>) -> Self {
        Self::Rows(reason.into())
    }

    pub(crate) fn model(reason: impl Into<String>) -> Self {
        Self::Model(reason.into())
    }
}
