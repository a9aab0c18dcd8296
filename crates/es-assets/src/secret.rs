//! References to secrets. The secrets themselves never stand in a pipeline file.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The place of a secret. It prints as what it is, a reference: the secret is
/// fetched by whoever uses it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecretRef {
    /// The value of the environment variable of this name.
    Env(#[schemars(extend("format" = "text"))] String),
    /// The content of the file at this path, without a final line end.
    File(#[schemars(extend("format" = "text"))] String),
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::File(path) => write!(f, "file {path}"),
        }
    }
}
