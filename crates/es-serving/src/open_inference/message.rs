//! Requests and answers: tensors with names of their own.

use std::collections::HashSet;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::tensor::Tensor;
use crate::error::{Error, ErrorKind};

/// Parameters outside of the protocol, agreed on by sender and receiver: names with strings, numbers
/// or booleans.
pub type Parameters = Map<String, Value>;

/// A request to a model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InferenceRequest {
    /// A name for the request, which the answer repeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The parameters outside of the protocol.
    #[serde(skip_serializing_if = "Parameters::is_empty")]
    pub parameters: Parameters,
    inputs: Vec<Tensor>,
    /// The requested outputs; empty for all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<RequestedOutput>,
}

/// A requested output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RequestedOutput {
    /// Its name.
    pub name: String,
    /// The parameters outside of the protocol.
    #[serde(default, skip_serializing_if = "Parameters::is_empty")]
    pub parameters: Parameters,
}

/// The answer of a model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InferenceResponse {
    /// The model that answered.
    pub model_name: String,
    /// The version of it, in the server's own numbering.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_version: Option<String>,
    /// The name of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The parameters outside of the protocol.
    #[serde(skip_serializing_if = "Parameters::is_empty")]
    pub parameters: Parameters,
    outputs: Vec<Tensor>,
}

/// The answer to a request that failed, with a status of 400 or above.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorResponse {
    /// The reason that the server gives.
    pub error: String,
}

impl InferenceRequest {
    /// A request with these inputs, for all outputs.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] without an input, or with two of one name.
    pub fn new(inputs: Vec<Tensor>) -> Result<Self, Error> {
        check("request", "input", &inputs)?;
        Ok(Self { id: None, parameters: Parameters::new(), inputs, outputs: Vec::new() })
    }

    /// The same request for these outputs only.
    pub fn with_outputs<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        let output = |name: &str| RequestedOutput { name: name.to_owned(), parameters: Parameters::new() };
        self.outputs = names.into_iter().map(output).collect();
        self
    }

    /// The inputs: one or more, with names of their own.
    pub fn inputs(&self) -> &[Tensor] {
        &self.inputs
    }
}

impl InferenceResponse {
    /// An answer with these outputs.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] without an output, or with two of one name.
    pub fn new(model_name: impl Into<String>, outputs: Vec<Tensor>) -> Result<Self, Error> {
        check("answer", "output", &outputs)?;
        Ok(Self {
            model_name: model_name.into(),
            model_version: None,
            id: None,
            parameters: Parameters::new(),
            outputs,
        })
    }

    /// The outputs: one or more, with names of their own.
    pub fn outputs(&self) -> &[Tensor] {
        &self.outputs
    }

    /// The output of a name.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] when the answer has none of this name; the error lists its outputs.
    pub fn output(&self, name: &str) -> Result<&Tensor, Error> {
        self.outputs.iter().find(|output| output.name() == name).ok_or_else(|| {
            let names: Vec<&str> = self.outputs.iter().map(Tensor::name).collect();
            Error::new(
                ErrorKind::Protocol,
                format!("model {} has no output {name}: it answered with {}", self.model_name, names.join(", ")),
            )
        })
    }
}

fn check(message: &str, role: &str, tensors: &[Tensor]) -> Result<(), Error> {
    if tensors.is_empty() {
        return Err(Error::new(ErrorKind::Protocol, format!("the {message} has no {role}")));
    }
    let mut names = HashSet::new();
    match tensors.iter().find(|tensor| !names.insert(tensor.name())) {
        Some(again) => {
            Err(Error::new(ErrorKind::Protocol, format!("the {message} has two {role}s named {}", again.name())))
        }
        None => Ok(()),
    }
}

/// A message as it is received, in which optional members may be missing.
#[derive(Deserialize)]
struct Received {
    #[serde(default)]
    model_name: String,
    model_version: Option<String>,
    id: Option<String>,
    #[serde(default)]
    parameters: Parameters,
    outputs: Vec<Tensor>,
}

#[derive(Deserialize)]
struct ReceivedRequest {
    id: Option<String>,
    #[serde(default)]
    parameters: Parameters,
    inputs: Vec<Tensor>,
    #[serde(default)]
    outputs: Vec<RequestedOutput>,
}

impl<'de> Deserialize<'de> for InferenceRequest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ReceivedRequest { id, parameters, inputs, outputs } = ReceivedRequest::deserialize(deserializer)?;
        let request = Self::new(inputs).map_err(serde::de::Error::custom)?;
        Ok(Self { id, parameters, outputs, ..request })
    }
}

impl<'de> Deserialize<'de> for InferenceResponse {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Received { model_name, model_version, id, parameters, outputs } = Received::deserialize(deserializer)?;
        let response = Self::new(model_name, outputs).map_err(serde::de::Error::custom)?;
        Ok(Self { model_version, id, parameters, ..response })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::open_inference::TensorData;
    use serde_json::json;

    fn tensor(name: &str) -> Tensor {
        Tensor::new(name, vec![2], TensorData::Int64(vec![1, 2])).unwrap()
    }

    #[test]
    fn messages_need_tensors_with_names_of_their_own() {
        let message = |result: Result<InferenceRequest, Error>| result.unwrap_err().to_string();
        assert_eq!(message(InferenceRequest::new(vec![])), "the request has no input");
        let twice = vec![tensor("a"), tensor("b"), tensor("a")];
        assert_eq!(message(InferenceRequest::new(twice.clone())), "the request has two inputs named a");
        let error = InferenceResponse::new("late", twice).unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (ErrorKind::Protocol, "the answer has two outputs named a")
        );
        let empty = serde_json::from_value::<InferenceResponse>(json!({"model_name": "late", "outputs": []}));
        assert_eq!(empty.unwrap_err().to_string(), "the answer has no output");
    }

    #[test]
    fn an_output_that_is_missing_names_those_that_are_there() {
        let response = InferenceResponse::new("late", vec![tensor("label"), tensor("probability")]).unwrap();
        assert_eq!(response.output("label").unwrap(), &tensor("label"));
        let error = response.output("score").unwrap_err();
        assert_eq!(error.to_string(), "model late has no output score: it answered with label, probability");
    }

    #[test]
    fn messages_are_read_back_as_they_were_written() {
        let mut request = InferenceRequest::new(vec![tensor("rows")]).unwrap().with_outputs(["late"]);
        request.id = Some("7".to_owned());
        request.parameters.insert("priority".to_owned(), json!(1));
        let text = serde_json::to_string(&request).unwrap();
        assert_eq!(serde_json::from_str::<InferenceRequest>(&text).unwrap(), request);

        let mut response = InferenceResponse::new("late", vec![tensor("late")]).unwrap();
        response.model_version = Some("3".to_owned());
        let text = serde_json::to_string(&response).unwrap();
        assert_eq!(serde_json::from_str::<InferenceResponse>(&text).unwrap(), response);
        let error: ErrorResponse = serde_json::from_str(r#"{"error": "unknown model"}"#).unwrap();
        assert_eq!(error.error, "unknown model");
    }

    #[test]
    fn members_that_servers_add_are_passed_over() {
        let answer = json!({
            "model_name": "late", "model_state": "READY",
            "outputs": [{"name": "late", "shape": [1], "datatype": "BYTES", "data": ["on time"], "took": 3}],
        });
        let answer: InferenceResponse = serde_json::from_value(answer).unwrap();
        assert_eq!(answer.output("late").unwrap().data(), &TensorData::Bytes(vec!["on time".to_owned()]));
        assert_eq!(answer.model_version, None);
    }
}
