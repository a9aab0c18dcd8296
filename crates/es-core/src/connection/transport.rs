//! One attempt of one request at one node: headers, body, limits. The client chooses the node and
//! decides on retries.

use std::io::Write as _;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use url::Url;

use crate::connection::access::Access;
use crate::connection::config::{ClusterConfig, KeepAlive};
use crate::connection::diagnosis::{self, Exchange};
use crate::connection::product::ClusterInfo;
use crate::connection::proxy::Proxy;
use crate::connection::retry_after;
use crate::connection::tls::{TlsConfig, Verification};
use crate::error::{Error, ErrorKind};
use crate::request::{BodyFormat, Method, Request};

/// Bodies smaller than this are not compressed.
const COMPRESS_FROM: usize = 1024;

/// The time limit for a server that speaks first.
const GREETING_LIMIT: Duration = Duration::from_secs(1);

/// The time limit for finding out that a port speaks TLS.
const EXPLAIN_LIMIT: Duration = Duration::from_secs(5);

/// The HTTP client and the limits of requests.
pub(crate) struct Transport {
    http: reqwest::Client,
    proxy: Option<Proxy>,
    connect_timeout: Duration,
    request_timeout: Duration,
    compression: bool,
    max_response_size: usize,
}

/// The answer to one attempt.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
    pub(crate) headers: HeaderMap,
}

impl Answer {
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The header by which Elasticsearch identifies itself.
    pub(crate) fn product(&self) -> Option<&str> {
        self.header("x-elastic-product")
    }

    /// The target of a redirect.
    pub(crate) fn location(&self) -> Option<&str> {
        if (300..400).contains(&self.status) { self.header(LOCATION.as_str()) } else { None }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

impl Transport {
    pub(crate) fn new(config: &ClusterConfig) -> Result<Self, Error> {
        let proxy = config.proxy.as_ref();
        let http = builder(&config.tls, config.connect_timeout, &config.keep_alive, proxy)?
            .gzip(config.compression)
            .build()
            .map_err(unusable)?;
        Ok(Self {
            http,
            proxy: config.proxy.clone(),
            connect_timeout: config.connect_timeout,
            request_timeout: config.request_timeout,
            compression: config.compression,
            max_response_size: config.max_response_size,
        })
    }

    pub(crate) fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }

    /// Sends a request to a node, and returns its answer, of any status. `info` describes the
    /// cluster; until it is known, media types are those that every version accepts.
    pub(crate) async fn attempt(
        &self,
        request: &Request,
        body: &Bytes,
        node: &Url,
        access: &Access,
        info: Option<&ClusterInfo>,
    ) -> Result<Answer, Error> {
        let mut url = node.clone();
        url.set_path(&format!("{}{}", node.path().trim_end_matches('/'), request.path));
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(request.query.iter().map(|(name, value)| (&**name, value.as_str())));
        }
        let limit = request.timeout.unwrap_or(self.request_timeout);
        let media_type = |format| info.map_or_else(|| "application/json".to_owned(), |info| info.media_type(format));
        let mut builder = self
            .http
            .request(request.method.http(), url)
            .timeout(limit)
            .headers(access.headers().clone())
            .headers(request.headers.clone())
            .header(ACCEPT, media_type(BodyFormat::Json));
        if !request.body.is_empty() {
            builder = builder.header(CONTENT_TYPE, media_type(request.format)).body(body.clone());
            if self.compresses(request) {
                builder = builder.header(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            }
        }
        let exchange = Exchange { url: node, proxy: self.proxy.as_ref(), limit, is_known: info.is_some() };
        let named =
            |error: Error| error.with_request(request.method.as_str(), &request.path, &diagnosis::printable(node));
        let mut response = builder.send().await.map_err(|error| named(diagnosis::of_transport(error, exchange)))?;
        let status = response.status().as_u16();
        let headers = std::mem::take(response.headers_mut());
        let announced = response.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
        // The answer to HEAD announces the length of a body that does not follow.
        if announced > self.max_response_size && request.method != Method::Head {
            return Err(named(self.too_large(request, node)).with_status(status));
        }
        let mut whole = BytesMut::new();
        while let Some(chunk) =
            response.chunk().await.map_err(|error| named(diagnosis::of_transport(error, exchange)))?
        {
            if whole.len() + chunk.len() > self.max_response_size {
                return Err(named(self.too_large(request, node)).with_status(status));
            }
            if whole.is_empty() {
                // The announced bytes may not come, so the reserve is limited.
                whole.reserve(announced.max(request.likely_bytes).min(16 << 20).max(chunk.len()));
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, body: whole.freeze() })
    }

    fn too_large(&self, request: &Request, node: &Url) -> Error {
        let (method, path, limit) = (request.method.as_str(), &request.path, self.max_response_size);
        let node = diagnosis::printable(node);
        Error::new(
            ErrorKind::AnswerTooLarge,
            format!("the answer of {node} to {method} {path} is larger than {limit} bytes"),
        )
        .with_help("request less at once, such as a smaller page, or raise ClusterConfig::max_response_size")
    }

    /// The error of an answer without success.
    pub(crate) fn failure(&self, request: &Request, answer: &Answer, node: &Url, access: &Access) -> Error {
        let method = request.method.as_str();
        let named = |error: Error| error.with_request(method, &request.path, &diagnosis::printable(node));
        if let Some(location) = answer.location() {
            return named(diagnosis::redirected(node, location).with_status(answer.status));
        }
        let limit = request.timeout.unwrap_or(self.request_timeout);
        let exchange = Exchange { url: node, proxy: self.proxy.as_ref(), limit, is_known: true };
        let asked = answer.header(RETRY_AFTER.as_str());
        let path = request.path.as_str();
        named(diagnosis::of_status(answer.status, &answer.body, exchange, (method, path), access.credentials()))
            .with_retry_after(asked.and_then(|text| retry_after::parse(text, SystemTime::now())))
    }

    /// Explains an error to a person: a plain HTTP request to a TLS port just breaks, so the port is tried
    /// once with TLS. No credentials are sent.
    pub(crate) async fn explain(&self, error: Error, node: &Url) -> Error {
        let puzzling = matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::NotElasticsearch);
        if node.scheme() != "http" || !puzzling {
            return error;
        }
        let mut secure = node.clone();
        // An address without a port means 80 to http.
        let port = node.port_or_known_default();
        if secure.set_scheme("https").is_err() || secure.set_port(port).is_err() {
            return error;
        }
        let anyone = TlsConfig { verification: Verification::None, ..TlsConfig::default() };
        let client = builder(&anyone, EXPLAIN_LIMIT, &KeepAlive::default(), self.proxy.as_ref())
            .and_then(|builder| builder.build().map_err(unusable));
        match client {
            Ok(client) if client.get(secure).timeout(EXPLAIN_LIMIT).send().await.is_ok() => {
                diagnosis::needs_https(node)
            }
            // By chance, the client sees either the greeting of the server or only a broken connection.
            _ if error.kind() == ErrorKind::Interrupted && self.proxy.is_none() && speaks_first(node).await => {
                diagnosis::not_http(node).with_source(error)
            }
            _ => error,
        }
    }

