//! The values of options, as people write them: durations, sizes, points in time, time zones and
//! queries.
//!
//! Each type reads from and prints to the text that a person writes, and says what is wrong with
//! any other text and what to write instead ([`InvalidValue`]). With `serde` and a JSON Schema they
//! are the fields of the option types of every crate, so that a pipeline file, a command line, a
//! manifest and a Rust program use the same types. The schema of each type carries a `format` name,
//! under which [`Format::named`] finds the reader of that type: a checker of whole files gives the
//! same message that the type itself gives.
//!
//! The crate knows no pipeline, no Elasticsearch and no data frames.
//!
//! # Reading options
//!
//! ```
//! use es_values::{ByteSize, TimePoint, TimeSpan, TimeZoneName};
//!
//! let window: TimeSpan = "7d".parse()?;
//! let budget: ByteSize = "40mb".parse()?;
//! let zone: TimeZoneName = "America/New_York".parse()?;
//! let start: TimePoint = "2013-01-01".parse()?;
//! assert_eq!(window.to_duration().as_secs(), 604_800);
//! assert_eq!(budget.as_bytes(), 41_943_040);
//! assert_eq!(start.to_timestamp(zone.time_zone()).unwrap().to_string(), "2013-01-01T05:00:00Z");
//!
//! let error = "7 days".parse::<TimeSpan>().unwrap_err();
//! assert_eq!(error.help.unwrap(), "write a whole number and one unit of ms, s, m, h, d or w, such as `90m` or `7d`");
//! # Ok::<(), es_values::InvalidValue>(())
//! ```
//!
//! # Suggesting a name
//!
//! ```
//! use es_values::{nearest, suggestion};
//!
//! let columns = ["carrier", "origin"];
//! assert_eq!(nearest("carier", columns), Some("carrier"));
//! assert_eq!(suggestion("weight", "columns", columns), "the columns are carrier, origin");
//! ```

mod byte_size;
mod counted;
mod format;
mod problem;
mod query;
pub mod schema;
mod suggest;
mod time_point;
mod time_span;
mod time_zone;
mod words;

pub use byte_size::ByteSize;
pub use counted::counted;
pub use format::{Format, check_name};
pub use problem::{PathSegment, Problem, ProblemKind};
pub use query::Query;
pub use suggest::{nearest, one_of, quoted_list, suggestion};
pub use time_point::TimePoint;
pub use time_span::{TimeSpan, TimeUnit};
pub use time_zone::TimeZoneName;
pub use words::words;

use serde_json::Value;

/// Why a text is not a value of a type, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InvalidValue {
    /// The problem: lower case, no full stop.
    pub message: String,
    /// The value to write instead.
    pub help: Option<String>,
}

impl InvalidValue {
    /// A text that is not a value of the expected type.
    pub fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: Some(help.into()) }
    }
}

/// The text of a string; of another value, its JSON, which for a number is its digits. For types
/// that are written as a text or as a plain number.
#[must_use]
pub fn text_or_number(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
