//! Names of registered models, as pipelines write them.

use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};

const SCHEME: &str = "models:/";

/// A registered model: one version of it, or the one that an alias points to.
///
/// Written `models:/NAME/VERSION` or `models:/NAME@ALIAS`, as MLflow does. Names and
/// aliases are of `a-z`, `0-9` and `_`.
///
/// ```
/// use es_serving::{ModelReference, ModelVersion};
/// let champion: ModelReference = "models:/late@champion".parse().unwrap();
/// assert_eq!(champion.name(), "late");
/// assert_eq!(champion.version(), &ModelVersion::Alias("champion".to_owned()));
/// assert_eq!(champion.to_string(), "models:/late@champion");
///
/// let error = "models:/late".parse::<ModelReference>().unwrap_err();
/// assert_eq!(error.to_string(), "`models:/late` names no version of the model late");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModelReference {
    name: String,
    version: ModelVersion,
}

/// A version of a model.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ModelVersion {
    /// The version of this number; the first is 1.
    Number(NonZeroU32),
    /// The one that the alias points to when it is looked up.
    Alias(String),
}

impl ModelReference {
    /// The model's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version.
    pub fn version(&self) -> &ModelVersion {
        &self.version
    }
}

impl FromStr for ModelReference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |why: String| {
            Error::new(ErrorKind::ModelReference, format!("`{text}` {why}"))
                .with_help("write models:/late@champion for an alias, or models:/late/3 for a version")
        };
        let Some(rest) = text.strip_prefix(SCHEME) else {
            return Err(wrong(format!("does not start with {SCHEME}")));
        };
        let Some((name, separator, version)) = split(rest) else {
            return Err(wrong(match rest {
                "" => "names no model".to_owned(),
                name => format!("names no version of the model {name}"),
            }));
        };
        check_name(name).map_err(|why| wrong(format!("has a model name that {why}")))?;
        let version = if separator == '@' {
            check_name(version).map_err(|why| wrong(format!("has an alias that {why}")))?;
            ModelVersion::Alias(version.to_owned())
        } else {
            // A sign is not part of a version, though the standard library reads one.
            let digits = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
            let number = version.parse().ok().filter(|_| digits && !version.starts_with('0'));
            ModelVersion::Number(
                number
                    .ok_or_else(|| wrong(format!("has the version `{version}`, which is not a whole number from 1")))?,
            )
        };
        Ok(Self { name: name.to_owned(), version })
    }
}

fn split(rest: &str) -> Option<(&str, char, &str)> {
    let place = rest.find(['@', '/'])?;
    let separator = if rest.as_bytes()[place] == b'@' { '@' } else { '/' };
    Some((&rest[..place], separator, &rest[place + 1..]))
}

/// The first character that no name has.
pub(crate) fn wrong_character(name: &str) -> Option<char> {
    name.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '_'))
}

fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("is empty".to_owned());
    }
    match wrong_character(name) {
        Some(other) => Err(format!("contains {other:?}: a-z, 0-9 and _ are allowed")),
        None => Ok(()),
    }
}

impl fmt::Display for ModelReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            ModelVersion::Number(number) => write!(f, "{SCHEME}{}/{number}", self.name),
            ModelVersion::Alias(alias) => write!(f, "{SCHEME}{}@{alias}", self.name),
        }
    }
}

impl TryFrom<String> for ModelReference {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<ModelReference> for String {
    fn from(reference: ModelReference) -> Self {
        reference.to_string()
    }
}

impl JsonSchema for ModelReference {
    fn schema_name() -> Cow<'static, str> {
        "ModelReference".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^models:/[a-z0-9_]+(@[a-z0-9_]+|/[1-9][0-9]*)$",
            "description": "A registered model: one version of it, or the one that an alias points to.",
            "examples": ["models:/late@champion", "models:/late/3"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_mistake_is_named() {
        let table = [
            ("late@champion", "`late@champion` does not start with models:/"),
            ("models:/", "`models:/` names no model"),
            ("models:/late", "`models:/late` names no version of the model late"),
            ("models:/@champion", "`models:/@champion` has a model name that is empty"),
            ("models:/late@", "`models:/late@` has an alias that is empty"),
            ("models:/Late/3", "`models:/Late/3` has a model name that contains 'L': a-z, 0-9 and _ are allowed"),
            (
                "models:/late@the best",
                "`models:/late@the best` has an alias that contains ' ': a-z, 0-9 and _ are allowed",
            ),
            ("models:/late/0", "`models:/late/0` has the version `0`, which is not a whole number from 1"),
            ("models:/late/+3", "`models:/late/+3` has the version `+3`, which is not a whole number from 1"),
            ("models:/late/03", "`models:/late/03` has the version `03`, which is not a whole number from 1"),
            (
                "models:/late/latest",
                "`models:/late/latest` has the version `latest`, which is not a whole number from 1",
            ),
            (
                "models:/late/99999999999",
                "`models:/late/99999999999` has the version `99999999999`, which is not a whole number from 1",
            ),
        ];
        for (text, message) in table {
            let error = text.parse::<ModelReference>().unwrap_err();
            assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::ModelReference, message));
            assert!(error.help().is_some_and(|help| help.contains("models:/late@champion")));
        }
    }

    #[test]
    fn a_reference_is_a_text_in_documents() {
        let found: ModelReference = serde_json::from_str("\"models:/late/3\"").unwrap();
        assert_eq!(found.version(), &ModelVersion::Number(NonZeroU32::new(3).unwrap()));
        assert_eq!(serde_json::to_string(&found).unwrap(), "\"models:/late/3\"");
        assert!(serde_json::from_str::<ModelReference>("\"late\"").unwrap_err().to_string().contains("models:/"));
    }

    proptest! {
        #[test]
        fn a_reference_is_read_as_it_is_written(name in "[a-z0-9_]{1,12}", alias in "[a-z0-9_]{1,12}", version in 1..u32::MAX) {
            for text in [format!("models:/{name}@{alias}"), format!("models:/{name}/{version}")] {
                prop_assert_eq!(text.parse::<ModelReference>().unwrap().to_string(), text);
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "(models:/)?.{0,20}") {
            let _ = text.parse::<ModelReference>();
        }
    }
}