    fn compresses(&self, request: &Request) -> bool {
        self.compression && request.body.len() >= COMPRESS_FROM
    }

    /// The body as it is sent, encoded once for all attempts.
    pub(crate) async fn encoded_body(&self, request: &Request) -> Result<Bytes, Error> {
        if !self.compresses(request) {
            return Ok(request.body.clone());
        }
        let plain = request.body.clone();
        let compress = move || {
            let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 4), Compression::fast());
            encoder.write_all(&plain).and_then(|()| encoder.finish())
        };
        // Compression takes milliseconds, and would block an asynchronous thread.
        let compressed = tokio::task::spawn_blocking(compress).await.map_err(std::io::Error::other).flatten();
        compressed.map(Bytes::from).map_err(|source| {
            let (method, path) = (request.method.as_str(), &request.path);
            Error::new(ErrorKind::BadRequest, format!("the body of {method} {path} cannot be compressed"))
                .with_source(source)
        })
    }
}

fn builder(
    tls: &TlsConfig,
    connect_timeout: Duration,
    keep_alive: &KeepAlive,
    proxy: Option<&Proxy>,
) -> Result<reqwest::ClientBuilder, Error> {
    let builder = reqwest::Client::builder()
        .use_preconfigured_tls(tls.client_config()?)
        .connect_timeout(connect_timeout)
        .redirect(reqwest::redirect::Policy::none())
        // The environment's proxies are for browsing; a cluster's is part of its configuration.
        .no_proxy()
        .http1_only()
        .tcp_nodelay(true)
        .tcp_keepalive(keep_alive.tcp)
        .pool_idle_timeout(keep_alive.idle)
        .user_agent(concat!("es-core/", env!("CARGO_PKG_VERSION")));
    Ok(match proxy {
        Some(proxy) => builder.proxy(proxy.rule()?),
        None => builder,
    })
}

/// Returns `true` if a server speaks first, which no HTTP server does.
async fn speaks_first(node: &Url) -> bool {
    let (Some(host), Some(port)) = (node.host_str(), node.port_or_known_default()) else { return false };
    let listen = async {
        let mut stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await?;
        stream.read_u8().await
    };
    matches!(tokio::time::timeout(GREETING_LIMIT, listen).await, Ok(Ok(_)))
}

fn unusable(source: reqwest::Error) -> Error {
    Error::new(ErrorKind::Config, "the HTTP client cannot be set up").with_source(source)
}
