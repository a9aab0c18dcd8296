//! The decision of a monitor, or the reason that there is none.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The decision on a field or on a whole monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The difference is within the threshold.
    NoDrift,
    /// The difference is beyond the threshold.
    Drift,
    /// There is no decision: see the [`Reason`].
    NotMeasured,
}

impl Verdict {
    /// The verdict on several things together: drift if one drifts, and no drift only if all were
    /// measured. Without any verdict it is not measured.
    ///
    /// ```
    /// use es_monitor::Verdict::{self, Drift, NoDrift, NotMeasured};
    /// assert_eq!(Verdict::combine([NoDrift, NotMeasured, Drift]), Drift);
    /// assert_eq!(Verdict::combine([NoDrift, NotMeasured]), NotMeasured);
    /// assert_eq!(Verdict::combine([]), NotMeasured);
    /// ```
    pub fn combine(verdicts: impl IntoIterator<Item = Self>) -> Self {
        let mut all = None;
        for verdict in verdicts {
            all = Some(match (all, verdict) {
                (Some(Self::Drift), _) | (_, Self::Drift) => Self::Drift,
                (Some(Self::NotMeasured), _) | (_, Self::NotMeasured) => Self::NotMeasured,
                _ => Self::NoDrift,
            });
        }
        all.unwrap_or(Self::NotMeasured)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NoDrift => "no drift",
            Self::Drift => "drift",
            Self::NotMeasured => "not measured",
        })
    }
}

/// One of the two windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowName {
    /// The window that sets the norm.
    Reference,
    /// The window that is compared with it.
    Current,
}

impl fmt::Display for WindowName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reference => "reference",
            Self::Current => "current",
        })
    }
}

/// The reason that a field was not measured. `Display` is a short sentence for a person.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// A window has no documents at all.
    NoDocuments {
        /// The window.
        window: WindowName,
    },
    /// A window has fewer values than the monitor asks for.
    TooFewValues {
        /// The window.
        window: WindowName,
        /// The number of values it has.
        values: u64,
        /// The number of values that are needed.
        needed: u64,
    },
    /// Documents hold several values of the field, so that there are more values than documents.
    SeveralValues {
        /// The window.
        window: WindowName,
        /// The values.
        values: u64,
        /// The documents with a value.
        documents: u64,
    },
    /// All values of the reference are one number, so there is no deviation to divide by.
    ConstantReference {
        /// The number.
        value: f64,
        /// The distance in the unit of the field.
        distance: f64,
    },
    /// Fewer than two groups have enough documents for the chi-squared test.
    TooFewGroups,
    /// The server's counts may be short by some documents.
    CountsNotExact {
        /// The largest number of documents that are not counted.
        by: u64,
    },
    /// The bins leave open which side of the threshold the exact number is on.
    Undecided {
        /// The lower bound of the number.
        low: f64,
        /// The upper bound of the number.
        high: f64,
        /// The threshold between them.
        threshold: f64,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use crate::report::short;
        match *self {
            Self::NoDocuments { window } => write!(f, "the {window} window has no documents"),
            Self::TooFewValues { window, values, needed } => {
                write!(f, "the {window} window has {values} values, fewer than the {needed} needed")
            }
            Self::SeveralValues { window, values, documents } => {
                write!(
                    f,
                    "{documents} documents of the {window} window hold {values} values: only single values can be compared"
                )
            }
            Self::ConstantReference { value, distance } => write!(
                f,
                "every value of the reference is {}, so the distance of {} has no scale",
                short(value),
                short(distance)
            ),
            Self::TooFewGroups => f.write_str("fewer than two groups have the five documents that the test expects"),
            Self::CountsNotExact { by } => write!(f, "counts by category may be short by {by} documents"),
            Self::Undecided { low, high, threshold } => write!(
                f,
                "it is between {} and {}, and the threshold {} lies between them: use more bins",
                short(low),
                short(high),
                short(threshold)
            ),
        }
    }
}
