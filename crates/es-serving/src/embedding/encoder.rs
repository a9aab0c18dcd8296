//! The way from a text to the vector of a model: options that a version of the model keeps.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};
use crate::registry::StoredFile;

/// The way from a text to the vector of a model: its tokenizer, and the use of its output.
///
/// `T` is the tokenizer's file: a path in a pipeline file, a [`StoredFile`] in the registry.
///
/// ```
/// use es_serving::embedding::{Pooling, TextEncoder};
///
/// let encoder: TextEncoder<String> = serde_json::from_str(
///     r#"{"tokenizer": "tokenizer.json", "pooling": "mean", "max_tokens": 256}"#,
/// )?;
/// assert_eq!((encoder.pooling, encoder.normalize), (Pooling::Mean, true));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TextEncoder<T = StoredFile> {
    /// The file `tokenizer.json` of the model.
    pub tokenizer: T,
    /// The way from the vectors of tokens to the vector of a text.
    pub pooling: Pooling,
    /// Vectors are divided by their length.
    #[serde(default = "default_normalize")]
    pub normalize: bool,
    /// Texts that the model is given before each text.
    #[serde(default, skip_serializing_if = "Prefixes::is_empty")]
    pub prefixes: Prefixes,
    /// The greatest number of tokens that the model takes, with the special ones and those of the prefix.
    pub max_tokens: NonZeroU32,
    /// Longer texts are cut to the first tokens. Without it, they are rejected.
    #[serde(default)]
    pub truncate: bool,
    /// The output of the model to read. Default: the only one of a shape that fits the pooling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}

/// The way from the vectors of tokens to the vector of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// Their mean.
    Mean,
    /// That of the first token.
    Cls,
    /// The greatest of each component.
    Max,
    /// The model's output is the vector of the text.
    None,
}

impl Pooling {
    const ALL: [Self; 4] = [Self::Mean, Self::Cls, Self::Max, Self::None];

    /// The name in a file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Cls => "cls",
            Self::Max => "max",
            Self::None => "none",
        }
    }
}

impl fmt::Display for Pooling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Pooling {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let names = Self::ALL.map(Self::name).join(", ");
        Self::ALL.into_iter().find(|pooling| pooling.name() == text).ok_or_else(|| {
            Error::new(ErrorKind::Invalid, format!("`{text}` is not a pooling"))
                .with_help(format!("choose one of {names}"))
        })
    }
}

/// Texts that a model is given before each text, such as `query: ` and `passage: ` of E5.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Prefixes {
    /// Before texts that are found.
    pub passage: String,
    /// Before texts that are searched for.
    pub query: String,
}

/// The purpose of a vector, for models that tell texts from questions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// The text is to be found.
    #[default]
    Passage,
    /// The text is searched for.
    Query,
}

fn default_normalize() -> bool {
    true
}

impl Prefixes {
    /// Returns true when there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.passage.is_empty() && self.query.is_empty()
    }

    /// The prefix of texts of a purpose.
    #[must_use]
    pub fn of(&self, purpose: Purpose) -> &str {
        match purpose {
            Purpose::Passage => &self.passage,
            Purpose::Query => &self.query,
        }
    }
}

impl<T> TextEncoder<T> {
    /// A normalized vector, without prefixes.
    pub fn new(tokenizer: T, pooling: Pooling, max_tokens: NonZeroU32) -> Self {
        Self {
            tokenizer,
            pooling,
            normalize: default_normalize(),
            prefixes: Prefixes::default(),
            max_tokens,
            truncate: false,
            output: None,
        }
    }

    /// The same with another tokenizer's file, such as that of a folder instead of a path.
    #[must_use]
    pub fn with_tokenizer<U>(self, tokenizer: U) -> TextEncoder<U> {
        let Self { tokenizer: _, pooling, normalize, prefixes, max_tokens, truncate, output } = self;
        TextEncoder { tokenizer, pooling, normalize, prefixes, max_tokens, truncate, output }
    }

    /// Checks what can be checked without the model.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for an output without a name.
    pub fn check(&self) -> Result<(), Error> {
        match self.output.as_deref() {
            Some("") => Err(Error::new(ErrorKind::Invalid, "the name of the text encoder's output is empty")
                .with_help("leave it out for the only output that fits")),
            _ => Ok(()),
        }
    }
}
