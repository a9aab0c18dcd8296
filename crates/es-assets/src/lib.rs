//! Asset pipelines as pure data: what a pipeline file says, which assets need which, and
//! what a run has to do.
//!
//! The crate reads a pipeline file ([`parse()`]) and reports all its mistakes at once, each
//! with its place and a help ([`Diagnostics`]). It selects assets ([`Selection`]), lists
//! partitions ([`Partitions::declared`]), tells what of a definition affects results
//! ([`Fingerprint`]), and plans a run from the pipeline and from what is published
//! ([`plan()`]). It does no I/O and knows no Elasticsearch client: whoever runs the plan
//! brings the text of the file, the state, the versions of files, and the present moment.
//!
//! # From a file to a plan
//!
//! ```
//! use es_assets::{Action, PartitionFilter, PerPartition, PlanRequest, Reason, Selection, parse, plan};
//!
//! let text = "
//! version: 1
//! name: weather
//! assets:
//!   observations:
//!     kind: ingest
//!     from: { path: data/observations.parquet }
//!     time: observed_at
//!     partitions: { every: month, start: 2013-01-01, end: 2013-04-01 }
//!   archive:
//!     kind: export
//!     from: observations
//!     to: { path: out/archive }
//! ";
//! let pipeline = parse("pipeline.yaml", text, None)?;
//! let selected = Selection::parse("archive")?.select(&pipeline, &|_, _| false)?;
//! assert_eq!(selected, ["archive"]);
//! let selected = Selection::parse("+archive")?.select(&pipeline, &|_, _| false)?;
//!
//! // Nothing is published yet, so everything is to be built: three months, then the files.
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

mod check;
mod diagnostic;
mod error;
mod fingerprint;
mod graph;
mod key_path;
mod parse;
mod partition;
mod plan;
mod selection;
mod spec;
mod validate;
mod value;
mod yaml;

pub use diagnostic::{Diagnostic, DiagnosticKind, Diagnostics, Location};
pub use error::{Error, ErrorKind};
pub use es_values::{ByteSize, InvalidValue, Query, TimePoint, TimeSpan, TimeUnit, TimeZoneName, nearest};
pub use fingerprint::{Changes, Effect, Fingerprint, effect};
pub use graph::Graph;
pub use key_path::KeyPath;
pub use parse::{Pipeline, parse};
pub use partition::{Partition, PartitionFilter, PartitionKey, partition_of};
pub use plan::{
    Action, Inputs, PartitionState, PerPartition, Plan, PlanRequest, Published, Reason, Step, Unmet, inputs, is_stale,
    plan,
};
pub use selection::{AssetState, Selection};
pub use spec::{
    Asset, AssetKind, AssetSpec, Automation, Backoff, BulkSettings, Cardinality, Check, ClusterSettings, Compression,
    CurrentWindow, Defaults, Derivative, DottedNames, Encoding, Every, Export, ExportFormat, ExportSettings, Feature,
    FeatureField, FeatureJoin, Features, FieldMonitor, FieldName, FieldOptions, FieldRange, FileFormat, FileSource,
    IndexSpec, Ingest, IngestMode, Malformed, Method, Metric, Missing, MissingRule, MissingTest, Monitor, NoOptions,
    NonFinite, Output, Outside, Partitions, Percentiles, Ratio, RatioTerm, ReferenceWindow, Retries, RowCount, Rule,
    RunSettings, Sample, Settings, Severity, Sniffing, Split, TimePart, Undeclared, Until, ValueSource, Values,
    VerifyCertificates, overlay, percentile_label, schema,
};
pub use value::{Cron, DailyWindow, RejectionLimit, SecretRef};
