//! The output for a person or a program: progress and events on the way, tables and failures
//! at the end.

pub mod diagnostics;
pub mod logging;
pub mod reporter;
pub mod results;
pub mod sinks;
pub mod table;
