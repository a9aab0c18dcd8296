//! The Open Inference Protocol, version 2, over REST. Sources: `inference_rest.md` of the protocol, and
//! `extension_binary_data.md` of Triton; measured with Triton 2.51, MLServer 1.7.1 and KServe 0.21.0.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Product, Wire, binary, unexpected};
use crate::error::Error;
use crate::open_inference::{Tensor, TensorData};
use crate::server::described::{Described, read_datatype, read_tensors};
use crate::server::fault::Fault;
use crate::server::json::{NotFinite, Style, parse, text};
use crate::server::message::{Call, Reply};
use crate::server::tensors;
use crate::signature::{Signature, TensorSpec};

/// The options of the Open Inference Protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OpenInferenceOptions {
    /// The use of binary tensors, which are smaller and carry every number.
    pub binary: Binary,
    /// The form of a missing number (NaN) where tensors are sent as JSON.
    pub missing_numbers: MissingNumbers,
}

/// The use of the extension for binary tensors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Binary {
    /// Used if the server lists the extension `binary_tensor_data`.
    #[default]
    Auto,
    /// Always, also where the server does not list it.
    Always,
    /// Never: JSON alone.
    Never,
}

/// The form of a missing number in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MissingNumbers {
    /// As the server is known to take it, by the name that it gives of itself. Other servers are sent none.
    #[default]
    Auto,
    /// `null`. An infinity has no form then.
    Null,
    /// The bare words `NaN`, `Infinity` and `-Infinity`.
    Words,
}

pub(in crate::server) struct OpenInference {
    model: String,
    version: Option<String>,
    options: OpenInferenceOptions,
}

impl OpenInference {
    pub(in crate::server) fn new(model: String, version: Option<String>, options: OpenInferenceOptions) -> Self {
        Self { model, version, options }
    }

    fn path<'a>(&'a self, last: Option<&'a str>) -> impl Iterator<Item = &'a str> {
        let version = self.version.iter().flat_map(|version| ["versions", version]);
        ["v2", "models", self.model.as_str()].into_iter().chain(version).chain(last)
    }

    fn is_binary(&self, product: &Product) -> bool {
        match self.options.binary {
            Binary::Auto => product.extensions.iter().any(|extension| extension == "binary_tensor_data"),
            Binary::Always => true,
            Binary::Never => false,
        }
    }

    fn style(&self, product: &Product) -> Style {
        let (not_finite, server) = match (self.options.missing_numbers, product.name.as_str()) {
            (MissingNumbers::Null, _) => (NotFinite::Null, "the server"),
            (MissingNumbers::Words, _) => (NotFinite::Words, "the server"),
            (MissingNumbers::Auto, "mlserver") => (NotFinite::Null, "MLServer"),
            (MissingNumbers::Auto, "kserve") => (NotFinite::Words, "KServe"),
            (MissingNumbers::Auto, "triton") => (NotFinite::Words, "Triton"),
            (MissingNumbers::Auto, _) => (NotFinite::Refused, "this server"),
        };
        Style { not_finite, exact_singles: false, server }
    }
}

impl Wire for OpenInference {
    fn product(&self) -> Option<Call> {
        Some(Call::get(["v2"]))
    }

    fn live(&self) -> Call {
        Call::get(["v2", "health", "live"])
    }

    fn ready(&self) -> Option<Call> {
        Some(Call::get(self.path(Some("ready"))))
    }

    fn not_ready(&self, reply: &Reply) -> Option<String> {
        let answer: Value = serde_json::from_slice(&reply.body).ok()?;
        (answer.get("ready") == Some(&Value::Bool(false))).then(|| "it says `\"ready\": false`".to_owned())
    }

    fn metadata(&self) -> Option<Call> {
        Some(Call::get(self.path(None)))
    }

    fn read_metadata(&self, reply: &Reply) -> Result<Described, Error> {
        let answer = parse(&reply.body).map_err(|why| unexpected("the model", why))?;
        Ok(Described {
            inputs: read_tensors(answer.get("inputs")).map_err(|why| unexpected("the model's inputs", why))?,
            outputs: read_tensors(answer.get("outputs")).map_err(|why| unexpected("the model's outputs", why))?,
        })
    }

