//! The scalar types of a pipeline file: lengths of time, points in time, sizes, time
//! zones, secrets, queries and names.
//!
//! Each type reads from and prints to the text a user writes. Its JSON Schema carries
//! a `format` name, by which the checker of the file finds the same reader, so that
//! the message for a bad value is written once, beside the type.

mod format;
mod query;
mod schedule;
mod secret;
mod size;
mod time_point;
mod time_span;
mod time_zone;

pub(crate) use format::format_named;
pub use query::Query;
pub use schedule::{Cron, DailyWindow};
pub use secret::SecretRef;
pub use size::{ByteSize, RejectionLimit};
pub use time_point::TimePoint;
pub use time_span::{TimeSpan, TimeUnit};
pub use time_zone::TimeZoneName;

/// Why a text is not a value of a type, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InvalidValue {
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl InvalidValue {
    pub(crate) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: Some(hint.into()) }
    }
}
