//! Texts as vectors: dividing them into passages and tokens, and embedding them by a model in this process
//! or by a server.
//!
//! [`Chunking`] divides a text into [`Passage`]s. An [`Embedder`] makes a vector of each text, by a model in
//! the format ONNX with its tokenizer ([`OnnxEmbedder`]) or by a server with the interface of OpenAI
//! ([`EmbeddingServer`]), and gives an account of every text: a vector, rejected with the reason, or unknown
//! because a server did not answer. Reading texts, writing documents and the choice of texts that are
//! embedded again are left to the caller.

mod batches;
mod chunking;
mod embedded;
mod embedder;
mod encoder;
mod onnx;
mod passages;
mod pooling;
pub mod server;
mod tokenizer;

pub use chunking::{Chunker, Chunking, Passage, TokenLimit};
pub use embedded::{Embedded, TextVector, Vectors};
pub use embedder::Embedder;
pub use encoder::{Pooling, Prefixes, Purpose, TextEncoder};
pub use onnx::{EmbedBatch, EmbedOptions, OnnxEmbedder};
pub use server::{EmbeddingServer, EmbeddingServerOptions};
pub use tokenizer::TextTokenizer;