    fn request(&self, id: &str, inputs: &[Tensor], signature: &Signature, product: &Product) -> Result<Call, Error> {
        let binary = self.is_binary(product);
        let style = self.style(product);
        let mut raw = Vec::new();
        let mut body = br#"{"id":"#.to_vec();
        text(&mut body, id);
        body.extend_from_slice(br#","inputs":["#);
        for (number, tensor) in inputs.iter().enumerate() {
            if number > 0 {
                body.push(b',');
            }
            let before = raw.len();
            let mut head =
                json!({"name": tensor.name(), "shape": tensor.shape(), "datatype": tensor.data().datatype()});
            let mut parameters = tensor.parameters().clone();
            if binary {
                binary::write(&mut raw, tensor.data());
                parameters.insert("binary_data_size".to_owned(), (raw.len() - before).into());
            }
            if !parameters.is_empty() {
                head["parameters"] = parameters.into();
            }
            body.extend_from_slice(head.to_string().as_bytes());
            if !binary {
                // The data go before the brace that ends the head.
                body.pop();
                body.extend_from_slice(br#","data":"#);
                style.flat(&mut body, tensor)?;
                body.push(b'}');
            }
        }
        let output = |spec: &TensorSpec| match binary {
            true => json!({"name": spec.name, "parameters": {"binary_data": true}}),
            false => json!({"name": spec.name}),
        };
        let outputs: Value = signature.outputs.iter().map(output).collect();
        body.extend_from_slice(format!("],\"outputs\":{outputs}}}").as_bytes());
        let header_length = body.len();
        body.append(&mut raw);
        let mut call = Call::post(self.path(Some("infer")), id, body);
        if binary {
            call.content_type = "application/octet-stream";
            call.headers.push((binary::HEADER, header_length.to_string()));
        }
        Ok(call)
    }

    fn answer(&self, id: &str, reply: &Reply, rows: usize, signature: &Signature) -> Result<Vec<Tensor>, Fault> {
        let (head, mut raw) = match reply.header_length {
            Some(length) => reply
                .body
                .split_at_checked(length)
                .ok_or_else(|| Fault::rows(format!("the answer ends before byte {length} of its head")))?,
            None => (&reply.body[..], &[][..]),
        };
        let answer =
            parse(head).map_err(|why| Fault::rows(format!("the answer is not JSON: {why}: {}", reply.words())))?;
        match answer.get("id") {
            Some(Value::String(found)) if found == id => {}
            // The id is optional in an answer, and empty where a server does not keep it.
            None | Some(Value::Null) => {}
            Some(Value::String(found)) if found.is_empty() => {}
            Some(found) => return Err(Fault::rows(format!("the answer has the id {found}, expected \"{id}\""))),
        }
        let outputs = answer.get("outputs").and_then(Value::as_array);
        let outputs = outputs.ok_or_else(|| Fault::rows(format!("the answer has no outputs: {}", reply.words())))?;
        let mut read = Vec::with_capacity(outputs.len());
        for output in outputs {
            // The raw bytes come in the order of the outputs, also of those that were not asked for.
            let tensor = read_output(output, &mut raw)?;
            read.push(tensor);
        }
        if !raw.is_empty() {
            return Err(Fault::rows(format!("the answer has {} bytes after its last tensor", raw.len())));
        }
        let named = |spec: &TensorSpec| {
            let mut found = read.iter().filter(|tensor| tensor.name() == spec.name);
            match (found.next(), found.next()) {
                (Some(tensor), None) => tensors::fit(tensor.clone(), spec, rows),
                (Some(_), Some(_)) => Err(Fault::model(format!("the answer has two outputs named {}", spec.name))),
                (None, _) => {
                    let names: Vec<&str> = read.iter().map(Tensor::name).collect();
                    Err(Fault::model(format!("the answer has no output {}: it has {}", spec.name, names.join(", "))))
                }
            }
        };
        signature.outputs.iter().map(named).collect()
    }
}

fn read_output(output: &Value, raw: &mut &[u8]) -> Result<Tensor, Fault> {
    let name = output["name"].as_str().unwrap_or_default();
    let datatype = read_datatype(name, output["datatype"].as_str().unwrap_or_default()).map_err(Fault::Model)?;
    let length = |length: &Value| length.as_u64().and_then(|length| usize::try_from(length).ok());
    let shape: Option<Vec<usize>> = output["shape"].as_array().and_then(|shape| shape.iter().map(length).collect());
    let shape = shape.ok_or_else(|| Fault::rows(format!("the output {name} has no shape")))?;
    let size = output.get("parameters").and_then(|parameters| parameters.get("binary_data_size"));
    let data = match size.map(|size| length(size).unwrap_or(usize::MAX)) {
        Some(size) => {
            let (own, rest) = raw
                .split_at_checked(size)
                .ok_or_else(|| Fault::rows(format!("the output {name} has {} bytes, expected {size}", raw.len())))?;
            *raw = rest;
            binary::read(datatype, own).map_err(|why| Fault::rows(format!("the output {name}: {why}")))?
        }
        None => {
            let mut flat = Vec::new();
            flatten(&output["data"], &mut flat);
            let data = tensors::read(datatype, &flat);
            keep_type(data.map_err(|why| Fault::rows(format!("the output {name}: {why}")))?, datatype)
        }
    };
    Tensor::new(name, shape, data).map_err(|error| Fault::rows(error.to_string()))
}

/// A server that says FP32 has numbers of single precision, whatever digits it writes.
fn keep_type(data: TensorData, datatype: crate::open_inference::Datatype) -> TensorData {
    match (data, datatype) {
        #[expect(clippy::cast_possible_truncation, reason = "the server says that they are single precision")]
        (TensorData::Fp64(elements), crate::open_inference::Datatype::Fp32) => {
            TensorData::Fp32(elements.into_iter().map(|element| element as f32).collect())
        }
        (data, _) => data,
    }
}

/// Data may be flat or nested: the shape stands beside them.
fn flatten<'a>(value: &'a Value, flat: &mut Vec<&'a Value>) {
    match value {
        Value::Array(elements) => elements.iter().for_each(|element| flatten(element, flat)),
        element => flat.push(element),
    }
}
