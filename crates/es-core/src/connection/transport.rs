//! One attempt of one request at one node: headers, credentials, body, limits. Which node, and
//! whether again, is the client's to decide.

use std::io::Write as _;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER,
};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use url::Url;

use crate::connection::config::{ClusterConfig, KeepAlive};
use crate::connection::credentials::Credentials;
use crate::connection::diagnosis::{self, Exchange};
use crate::connection::product::ClusterInfo;
use crate::connection::proxy::Proxy;
use crate::connection::retry_after;
use crate::connection::tls::{TlsConfig, Verification};
use crate::error::{Error, ErrorKind};
use crate::request::{BodyFormat, Method, Request};

/// Bodies below this size are not worth compressing.
const COMPRESS_FROM: usize = 1024;

/// How long a server that speaks first is listened to.
const GREETING_LIMIT: Duration = Duration::from_secs(1);

/// How long finding out whether a port speaks TLS may take.
const EXPLAIN_LIMIT: Duration = Duration::from_secs(5);

/// The HTTP client and what goes along with every request.
pub(crate) struct Transport {
    http: reqwest::Client,
    credentials: Credentials,
    headers: HeaderMap,
    proxy: Option<Proxy>,
    connect_timeout: Duration,
    request_timeout: Duration,
    compression: bool,
    max_response_size: usize,
}

/// What one attempt brought back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
    pub(crate) headers: HeaderMap,
}

impl Answer {
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The header by which Elasticsearch is known.
    pub(crate) fn product(&self) -> Option<&str> {
        self.header("x-elastic-product")
    }

    /// Where the answer points to, if it is a redirect.
    pub(crate) fn location(&self) -> Option<&str> {
        if (300..400).contains(&self.status) { self.header(LOCATION.as_str()) } else { None }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

impl Transport {
    pub(crate) fn new(config: &ClusterConfig, credentials: Credentials) -> Result<Self, Error> {
        let mut headers = config.headers.to_map()?;
        if let Some(value) = credentials.header()? {
            headers.insert(AUTHORIZATION, value);
        }
        let proxy = config.proxy.as_ref();
        let http = builder(&config.tls, config.connect_timeout, &config.keep_alive, proxy)?
            .gzip(config.compression)
            .build()
            .map_err(unusable)?;
        Ok(Self {
            http,
            credentials,
            headers,
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

    /// Asks a node for an answer of any status, or for why there is none. `info` is what is
    /// known of the cluster; until it is known, media types are the ones every version takes.
    pub(crate) async fn attempt(
        &self,
        request: &Request,
        body: &Bytes,
        node: &Url,
        info: Option<&ClusterInfo>,
    ) -> Result<Answer, Error> {
        let mut url = node.clone();
        url.set_path(&format!("{}{}", node.path().trim_end_matches('/'), request.path));
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(request.query.iter().map(|(name, value)| (*name, value.as_str())));
        }
        let limit = request.timeout.unwrap_or(self.request_timeout);
        let media_type = |format| info.map_or_else(|| "application/json".to_owned(), |info| info.media_type(format));
        let mut builder = self
            .http
            .request(request.method.http(), url)
            .timeout(limit)
            .headers(self.headers.clone())
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
        // To a HEAD request the length is that of a body that does not follow.
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
                // What is announced may not come: memory is only taken for what is likely.
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
        .with_help("ask for less at once, such as a smaller page, or raise max_response_size")
    }

    /// The error that an answer without success means.
    pub(crate) fn failure(&self, request: &Request, answer: &Answer, node: &Url) -> Error {
        let method = request.method.as_str();
        let named = |error: Error| error.with_request(method, &request.path, &diagnosis::printable(node));
        if let Some(location) = answer.location() {
            return named(diagnosis::redirected(node, location).with_status(answer.status));
        }
        let limit = request.timeout.unwrap_or(self.request_timeout);
        let exchange = Exchange { url: node, proxy: self.proxy.as_ref(), limit, is_known: true };
        let asked = answer.header(RETRY_AFTER.as_str());
        let path = request.path.as_str();
        named(diagnosis::of_status(answer.status, &answer.body, exchange, (method, path), &self.credentials))
            .with_retry_after(asked.and_then(|text| retry_after::parse(text, SystemTime::now())))
    }

    /// A plain HTTP request to a TLS port just breaks; asking the port once in TLS tells a
    /// person why. No credentials are sent.
    pub(crate) async fn explain(&self, error: Error, node: &Url) -> Error {
        let puzzling = matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::NotElasticsearch);
        if node.scheme() != "http" || !puzzling {
            return error;
        }
        let mut secure = node.clone();
        // The address may have been written without a port, which means 80 to http.
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
            // Whether the client sees what a server says first, or only that the connection is of
            // no use, is a matter of chance.
            _ if error.kind() == ErrorKind::Interrupted && self.proxy.is_none() && speaks_first(node).await => {
                diagnosis::not_http(node).with_source(error)
            }
            _ => error,
        }
    }

    fn compresses(&self, request: &Request) -> bool {
        self.compression && request.body.len() >= COMPRESS_FROM
    }

    /// The body as it is sent. It is made once for all attempts.
    pub(crate) async fn encoded_body(&self, request: &Request) -> Result<Bytes, Error> {
        if !self.compresses(request) {
            return Ok(request.body.clone());
        }
        let plain = request.body.clone();
        let compress = move || {
            let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 4), Compression::fast());
            encoder.write_all(&plain).and_then(|()| encoder.finish())
        };
        // Compression takes milliseconds, which the asynchronous threads must not spend.
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
        // The environment's proxies are for browsing; a cluster's is set with the cluster.
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

/// Whether a server speaks before it is spoken to, which no server of HTTP does.
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
