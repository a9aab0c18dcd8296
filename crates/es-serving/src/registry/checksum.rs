//! SHA-256 checksums, of files and of the contents of versions.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::error::{Error, ErrorKind};

/// A SHA-256 checksum, written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Checksum([u8; 32]);

impl Checksum {
    /// Returns the checksum of bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Returns the checksum of a JSON value, in which the order of keys does not count.
    pub(crate) fn of_json(value: &Value) -> Self {
        Self::of(sorted(value).to_string().as_bytes())
    }

    pub(crate) fn finish(hasher: Sha256) -> Self {
        Self(hasher.finalize().into())
    }
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort_unstable();
            names.into_iter().map(|name| (name.clone(), sorted(&members[name]))).collect()
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

impl FromStr for Checksum {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| {
            Error::new(ErrorKind::Invalid, format!("`{text}` is not a SHA-256 checksum"))
                .with_help("a checksum has 64 hexadecimal digits")
        })?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Checksum {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Checksum> for String {
    fn from(checksum: Checksum) -> Self {
        checksum.to_string()
    }
}

impl JsonSchema for Checksum {
    fn schema_name() -> Cow<'static, str> {
        "Checksum".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string", "pattern": "^[0-9a-f]{64}$", "description": "A SHA-256 checksum.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_checksum_is_that_of_the_standard() {
        // FIPS 180-4, the example for the message "abc".
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Checksum::of(b"abc").to_string(), abc);
        assert_eq!(serde_json::to_string(&Checksum::of(b"abc")).unwrap(), format!("\"{abc}\""));
        assert_eq!(serde_json::from_str::<Checksum>(&format!("\"{abc}\"")).unwrap(), Checksum::of(b"abc"));
    }

    #[test]
    fn a_text_that_is_no_checksum_is_refused() {
        for text in ["", "ba78", &"g".repeat(64), &"a".repeat(65)] {
            let error = text.parse::<Checksum>().unwrap_err();
            assert_eq!(error.to_string(), format!("`{text}` is not a SHA-256 checksum"));
        }
    }

    #[test]
    fn the_order_of_keys_does_not_count_and_that_of_items_does() {
        let sum = |value: Value| Checksum::of_json(&value);
        assert_eq!(sum(json!({"a": [{"b": 1, "c": 2}], "d": 1.5})), sum(json!({"d": 1.5, "a": [{"c": 2, "b": 1}]})));
        assert_ne!(sum(json!([1, 2])), sum(json!([2, 1])));
        assert_ne!(sum(json!({"a": 1})), sum(json!({"a": "1"})));
    }
}
