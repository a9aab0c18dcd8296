//! Requests over HTTP: limits, repetition, the circuit breaker. The meaning of statuses is decided by
//! `retry`.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use tokio::sync::Semaphore;

use super::breaker::Breaker;
use super::fault::Fault;
use super::message::{Call, Reply};
use super::options::Endpoint;
use super::protocol::binary;
use super::retry::{self, Meaning};
use super::scored::Piece;
use super::tensors;
use crate::error::{Error, ErrorKind};
use crate::open_inference::Tensor;

/// The way to a server.
pub(crate) struct Transport {
    client: reqwest::Client,
    base: reqwest::Url,
    /// The type of the options, for help.
    options: &'static str,
    first_wait: Duration,
    longest_wait: Duration,
    attempts: u32,
    max_body: u64,
    breaker: Mutex<Breaker>,
    in_flight: Semaphore,
}

/// The reason that a request has no answer of the model.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The server gave none, after all attempts.
    NoAnswer(String),
    /// It is larger than the limit, or its answer is.
    TooLarge(String),
    /// The server refused it, perhaps for some of its rows; its words.
    Failed(String),
    /// It fails for every row alike.
    Model(Error),
}

impl TryFrom<Failure> for Piece {
    type Error = Error;

    fn try_from(failure: Failure) -> Result<Self, Error> {
        match failure {
            Failure::NoAnswer(reason) => Ok(Self::NoAnswer(reason)),
            Failure::TooLarge(reason) => Ok(Self::NotSent(reason)),
            Failure::Failed(reason) => Ok(Self::Failed(reason)),
            Failure::Model(error) => Err(error),
        }
    }
}

/// One attempt that had no answer.
struct Broken {
    reason: String,
    retry_after: Option<Duration>,
    /// The answer was larger than the limit, and was not read to its end.
    is_too_large: bool,
}

impl Broken {
    fn new(reason: String) -> Self {
        Self { reason, retry_after: None, is_too_large: false }
    }
}

