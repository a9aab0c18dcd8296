//! Registered models and the protocols that serve them.
//!
//! The [`registry`] keeps versions of models and the aliases that point to them, [`onnx`] scores files
//! in the format ONNX in this process, [`server`] rows by a model server, [`embedding`] makes vectors of
//! texts, and [`ingest_pipeline`] has the cluster change documents as they are indexed. Training is left to other
//! programs; reading rows, scoring and writing predictions are joined by the orchestrator.
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
//! # Scoring a file
//!
//! ```no_run
//! use es_serving::onnx::{OnnxModel, OnnxOptions, OnnxRuntime};
//! use es_serving::open_inference::{Tensor, TensorData};
//!
//! # fn main() -> Result<(), es_serving::Error> {
//! let runtime = OnnxRuntime::load(None)?; // ORT_DYLIB_PATH, or beside the program
//! let model = OnnxModel::open(&runtime, "model.onnx".as_ref(), OnnxOptions::default())?;
//! print!("{}", model.file()); // operators, inputs, outputs
//! let rows = Tensor::new("rows", vec![2, 3], TensorData::Fp32(vec![1.0, 2.0, f32::NAN, 4.0, 5.0, 6.0]))?;
//! for output in model.score(vec![rows])? {
//!     println!("{} {:?}", output.name(), output.shape());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Registering and promoting a version
//!
//! [`registry`] keeps versions of models, and the aliases that point to them, in Elasticsearch.
//!
//! ```no_run
//! # async fn example(client: es_core::Client) -> Result<(), Box<dyn std::error::Error>> {
//! use es_serving::Signature;
//! use es_serving::registry::{Expected, ModelFolder, Move, NewVersion, PromotionRule, Registry, Terms};
//!
//! let registry = Registry::new(client, "ml-");
//! let file = ModelFolder::new("models").put("model.onnx".as_ref()).await?;
//! let signature: Signature = serde_json::from_slice(&std::fs::read("signature.json")?)?;
//! let version = NewVersion::onnx("late", &file, signature).by("ana").with_metric("auc", "test", 0.93);
//! let number = registry.register(version).await?.version().number;
//!
//! // From version 2, unless it is worse than that on the test part.
//! let terms = Terms { expected: Expected::From(Some(2)), rule: Some(PromotionRule::new("auc")) };
//! let by = Move::by("ana").why("trained on three months more");
//! registry.promote("late", "champion", number, &by, &terms).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Finding the version of an alias
//!
//! ```no_run
//! # async fn example(registry: es_serving::registry::Registry) -> Result<(), Box<dyn std::error::Error>> {
//! use es_serving::registry::{Location, ModelFolder};
//!
//! let version = registry.version(&"models:/late@champion".parse()?).await?;
//! match (&version.location, version.sha256) {
//!     // The file is read whole, and compared with what was registered.
//!     (Location::File(_), Some(sha256)) => println!("{}", ModelFolder::new("models").open(sha256).await?.display()),
//!     (location, _) => println!("{location:?}"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Which version was live
//!
//! ```no_run
//! # async fn example(registry: es_serving::registry::Registry) -> Result<(), Box<dyn std::error::Error>> {
//! match registry.live_at("late", "champion", "2026-10-01T00:00:00Z".parse()?).await? {
//!     Some(step) => println!("version {}: {step}", step.to),
//!     None => println!("none yet"),
//! }
//! # Ok(())
//! # }
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
//! # Embedding texts
//!
//! [`embedding`] divides texts into passages, and makes vectors of them: by a registered model with its tokenizer, or
//! by a server with the interface of OpenAI.
//!
//! ```no_run
//! # async fn example(version: es_serving::registry::Version, text: &str) -> Result<(), es_serving::Error> {
//! use es_serving::embedding::{Chunker, Chunking, EmbedOptions, Embedder, OnnxEmbedder, Purpose, TextVector};
//! use es_serving::onnx::OnnxRuntime;
//! use es_serving::registry::ModelFolder;
//!
//! let (runtime, folder) = (OnnxRuntime::load(None)?, ModelFolder::new("models"));
//! let model = OnnxEmbedder::open_version(&runtime, &folder, &version, EmbedOptions::default()).await?;
//! let embedder = Embedder::from(model); // or of an EmbeddingServer
//!
//! let passages = Chunker::new(Chunking::default(), embedder.token_limit())?.split(text)?;
//! let texts: Vec<&str> = passages.iter().map(|passage| passage.text.as_str()).collect();
//! let embedded = embedder.embed(&texts, Purpose::Passage).await?;
//! for (passage, vector) in passages.iter().zip(embedded.iter()) {
//!     match vector {
//!         TextVector::Vector(vector) => println!("{}..{}: {vector:?}", passage.start, passage.end),
//!         TextVector::Rejected(reason) | TextVector::Unknown(reason) => println!("{}: {reason}", passage.text),
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Secrets of servers
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
//!
//! # Changing documents as they are indexed
//!
//! [`ingest_pipeline`] creates ingest pipelines from configuration, tries them on samples, and attaches
//! them to indices.
//!
//! ```no_run
//! # async fn example(client: es_core::Client) -> Result<(), Box<dyn std::error::Error>> {
//! use es_core::IndexSettings;
//! use es_serving::ingest_pipeline::{IngestPipeline, IngestPipelines};
//!
//! let pipeline = r#"{"processors": [{"uppercase": {"field": "origin"}}]}"#;
//! let pipeline: IngestPipeline = serde_json::from_str(pipeline)?;
//! let pipelines = IngestPipelines::new(client, "ml-");
//! let name = pipelines.ensure("departures", &pipeline).await?;
//! let settings = name.attach(IndexSettings::default())?; // of the next generation
//! pipelines.remove_unused("departures", &[name]).await?;
//! # Ok(())
//! # }
//! ```

mod answer;
pub mod embedding;
mod error;
pub mod ingest_pipeline;
mod model_reference;
pub mod onnx;
pub mod open_inference;
pub mod registry;
pub mod server;
mod signature;

pub use answer::Outputs;
pub use error::{Error, ErrorKind};
pub use model_reference::{ModelReference, ModelVersion};
pub use signature::{InputColumn, Layout, Signature, TensorSpec};
