//! The options for reading an index: its columns, the source of their values, and the treatment of
//! values that are not one value a row. `plan` works out the consequences.

use es_core::Version;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::named::named_option;

/// The fields of an index that become columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ColumnRequest {
    /// Every field of the mapping that holds values, in the order of the mapping.
    #[default]
    All,
    /// These fields, in this order. Besides the fields of the mapping there are its objects,
    /// sub-fields (`dest.text`), aliases and runtime fields, the keys of a `flattened` field, and
    /// `_id`, `_index`, `_score`, `_seq_no`, `_version`, `_routing` and `_ignored`.
    Named(Vec<String>),
}

/// The options for reading hits.
#[derive(Clone, Debug, Default)]
pub struct DecodeOptions {
    /// The columns.
    pub columns: ColumnRequest,
    /// The `runtime_mappings` of the request: definitions by name.
    pub runtime: Map<String, Value>,
    /// The source of the values.
    pub retrieval: FieldSource,
    /// The policy of all columns. A choice that is not set is the default of its type.
    pub policy: CellPolicy,
    /// The policies of single columns, by name; of a member of an object or of a nested field, by
    /// its path. A choice that is not set is that of [`DecodeOptions::policy`].
    pub policies: IndexMap<String, CellPolicy>,
    /// The form in which the index stores documents.
    pub stored_source: StoredSource,
    /// The server's version. From 9.2 on, `_source` contains vectors only on request; without a
    /// version they are read through `fields`, which every version supports.
    pub version: Option<Version>,
}

/// The source of values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FieldSource {
    /// Doc values if there are at most four columns and they give each one as its documents have
    /// it; otherwise `_source`.
    ///
    /// They do not where a type has none (such as `text`) or rounds them (`half_float`,
    /// `scaled_float`, `geo_point`), where a parameter changes them or keeps values out
    /// (`ignore_above`, `ignore_malformed`, `normalizer`, `null_value`), where an integer field coerces
    /// (`coerce`, which is on by default, indexes 7.9 as 7), and where a column may have several values,
    /// whose order they lose. If a setting of the index keeps a value out, the
    /// document lists the field as ignored, and reading it is an error.
    ///
    /// A `float` field says nothing about the numbers in its documents: dynamic mapping makes one
    /// of 0.3333333333333333, too, of which its doc values keep 0.33333334. It is therefore read
    /// from `_source`, as `Float64`. Only a field that a mapping marks as one of 32-bit floats, as
    /// [`infer_mapping`](crate::infer_mapping) marks that of a `Float32` column, is `Float32` and
    /// read from doc values. Every writer to that field must keep to the mark. An index without
    /// `_source`, or with a synthetic one, has nothing but doc values: there it is `Float32`.
    ///
    /// A field that the mapping keeps out of `_source` (`excludes`, `includes`) is read from doc values,
    /// or from where it is stored by itself, and is refused where it has neither.
    ///
    /// Wherever a value is read from, it is read as a value of its field's type: a `date` has
    /// milliseconds, and `""` in a number is none, as it is to the server. 7.9 in an `integer` field is
    /// malformed, and never 7.
    #[default]
    Auto,
    /// Doc values, even where they are rounded. A column without them is refused, and a document
    /// with a value that they lack is an error (or null, with [`Malformed::Null`]).
    DocValues,
    /// `_source`, except for columns that it does not contain.
    Source,
}

named_option!(FieldSource, "a source of values", [Auto = "auto", DocValues = "doc_values", Source = "source"]);

/// The form in which an index stores documents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StoredSource {
    /// As they were sent.
    #[default]
    Kept,
    /// Not at all: they are rebuilt from the fields on request
    /// (`index.mapping.source.mode: synthetic`).
    Synthetic,
    /// Not at all (`_source.enabled: false`).
    Disabled,
}

