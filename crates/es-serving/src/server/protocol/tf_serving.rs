//! The REST API of TensorFlow Serving. Source: `api_rest.md`: rows under `instances` or columns under
//! `inputs`, an output alone without its name, and the bare words for numbers that JSON does not have.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::kserve_v1::{member, read_json};
use super::{Product, Wire, rows, unexpected};
use crate::error::{Error, ErrorKind};
use crate::open_inference::{Datatype, Tensor};
use crate::server::described::{Declared, Described};
use crate::server::fault::Fault;
use crate::server::json::{NotFinite, Style, is_element, parse, text};
use crate::server::message::{Call, Reply};
use crate::server::tensors;
use crate::signature::{Signature, TensorSpec};

/// The options of TensorFlow Serving.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TfServingOptions {
    /// The form of tensors in a message.
    pub form: TfServingForm,
    /// The serving signature. Default: `serving_default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature_name: Option<String>,
    /// The label of a version, instead of its number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// The form of tensors in a message to TensorFlow Serving.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TfServingForm {
    /// A list of rows (`instances`).
    #[default]
    Rows,
    /// A list for each tensor (`inputs`), which is shorter where there are several.
    Columns,
}

impl TfServingOptions {
    pub(super) fn check(&self, version: Option<&str>) -> Result<(), Error> {
        let wrong = |message: String| Err(Error::new(ErrorKind::ServerOptions, message));
        match (&self.label, version) {
            (Some(label), Some(version)) => {
                wrong(format!("the version {version} and the label {label} are both named, expected one of them"))
            }
            (_, Some(version)) if version.is_empty() || !version.bytes().all(|byte| byte.is_ascii_digit()) => {
                wrong(format!("`{version}` is no version of TensorFlow Serving, which are whole numbers"))
            }
            _ => Ok(()),
        }
    }
}

const STYLE: Style = Style { not_finite: NotFinite::Words, exact_singles: true, server: "TensorFlow Serving" };

pub(in crate::server) struct TfServing {
    /// The path up to the model and its version.
    path: Vec<String>,
    options: TfServingOptions,
}

impl TfServing {
    pub(in crate::server) fn new(model: String, version: Option<String>, options: TfServingOptions) -> Self {
        let mut path = vec!["v1".to_owned(), "models".to_owned(), model];
        if let Some(version) = version {
            path.extend(["versions".to_owned(), version]);
        } else if let Some(label) = &options.label {
            path.extend(["labels".to_owned(), label.clone()]);
        }
        Self { path, options }
    }

    fn path(&self) -> impl Iterator<Item = &str> {
        self.path.iter().map(String::as_str)
    }
}

impl Wire for TfServing {
    fn live(&self) -> Call {
        Call::get(self.path())
    }

    fn ready(&self) -> Option<Call> {
        Some(Call::get(self.path()))
    }

    fn not_ready(&self, reply: &Reply) -> Option<String> {
        let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let versions = answer.get("model_version_status").and_then(Value::as_array);
        let states: Vec<&str> =
            versions.into_iter().flatten().filter_map(|version| version["state"].as_str()).collect();
        match states.as_slice() {
            states if states.contains(&"AVAILABLE") => None,
            [] => Some("it names no version of the model".to_owned()),
            states => Some(format!("its versions are {}", states.join(", "))),
        }
    }

    fn metadata(&self) -> Option<Call> {
        Some(Call::get(self.path().chain(["metadata"])))
    }

    fn read_metadata(&self, reply: &Reply) -> Result<Described, Error> {
        let answer = parse(&reply.body).map_err(|why| unexpected("the model", why))?;
        let signatures = &answer["metadata"]["signature_def"]["signature_def"];
        let name = self.options.signature_name.as_deref().unwrap_or("serving_default");
        let Some(found) = signatures.get(name) else {
            let names: Vec<&str> =
                signatures.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
            let message = format!("the server's model has no serving signature {name}");
            return Err(Error::new(ErrorKind::Signature, message)
                .with_help(format!("its serving signatures are {}", names.join(", "))));
        };
        let tensors = |role: &str| {
            let members = found[role].as_object().into_iter().flatten();
            let read: Result<Vec<TensorSpec>, String> = members.map(|(name, info)| read_info(name, info)).collect();
            read.map(Declared::Tensors).map_err(|why| unexpected("the model", why))
        };
        Ok(Described { inputs: tensors("inputs")?, outputs: tensors("outputs")? })
    }

