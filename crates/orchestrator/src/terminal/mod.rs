//! The output for a person or a program: progress and events on the way, tables and failures
//! at the end.

pub mod diagnostics;
pub mod live;
pub mod logging;
pub mod moments;
pub mod monitors;
pub mod plan;
pub mod report;
pub mod reporter;
pub mod results;
pub mod screen;
pub mod sinks;
pub mod table;
pub mod text;