impl Transport {
    pub(crate) fn new(options: &Endpoint<'_>) -> Result<Self, Error> {
        let wrong = |message: String| Error::new(ErrorKind::ServerOptions, message);
        let client = reqwest::Client::builder()
            .default_headers(headers(options)?)
            .connect_timeout(options.timeouts.connect.to_duration())
            .timeout(options.timeouts.request.to_duration())
            // A token is never carried to another address.
            .redirect(Policy::none())
            .no_proxy()
            .user_agent(concat!("es-serving/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| wrong("the HTTP client cannot be made".to_owned()).with_source(error))?;
        let base =
            reqwest::Url::parse(options.url).map_err(|error| wrong(format!("the address is not valid: {error}")))?;
        let breaker = Breaker::new(options.breaker.failures.get(), options.breaker.pause.to_duration());
        Ok(Self {
            client,
            base,
            options: options.options,
            first_wait: options.retries.first_wait.to_duration(),
            longest_wait: options.retries.longest_wait.to_duration(),
            attempts: options.retries.attempts.get(),
            max_body: options.max_body_bytes.as_bytes(),
            breaker: Mutex::new(breaker),
            in_flight: Semaphore::new(usize::try_from(options.in_flight.get()).unwrap_or(Semaphore::MAX_PERMITS)),
        })
    }

    /// The address, for messages.
    pub(crate) fn address(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Sends a request until it is answered, as often as the options allow. With `once_more`, one that
    /// failed with the status 500 is repeated once.
    pub(crate) async fn send(&self, call: &Call, once_more: bool) -> Result<Reply, Failure> {
        let size = u64::try_from(call.body.as_ref().map_or(0, |body| body.len())).unwrap_or(u64::MAX);
        if size > self.max_body {
            let limit = self.max_body;
            return Err(Failure::TooLarge(format!("the request has {size} bytes, and at most {limit} are sent")));
        }
        let (mut attempt, mut may_repeat_failed) = (1, once_more);
        loop {
            let broken = match self.send_guarded(call).await? {
                Ok(reply) => {
                    let words = if reply.status < 300 { String::new() } else { reply.words() };
                    match retry::meaning(reply.status, &words) {
                        Meaning::Answer => return Ok(reply),
                        Meaning::Model(kind) => return Err(Failure::Model(self.refusal(kind, reply.status, &words))),
                        Meaning::Failed if reply.status == 500 && may_repeat_failed => {
                            may_repeat_failed = false;
                            continue;
                        }
                        Meaning::Failed => return Err(Failure::Failed(format!("status {}: {words}", reply.status))),
                        Meaning::NoAnswer => {
                            let reason = format!("status {}: {words}", reply.status);
                            Broken { retry_after: reply.retry_after, ..Broken::new(reason) }
                        }
                    }
                }
                Err(broken) if broken.is_too_large => return Err(Failure::TooLarge(broken.reason)),
                Err(broken) => broken,
            };
            if attempt >= self.attempts {
                return Err(Failure::NoAnswer(format!("{} (attempt {attempt} of {})", broken.reason, self.attempts)));
            }
            tracing::debug!(attempt, reason = broken.reason, "a model server did not answer");
            let wait =
                retry::wait(self.first_wait, self.longest_wait, attempt - 1, broken.retry_after, fastrand::f64());
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    /// Sends a request once, outside of the breaker.
    ///
    /// # Errors
    /// The reason that there is no answer.
    pub(crate) async fn probe(&self, call: &Call) -> Result<Reply, String> {
        self.send_once(call).await.map_err(|broken| broken.reason)
    }

    fn refusal(&self, kind: ErrorKind, status: u16, words: &str) -> Error {
        let (address, options) = (self.address(), self.options);
        match kind {
            ErrorKind::Unauthorized => {
                Error::new(kind, format!("the model server at {address} refuses access with status {status}: {words}"))
                    .with_help(format!("set {options}::token or {options}::headers"))
            }
            ErrorKind::UnknownModel => Error::new(
                kind,
                format!("the model server at {address} does not know the model: status {status}: {words}"),
            )
            .with_help(format!("{options}::model names it as the server does")),
            _ => Error::new(
                kind,
                format!("the model server at {address} refuses every request: status {status}: {words}"),
            ),
        }
    }

    /// Sends a request once, if the breaker allows it, and notes the outcome.
    async fn send_guarded(&self, call: &Call) -> Result<Result<Reply, Broken>, Failure> {
        // The semaphore is never closed.
        let _place = self.in_flight.acquire().await.ok();
        if let Err(wait) = self.breaker().ask(Instant::now()) {
            let seconds = wait.as_secs_f64().ceil();
            let address = self.address();
            return Err(Failure::NoAnswer(format!(
                "not sent: requests to {address} failed one after another, and the next is tried in {seconds} s"
            )));
        }
        let mut outcome = Outcome { transport: self, is_noted: false };
        let result = self.send_once(call).await;
        let is_answer = match &result {
            Ok(reply) => retry::meaning(reply.status, "") != Meaning::NoAnswer,
            Err(broken) => broken.is_too_large,
        };
        outcome.is_noted = true;
        if is_answer {
            self.breaker().answered();
        } else if self.breaker().failed(Instant::now()) {
            tracing::warn!(server = self.address(), "requests failed one after another: none is sent for a while");
        }
        Ok(result)
    }

    async fn send_once(&self, call: &Call) -> Result<Reply, Broken> {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(&call.path);
        }
        let mut request = match &call.body {
            Some(body) => self.client.post(url).header(CONTENT_TYPE, call.content_type).body(body.clone()),
            None => self.client.get(url),
        };
        for (name, value) in &call.headers {
            // An id that a header cannot have is left out of the server's log.
            if let Ok(value) = HeaderValue::from_str(value) {
                request = request.header(*name, value);
            }
        }
        let broken = |error: reqwest::Error| Broken::new(reason_of(&error));
        let mut response = request.send().await.map_err(broken)?;
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut reply = Reply {
            status: response.status().as_u16(),
            header_length: header(binary::HEADER).and_then(|length| length.parse().ok()),
            retry_after: header(RETRY_AFTER.as_str()).and_then(|value| retry::retry_after(&value, SystemTime::now())),
            ..Reply::default()
        };
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            body.extend_from_slice(&chunk);
            if u64::try_from(body.len()).unwrap_or(u64::MAX) > self.max_body {
                let reason = format!("the answer has more than {} bytes", self.max_body);
                return Err(Broken { is_too_large: true, ..Broken::new(reason) });
            }
        }
        reply.body = body.into();
        Ok(reply)
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        // Nothing that holds it panics.
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends a request for some rows, and reads its answer. With `once_more`, one that cannot be used is asked for
/// again.
///
/// # Errors
/// Those that concern every row alike.
pub(crate) async fn ask_rows(
    transport: &Transport,
    call: &Call,
    mut once_more: bool,
    read: impl Fn(&Reply) -> Result<Vec<Tensor>, Fault>,
) -> Result<Piece, Error> {
    loop {
        let reply = match transport.send(call, once_more).await {
            Ok(reply) => reply,
            Err(failure) => return failure.try_into(),
        };
        match read(&reply) {
            Ok(outputs) => {
                let without_number = tensors::not_finite(&outputs);
                return Ok(Piece::Outputs(outputs, without_number));
            }
            Err(Fault::Rows(_)) if once_more => once_more = false,
            Err(Fault::Rows(reason)) if is_markup(&reply) => {
                let message =
                    format!("{} answers with a page, and not as a model server: {reason}", transport.address());
                let help = format!("{}::url is the address of the model server, past any login", transport.options);
                return Err(Error::new(ErrorKind::Server, message).with_help(help));
            }
            Err(Fault::Rows(reason)) => return Ok(Piece::Failed(reason)),
            Err(Fault::Model(reason)) => {
                let message = format!("the model at {} does not fit: {reason}", transport.address());
                return Err(Error::new(ErrorKind::Server, message).with_help("compare it with the signature"));
            }
        }
    }
}

/// Returns true for HTML and XML, which come from something before the server and concern no row.
fn is_markup(reply: &Reply) -> bool {
    reply.body.trim_ascii_start().starts_with(b"<")
}

/// Tells the breaker about a request that is dropped before its end.
struct Outcome<'a> {
    transport: &'a Transport,
    is_noted: bool,
}

impl Drop for Outcome<'_> {
    fn drop(&mut self) {
        if !self.is_noted {
            self.transport.breaker().abandoned(Instant::now());
        }
    }
}

fn headers(options: &Endpoint<'_>) -> Result<HeaderMap, Error> {
    let wrong = |message: String| Error::new(ErrorKind::ServerOptions, message);
    let secret = |name: &str, text: &str| -> Result<HeaderValue, Error> {
        let mut value = HeaderValue::from_str(text)
            .map_err(|_| wrong(format!("the value of the header {name} has characters that no header has")))?;
        value.set_sensitive(true);
        Ok(value)
    };
    let mut headers = HeaderMap::new();
    for (name, value) in options.headers {
        let known = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| wrong(format!("`{name}` is not the name of a header")))?;
        headers.insert(known, secret(name, value.expose())?);
    }
    if let Some(token) = options.token {
        if headers.contains_key(AUTHORIZATION) {
            return Err(wrong("a token and the header authorization are both given, expected one of them".to_owned()));
        }
        headers.insert(AUTHORIZATION, secret("authorization", &format!("Bearer {}", token.expose()))?);
    }
    Ok(headers)
}

/// The innermost cause, which says more than `error sending request`.
pub(crate) fn reason_of(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let stage = match error {
        _ if error.is_timeout() => return "no answer within the time limit".to_owned(),
        _ if error.is_connect() => "no connection",
        _ if error.is_body() || error.is_decode() => "the answer broke off",
        _ => "no answer",
    };
    format!("{stage}: {innermost}")
}
