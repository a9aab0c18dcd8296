//! How each kind of asset is made: the wiring from definitions to the crates that do the
//! work.

pub mod checks;
pub mod export;
pub mod features;
pub mod files;
pub mod generation;
pub mod ingest;
pub mod monitor;

use serde_json::Value;

/// What a step did.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// Rows written, where the kind writes rows.
    pub rows: Option<u64>,
    /// The numbers, for the history and for `--json`.
    pub summary: Value,
    /// The most important numbers in a few words, for a person.
    pub detail: String,
    /// What a monitor found.
    pub report: Option<Box<es_monitor::Report>>,
    /// Checks of severity `warn` that failed, in words.
    pub warnings: Vec<String>,
}
