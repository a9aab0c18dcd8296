//! The arguments of `models`.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand};
use es_serving::embedding::{Pooling, Prefixes, TextEncoder};
use es_serving::{ModelReference, ModelVersion};
use jiff::Timestamp;

use super::choice::choice;

/// The commands on registered models.
///
/// A version is written `late/3`, and an alias `late@champion`, with or without `models:/` before it.
#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// List the models, each with its newest version and its aliases.
    List,
    /// Show the versions of a model, or one version.
    Show {
        /// Model, version or alias: `late`, `late/3`, `late@champion`.
        #[arg(value_name = "MODEL")]
        model: String,
    },
    /// Read a model file, and find out whether it can be scored here.
    Check {
        /// File in the format ONNX.
        #[arg(value_name = "FILE")]
        path: PathBuf,
    },
    /// Register a model file as a new version.
    ///
    /// The same file with the same columns and encoders is the version that is there already.
    Register(Box<RegisterArgs>),
    /// Point an alias to a version.
    ///
    /// A rule in the section `models` of the pipeline must hold: its metric, measured on its part, may not
    /// be worse than that of the version before, or must be better by `min_gain`.
    Promote {
        /// Version: `late/3`.
        #[arg(value_name = "VERSION")]
        version: VersionArg,
        /// Alias to point to it.
        #[arg(default_value = "champion")]
        alias: String,
        /// Fail unless the alias points to this version now.
        #[arg(long, value_name = "N")]
        from: Option<u32>,
        /// Who does it, and why.
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Point an alias to the version that it pointed to before.
    Rollback {
        /// Alias: `late@champion`.
        #[arg(value_name = "ALIAS")]
        alias: AliasArg,
        /// Who does it, and why.
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Show the history of an alias: who moved it when and why.
    History {
        /// Alias: `late@champion`.
        #[arg(value_name = "ALIAS")]
        alias: AliasArg,
    },
    /// Show the differences of two versions.
    Diff {
        /// Old version: `late/2`.
        #[arg(value_name = "VERSION")]
        from: VersionArg,
        /// Number of the new version.
        #[arg(value_name = "N")]
        to: u32,
    },
    /// Show which version an alias pointed to at a time.
    LiveAt {
        /// Alias: `late@champion`.
        #[arg(value_name = "ALIAS")]
        alias: AliasArg,
        /// Time, such as 2013-10-01T00:00:00Z.
        time: Timestamp,
    },
    /// Count the predictions of a version, in each asset of the pipeline.
    ScoredBy {
        /// Version or alias: `late/3`, `late@champion`.
        #[arg(value_name = "VERSION")]
        version: ReferenceArg,
    },
    /// Push a version with its file to an MLflow server, unless it is there.
    ///
    /// The credentials are those of MLflow's own clients: MLFLOW_TRACKING_USERNAME and
    /// MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN.
    Push {
        /// Version or alias: `late/3`, `late@champion`.
        #[arg(value_name = "VERSION")]
        version: ReferenceArg,
        /// Address of the server; by default MLFLOW_TRACKING_URI.
        #[arg(long, value_name = "URI")]
        uri: Option<String>,
    },
    /// Register a version of an MLflow server, with its file.
    Pull(Box<PullArgs>),
    /// Take a version out of use: no alias can point to it.
    Retire {
        /// Version: `late/3`.
        #[arg(value_name = "VERSION")]
        version: VersionArg,
        /// Who does it, and why.
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Put a retired version back into use.
    Unretire {
        /// Version: `late/3`.
        #[arg(value_name = "VERSION")]
        version: VersionArg,
    },
}

/// The arguments of `models register`.
#[derive(Debug, Args)]
pub struct RegisterArgs {
    /// Name of the model.
    pub model: String,
    /// File in the format ONNX.
    #[arg(value_name = "FILE", required_unless_present = "served_at")]
    pub path: Option<PathBuf>,
    /// Register a model that lives at this address instead of a file.
    #[arg(long, value_name = "URI", conflicts_with_all = ["path", "inputs"], requires = "signature")]
    pub served_at: Option<String>,
    /// File with the signature of a model at a server, as JSON: `columns`, `inputs`, `outputs`.
    #[arg(long, value_name = "FILE", requires = "served_at")]
    pub signature: Option<PathBuf>,
    /// Columns of a row, in the order in which the model takes them; by default the names of its inputs.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub inputs: Vec<String>,
    /// Folder or manifest of the export that it was trained on, whose encoders are applied to rows.
    #[arg(long, value_name = "PATH")]
    pub manifest: Option<String>,
    /// Tokenizer of a model that embeds texts.
    #[command(flatten)]
    pub text: TextArgs,
    /// Metric with the part of the data that it was measured on, such as auc@test=0.91; several times.
    #[arg(long = "metric", value_name = "NAME@PART=N")]
    pub metrics: Vec<MetricArg>,
    /// Tag, such as algorithm=forest; several times.
    #[arg(long = "tag", value_name = "NAME=TEXT")]
    pub tags: Vec<TagArg>,
    /// Text for people.
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    /// Alias to point to the new version.
    #[arg(long, value_name = "ALIAS")]
    pub alias: Option<String>,
    /// Who does it, and why.
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// A version of an MLflow server to register.
#[derive(Debug, Args)]
pub struct PullArgs {
    /// Version or alias there: `late/3`, `late@champion`.
    #[arg(value_name = "VERSION")]
    pub version: ReferenceArg,
    /// Address of the server; by default MLFLOW_TRACKING_URI.
    #[arg(long, value_name = "URI")]
    pub uri: Option<String>,
    /// Columns of a row, in the order in which the model takes them, of a version that another program put
    /// there; by default the names of its inputs.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub inputs: Vec<String>,
    /// Alias to point to the version here.
    #[arg(long, value_name = "ALIAS")]
    pub alias: Option<String>,
    /// Who does it, and why.
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// The way from a text to its vector, of a model that embeds texts.
#[derive(Debug, Args)]
pub struct TextArgs {
    /// File `tokenizer.json` of a model that embeds texts.
    #[arg(long, value_name = "FILE", requires = "path", requires_all = ["pooling", "max_tokens"])]
    pub tokenizer: Option<String>,
    /// Way from the vectors of tokens to that of a text.
    #[arg(long, value_name = "POOLING", requires = "tokenizer", value_parser = choice::<Pooling>())]
    pub pooling: Option<Pooling>,
    /// Most tokens of a text, with the special ones and those of the prefix.
    #[arg(long, value_name = "N", requires = "tokenizer")]
    pub max_tokens: Option<NonZeroU32>,
    /// Keep vectors as the model gives them; by default they get the length 1.
    #[arg(long, requires = "tokenizer")]
    pub no_normalize: bool,
    /// Cut longer texts to their first tokens; by default they are rejected.
    #[arg(long, requires = "tokenizer")]
    pub truncate: bool,
    /// Text that the model is given before each passage.
    #[arg(long, value_name = "TEXT", requires = "tokenizer")]
    pub passage_prefix: Option<String>,
    /// Text that the model is given before each text that is searched for.
    #[arg(long, value_name = "TEXT", requires = "tokenizer")]
    pub query_prefix: Option<String>,
}

impl TextArgs {
    /// The encoder that the flags make up, if there is a tokenizer.
    pub fn encoder(&self) -> Option<TextEncoder<String>> {
        let (tokenizer, pooling, max_tokens) = (self.tokenizer.clone()?, self.pooling?, self.max_tokens?);
        let text = |prefix: &Option<String>| prefix.clone().unwrap_or_default();
        Some(TextEncoder {
            normalize: !self.no_normalize,
            truncate: self.truncate,
            prefixes: Prefixes { passage: text(&self.passage_prefix), query: text(&self.query_prefix) },
            ..TextEncoder::new(tokenizer, pooling, max_tokens)
        })
    }
}

/// Who changes something, and why.
#[derive(Debug, Args)]
pub struct ChangeArgs {
    /// Reason, for the history.
    #[arg(long, value_name = "TEXT")]
    pub why: Option<String>,
    /// Who does it; by default the user and the host.
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,
}

/// A version or an alias of a model.
#[derive(Clone, Debug)]
pub struct ReferenceArg(pub ModelReference);

/// A version of a model.
#[derive(Clone, Debug)]
pub struct VersionArg {
    /// The model.
    pub model: String,
    /// The number.
    pub number: u32,
}

/// An alias of a model.
#[derive(Clone, Debug)]
pub struct AliasArg {
    /// The model.
    pub model: String,
    /// The alias.
    pub alias: String,
}

/// A metric.
#[derive(Clone, Debug)]
pub struct MetricArg {
    /// Its name.
    pub name: String,
    /// The part of the data.
    pub part: String,
    /// The number.
    pub value: f64,
}

/// A tag.
#[derive(Clone, Debug)]
pub struct TagArg {
    /// Its name.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// A reference with or without `models:/` before it.
pub(crate) fn reference(text: &str) -> Result<ModelReference, String> {
    let whole = if text.starts_with("models:/") { text.to_owned() } else { format!("models:/{text}") };
    whole.parse().map_err(|error: es_serving::Error| match error.help() {
        Some(_) => format!("{error}; write NAME/3 for a version, or NAME@ALIAS for an alias"),
        None => error.to_string(),
    })
}

impl FromStr for ReferenceArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        reference(text).map(Self)
    }
}

impl FromStr for VersionArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let reference = reference(text)?;
        match reference.version() {
            ModelVersion::Number(number) => Ok(Self { model: reference.name().to_owned(), number: number.get() }),
            ModelVersion::Alias(_) => {
                Err(format!("`{text}` is an alias, and a version is needed, such as {}/3", reference.name()))
            }
        }
    }
}

impl FromStr for AliasArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let reference = reference(text)?;
        match reference.version() {
            ModelVersion::Alias(alias) => Ok(Self { model: reference.name().to_owned(), alias: alias.clone() }),
            ModelVersion::Number(_) => {
                Err(format!("`{text}` is a version, and an alias is needed, such as {}@champion", reference.name()))
            }
        }
    }
}

