//! One way to embed texts, in this process or by a server.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task;

use super::chunking::TokenLimit;
use super::embedded::Embedded;
use super::encoder::Purpose;
use super::onnx::OnnxEmbedder;
use super::server::EmbeddingServer;
use crate::error::{Error, ErrorKind};

/// A model that makes vectors of texts.
#[derive(Clone, Debug)]
pub struct Embedder {
    inner: Inner,
}

#[derive(Clone, Debug)]
enum Inner {
    Onnx {
        model: Arc<OnnxEmbedder>,
        /// One call at a time: it uses the threads of its options.
        turn: Arc<Semaphore>,
    },
    Server(Arc<EmbeddingServer>),
}

impl From<OnnxEmbedder> for Embedder {
    fn from(model: OnnxEmbedder) -> Self {
        Self { inner: Inner::Onnx { model: Arc::new(model), turn: Arc::new(Semaphore::new(1)) } }
    }
}

impl From<EmbeddingServer> for Embedder {
    fn from(server: EmbeddingServer) -> Self {
        Self { inner: Inner::Server(Arc::new(server)) }
    }
}

impl Embedder {
    /// Embeds texts. A model in this process works off the asynchronous threads, on one call at a time; a call that is
    /// given up is computed to its end all the same, so that some thousand texts a call are enough.
    ///
    /// # Errors
    /// Those that concern every text alike, as [`OnnxEmbedder::embed`] and [`EmbeddingServer::embed`]. A server
    /// that does not answer is none: the texts are unknown.
    pub async fn embed(&self, texts: &[&str], purpose: Purpose) -> Result<Embedded, Error> {
        match &self.inner {
            Inner::Server(server) => server.embed(texts, purpose).await,
            Inner::Onnx { model, turn } => {
                let interrupted = || Error::new(ErrorKind::Scoring, "the computation of vectors was interrupted");
                // The semaphore is never closed. The permit goes along, for a computation cannot be given up.
                let turn = turn.clone().acquire_owned().await.map_err(|_| interrupted())?;
                let model = model.clone();
                let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
                let work = move || {
                    let _turn = turn;
                    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                    model.embed(&texts, purpose)
                };
                task::spawn_blocking(work).await.unwrap_or_else(|error| Err(interrupted().with_source(error)))
            }
        }
    }

    /// Waits until the model can be used, and returns the length of its vectors: a server is asked up to the
    /// limit of its options.
    ///
    /// # Errors
    /// As [`EmbeddingServer::ready`].
    pub async fn ready(&self) -> Result<usize, Error> {
        match &self.inner {
            Inner::Onnx { model, .. } => Ok(model.dims()),
            Inner::Server(server) => server.ready().await,
        }
    }

    /// The length of the vectors. That of a server is known from its options, or from the first answer on.
    #[must_use]
    pub fn dims(&self) -> Option<usize> {
        match &self.inner {
            Inner::Onnx { model, .. } => Some(model.dims()),
            Inner::Server(server) => server.dims(),
        }
    }

    /// The name of the model for documents, which is the same in every run: that of the version, or the
    /// address of the server with the model there.
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.inner {
            Inner::Onnx { model, .. } => model.identity().to_owned(),
            Inner::Server(server) => server.identity(),
        }
    }

    /// The tokenizer of the model, for [`Chunker::new`](super::Chunker::new); none of a server.
    #[must_use]
    pub fn token_limit(&self) -> Option<TokenLimit> {
        match &self.inner {
            Inner::Onnx { model, .. } => Some(model.token_limit()),
            Inner::Server(_) => None,
        }
    }
}
