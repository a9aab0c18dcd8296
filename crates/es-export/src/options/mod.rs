//! The options of reading and writing, as a pipeline file spells them.
//!
//! Each type has `serde` and a JSON Schema, and its [`Default`] holds the default values, so that a
//! file, a command line and a program share one definition. Checks that a type cannot express are
//! functions that return each [`Problem`] with its path inside the options.
//!
//! Options that belong to one part of the crate are defined there: [`Format`](crate::Format) and
//! [`Compression`](crate::Compression), [`Encoding`](crate::Encoding), [`Sample`](crate::Sample).

mod fields;

mod limits;
mod output;
mod split;

pub(crate) use es_values::Problem;
pub use fields::FieldOptions;
pub use limits::{ExportOptions, ReadOptions, WriteOptions};
pub use output::Output;
pub use split::{SplitOptions, TimePart};

/// A size as a number of bytes in memory.
pub(crate) fn bytes(size: es_values::ByteSize) -> usize {
    usize::try_from(size.as_bytes()).unwrap_or(usize::MAX)
}
