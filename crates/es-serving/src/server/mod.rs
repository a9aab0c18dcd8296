//! Scoring by a model server, over one interface for every protocol.
//!
//! [`ModelServer`] sends rows as tensors and gives an account of each: scored, rejected in the server's
//! words, or unknown because the server did not answer. Answers are matched by the id of the request and
//! by the names of the outputs, and must have as many rows as were asked for. A batch that fails is halved
//! down to the rows that make it fail. Reading rows, the policy for missing values and the place of the
//! results are left to the caller.

mod breaker;
mod described;
pub(crate) mod fault;
pub(crate) mod json;
pub(crate) mod message;
pub(crate) mod options;
mod protocol;
pub(crate) mod quote;
mod retry;
pub(crate) mod scored;
mod tensors;
pub(crate) mod transport;

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::OnceCell;

pub use described::{Declared, Described};
pub use options::{BreakerOptions, Retries, ServerOptions, Timeouts};
pub use protocol::{
    Binary, MissingNumbers, OpenInferenceOptions, Protocol, TfServingForm, TfServingOptions, TorchserveEnvelope,
    TorchserveOptions,
};
pub use scored::{RejectedRow, Scored, UnknownRow};

use message::{Call, Reply};
use protocol::{Product, Wire};
use scored::{Piece, ScoreRows};
use transport::{Failure, Transport, ask_rows};

use crate::error::{Error, ErrorKind};
use crate::open_inference::Tensor;
use crate::signature::Signature;

/// The time between two questions for readiness.
const POLL: Duration = Duration::from_millis(250);

/// A model at a model server. Batches can be scored side by side, up to
/// [`in_flight`](ServerOptions::in_flight) requests at a time.
pub struct ModelServer {
    wire: Box<dyn Wire>,
    transport: Transport,
    ready_within: Duration,
    product: OnceCell<Product>,
    /// The model has scored rows, so that it is not at fault when others fail.
    has_scored: AtomicBool,
}

impl ModelServer {
    /// The model that the options name. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ErrorKind::ServerOptions`] as [`ServerOptions::check`], without a model, and for a header that is
    /// none.
    pub fn connect(options: &ServerOptions) -> Result<Self, Error> {
        options.check()?;
        let Some(model) = &options.model else {
            return Err(Error::new(ErrorKind::ServerOptions, "the model at the server has no name")
                .with_help("ServerOptions::for_model sets its registered name"));
        };
        Ok(Self {
            wire: options.protocol.wire(model, options.version.as_deref()),
            transport: Transport::new(&options.endpoint())?,
            ready_within: options.timeouts.ready.to_duration(),
            product: OnceCell::new(),
            has_scored: AtomicBool::new(false),
        })
    }

