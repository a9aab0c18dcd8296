//! What is done with the values of exported fields.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is done with the values of a field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldOptions {
    /// What becomes of several values in one document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<Values>,
    /// What becomes of a value that the field's type does not have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub malformed: Option<Malformed>,
    /// What becomes of a document without a value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<Missing>,
    /// What numbers the values are turned into; what is counted and measured for it, is of the
    /// training part alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encode: Option<Encoding>,
}

/// What becomes of several values in one document.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Values {
    /// More than one is an error.
    #[default]
    One,
    /// The column holds lists.
    List,
    /// The first one is taken.
    First,
    /// The last one is taken.
    Last,
}

/// What becomes of a value that the field's type does not have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Malformed {
    /// It is an error.
    #[default]
    Error,
    /// It is left out.
    Null,
}

/// What becomes of a document without a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// The cell is null.
    #[default]
    Null,
    /// It is an error.
    Error,
}

/// What numbers the values of a column are turned into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// The number itself.
    Numeric,
    /// The value's place in the vocabulary.
    Codes,
    /// A column of 0 and 1 a value of the vocabulary.
    OneHot,
    /// Minus the mean, divided by the standard deviation.
    Standard,
}
