//! The protocols of model servers: for each, the requests as bytes and the answers as tensors. Sending
//! them, repeating them and dividing batches are left to the modules above.

pub(super) mod binary;
#[cfg(test)]
mod golden;
pub(super) mod kserve_v1;
pub(super) mod mlflow;
pub(super) mod open_inference;
pub(super) mod rows;
pub(super) mod tf_serving;
pub(super) mod torchserve;

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

pub use open_inference::{Binary, MissingNumbers, OpenInferenceOptions};
pub use tf_serving::{TfServingForm, TfServingOptions};
pub use torchserve::{TorchserveEnvelope, TorchserveOptions};

use super::described::Described;
use super::fault::Fault;
use super::message::{Call, Reply};
use crate::error::{Error, ErrorKind};
use crate::open_inference::Tensor;
use crate::signature::Signature;

/// A protocol of model servers, with its own options.
///
/// In a file it is the name alone (`kserve_v2`), or the name with its options
/// (`{ kserve_v2: { binary: never } }`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protocol {
    /// The Open Inference Protocol, version 2, over REST: KServe, Triton, MLServer and others.
    KserveV2(OpenInferenceOptions),
    /// The REST API of TensorFlow Serving.
    TfServing(TfServingOptions),
    /// The protocol of KServe, version 1.
    KserveV1,
    /// `/invocations` of MLflow's scoring server.
    Mlflow,
    /// The inference API of TorchServe.
    Torchserve(TorchserveOptions),
}

const NAMES: [&str; 5] = ["kserve_v2", "tf_serving", "kserve_v1", "mlflow", "torchserve"];

impl Protocol {
    /// The Open Inference Protocol with default options.
    pub fn kserve_v2() -> Self {
        Self::KserveV2(OpenInferenceOptions::default())
    }

    /// Its name in a file.
    pub fn name(&self) -> &'static str {
        match self {
            Self::KserveV2(_) => "kserve_v2",
            Self::TfServing(_) => "tf_serving",
            Self::KserveV1 => "kserve_v1",
            Self::Mlflow => "mlflow",
            Self::Torchserve(_) => "torchserve",
        }
    }

    pub(super) fn has_versions(&self) -> bool {
        !matches!(self, Self::KserveV1 | Self::Mlflow)
    }

    pub(super) fn check(&self, version: Option<&str>) -> Result<(), Error> {
        match self {
            Self::TfServing(options) => options.check(version),
            _ => Ok(()),
        }
    }

    pub(super) fn wire(&self, model: &str, version: Option<&str>) -> Box<dyn Wire> {
        let (model, version) = (model.to_owned(), version.map(str::to_owned));
        match self {
            Self::KserveV2(options) => Box::new(open_inference::OpenInference::new(model, version, *options)),
            Self::TfServing(options) => Box::new(tf_serving::TfServing::new(model, version, options.clone())),
            Self::KserveV1 => Box::new(kserve_v1::KserveV1::new(model)),
            Self::Mlflow => Box::new(mlflow::Mlflow),
            Self::Torchserve(options) => Box::new(torchserve::Torchserve::new(model, version, *options)),
        }
    }
}

/// The product behind an address, as it describes itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Product {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) extensions: Vec<String>,
}

/// A protocol: pure functions from tensors to requests and from answers to tensors.
pub(super) trait Wire: Send + Sync {
    /// The request for the product's own description, where the protocol has one.
    fn product(&self) -> Option<Call> {
        None
    }

    /// The request that a server answers with a success once it lives.
    fn live(&self) -> Call;

    /// The request that tells about the model alone; none where the server has only one answer.
    fn ready(&self) -> Option<Call>;

    /// Reads an answer of success to `ready`: the reason that the model is not ready, if it is not.
    fn not_ready(&self, reply: &Reply) -> Option<String> {
        let _ = reply;
        None
    }

    /// The request for the inputs and outputs of the model, where the protocol has one.
    fn metadata(&self) -> Option<Call>;

    /// Reads an answer of success to `metadata`.
    fn read_metadata(&self, reply: &Reply) -> Result<Described, Error>;

