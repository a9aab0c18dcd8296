//! Embedding by a server with the interface of OpenAI: `POST /v1/embeddings`. Requests, their repetition and
//! the search for the texts at fault are those of [`crate::server`].

mod options;
mod requests;
mod wire;

use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::{StreamExt as _, TryStreamExt as _};

pub use options::{EmbeddingProtocol, EmbeddingServerOptions, InputTypes, RequestBatch};

use super::embedded::{Embedded, Outcome, Vectors};
use super::encoder::{Prefixes, Purpose};
use crate::error::{Error, ErrorKind};
use crate::open_inference::{Datatype, TensorData};
use crate::server::fault::Fault;
use crate::server::message::Call;
use crate::server::scored::{self, Piece, ScoreRows, Scored};
use crate::server::transport::{Transport, ask_rows};
use crate::signature::{Signature, TensorSpec};

/// The time between two questions for readiness.
const POLL: Duration = Duration::from_millis(250);

/// A text of which the length of vectors is known.
const PROBE: &str = "a text";

/// A model at an embedding server.
pub struct EmbeddingServer {
    transport: Transport,
    path: &'static [&'static str],
    model: String,
    dimensions: Option<usize>,
    prefixes: Prefixes,
    input_types: Option<InputTypes>,
    batch: RequestBatch,
    in_flight: usize,
    ready_within: Duration,
    /// The length of vectors, once one is known.
    dims: OnceLock<usize>,
    /// The model has embedded texts, so that it is not at fault when others fail.
    has_embedded: AtomicBool,
    /// The greatest number of texts that the server takes, as its refusals showed.
    most_texts: AtomicUsize,
}

impl EmbeddingServer {
    /// The model that the options name. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ErrorKind::ServerOptions`] as [`EmbeddingServerOptions::check`], and for a header that is none.
    pub fn connect(options: &EmbeddingServerOptions) -> Result<Self, Error> {
        options.check()?;
        let endpoint = options.endpoint();
        Ok(Self {
            transport: Transport::new(&endpoint)?,
            path: options.path(),
            model: options.model.clone(),
            dimensions: options.dimensions.map(|dims| usize::try_from(dims.get()).unwrap_or(usize::MAX)),
            prefixes: options.prefixes.clone(),
            input_types: options.input_types.clone(),
            batch: options.batch,
            in_flight: usize::try_from(options.in_flight.get()).unwrap_or(usize::MAX),
            ready_within: options.timeouts.ready.to_duration(),
            dims: OnceLock::new(),
            has_embedded: AtomicBool::new(false),
            most_texts: AtomicUsize::new(options.batch.texts.get()),
        })
    }

    /// Embeds a short text until the server answers, up to the limit of the options, and returns the length of
    /// its vectors.
    ///
    /// # Errors
    /// [`ErrorKind::NotReady`] with the last answer when the limit has passed; at once those that concern every
    /// text, as [`EmbeddingServer::embed`].
    pub async fn ready(&self) -> Result<usize, Error> {
        let start = Instant::now();
        loop {
            let embedded = self.embed(&[PROBE], Purpose::Passage).await?;
            let reason = match embedded.iter().next() {
                Some(super::TextVector::Rejected(reason) | super::TextVector::Unknown(reason)) => reason.clone(),
                _ => return Ok(embedded.vectors().dims),
            };
            if start.elapsed() + POLL > self.ready_within {
                let (address, limit) = (self.transport.address(), self.ready_within.as_secs_f64());
                let message = format!("the embedding server at {address} is not ready after {limit} s: {reason}");
                return Err(Error::new(ErrorKind::NotReady, message).retryable(true));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The length of the vectors, if the options say it or an answer showed it.
    #[must_use]
    pub fn dims(&self) -> Option<usize> {
        self.dimensions.or_else(|| self.dims.get().copied())
    }

    /// The name for documents: the address that is asked, with the model and the length of vectors that is
    /// asked for.
    #[must_use]
    pub fn identity(&self) -> String {
        let (address, path, model) = (self.transport.address(), self.path.join("/"), &self.model);
        match self.dimensions {
            None => format!("{address}/{path}#{model}"),
            Some(dims) => format!("{address}/{path}#{model}/{dims}"),
        }
    }

    /// Embeds texts, in as many requests as the limits of a batch make, side by side.
    ///
    /// A text is rejected in the server's words when the server refuses it alone, and when its vector is not
    /// finite. It is unknown when the server does not answer after all attempts.
    ///
    /// # Errors
    /// Those that concern every text alike: no access ([`ErrorKind::Unauthorized`]), an unknown model
    /// ([`ErrorKind::UnknownModel`]), a server that refuses every text with the same words, whose vectors have
    /// different lengths, or that is none ([`ErrorKind::Server`]).
    pub async fn embed(&self, texts: &[&str], purpose: Purpose) -> Result<Embedded, Error> {
        let id = uuid::Uuid::now_v7().to_string();
        let limits = RequestBatch { texts: self.most_texts(), ..self.batch };
        let ranges = requests::divide(texts.iter().map(|text| text.len()), limits);
        let batches = ranges.into_iter().map(|range| {
            let batch = Batch {
                server: self,
                id: format!("{id}/{}", range.start),
                texts: &texts[range],
                purpose,
                smallest_too_large: AtomicUsize::new(usize::MAX),
            };
            async move { batch.embed().await }
        });
        let done: Vec<Embedded> = futures::stream::iter(batches).buffered(self.in_flight).try_collect().await?;
        let mut embedded = Embedded::default();
        for more in done {
            embedded.append(more);
        }
        Ok(embedded)
    }

    fn most_texts(&self) -> std::num::NonZeroUsize {
        let most = self.most_texts.load(Ordering::Relaxed);
        std::num::NonZeroUsize::new(most).unwrap_or(std::num::NonZeroUsize::MIN)
    }

    /// Compares the length of vectors with the one that is known, and notes the first.
    fn check_dims(&self, found: usize) -> Result<(), Fault> {
        let expected = match self.dimensions {
            Some(dims) => dims,
            None => *self.dims.get_or_init(|| found),
        };
        if found == expected {
            return Ok(());
        }
        let why = if self.dimensions.is_some() { "were asked for" } else { "are those of vectors before" };
        Err(Fault::model(format!("a vector has {found} dimensions, and {expected} {why}")))
    }
}

impl std::fmt::Debug for EmbeddingServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddingServer").field("identity", &self.identity()).finish_non_exhaustive()
    }
}

/// The texts of one request, which may be halved.
struct Batch<'a> {
    server: &'a EmbeddingServer,
    id: String,
    texts: &'a [&'a str],
    purpose: Purpose,
    /// The smallest number of texts that was too large for a request.
    smallest_too_large: AtomicUsize,
}

