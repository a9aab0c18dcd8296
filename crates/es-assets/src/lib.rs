//! Asset pipelines as pure data: the pipeline file, the graph of its assets, and the work that a
//! run has to do.
//!
//! The crate knows no kind of asset. A caller lists its kinds ([`Kind`], each with a
//! [`Definition`]) in a [`PipelineFormat`], which reads a pipeline file and reports all its
//! mistakes at once, each with its place and a help ([`Diagnostics`]). From there on everything is
//! the same for all kinds: assets are selected ([`Selection`]), divided into partitions
//! ([`Partitions::declared`]), their definitions are compared ([`Fingerprint`]), and a run is
//! planned from the pipeline and from what is published ([`plan()`]).
//!
//! It does no I/O and knows no Elasticsearch client: whoever runs the plan brings the text of the
//! file, the state, the versions of files, and the present moment.
//!
//! # From a file to a plan
//!
//! ```
//! use es_assets::{
//!     Action, Definition, Kind, Output, PartitionFilter, Partitions, Parts, PerPartition, PipelineFormat, PlanRequest,
//!     Reason, Reference, Selection, plan,
//! };
//! use schemars::JsonSchema;
//! use serde::Deserialize;
//!
//! /// An index that is kept up to date with another one, or with nothing.
//! #[derive(Debug, Deserialize, JsonSchema)]
//! struct Table {
//!     /// The other one.
//!     from: Option<String>,
//!     /// How it is divided.
//!     partitions: Option<Partitions>,
//! }
//!
//! impl Definition for Table {
//!     fn reads(&self) -> Vec<Reference> {
//!         self.from.iter().map(|from| Reference::documents("from", from)).collect()
//!     }
//!     fn output(&self) -> Output {
//!         Output::Documents
//!     }
//!     fn partitions(&self) -> Option<&Partitions> {
//!         self.partitions.as_ref()
//!     }
//!     fn fingerprint(&self, parts: &mut Parts) {
//!         parts.add("from", &self.from);
//!     }
//! }
//!
//! let text = "
//! version: 1
//! name: weather
//! assets:
//!   observations:
//!     kind: table
//!     partitions: { every: month, start: 2013-01-01, end: 2013-04-01 }
//!   archive:
//!     kind: table
//!     from: observations
//! ";
//! let pipeline = PipelineFormat::new([Kind::of::<Table>("table")]).parse("pipeline.yaml", text, None)?;
//! let selected = Selection::parse("archive")?.select(&pipeline, &|_, _| false)?;
//! assert_eq!(selected, ["archive"]);
//! let selected = Selection::parse("+archive")?.select(&pipeline, &|_, _| false)?;
//!
//! // Nothing is published yet, so everything is to be built: three months, then the copy.
//! let plan = plan(&PlanRequest {
//!     pipeline: &pipeline,
//!     selected: &selected,
//!     partitions: &PartitionFilter::All,
//!     full_refresh: false,
//!     observed: &PerPartition::new(),
//!     external: &PerPartition::new(),
//!     now: "2014-01-01T00:00:00Z".parse()?,
//! })?;
//! assert_eq!(plan.steps.len(), 4);
//! assert_eq!(plan.steps[0].partition.as_ref().unwrap().as_str(), "2013-01");
//! assert_eq!(plan.steps[0].action, Action::Build { reasons: vec![Reason::New] });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod asset;
mod check;
mod diagnostic;
mod error;
mod fingerprint;
mod format;
mod graph;
mod key_path;
mod kind;
mod parse;
mod partition;
mod plan;
mod schedule;
mod secret;
mod selection;
#[cfg(test)]
mod testing;
mod validate;
mod yaml;

pub use asset::{Asset, Automation, Backoff, Defaults, Retries};
pub use diagnostic::{Diagnostic, DiagnosticKind, Diagnostics, Location};
pub use error::{Error, ErrorKind};
pub use fingerprint::{Changes, Effect, Fingerprint, Parts, effect};
pub use format::{PipelineFormat, Planned, Section, SettingsFormat, merge};
pub use graph::Graph;
pub use key_path::KeyPath;
pub use kind::{Definition, InvalidDefinition, Kind, Output, Reference, Takes};
pub use parse::Pipeline;
pub use partition::{Every, Outside, Partition, PartitionFilter, PartitionKey, Partitions, partition_of};
pub use plan::{
    Action, Inputs, PartitionState, PerPartition, Plan, PlanRequest, Published, Reason, Step, Unmet, inputs, is_stale,
    plan,
};
pub use schedule::{Cron, DailyWindow};
pub use secret::SecretRef;
pub use selection::{AssetState, Selection};
pub use validate::{Report, Siblings};
