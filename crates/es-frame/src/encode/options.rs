//! How rows become bulk lines. What each choice does is in the modules that carry it out.

use es_core::Version;

/// How a frame's rows become documents and actions. The columns are named.
///
/// ```
/// use es_frame::{DocumentWriter, FieldNames, WriterOptions};
/// use polars::prelude::*;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let frame = df!("id" => [7], "geo.lat" => [40.6], "geo.lon" => [-73.8])?;
/// let options =
///     WriterOptions { id: vec!["id".into()], names: FieldNames::Objects, ..WriterOptions::default() };
/// let mut lines = Vec::new();
/// DocumentWriter::with_options(&frame, &options)?.write_lines(0, &mut lines)?;
/// assert_eq!(
///     String::from_utf8(lines)?,
///     "{\"index\":{\"_id\":\"7\"}}\n{\"id\":7,\"geo\":{\"lat\":40.6,\"lon\":-73.8}}\n"
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriterOptions {
    /// The columns whose values make the document's id. None: Elasticsearch makes one up.
    pub id: Vec<String>,
    /// What is done with each document, unless a column says it.
    pub operation: Operation,
    /// The column that says what is done with each document, as [`Operation::as_str`] writes
    /// it. It does not go into the document.
    pub operation_column: Option<String>,
    /// The column with the value that decides on the shard. A null is none. It goes into the
    /// document as well.
    pub routing: Option<String>,
    /// The column with the name of the ingest pipeline. A null is none. It does not go into
    /// the document.
    pub pipeline: Option<String>,
    /// The column with the document's version, an integer from 0 on, written as
    /// `external_gte`: a document does not replace one of a higher version. It goes into the
    /// document as well.
    pub version: Option<String>,
    /// What a dot in a column's name means.
    pub names: FieldNames,
    /// What is written for NaN and infinities.
    pub non_finite: NonFinite,
    /// How vectors are written.
    pub vectors: VectorForm,
}

/// What the bulk request does with a document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Write it, in place of one with the same id.
    #[default]
    Index,
    /// Write it if there is none with the same id.
    Create,
    /// Change the fields of the document that there is.
    Update,
    /// Change the fields, or write it if there is none.
    Upsert,
    /// Remove the document with this id.
    Delete,
}

impl Operation {
    /// All operations.
    pub const ALL: [Self; 5] = [Self::Index, Self::Create, Self::Update, Self::Upsert, Self::Delete];

    /// Its name in a column: `index`, `create`, `update`, `upsert` or `delete`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Create => "create",
            Self::Update => "update",
            Self::Upsert => "upsert",
            Self::Delete => "delete",
        }
    }

    /// The operation of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.as_str() == name)
    }

    /// Whether it makes no sense without an id.
    pub fn needs_id(self) -> bool {
        matches!(self, Self::Update | Self::Upsert | Self::Delete)
    }

    /// Whether Elasticsearch takes an external version with it. It refuses the whole request
    /// otherwise.
    pub fn takes_version(self) -> bool {
        matches!(self, Self::Index | Self::Delete)
    }

    /// Whether documents of it pass through an ingest pipeline.
    pub fn takes_pipeline(self) -> bool {
        matches!(self, Self::Index | Self::Create)
    }
}

/// What a dot in a column's name means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FieldNames {
    /// Nothing: `{"a.b":1}`. Elasticsearch finds the same fields in it, unless the mapping
    /// has sub-objects off.
    #[default]
    Flat,
    /// A member of an object: `a.b` and `a.c` are `{"a":{"b":1,"c":2}}`, wherever they stand
    /// among the columns. An object whose members are all null is left out.
    Objects,
}

/// What is written for NaN and infinities, which JSON has no numbers for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum NonFinite {
    /// What is written for a null: nothing, and `null` inside a list.
    #[default]
    Null,
    /// The row fails.
    Reject,
    /// The texts `NaN`, `Infinity` and `-Infinity`. Numeric fields of Elasticsearch refuse
    /// them, unless they have `ignore_malformed`; keywords take them.
    Text,
}

/// How an `Array(Float32, n)` column is written, which is the source of a `dense_vector`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum VectorForm {
    /// As JSON numbers, which every version and every field type takes.
    #[default]
    Numbers,
    /// As the Base64 of its big-endian bytes: half the size, and quicker to read for the
    /// server. Only `dense_vector` fields take it, from version 9.3 on. A vector with a null,
    /// NaN or infinity in it, and a vector inside a list, is written as numbers all the same.
    Base64,
}

impl VectorForm {
    /// The best form that a server takes for its `dense_vector` fields. Base64 came with
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
