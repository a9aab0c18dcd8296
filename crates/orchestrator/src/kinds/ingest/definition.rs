//! The keys of an `ingest` asset, and what they mean for reading its files.

use es_assets::Partitions;
use es_bulk::files::{DocumentOptions, FileSource, MappingBasis, Undeclared};
use es_frame::{DottedNames, NonFinite, WriterOptions};
use es_values::schema::FieldNames;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::kinds::checks::Check;
use crate::kinds::index::IndexSpec;

/// An index that is kept up to date with files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ingest {
    /// The files to read.
    pub from: FileSource,
    /// The columns that make up a document's id, so that the same row is the same
    /// document. Without them Elasticsearch gives ids, and a load that loses an answer
    /// fails, as sending the rows again could double them.
    #[schemars(with = "Option<FieldNames>")]
    pub id: Option<Vec<String>>,
    /// The column whose value routes a document to its shard. `_routing` is no field beside that, as `_id`
    /// is none where `id` names it.
    #[schemars(extend("format" = "text"))]
    pub routing: Option<String>,
    /// The column that holds a row's time.
    #[schemars(extend("format" = "text"))]
    pub time: Option<String>,
    /// The division of the rows by their time.
    pub partitions: Option<Partitions>,
    /// The settings and mappings of the index.
    #[serde(default)]
    pub index: IndexSpec,
    /// The treatment of columns that the mappings do not name.
    #[serde(default)]
    pub undeclared: Undeclared,
    /// The columns that are left out, such as those of types that cannot be read.
    #[schemars(with = "Option<FieldNames>")]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leave_out: Vec<String>,
    /// The fields that columns with dots in their names become.
    #[serde(default)]
    pub dotted_names: DottedNames,
    /// The treatment of numbers that JSON has no form for: NaN and the infinities.
    #[serde(default)]
    pub non_finite: NonFinite,
    /// The conditions that must hold before readers see the documents.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// The relation of new rows to those that are there.
    #[serde(default)]
    pub mode: IngestMode,
}

/// The relations of new rows to those that are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IngestMode {
    /// They take the place of all rows of the partition.
    #[default]
    Replace,
}

impl Ingest {
    /// The options of turning rows into documents.
    ///
    /// # Errors
    /// When the declared mappings are not mappings.
    pub fn documents(&self) -> Result<DocumentOptions> {
        let mapping = self.index.mapping();
        let mapping = mapping.map_err(|error| Error::config(format!("the mappings cannot be read: {error}")))?;
        Ok(DocumentOptions {
            writer: WriterOptions {
                id: self.id.clone().unwrap_or_default(),
                routing: self.routing.clone(),
                dotted_names: self.dotted_names,
                non_finite: self.non_finite,
                ..WriterOptions::default()
            },
            time: self.time.clone(),
            mapping,
            undeclared: self.undeclared,
            basis: MappingBasis::Types,
        })
    }
}
