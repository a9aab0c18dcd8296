//! The options of kinds whose crates do not define them yet.

mod export;
mod features;
mod ingest;
mod monitor;

pub use export::*;
pub use features::*;
pub use ingest::*;
pub use monitor::*;