impl Batch<'_> {
    async fn embed(&self) -> Result<Embedded, Error> {
        let server = self.server;
        let is_known = server.has_embedded.load(Ordering::Relaxed);
        let scored = scored::score(self, self.texts.len(), is_known, &signature(server.dims())).await?;
        if !scored.scored.is_empty() {
            server.has_embedded.store(true, Ordering::Relaxed);
        }
        let too_large = self.smallest_too_large.load(Ordering::Relaxed);
        // The number of texts was too large, and none of them is.
        if too_large != usize::MAX && scored.is_complete() {
            let most = (too_large / 2).max(1);
            if server.most_texts.fetch_min(most, Ordering::Relaxed) > most {
                tracing::info!(server = server.transport.address(), most, "requests have fewer texts from now on");
            }
        }
        Ok(account(scored, self.texts.len()))
    }
}

/// The only output of an embedding server, with a row for each text.
fn signature(dims: Option<usize>) -> Signature {
    let dims = dims.and_then(|dims| i64::try_from(dims).ok()).unwrap_or(-1);
    let output = TensorSpec { name: wire::OUTPUT.to_owned(), datatype: Datatype::Fp32, shape: vec![-1, dims] };
    Signature { outputs: vec![output], ..Signature::default() }
}

fn account(scored: Scored, texts: usize) -> Embedded {
    let mut outcomes = vec![Outcome::Unknown("not asked".into()); texts];
    for (place, text) in scored.scored.iter().enumerate() {
        outcomes[*text] = Outcome::Vector(place);
    }
    for one in scored.rejected {
        outcomes[one.row] = Outcome::Rejected(one.reason);
    }
    for one in scored.unknown {
        outcomes[one.row] = Outcome::Unknown(one.reason);
    }
    let (dims, data) = match scored.outputs.into_iter().next() {
        Some(output) => {
            let dims = output.shape().get(1).copied().unwrap_or(0);
            match output.into_data() {
                TensorData::Fp32(data) => (dims, data),
                _ => (dims, Vec::new()),
            }
        }
        None => (0, Vec::new()),
    };
    Embedded::new(Vectors { dims, data }, outcomes)
}

#[async_trait]
impl ScoreRows for Batch<'_> {
    fn noun(&self) -> &'static str {
        "texts"
    }

    async fn score_rows(&self, rows: Range<usize>, once_more: bool) -> Result<Piece, Error> {
        let server = self.server;
        let texts = &self.texts[rows.clone()];
        let prefix = server.prefixes.of(self.purpose);
        let input_type = server.input_types.as_ref().map(|types| types.of(self.purpose));
        let body = wire::request(&server.model, texts, prefix, server.dimensions, input_type)?;
        let id = if rows.len() == self.texts.len() { self.id.clone() } else { format!("{}:{rows:?}", self.id) };
        let call = Call::post(server.path.iter().copied(), &id, body);
        let piece = ask_rows(&server.transport, &call, once_more, |reply| {
            let output = wire::answer(&reply.body, rows.len())?;
            server.check_dims(output.shape()[1])?;
            Ok(vec![output])
        })
        .await?;
        // A refusal of the request, and not a failure of the server.
        let is_refusal = match &piece {
            Piece::NotSent(_) => true,
            Piece::Failed(reason) => reason.starts_with("status 4"),
            _ => false,
        };
        if is_refusal && rows.len() > 1 {
            self.smallest_too_large.fetch_min(rows.len(), Ordering::Relaxed);
        }
        Ok(piece)
    }
}