/// The policy for values that are not one value a row. A choice that is not set is that of all
/// columns, or else the default of its type.
///
/// ```
/// use es_frame::{CellPolicy, Malformed, Values};
///
/// let all = CellPolicy { malformed: Some(Malformed::Null), ..CellPolicy::default() };
/// let tags: CellPolicy = serde_json::from_str(r#"{"values": "list"}"#)?;
/// assert_eq!(
///     tags.or(all),
///     CellPolicy { values: Some(Values::List), malformed: Some(Malformed::Null), missing: None }
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// A larger set of options takes its keys in with `#[serde(flatten)]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CellPolicy {
    /// The treatment of several values in one document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<Values>,
    /// The treatment of a value that does not have the type of its field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub malformed: Option<Malformed>,
    /// The treatment of a document without a value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<Missing>,
}

impl CellPolicy {
    /// The policy with the choices of another where it has none itself.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            values: self.values.or(other.values),
            malformed: self.malformed.or(other.malformed),
            missing: self.missing.or(other.missing),
        }
    }
}

/// A policy with every choice made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) values: Values,
    pub(crate) malformed: Malformed,
    pub(crate) missing: Missing,
}

impl From<CellPolicy> for Policy {
    fn from(policy: CellPolicy) -> Self {
        Self {
            values: policy.values.unwrap_or_default(),
            malformed: policy.malformed.unwrap_or_default(),
            missing: policy.missing.unwrap_or_default(),
        }
    }
}

/// The treatment of several values of a field in one document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Values {
    /// More than one is an error that names field and document.
    #[default]
    One,
    /// The column holds lists. From `_source` they are as written, nulls included and nested arrays
    /// flattened; from doc values they are sorted, and keywords have no duplicates.
    List,
    /// The first one is taken.
    First,
    /// The last one is taken.
    Last,
}

named_option!(Values, "a treatment of several values", [One = "one", List = "list", First = "first", Last = "last"]);

/// The treatment of a value that does not have the type of its field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Malformed {
    /// It is an error that names field, document and value.
    #[default]
    Error,
    /// It becomes a null.
    Null,
}

named_option!(Malformed, "a treatment of malformed values", [Error = "error", Null = "null"]);

/// The treatment of a document without a value. A null and an empty array are no values, as in
/// Elasticsearch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// The row has a null.
    #[default]
    Null,
    /// It is an error that names field and document.
    Error,
}

named_option!(Missing, "a treatment of missing values", [Null = "null", Error = "error"]);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The options of a field of an export, as a crate that extends the policy has them.
    #[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct FieldOptions {
        #[serde(flatten)]
        policy: CellPolicy,
        #[serde(skip_serializing_if = "Option::is_none")]
        encode: Option<String>,
    }

    #[test]
    fn larger_options_take_the_policy_in() {
        let text = r#"{"values":"first","missing":"error","encode":"codes"}"#;
        let options: FieldOptions = serde_json::from_str(text).unwrap();
        assert_eq!((options.policy.values, options.policy.malformed), (Some(Values::First), None));
        assert_eq!(serde_json::to_string(&options).unwrap(), text);
        assert_eq!(serde_json::to_string(&serde_json::from_str::<FieldOptions>("{}").unwrap()).unwrap(), "{}");
        let error = serde_json::from_str::<FieldOptions>(r#"{"value":"first"}"#).unwrap_err();
        assert!(error.to_string().starts_with("unknown field `value`"), "{error}");
        let error = serde_json::from_str::<CellPolicy>(r#"{"value":"first"}"#).unwrap_err();
        assert!(error.to_string().starts_with("unknown field `value`"), "{error}");

        let schema = schemars::schema_for!(FieldOptions).to_value();
        assert_eq!(schema["additionalProperties"], json!(false), "{schema}");
        let keys = schema["properties"].as_object().unwrap().keys();
        assert_eq!(keys.collect::<Vec<_>>(), ["values", "malformed", "missing", "encode"], "{schema}");
    }

    #[test]
    fn a_policy_is_completed_by_that_of_all_columns() {
        let all = CellPolicy { values: Some(Values::List), missing: Some(Missing::Error), malformed: None };
        let one = CellPolicy { values: Some(Values::First), ..CellPolicy::default() };
        let expected = Policy { values: Values::First, malformed: Malformed::Error, missing: Missing::Error };
        assert_eq!(Policy::from(one.or(all)), expected);
    }
}
