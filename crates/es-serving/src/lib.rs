//! Registered models and the protocols that serve them.
//!
//! The registry of models in Elasticsearch, batched scoring of documents and ingest pipelines belong
//! to this crate as well, once they exist. Training and carrying messages are left to other programs;
//! reading, scoring and writing back are joined by the orchestrator.
//!
//! # Naming a model
//!
//! [`ModelReference`] is the name of a version of a model, or of an alias.
//!
//! ```
//! use es_serving::ModelReference;
//!
//! let model: ModelReference = "models:/late/3".parse()?;
//! assert_eq!(model.name(), "late");
//! # Ok::<(), es_serving::Error>(())
//! ```
//!
//! # Asking a model
//!
//! [`open_inference`] has the messages of the Open Inference Protocol, which KServe, Triton and
//! MLServer speak: tensors whose shape and data always fit.
//!
//! ```
//! use es_serving::open_inference::{InferenceRequest, InferenceResponse, Tensor, TensorData};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let rows = Tensor::new("rows", vec![1, 3], TensorData::Fp32(vec![1.0, 2.0, 3.0]))?;
//! let body = serde_json::to_vec(&InferenceRequest::new(vec![rows])?)?;
//! # let sent = body.len();
//! # assert!(sent > 0);
//! let answer = r#"{"model_name": "late",
//!     "outputs": [{"name": "late", "shape": [1], "datatype": "FP32", "data": [0.25]}]}"#;
//! let answer: InferenceResponse = serde_json::from_str(answer)?;
//! assert_eq!(answer.output("late")?.data(), &TensorData::Fp32(vec![0.25]));
//! # Ok(())
//! # }
//! ```

mod error;
mod model_reference;
pub mod open_inference;
pub mod server;
mod signature;

pub use error::{Error, ErrorKind};
pub use model_reference::{ModelReference, ModelVersion};
pub use signature::{InputColumn, Layout, Signature, TensorSpec};