    fn request(&self, id: &str, inputs: &[Tensor], _: &Signature, _: &Product) -> Result<Call, Error> {
        let mut body = b"{".to_vec();
        if let Some(name) = &self.options.signature_name {
            body.extend_from_slice(br#""signature_name":"#);
            text(&mut body, name);
            body.push(b',');
        }
        match self.options.form {
            TfServingForm::Rows => {
                body.extend_from_slice(br#""instances":"#);
                rows::write(&mut body, inputs, STYLE)?;
            }
            TfServingForm::Columns => {
                body.extend_from_slice(br#""inputs":"#);
                rows::object(&mut body, inputs, |body, one| rows::write(body, std::slice::from_ref(one), STYLE))?;
            }
        }
        body.push(b'}');
        let mut call = Call::post(self.path(), id, body);
        if let Some(last) = call.path.last_mut() {
            last.push_str(":predict");
        }
        Ok(call)
    }

    fn answer(&self, _: &str, reply: &Reply, rows: usize, signature: &Signature) -> Result<Vec<Tensor>, Fault> {
        let answer = read_json(reply)?;
        if self.options.form == TfServingForm::Rows {
            return rows::read(member(&answer, "predictions", reply)?, rows, signature);
        }
        let outputs = member(&answer, "outputs", reply)?;
        let output = |spec: &TensorSpec| {
            let list = match outputs {
                list if signature.outputs.len() == 1 && is_element(list) => list,
                named => named.get(&spec.name).ok_or_else(|| rows::missing(&spec.name, named))?,
            };
            let Some(list) = list.as_array() else {
                return Err(Fault::rows(format!("the output {} is no list of rows", spec.name)));
            };
            if list.len() != rows {
                return Err(Fault::rows(format!("the output {} has {} rows, expected {rows}", spec.name, list.len())));
            }
            tensors::from_rows(spec, &list.iter().collect::<Vec<_>>())
        };
        signature.outputs.iter().map(output).collect()
    }
}

/// Reads the description of a tensor, a `TensorInfo` in JSON.
fn read_info(name: &str, info: &Value) -> Result<TensorSpec, String> {
    let datatype = match info["dtype"].as_str().unwrap_or_default() {
        "DT_BOOL" => Datatype::Bool,
        "DT_UINT8" => Datatype::Uint8,
        "DT_UINT16" => Datatype::Uint16,
        "DT_UINT32" => Datatype::Uint32,
        "DT_UINT64" => Datatype::Uint64,
        "DT_INT8" => Datatype::Int8,
        "DT_INT16" => Datatype::Int16,
        "DT_INT32" => Datatype::Int32,
        "DT_INT64" => Datatype::Int64,
        "DT_FLOAT" => Datatype::Fp32,
        "DT_DOUBLE" => Datatype::Fp64,
        "DT_STRING" => Datatype::Bytes,
        other => return Err(format!("tensor {name} has the type {other}, which has no form here")),
    };
    // Sizes are 64 bits, which protocol buffers write as text.
    let size = |dim: &Value| dim["size"].as_str().and_then(|size| size.parse().ok()).or(dim["size"].as_i64());
    let dims = info["tensor_shape"]["dim"].as_array();
    let shape: Option<Vec<i64>> = dims.map(|dims| dims.iter().map(|dim| size(dim).unwrap_or(-1)).collect());
    Ok(TensorSpec { name: name.to_owned(), datatype, shape: shape.unwrap_or_default() })
}
