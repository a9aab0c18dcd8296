//! The types of a pipeline file. They are the one description of the format: the JSON
//! Schema, the checker's messages and the documentation of keys all come from them.

mod asset;
mod checks;
mod export;
mod features;
mod file;
mod index;
mod ingest;
mod monitor;
mod settings;

pub use asset::{Asset, AssetKind, AssetSpec};
pub use checks::{Check, FieldRange, RowCount, Rule, Severity};
pub use export::{
    Compression, Encoding, Export, ExportFormat, FeatureJoin, FieldOptions, Malformed, Missing, Output, Sample, Split,
    TimePart, Values,
};
pub use features::{
    Automation, Cardinality, Derivative, Feature, FeatureField, Features, FieldName, Metric, NoOptions, Percentiles,
    Ratio, RatioTerm, ValueSource, percentile_label,
};
pub use file::schema;
pub use index::IndexSpec;
pub use ingest::{
    DottedNames, Every, FileFormat, FileSource, Ingest, IngestMode, NonFinite, Outside, Partitions, Undeclared,
};
pub use monitor::{CurrentWindow, FieldMonitor, Method, MissingRule, MissingTest, Monitor, ReferenceWindow, Until};
pub use settings::{
    Backoff, BulkSettings, ClusterSettings, Defaults, ExportSettings, Retries, RunSettings, Settings, Sniffing,
    VerifyCertificates, overlay,
};
