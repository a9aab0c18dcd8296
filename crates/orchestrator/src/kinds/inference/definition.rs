//! The keys of an `inference` asset.

use std::num::{NonZeroU32, NonZeroUsize};

use es_assets::{Partitions, SecretRef};
use es_serving::onnx::OnnxOptions;
use es_serving::server::ServerOptions;
use es_serving::{ModelReference, Outputs};
use es_values::Query;
use es_values::schema::FieldNames;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kinds::checks::Check;
use crate::kinds::index::IndexSpec;
use crate::kinds::joins::FeatureJoin;

/// Predictions of a registered model, kept up to date with the rows that it scores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Inference {
    /// The asset whose documents are scored.
    #[schemars(extend("format" = "name", "pattern" = "^[a-z0-9_]+$"))]
    pub from: String,
    /// The documents that match; without it, all.
    #[serde(rename = "where")]
    pub filter: Option<Query>,
    /// Feature rows that are joined to the rows: of each asset the latest row of the entity that
    /// was known at the row's time, as columns `asset__field`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<FeatureJoin>,
    /// The model: a version, or the one that an alias points to.
    pub model: ModelReference,
    /// The place where the model is run.
    #[serde(default)]
    pub server: ModelRunner,
    /// The treatment of rows that have no value for an input of the model. Without it, a column that may
    /// have none is refused, unless the model has an answer for missing numbers.
    pub nulls: Option<Nulls>,
    /// The outputs of the model that are kept; without it, those that their types and shapes suggest.
    pub outputs: Option<Outputs>,
    /// The rows that are scored when the part is made again.
    #[serde(default)]
    pub rescore: Rescore,
    /// The size of batches.
    #[serde(default)]
    pub batch: BatchSize,
    /// The predictions.
    pub write: Write,
    /// The column that holds a row's time.
    #[schemars(extend("format" = "text"))]
    pub time: Option<String>,
    /// The division of the rows by their time.
    pub partitions: Option<Partitions>,
    /// The settings and mappings of the index of predictions.
    #[serde(default)]
    pub index: IndexSpec,
    /// The conditions that must hold before readers see the predictions.
    #[serde(default)]
    pub checks: Vec<Check>,
}

/// The places where a model is run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ModelRunner {
    /// In this process, by ONNX Runtime.
    Here(OnnxRunner),
    /// At a model server.
    Server(Box<ServerOptions<SecretRef>>),
}

/// ONNX Runtime in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OnnxRunner {
    /// `onnx`.
    #[serde(default)]
    pub protocol: OnnxProtocol,
    /// The threads that compute one batch.
    #[serde(default = "default_threads")]
    pub threads: NonZeroUsize,
}

/// The name of ONNX Runtime in this process among the protocols.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnnxProtocol {
    /// Models in the format ONNX.
    #[default]
    Onnx,
}

fn default_threads() -> NonZeroUsize {
    OnnxOptions::default().threads
}

impl Default for ModelRunner {
    fn default() -> Self {
        Self::Here(OnnxRunner { protocol: OnnxProtocol::Onnx, threads: default_threads() })
    }
}

/// The treatments of rows that have no value for an input of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Nulls {
    /// The row is rejected, as a document that Elasticsearch refuses is.
    Reject,
    /// The model is given NaN.
    Nan,
    /// The model is given zero; a text is empty.
    Zero,
    /// The row gets no prediction, and is counted.
    SkipRow,
}

/// The rows that are scored when a part is made again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rescore {
    /// New rows, and those whose inputs have changed. The others keep the predictions that the same version
    /// of the model made of the same inputs.
    #[default]
    Changed,
    /// Every row, which is faster where a model takes less time than the look at its predictions.
    All,
}

/// The size of batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BatchSize {
    /// The most rows that the model is given at once.
    pub rows: NonZeroU32,
    /// The most pages of rows that are scored at once.
    #[schemars(range(max = 64))]
    pub in_flight: NonZeroU32,
}

impl Default for BatchSize {
    fn default() -> Self {
        let number = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        Self { rows: number(1024), in_flight: number(2) }
    }
}

/// The predictions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Write {
    /// The place that they go to.
    pub to: Target,
    /// The columns that make up a prediction's id, so that the same row has one prediction.
    #[schemars(with = "FieldNames")]
    pub id: Vec<String>,
    /// The columns of the rows that are kept beside the predictions, apart from those of `id` and `time`; without
    /// it, the model's inputs.
    #[schemars(with = "Option<FieldNames>")]
    pub keep: Option<Vec<String>>,
}

/// The places where predictions go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// An index of their own.
    Predictions,
}
