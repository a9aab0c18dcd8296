//! The one error of this crate.

use jiff::Timestamp;
use thiserror::Error as ThisError;

/// What went wrong, in the terms a caller decides by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The feature set contradicts itself.
    Definition,
    /// The source does not exist, or does not have the fields that the feature set needs.
    Source,
    /// A script does not compile or fails on a document.
    Script,
    /// The grid would have more instants than allowed.
    TooManyInstants,
    /// Elasticsearch could not be asked, or refused: the source is an [`es_core::Error`].
    Elasticsearch,
    /// Some shards failed or timed out, so the answer would have been thinned.
    PartialResult,
    /// The answer was not what the protocol promises.
    Decode,
    /// Rows could not be made into a data frame.
    Frame,
    /// Feature rows and other rows do not go together.
    Join,
}

/// A failure to compute features.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// See [`ErrorKind::Definition`].
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// The source does not exist.
    #[error("the source {index} of the features does not exist")]
    SourceMissing {
        /// The index or alias.
        index: String,
    },
    /// A field of the source does not fit its use.
    #[error("field `{field}` of {index}, {role}, {problem}")]
    Field {
        /// The index, or the alias.
        index: String,
        /// The field.
        field: String,
        /// What it is used for, in words.
        role: String,
        /// What is wrong with it.
        problem: Box<FieldProblem>,
    },
    /// A script does not compile or fails on a document.
    #[error("the script of feature `{feature}` fails: {reason}{}", at_excerpt(.position, .excerpt))]
    Script {
        /// The feature.
        feature: String,
        /// Elasticsearch's reason.
        reason: String,
        /// The place in the source, in characters from its start, where Elasticsearch
        /// names one.
        position: Option<usize>,
        /// The part of the source around the place, and a pointer to it below.
        excerpt: Vec<String>,
    },
    /// The grid would have more instants than [`crate::Settings::max_instants`].
    #[error("the documents of {index} lie between {oldest} and {newest}, which is more than {limit} grid instants")]
    TooManyInstants {
        /// The index or alias.
        index: String,
        /// The time of the oldest document.
        oldest: Timestamp,
        /// The time of the newest document.
        newest: Timestamp,
        /// The limit.
        limit: usize,
    },
    /// Elasticsearch could not be asked, or refused.
    #[error("{action} failed: {source}")]
    Elasticsearch {
        /// What was tried.
        action: String,
        /// Why it failed.
        source: es_core::Error,
    },
    /// Some shards failed or timed out.
    #[error("{action} would be incomplete: {reason}")]
    PartialResult {
        /// What was tried.
        action: String,
        /// What is missing.
        reason: String,
    },
    /// The answer was not what the protocol promises.
    #[error("the answer to {action} cannot be read: {reason}")]
    Decode {
        /// What was asked.
        action: String,
        /// What is wrong with the answer.
        reason: String,
        /// The cause, where it is not JSON of the right form.
        source: Option<serde_json::Error>,
    },
    /// Feature rows and other rows do not go together.
    #[error("{reason}")]
    Join {
        /// Why.
        reason: String,
    },
    /// Rows could not be made into a data frame.
    #[error("the rows of the features cannot be made into a data frame: {source}")]
    Frame {
        /// Why.
        #[from]
        source: polars::prelude::PolarsError,
    },
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum FieldProblem {
    /// The mapping does not have it.
    #[error("is not in the mapping{}", did_you_mean(.nearest))]
    Missing {
        /// A field with a similar name.
        nearest: Option<String>,
    },
    /// Its type, or its lack of doc values, keeps it from being aggregated.
    #[error("of type {field_type}, cannot be aggregated{}", instead(.keyword))]
    NotAggregatable {
        /// Its type.
        field_type: String,
        /// A sub-field that can be.
        keyword: Option<String>,
    },
    /// It has another type than its use needs.
    #[error("is of type {field_type}, not {wanted}")]
    WrongType {
        /// Its type.
        field_type: String,
        /// The types that would do, in words.
        wanted: &'static str,
    },
    /// It lies in nested documents, which aggregations of their parents do not see.
    #[error("lies in the nested documents of `{parent}`, which features do not see")]
    Nested {
        /// The field of type `nested`.
        parent: String,
    },
    /// Its type differs between the indices of an alias.
    #[error("is of type {first_type} in {first_index} but {second_type} in {second_index}")]
    Conflict {
        /// An index.
        first_index: String,
        /// The type there.
        first_type: String,
        /// Another index.
        second_index: String,
        /// The type there.
        second_type: String,
    },
}