    /// Waits until the server lives and the model is ready, up to the limit of the options.
    ///
    /// # Errors
    /// [`ErrorKind::NotReady`] or [`ErrorKind::UnknownModel`] with the last answer when the limit has
    /// passed; at once [`ErrorKind::Unauthorized`], and [`ErrorKind::Server`] for what the server does not
    /// have, such as versions of a model.
    pub async fn ready(&self) -> Result<(), Error> {
        let start = Instant::now();
        loop {
            let (kind, reason) = match self.readiness().await? {
                None => return Ok(()),
                Some(reason) => reason,
            };
            if start.elapsed() + POLL > self.ready_within {
                let address = self.transport.address();
                let limit = self.ready_within.as_secs_f64();
                let message = format!("the model server at {address} is not ready after {limit} s: {reason}");
                return Err(Error::new(kind, message).retryable(kind == ErrorKind::NotReady));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Returns the description of the model at the server.
    ///
    /// # Errors
    /// Those of a request: [`ErrorKind::Unreachable`], [`ErrorKind::Unauthorized`],
    /// [`ErrorKind::UnknownModel`]; [`ErrorKind::Protocol`] for an answer that is none.
    pub async fn describe(&self) -> Result<Described, Error> {
        match self.wire.metadata() {
            None => Ok(Described::NOTHING),
            Some(call) => self.wire.read_metadata(&self.ask(&call).await?),
        }
    }

    /// Compares the model at the server with a signature, and returns its description.
    ///
    /// # Errors
    /// [`ErrorKind::Signature`] naming the tensor, what was expected and what the server has; also those
    /// of [`ModelServer::describe`].
    pub async fn check(&self, signature: &Signature) -> Result<Described, Error> {
        let described = self.describe().await?;
        described.check(signature)?;
        Ok(described)
    }

    /// Scores rows: the first dimension of each input. `id` names the batch in requests and in the
    /// server's log. Missing numbers are NaN.
    ///
    /// # Errors
    /// Those that concern every row alike, in which case none is scored: inputs that do not fit the
    /// signature ([`ErrorKind::Signature`]), missing numbers for a server that is not known to take them
    /// ([`ErrorKind::Unsupported`]), no access ([`ErrorKind::Unauthorized`]), an unknown model
    /// ([`ErrorKind::UnknownModel`]), a model that refuses or answers every row in the same wrong way
    /// ([`ErrorKind::Server`]). A server that does not answer is no error: the rows are
    /// [unknown](Scored::unknown).
    pub async fn score(&self, id: &str, inputs: &[Tensor], signature: &Signature) -> Result<Scored, Error> {
        let rows = tensors::check_inputs(inputs, signature)?;
        let batch = Batch { server: self, id, inputs, signature, rows };
        let scored = scored::score(&batch, rows, self.has_scored.load(Ordering::Relaxed), signature).await?;
        if !scored.scored.is_empty() {
            self.has_scored.store(true, Ordering::Relaxed);
        }
        Ok(scored)
    }

    /// The reason that the server is not ready, or none when it is.
    async fn readiness(&self) -> Result<Option<(ErrorKind, String)>, Error> {
        let calls = std::iter::once(self.wire.live()).chain(self.wire.ready());
        for (number, call) in calls.enumerate() {
            let reply = match self.transport.probe(&call).await {
                Ok(reply) => reply,
                Err(reason) => return Ok(Some((ErrorKind::NotReady, reason))),
            };
            let reason = format!("status {}: {}", reply.status, reply.words());
            match reply.status {
                401 | 403 => {
                    let message = format!("the model server at {} refuses access: {reason}", self.transport.address());
                    return Err(Error::new(ErrorKind::Unauthorized, message)
                        .with_help("set ServerOptions::token or ServerOptions::headers"));
                }
                200..=299 if number == 0 => {}
                200..=299 => {
                    if let Some(reason) = self.wire.not_ready(&reply) {
                        return Ok(Some((ErrorKind::NotReady, reason)));
                    }
                }
                // A feature that the server does not have, such as versions.
                501 => {
                    let message =
                        format!("the model server at {} cannot be asked so: {reason}", self.transport.address());
                    return Err(Error::new(ErrorKind::Server, message));
                }
                404 => return Ok(Some((ErrorKind::UnknownModel, reason))),
                _ => return Ok(Some((ErrorKind::NotReady, reason))),
            }
        }
        Ok(None)
    }

    /// The product behind the address, asked for once.
    async fn product(&self) -> Result<&Product, Failure> {
        let read = || async {
            let Some(call) = self.wire.product() else {
                return Ok(Product::default());
            };
            match self.transport.send(&call, true).await {
                Ok(reply) => Ok(read_product(&reply)),
                // A server need not describe itself.
                Err(Failure::Model(error)) if error.kind() != ErrorKind::Unauthorized => Ok(Product::default()),
                // No row is at fault.
                Err(Failure::Failed(reason) | Failure::TooLarge(reason)) => Err(Failure::NoAnswer(reason)),
                Err(failure) => Err(failure),
            }
        };
        self.product.get_or_try_init(read).await
    }

    async fn ask(&self, call: &Call) -> Result<Reply, Error> {
        self.transport.send(call, true).await.map_err(|failure| match failure {
            Failure::Model(error) => error,
            Failure::NoAnswer(reason) | Failure::TooLarge(reason) | Failure::Failed(reason) => {
                let message = format!("the model server at {} did not answer: {reason}", self.transport.address());
                Error::new(ErrorKind::Unreachable, message).retryable(true)
            }
        })
    }
}

impl std::fmt::Debug for ModelServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ModelServer").field("address", &self.transport.address()).finish_non_exhaustive()
    }
}

fn read_product(reply: &Reply) -> Product {
    let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
    let extensions = answer["extensions"].as_array().into_iter().flatten();
    Product {
        name: text("name"),
        version: text("version"),
        extensions: extensions.filter_map(|extension| extension.as_str().map(str::to_owned)).collect(),
    }
}

/// A batch of rows on its way to a server.
struct Batch<'a> {
    server: &'a ModelServer,
    id: &'a str,
    inputs: &'a [Tensor],
    signature: &'a Signature,
    rows: usize,
}

#[async_trait]
impl ScoreRows for Batch<'_> {
    async fn score_rows(&self, rows: Range<usize>, once_more: bool) -> Result<Piece, Error> {
        let is_whole = rows.len() == self.rows;
        let id = if is_whole { self.id.to_owned() } else { format!("{}:{}-{}", self.id, rows.start, rows.end) };
        let slices: Vec<Tensor>;
        let inputs = if is_whole {
            self.inputs
        } else {
            slices =
                self.inputs.iter().map(|tensor| tensors::slice(tensor, rows.clone())).collect::<Result<_, Error>>()?;
            &slices
        };
        let server = self.server;
        let call = match server.product().await {
            Ok(product) => match server.wire.request(&id, inputs, self.signature, product) {
                Ok(call) => call,
                // A value of one row, which is found by halving without a request.
                Err(error) if error.kind() == ErrorKind::Tensor => return Ok(Piece::NotSent(error.to_string())),
                Err(error) => return Err(error),
            },
            Err(failure) => return failure.try_into(),
        };
        ask_rows(&server.transport, &call, once_more, |reply| {
            server.wire.answer(&id, reply, rows.len(), self.signature)
        })
        .await
    }
}
