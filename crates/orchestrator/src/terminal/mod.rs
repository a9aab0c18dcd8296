//! What a person, or a program, reads: progress and events on the way, tables and failures
//! at the end.

pub mod diagnostics;
pub mod logging;
pub mod reporter;
pub mod results;
pub mod sinks;
pub mod table;
