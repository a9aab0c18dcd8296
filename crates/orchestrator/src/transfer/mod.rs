//! One-off transfers, which need no pipeline file: a folder, its environment, and the command
//! line say everything.

pub mod ingest;
pub mod replay;
pub mod source;
pub mod target;
