//! JSON pointers: the place of an array inside a JSON document.

use std::fmt;
use std::str::FromStr;

use es_values::InvalidValue;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A JSON pointer (RFC 6901), such as `/features` or `/data/0/rows`.
///
/// ```
/// use es_bulk::files::JsonPointer;
/// let pointer: JsonPointer = "/data/a~1b".parse().unwrap();
/// assert_eq!(pointer.parts(), ["data", "a/b"]);
/// assert!("features".parse::<JsonPointer>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct JsonPointer(String);

impl JsonPointer {
    /// The names and numbers that lead to the place, without escapes.
    pub fn parts(&self) -> Vec<String> {
        self.0.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~")).collect()
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JsonPointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for JsonPointer {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        match text.starts_with('/') {
            true => Ok(Self(text.to_owned())),
            false => Err(InvalidValue::new(
                format!("`{text}` is not a JSON pointer"),
                format!("begin it with a slash: `/{}`", text.replace('.', "/")),
            )),
        }
    }
}

impl TryFrom<String> for JsonPointer {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        text.parse()
    }
}

impl From<JsonPointer> for String {
    fn from(pointer: JsonPointer) -> Self {
        pointer.0
    }
}
