//! How an index is read: which columns, from where, and what is done with values that do not
//! fit one value a row. What follows from the choices is planned in `plan`.

use es_core::Version;
use indexmap::IndexMap;
use serde_json::{Map, Value};

/// Which fields of an index become columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ColumnRequest {
    /// Every field of the mapping that holds values, in its order.
    #[default]
    All,
    /// These fields, in this order. Beside the fields of the mapping there are its objects,
    /// sub-fields (`dest.text`), aliases and runtime fields, the keys of a `flattened` field, and
    /// `_id`, `_index`, `_score`, `_seq_no`, `_version`, `_routing` and `_ignored`.
    Named(Vec<String>),
}

/// Everything that reading hits depends on.
#[derive(Clone, Debug, Default)]
pub struct DecodeOptions {
    /// The columns.
    pub columns: ColumnRequest,
    /// The `runtime_mappings` of the request: definitions by name.
    pub runtime: Map<String, Value>,
    /// Where values are taken from.
    pub retrieval: FieldSource,
    /// What is done with values that do not fit, unless a column says otherwise.
    pub policy: CellPolicy,
    /// The same for single columns, by name; a member of an object or nested field by its path.
    pub policies: IndexMap<String, CellPolicy>,
    /// What the index keeps of its documents.
    pub stored_source: StoredSource,
    /// The server's version. From 9.2 on `_source` has vectors only if they are asked for; where
    /// the version is not known they are read through `fields`, which every version takes.
    pub version: Option<Version>,
}

/// Where values are taken from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FieldSource {
    /// From doc values if they give every column as it was written and there are few of them,
    /// otherwise from `_source`.
    #[default]
    Auto,
    /// From doc values, also where they are rounded. A column without them is refused, and a
    /// document that has a value outside of them is an error (or null, by [`Malformed::Null`]).
    DocValues,
    /// From `_source`, but for what is not in it.
    Source,
}

/// What an index keeps of its documents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StoredSource {
    /// The documents as they were sent.
    #[default]
    Kept,
    /// Nothing: they are put together from the fields when they are asked for
    /// (`index.mapping.source.mode: synthetic`).
    Synthetic,
    /// Nothing (`_source.enabled: false`).
    Disabled,
}

/// What is done with values that do not fit one value a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CellPolicy {
    /// Several values of one field.
    pub values: Values,
    /// A value that the column's type does not take.
    pub malformed: Malformed,
    /// A document without a value. A null and an empty array are none, as to Elasticsearch.
    pub missing: Missing,
}

/// What is done with several values of one field in one document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Values {
    /// More than one is an error that names field and document.
    #[default]
    One,
    /// The column holds lists. From `_source` they are as they were written, nulls among them,
    /// arrays in arrays as one; from doc values they are sorted, keywords without repetitions.
    List,
    /// The first one.
    First,
    /// The last one.
    Last,
}

/// What is done with a value that the column's type does not take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Malformed {
    /// It is an error that names field, document and value.
    #[default]
    Error,
    /// It is a null.
    Null,
}

/// What is done with a document without a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Missing {
    /// The row has a null.
    #[default]
    Null,
    /// It is an error that names field and document.
    Error,
}