    /// The request to score rows.
    fn request(&self, id: &str, inputs: &[Tensor], signature: &Signature, product: &Product) -> Result<Call, Error>;

    /// Reads an answer of success: the outputs of the signature in its order, with `rows` rows each.
    fn answer(&self, id: &str, reply: &Reply, rows: usize, signature: &Signature) -> Result<Vec<Tensor>, Fault>;
}

/// A protocol as a file has it, with its options.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Tagged {
    /// The Open Inference Protocol, version 2, over REST: KServe, Triton, MLServer and others.
    KserveV2(OpenInferenceOptions),
    /// The REST API of TensorFlow Serving.
    TfServing(TfServingOptions),
    /// The protocol of KServe, version 1.
    KserveV1(NoOptions),
    /// `/invocations` of MLflow's scoring server.
    Mlflow(NoOptions),
    /// The inference API of TorchServe.
    Torchserve(TorchserveOptions),
}

/// The options of a protocol that has none.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NoOptions {}

impl From<Protocol> for Tagged {
    fn from(protocol: Protocol) -> Self {
        match protocol {
            Protocol::KserveV2(options) => Self::KserveV2(options),
            Protocol::TfServing(options) => Self::TfServing(options),
            Protocol::KserveV1 => Self::KserveV1(NoOptions {}),
            Protocol::Mlflow => Self::Mlflow(NoOptions {}),
            Protocol::Torchserve(options) => Self::Torchserve(options),
        }
    }
}

fn named(name: &str) -> Option<Protocol> {
    Some(match name {
        "kserve_v2" => Protocol::kserve_v2(),
        "tf_serving" => Protocol::TfServing(TfServingOptions::default()),
        "kserve_v1" => Protocol::KserveV1,
        "mlflow" => Protocol::Mlflow,
        "torchserve" => Protocol::Torchserve(TorchserveOptions::default()),
        _ => return None,
    })
}

impl Serialize for Protocol {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if named(self.name()).as_ref() == Some(self) {
            return serializer.serialize_str(self.name());
        }
        Tagged::from(self.clone()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Protocol {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrOptions;

        impl<'de> Visitor<'de> for NameOrOptions {
            type Value = Protocol;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(formatter, "one protocol of {}, alone or with its options", NAMES.join(", "))
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Protocol, E> {
                named(name).ok_or_else(|| E::unknown_variant(name, &NAMES))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Protocol, A::Error> {
                let Some(name) = map.next_key::<String>()? else {
                    return Err(A::Error::invalid_length(0, &self));
                };
                let protocol = match name.as_str() {
                    "kserve_v2" => Protocol::KserveV2(map.next_value()?),
                    "tf_serving" => Protocol::TfServing(map.next_value()?),
                    "kserve_v1" => map.next_value().map(|NoOptions {}| Protocol::KserveV1)?,
                    "mlflow" => map.next_value().map(|NoOptions {}| Protocol::Mlflow)?,
                    "torchserve" => Protocol::Torchserve(map.next_value()?),
                    _ => return Err(A::Error::unknown_variant(&name, &NAMES)),
                };
                match map.next_key::<String>()? {
                    None => Ok(protocol),
                    Some(other) => {
                        Err(A::Error::custom(format!("{name} and {other} are both named, expected one protocol")))
                    }
                }
            }
        }

        deserializer.deserialize_any(NameOrOptions)
    }
}

impl JsonSchema for Protocol {
    fn schema_name() -> Cow<'static, str> {
        "Protocol".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        // Either form of each protocol is a branch of its own, so that a checker can name what is wrong.
        let mut tagged = Tagged::json_schema(generator);
        let mut branches = match tagged.remove("oneOf") {
            Some(Value::Array(branches)) => branches,
            _ => Vec::new(),
        };
        branches.extend(NAMES.map(|name| json!({ "type": "string", "const": name })));
        json_schema!({
            "description": "The protocol of a model server: its name, or its name with its options.",
            "anyOf": branches,
        })
    }
}

/// An error about an answer to a question that is not about rows.
pub(super) fn unexpected(asked: &str, why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Protocol, format!("the server's answer about {asked} is not as its protocol says: {why}"))
}