impl FromStr for MetricArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a metric such as auc@test=0.91");
        let (named, value) = text.split_once('=').ok_or_else(wrong)?;
        let (name, part) = named.split_once('@').unwrap_or((named, "test"));
        let value: f64 = value.parse().map_err(|_| wrong())?;
        if name.is_empty() || part.is_empty() || !value.is_finite() {
            return Err(wrong());
        }
        Ok(Self { name: name.to_owned(), part: part.to_owned(), value })
    }
}

impl FromStr for TagArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=').filter(|(name, _)| !name.is_empty()) {
            Some((name, text)) => Ok(Self { name: name.to_owned(), text: text.to_owned() }),
            None => Err(format!("`{text}` is not a tag such as algorithm=forest")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_taken_with_and_without_their_scheme() {
        for text in ["late/3", "models:/late/3"] {
            let version: VersionArg = text.parse().unwrap();
            assert_eq!((version.model.as_str(), version.number), ("late", 3));
        }
        let alias: AliasArg = "late@champion".parse().unwrap();
        assert_eq!((alias.model.as_str(), alias.alias.as_str()), ("late", "champion"));
        assert!("late@champion".parse::<VersionArg>().unwrap_err().contains("such as late/3"));
        assert!("late/3".parse::<AliasArg>().unwrap_err().contains("such as late@champion"));
        assert!("late".parse::<ReferenceArg>().unwrap_err().contains("NAME/3"));
    }

    #[test]
    fn metrics_and_tags_are_read() {
        let metric: MetricArg = "auc=0.5".parse().unwrap();
        assert_eq!((metric.name.as_str(), metric.part.as_str(), metric.value), ("auc", "test", 0.5));
        let metric: MetricArg = "auc@train=1e-1".parse().unwrap();
        assert_eq!((metric.part.as_str(), metric.value), ("train", 0.1));
        for wrong in ["auc", "auc=x", "=1", "auc@=1", "auc=nan"] {
            assert!(wrong.parse::<MetricArg>().is_err(), "{wrong}");
        }
        assert_eq!("a=b=c".parse::<TagArg>().unwrap().text, "b=c");
        assert!("=b".parse::<TagArg>().is_err());
    }
}
