//! The pipeline file as a whole, and its JSON Schema.

use indexmap::IndexMap;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::{Asset, BulkSettings, ClusterSettings, Defaults, ExportSettings, RunSettings};

/// A pipeline file: assets and how to keep them up to date.
///
/// Only the schema is made from this type. The file is read section by section, so
/// that a mistake in one does not hide those in another.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the type is the source of the schema and is never built")]
pub(crate) struct PipelineFile {
    /// The version of the format.
    #[schemars(extend("enum" = [1]))]
    version: u32,
    /// The name of the pipeline.
    #[schemars(extend("format" = "pipeline-name", "pattern" = "^[a-z0-9][a-z0-9_-]*$"))]
    name: String,
    /// What the pipeline is for.
    description: Option<String>,
    /// How to reach Elasticsearch.
    cluster: Option<ClusterSettings>,
    /// How runs go about their work.
    run: Option<RunSettings>,
    /// How documents are indexed.
    bulk: Option<BulkSettings>,
    /// How documents are read.
    export: Option<ExportSettings>,
    /// What assets do unless they say otherwise.
    defaults: Option<Defaults>,
    /// The assets, by name.
    #[schemars(extend("propertyNames" = { "format": "name", "pattern": "^[a-z0-9_]+$" }, "minProperties" = 1))]
    assets: IndexMap<String, Asset>,
    /// Settings that replace those above when the environment of that name is chosen.
    #[schemars(extend("propertyNames" = { "format": "name", "pattern": "^[a-z0-9_]+$" }))]
    environments: Option<IndexMap<String, Environment>>,
}

/// Settings that replace those of the file when the environment is chosen.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the type is the source of the schema and is never built")]
struct Environment {
    /// How to reach Elasticsearch.
    cluster: Option<ClusterSettings>,
    /// How runs go about their work.
    run: Option<RunSettings>,
    /// How documents are indexed.
    bulk: Option<BulkSettings>,
    /// How documents are read.
    export: Option<ExportSettings>,
    /// What assets do unless they say otherwise.
    defaults: Option<Defaults>,
}

/// The JSON Schema (draft 2020-12) of the pipeline file, for editors and for tools
/// that write one.
///
/// ```
/// let schema = es_assets::schema();
/// assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
/// assert_eq!(schema["properties"]["name"]["description"], "The name of the pipeline.");
/// ```
#[must_use]
pub fn schema() -> Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<PipelineFile>();
    schema.insert("title".to_owned(), "Pipeline".into());
    schema.insert("description".to_owned(), "Assets on Elasticsearch and how to keep them up to date.".into());
    schema.into()
}

#[cfg(test)]
mod tests;