/// How a feature set contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum DefinitionError {
    /// A list is empty.
    #[error("a feature set needs at least one {thing}")]
    Empty {
        /// What there is none of.
        thing: &'static str,
    },
    /// A name cannot be part of a field's name.
    #[error("`{name}` cannot be the name of a {thing}: use letters, digits, `_` and `-`, and begin with no `_`")]
    Name {
        /// What it names.
        thing: &'static str,
        /// The name.
        name: String,
    },
    /// Two features have one name.
    #[error("there are two features called `{feature}`")]
    FeatureTwice {
        /// The name.
        feature: String,
    },
    /// A window has no length, or one that Elasticsearch cannot tell apart.
    #[error("the window {window} is not a positive number of milliseconds")]
    WindowLength {
        /// The window's name.
        window: String,
    },
    /// The step has no length, or one that Elasticsearch cannot tell apart.
    #[error("the step of the grid is not a positive number of milliseconds")]
    Step,
    /// The grid ends before it starts.
    #[error("the grid starts at {start} and ends before {end}, so it has no instants")]
    GridIsEmpty {
        /// The start.
        start: Timestamp,
        /// The end.
        end: Timestamp,
    },
    /// Two fields of a row have one name, or one is an object that holds the other.
    #[error("the field `{field}` of a row is both of {first} and of {second}")]
    Collision {
        /// The field.
        field: String,
        /// What it comes from.
        first: String,
        /// What else it comes from.
        second: String,
    },
    /// The percentiles of a feature cannot be computed.
    #[error("the percentiles of feature `{feature}` are wrong: {reason}")]
    Percentiles {
        /// The feature.
        feature: String,
        /// Why.
        reason: String,
    },
    /// A derivative names a feature that there is not.
    #[error("feature `{feature}` is the derivative of `{of}`, which is no feature{}", did_you_mean(.nearest))]
    DerivativeOfUnknown {
        /// The derivative.
        feature: String,
        /// The name.
        of: String,
        /// A feature with a similar name.
        nearest: Option<String>,
    },
    /// A derivative names percentiles.
    #[error(
        "feature `{feature}` is the derivative of `{of}`, which are percentiles: a derivative needs a single value"
    )]
    DerivativeOfSeveral {
        /// The derivative.
        feature: String,
        /// The percentiles.
        of: String,
    },
    /// A derivative names a derivative.
    #[error("feature `{feature}` is the derivative of `{of}`, which is a derivative itself")]
    DerivativeOfDerivative {
        /// The derivative.
        feature: String,
        /// The other derivative.
        of: String,
    },
}

impl Error {
    /// What a caller can decide by.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Definition(_) => ErrorKind::Definition,
            Self::SourceMissing { .. } | Self::Field { .. } => ErrorKind::Source,
            Self::Script { .. } => ErrorKind::Script,
            Self::TooManyInstants { .. } => ErrorKind::TooManyInstants,
            Self::Elasticsearch { .. } => ErrorKind::Elasticsearch,
            Self::PartialResult { .. } => ErrorKind::PartialResult,
            Self::Decode { .. } => ErrorKind::Decode,
            Self::Frame { .. } => ErrorKind::Frame,
            Self::Join { .. } => ErrorKind::Join,
        }
    }

    pub(crate) fn join(reason: impl Into<String>) -> Self {
        Self::Join { reason: reason.into() }
    }

    /// Whether the same call may succeed later without anything being changed by hand.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Elasticsearch { source, .. } => source.is_retryable() || is_expired(source),
            Self::PartialResult { .. } => true,
            _ => false,
        }
    }

    /// The next step for a person, where one is known.
    pub fn help(&self) -> Option<&str> {
        match self {
            Self::Elasticsearch { source, .. } if is_expired(source) => {
                Some("rows were not taken for longer than the point in time is kept: raise `keep_alive` and run again")
            }
            Self::Elasticsearch { source, .. } => source.help(),
            Self::TooManyInstants { .. } => {
                Some("give the grid a start and an end, or exclude documents with wrong times by a query")
            }
            Self::SourceMissing { .. } => Some("write the source first, or correct its name"),
            Self::Field { problem, .. } if matches!(**problem, FieldProblem::Conflict { .. }) => {
                Some("give the field one type in all indices behind the alias")
            }
            Self::Script { reason, .. } if reason.contains("script_lang not supported") => {
                Some("this Elasticsearch has no Painless: use features without scripts, or a node with lang-painless")
            }
            Self::PartialResult { .. } => Some("wait until the index is green or yellow"),
            _ => None,
        }
    }

    pub(crate) fn elasticsearch(action: impl Into<String>, source: es_core::Error) -> Self {
        Self::Elasticsearch { action: action.into(), source }
    }
}

/// Whether the point in time was gone before all was read.
fn is_expired(error: &es_core::Error) -> bool {
    error.kind() == es_core::ErrorKind::NotFound
        && error.server().is_some_and(|server| {
            server.root_causes.iter().any(|cause| cause.error_type == "search_context_missing_exception")
        })
}

fn did_you_mean(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

fn instead(keyword: &Option<String>) -> String {
    keyword.as_ref().map(|name| format!("; use its sub-field `{name}`")).unwrap_or_default()
}

fn at_excerpt(position: &Option<usize>, excerpt: &[String]) -> String {
    match (position, excerpt.first()) {
        (Some(position), Some(line)) => format!(", at character {position}: `{}`", line.trim()),
        (Some(position), None) => format!(", at character {position}"),
        (None, _) => String::new(),
    }
}
