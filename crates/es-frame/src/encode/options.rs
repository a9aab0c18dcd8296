//! The options for writing rows as documents and bulk actions. `members`, `value` and `action`
//! carry them out.

use es_core::Version;
use es_values::schema::FieldNames;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::named::named_option;

/// The options for turning the rows of a frame into documents and bulk actions. Columns are given
/// by name.
///
/// ```
/// use es_frame::{DocumentWriter, DottedNames, WriterOptions};
/// use polars::prelude::*;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let frame = df!("id" => [7], "geo.lat" => [40.6], "geo.lon" => [-73.8])?;
/// let options = WriterOptions {
///     id: vec!["id".into()],
///     dotted_names: DottedNames::Objects,
///     ..WriterOptions::default()
/// };
/// let mut lines = Vec::new();
/// DocumentWriter::with_options(&frame, &options)?.write_lines(0, &mut lines)?;
/// assert_eq!(
///     String::from_utf8(lines)?,
///     "{\"index\":{\"_id\":\"7\"}}\n{\"id\":7,\"geo\":{\"lat\":40.6,\"lon\":-73.8}}\n"
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WriterOptions {
    /// The columns whose values make up a document's id. Without them Elasticsearch generates ids. The
    /// column `_id` alone is the id as it stands.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "FieldNames")]
    pub id: Vec<String>,
    /// The operation of each document, unless `operation_column` is set.
    pub operation: Operation,
    /// The column with the operation of each document, spelled as [`Operation::as_str`] spells it.
    /// It is not part of the document.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "text"))]
    pub operation_column: Option<String>,
    /// The column whose value routes a document to its shard; a null routes by the id. It is part
    /// of the document as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "text"))]
    pub routing: Option<String>,
    /// The column with the name of the ingest pipeline; a null is no pipeline. It is not part of
    /// the document.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "text"))]
    pub pipeline: Option<String>,
    /// The column with the document's version, an integer of at least 0, sent as `external_gte`:
    /// a document does not replace one of a higher version. It is part of the document as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "text"))]
    pub version: Option<String>,
    /// The meaning of dots in column names.
    pub dotted_names: DottedNames,
    /// The treatment of NaN and the infinities.
    pub non_finite: NonFinite,
    /// The form of vectors.
    pub vectors: VectorForm,
}

impl WriterOptions {
    /// True if the options name the column as a part of the id, the routing or the version.
    pub fn names(&self, column: &str) -> bool {
        let others = [&self.routing, &self.version];
        self.id.iter().chain(others.into_iter().flatten()).any(|name| name == column)
    }

    /// True if the column is metadata and not part of the document: the operation, the pipeline, and
    /// `_id`, `_routing` or `_version` where the options name them, as Elasticsearch takes no field of
    /// these names.
    pub fn is_metadata(&self, column: &str) -> bool {
        let is_named = |name: &Option<String>| name.as_deref() == Some(column);
        is_named(&self.operation_column)
            || is_named(&self.pipeline)
            || (matches!(column, "_id" | "_routing" | "_version") && self.names(column))
    }
}

/// The operation of a bulk request on a document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Writes the document, and replaces one with the same id.
    #[default]
    Index,
    /// Writes the document if none has the same id.
    Create,
    /// Changes fields of the existing document.
    Update,
    /// Changes fields of the existing document, or writes the document if there is none.
    Upsert,
    /// Deletes the document with this id.
    Delete,
}

named_option!(
    Operation,
    "an operation",
    [Index = "index", Create = "create", Update = "update", Upsert = "upsert", Delete = "delete",]
);

impl Operation {
    /// True if the operation makes no sense without an id.
    pub fn needs_id(self) -> bool {
        matches!(self, Self::Update | Self::Upsert | Self::Delete)
    }

    /// True if Elasticsearch accepts an external version with the operation. It refuses the whole
    /// request otherwise.
    pub fn takes_version(self) -> bool {
        matches!(self, Self::Index | Self::Delete)
    }

    /// True if documents of the operation pass through an ingest pipeline.
    pub fn takes_pipeline(self) -> bool {
        matches!(self, Self::Index | Self::Create)
    }
}

/// The meaning of dots in column names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DottedNames {
    /// None: the field has the column's name, `{"a.b":1}`. Elasticsearch finds the same fields in
    /// it as in objects, unless the mapping disables sub-objects.
    #[default]
    Flat,
    /// Members of objects: `a.b` and `a.c` become `{"a":{"b":1,"c":2}}`, wherever they stand among
    /// the columns. An object whose members are all null is left out.
    Objects,
}

named_option!(DottedNames, "a meaning of dots in names", [Flat = "flat", Objects = "objects"]);

/// The treatment of NaN and the infinities, which JSON has no numbers for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NonFinite {
    /// They are written as nulls are: left out of a document, `null` inside a list.
    #[default]
    Null,
    /// They are an error.
    Reject,
    /// They are written as the strings `NaN`, `Infinity` and `-Infinity`, for fields of type
    /// `keyword`. Numeric fields refuse them, unless they have `ignore_malformed`.
    String,
}

named_option!(
    NonFinite,
    "a treatment of NaN and the infinities",
    [Null = "null", Reject = "reject", String = "string",]
);

/// The form of an `Array(Float32, n)` column in a document, which is the source of a
/// `dense_vector`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VectorForm {
    /// JSON numbers, which every version and every field type accepts.
    #[default]
    Numbers,
    /// The Base64 of its big-endian bytes: half the size, and faster for the server to read. Only
    /// `dense_vector` fields accept it, from version 9.3 on. A vector that contains a null, NaN or
    /// infinity, and a vector inside a list, is written as numbers nevertheless.
    Base64,
}

named_option!(VectorForm, "a form of vectors", [Numbers = "numbers", Base64 = "base64"]);

impl VectorForm {
    /// The best form that a server accepts for its `dense_vector` fields. Base64 came with
    /// [9.3](https://github.com/elastic/elasticsearch/pull/137072).
    ///
    /// ```
    /// use es_frame::VectorForm;
    /// assert_eq!(VectorForm::best_for("9.4.3".parse().unwrap()), VectorForm::Base64);
    /// assert_eq!(VectorForm::best_for("8.19.21".parse().unwrap()), VectorForm::Numbers);
    /// ```
    pub fn best_for(version: Version) -> Self {
        if (version.major, version.minor) >= (9, 3) { Self::Base64 } else { Self::Numbers }
    }
}
