//! Registered models and the protocols that serve them.
//!
//! - [`ModelReference`] is how a pipeline names a model: `models:/late@champion` or
//!   `models:/late/3`.
//! - [`open_inference`] has the messages of the Open Inference Protocol, which KServe,
//!   Triton and MLServer speak: tensors whose shape and data always fit.
//!
//! The registry of models in Elasticsearch, batched scoring of documents and ingest
//! pipelines belong to this crate as well. Training is left to other programs, and what
//! joins reading, scoring and writing back to the orchestrator.
//!
//! ```
//! use es_serving::ModelReference;
//! let model: ModelReference = "models:/late/3".parse()?;
//! assert_eq!(model.name(), "late");
//! # Ok::<(), es_serving::Error>(())
//! ```

mod error;
mod model_reference;
pub mod open_inference;

pub use error::{Error, ErrorKind};
pub use model_reference::{ModelReference, ModelVersion};
