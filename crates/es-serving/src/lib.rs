//! Registered models and the protocols that serve them.
//!
//! The registry of models in Elasticsearch and ingest pipelines belong to this crate as well, once they
//! exist. Training is left to other programs; reading, scoring and writing back are joined by the
//! orchestrator.
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
//!
//! # Scoring by a server
//!
//! [`server`] sends rows to a model server and accounts for each of them.
//!
//! ```no_run
//! # async fn example(signature: es_serving::Signature) -> Result<(), es_serving::Error> {
//! use es_serving::open_inference::{Tensor, TensorData};
//! use es_serving::server::{ModelServer, Protocol, ServerOptions};
//!
//! let options = ServerOptions::new(Protocol::kserve_v2(), "http://127.0.0.1:8000").for_model("late");
//! let server = ModelServer::connect(&options)?;
//! server.ready().await?;
//! server.check(&signature).await?;
//!
//! // Two rows of three values. A missing number is NaN.
//! let rows = Tensor::new("rows", vec![2, 3], TensorData::Fp32(vec![1.0, 2.0, 3.0, 4.0, f32::NAN, 6.0]))?;
//! let scored = server.score("run-7/batch-1", &[rows], &signature).await?;
//! println!("rows {:?}: {:?}", scored.scored, scored.outputs);
//! for rejected in &scored.rejected {
//!     println!("row {}: {}", rejected.row, rejected.reason);
//! }
//! if let Some(first) = scored.unknown.first() {
//!     println!("{} rows are to be scored again: {}", scored.unknown.len(), first.reason);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Secrets are references in a file, and resolved before the server is asked:
//!
//! ```no_run
//! # fn example(options: es_serving::server::ServerOptions<String>) -> Result<(), Box<dyn std::error::Error>> {
//! use es_core::Secret;
//! use es_serving::server::ModelServer;
//!
//! let options = options.resolve(|variable| std::env::var(variable).map(Secret::new))?;
//! let server = ModelServer::connect(&options.for_model("late"))?;
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
