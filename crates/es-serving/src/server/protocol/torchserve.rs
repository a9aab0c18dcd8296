//! The inference API of TorchServe: `/predictions/MODEL[/VERSION]`. Sources: `inference_api.md`, and the
//! request envelope `json` of its handlers, which has rows under `instances` and `predictions`. Python
//! reads and writes the bare words for numbers that JSON does not have, and makes no number of `null`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::kserve_v1::{member, read_json};
use super::{Product, Wire, rows};
use crate::error::Error;
use crate::open_inference::Tensor;
use crate::server::described::Described;
use crate::server::fault::Fault;
use crate::server::json::{NotFinite, Style};
use crate::server::message::{Call, Reply};
use crate::signature::Signature;

/// The options of TorchServe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TorchserveOptions {
    /// The form of rows in a message, which the model's handler decides.
    pub envelope: TorchserveEnvelope,
}

/// The form of rows in a message to TorchServe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TorchserveEnvelope {
    /// `{"instances": [...]}` and `{"predictions": [...]}`: `service_envelope=json` of the server.
    #[default]
    Json,
    /// A list of rows each way, for handlers that read the body themselves.
    None,
}

const STYLE: Style = Style { not_finite: NotFinite::Words, exact_singles: true, server: "TorchServe" };

pub(in crate::server) struct Torchserve {
    model: String,
    version: Option<String>,
    options: TorchserveOptions,
}

impl Torchserve {
    pub(in crate::server) fn new(model: String, version: Option<String>, options: TorchserveOptions) -> Self {
        Self { model, version, options }
    }
}

impl Wire for Torchserve {
    fn live(&self) -> Call {
        Call::get(["ping"])
    }

    /// The state of one model is behind the management API, which is on another port and closed by
    /// default. The server calls itself healthy once the workers of its models are up.
    fn ready(&self) -> Option<Call> {
        Some(Call::get(["ping"]))
    }

    fn not_ready(&self, reply: &Reply) -> Option<String> {
        let answer: Value = serde_json::from_slice(&reply.body).ok()?;
        let status = answer.get("status")?.as_str()?;
        (!status.eq_ignore_ascii_case("healthy")).then(|| format!("it says `{status}`"))
    }

    fn metadata(&self) -> Option<Call> {
        None
    }

    fn read_metadata(&self, _: &Reply) -> Result<Described, Error> {
        Ok(Described::NOTHING)
    }

    fn request(&self, id: &str, inputs: &[Tensor], _: &Signature, _: &Product) -> Result<Call, Error> {
        let path = ["predictions", self.model.as_str()].into_iter().chain(self.version.as_deref());
        let mut body = Vec::new();
        match self.options.envelope {
            TorchserveEnvelope::Json => {
                body.extend_from_slice(br#"{"instances":"#);
                rows::write(&mut body, inputs, STYLE)?;
                body.push(b'}');
            }
            TorchserveEnvelope::None => rows::write(&mut body, inputs, STYLE)?,
        }
        Ok(Call::post(path, id, body))
    }

    fn answer(&self, _: &str, reply: &Reply, rows: usize, signature: &Signature) -> Result<Vec<Tensor>, Fault> {
        let answer = read_json(reply)?;
        let list = match self.options.envelope {
            TorchserveEnvelope::Json => member(&answer, "predictions", reply)?,
            TorchserveEnvelope::None => &answer,
        };
        rows::read(list, rows, signature)
    }
}
