//! The keys of an `embedding` asset.

use es_assets::SecretRef;
use es_serving::ModelReference;
use es_serving::embedding::{Chunking, EmbedOptions, EmbeddingServerOptions};
use es_values::Query;
use es_values::schema::FieldNames;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::template::TextSource;
use crate::kinds::checks::Check;
use crate::kinds::index::IndexSpec;

/// Passages of texts with their vectors, kept up to date with the documents that they come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["model"] }, { "required": ["server"] }]))]
pub struct Embedding {
    /// The asset whose documents are embedded.
    #[schemars(extend("format" = "name", "pattern" = "^[a-z0-9_]+$"))]
    pub from: String,
    /// The documents that match; without it, all.
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    pub filter: Option<Query>,
    /// The text of a document: fields, whose texts follow one another with an empty line between them, or a template
    /// such as `"{title}: {body}"`.
    pub text: TextSource,
    /// The division of a text into passages; without it, by tokens, or by sentences at a server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chunk: Option<Chunking>,
    /// The model that is run in this process: a version, or the one that an alias points to. It has a tokenizer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelReference>,
    /// The threads and batches of a model in this process.
    #[serde(default)]
    pub options: EmbedOptions,
    /// The server that embeds instead of a registered model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<Box<EmbeddingServerOptions<SecretRef>>>,
    /// The columns of a document that each of its passages has as well, apart from `time`.
    #[schemars(with = "Option<FieldNames>")]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keep: Vec<String>,
    /// The field of the vectors.
    #[serde(default)]
    pub vector: VectorField,
    /// The column that holds a document's time.
    #[schemars(extend("format" = "text"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// The settings and mappings of the index of passages.
    #[serde(default)]
    pub index: IndexSpec,
    /// The conditions that must hold before readers see the passages.
    #[serde(default)]
    pub checks: Vec<Check>,
}

/// The field of the vectors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VectorField {
    /// The similarity by which vectors are compared. Default: `dot_product` for vectors that the model normalizes,
    /// `cosine` for others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub similarity: Option<Similarity>,
    /// The `index_options` of the field, such as `{ type: int8_hnsw, m: 32 }`. Default: those of the server.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub index_options: Map<String, Value>,
}

/// The similarities of vectors, as Elasticsearch has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Similarity {
    /// The cosine of the angle between them.
    Cosine,
    /// Their dot product. Vectors have the length 1.
    DotProduct,
    /// Their distance.
    L2Norm,
    /// Their dot product, of vectors of any length.
    MaxInnerProduct,
}

impl Similarity {
    /// The name in a mapping.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cosine => "cosine",
            Self::DotProduct => "dot_product",
            Self::L2Norm => "l2_norm",
            Self::MaxInnerProduct => "max_inner_product",
        }
    }
}
