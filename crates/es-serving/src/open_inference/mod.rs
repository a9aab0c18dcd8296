//! The messages of the Open Inference Protocol, version 2, over HTTP and JSON, which KServe, Triton,
//! MLServer and others accept at `POST v2/models/{name}/infer`.
//!
//! A message is checked when it is read and when a [`Tensor`] is made: the shape and the
//! data always fit. Carrying messages is left to [`crate::server`] or the caller.
//!
//! JSON has no number for "not a number" and the infinities, and the protocol has none for a missing
//! value. A tensor may hold NaN for a missing number, and is an error to serialize then: how it is sent
//! depends on the server, which [`crate::server`] knows. An answer with `null` in its data is refused
//! rather than read as a number.
//!
//! Source: the Open Inference Protocol specification, `inference_rest.md`. Its extension
//! for binary data is not part of this module, and with it the type FP16, which has no
//! form in JSON.
//!
//! ```
//! use es_serving::open_inference::{InferenceRequest, InferenceResponse, Tensor, TensorData};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let rows = Tensor::new("rows", vec![2, 3], TensorData::Fp32(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))?;
//! let request = InferenceRequest::new(vec![rows])?.with_outputs(["late"]);
//! assert_eq!(
//!     serde_json::to_string(&request)?,
//!     r#"{"inputs":[{"name":"rows","shape":[2,3],"datatype":"FP32","data":[1.0,2.0,3.0,4.0,5.0,6.0]}],"outputs":[{"name":"late"}]}"#
//! );
//!
//! let answer = r#"{"model_name": "late", "model_version": "3",
//!     "outputs": [{"name": "late", "shape": [2], "datatype": "FP32", "data": [0.25, 0.75]}]}"#;
//! let answer: InferenceResponse = serde_json::from_str(answer)?;
//! assert_eq!(answer.output("late")?.data(), &TensorData::Fp32(vec![0.25, 0.75]));
//! # Ok(())
//! # }
//! ```

mod message;
mod tensor;

pub use message::{ErrorResponse, InferenceRequest, InferenceResponse, Parameters, RequestedOutput};
pub use tensor::{Datatype, Tensor, TensorData};
