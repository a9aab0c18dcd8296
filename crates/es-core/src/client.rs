//! The client: carries requests to the nodes, again where that is allowed.

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use tracing::{debug, warn};

use crate::cluster::{CapabilityCache, Cluster};
use crate::config::ClusterConfig;
use crate::credentials::Credentials;
use crate::diagnosis;
use crate::documents::Documents;
use crate::error::{Error, ErrorKind};
use crate::indices::Indices;
use crate::nodes::{NodeId, Nodes};
use crate::point_in_time::PointInTime;
use crate::product::ClusterInfo;
use crate::request::{BodyFormat, Method, Request, Response};
use crate::retry::{Attempt, RetryPolicy, next_wait};
use crate::server_error::ServerError;
use crate::tls::{TlsConfig, Verification};

/// Bodies below this size are not worth compressing.
const COMPRESS_FROM: usize = 1024;

/// A connection to one cluster. Cloning it is cheap; all clones share connections.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    http: reqwest::Client,
    nodes: Nodes,
    credentials: Credentials,
    request_timeout: Duration,
    retry: RetryPolicy,
    compression: bool,
    info: ClusterInfo,
    capabilities: CapabilityCache,
}

/// What one attempt brought back.
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("info", &self.inner.info).field("nodes", &self.inner.nodes).finish()
    }
}

impl Client {
    /// Connects, and checks that the far side is Elasticsearch 8 or 9 that accepts the
    /// credentials.
    ///
    /// # Errors
    /// Any kind: this is where a wrong address, certificate or password shows.
    pub async fn connect(config: ClusterConfig) -> Result<Self, Error> {
        if config.tls.verification == Verification::None {
            warn!("certificates are not verified: anyone on the way can read and change what is sent");
        }
        let (urls, in_the_address) = config.endpoint.resolve()?;
        let mut inner = Inner {
            http: http_client(&config)?,
            nodes: Nodes::new(urls),
            credentials: match config.credentials {
                Credentials::None => in_the_address,
                given => given,
            },
            request_timeout: config.request_timeout,
            retry: config.retry,
            compression: config.compression,
            info: ClusterInfo {
                cluster_name: String::new(),
                cluster_uuid: String::new(),
                version: crate::Version { major: 8, minor: 0, patch: 0 },
            },
            capabilities: CapabilityCache::default(),
        };
        // A person waits for the first answer, so a dead address is told at once: every
        // node is asked, and none is asked twice.
        let hello = Request::new(Method::Get, "/");
        let (answer, node) = inner.first_answer(&hello).await?;
        let url = inner.nodes.url(node);
        let product = answer.headers.get("x-elastic-product").and_then(|value| value.to_str().ok());
        // A proxy that asks for credentials, or that finds no node behind it, has no product
        // header to show.
        // Nor has Elasticsearch where the user may not even ask for its version.
        let is_refused = answer.status == 403 && ServerError::parse(&answer.body).is_some();
        let is_known = product.is_some() || is_refused || matches!(answer.status, 401 | 429 | 502 | 503 | 504);
        if !(200..300).contains(&answer.status) && is_known {
            return Err(inner.failure(&hello, &answer, node));
        }
        inner.info = ClusterInfo::check(&diagnosis::printable(url), product, &answer.body)?;
        debug!(version = %inner.info.version, cluster = %inner.info.cluster_name, "connected");
        Ok(Self { inner: Arc::new(inner) })
    }

    /// What the cluster said of itself when the client connected.
    pub fn info(&self) -> &ClusterInfo {
        &self.inner.info
    }

    /// Sends a request, again where it may be repeated, and returns the answer if its
    /// status is a success.
    ///
    /// # Errors
    /// The last failure when the retries are used up or not allowed.
    pub async fn send(&self, request: &Request) -> Result<Response, Error> {
        self.inner.send(request).await
    }

    /// Sends a request and tells whether the thing asked for exists (404 says no).
    ///
    /// # Errors
    /// As [`Client::send`], other than for 404.
    pub async fn exists(&self, request: &Request) -> Result<bool, Error> {
        match self.send(request).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Indices, aliases, mappings and settings.
    pub fn indices(&self) -> Indices<'_> {
        Indices::new(self)
    }

    /// The cluster itself: health, nodes, disks, licence, features, privileges.
    pub fn cluster(&self) -> Cluster<'_> {
        Cluster::new(self)
    }

    pub(crate) fn capability_cache(&self) -> &CapabilityCache {
        &self.inner.capabilities
    }

    /// Single documents of an index.
    pub fn documents<'a>(&'a self, index: &'a str) -> Documents<'a> {
        Documents::new(self, index)
    }

    /// Opens a point in time on an index, an alias or a list of them.
    ///
    /// # Errors
    /// As [`Client::send`]; a missing index is [`ErrorKind::NotFound`].
    pub async fn open_point_in_time(&self, index: &str, keep_alive: Duration) -> Result<PointInTime, Error> {
        PointInTime::open(self.clone(), index, keep_alive).await
    }
}

fn http_client(config: &ClusterConfig) -> Result<reqwest::Client, Error> {
    base_client(&config.tls, config.connect_timeout)?
        .gzip(config.compression)
        .build()
        .map_err(|source| Error::new(ErrorKind::Config, "the HTTP client cannot be set up").with_source(source))
}

fn base_client(tls: &TlsConfig, connect_timeout: Duration) -> Result<reqwest::ClientBuilder, Error> {
    Ok(reqwest::Client::builder()
        .use_preconfigured_tls(tls.client_config()?)
        .connect_timeout(connect_timeout)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .http1_only()
        .tcp_nodelay(true)
        .user_agent(concat!("es-core/", env!("CARGO_PKG_VERSION"))))
}

impl Inner {
    async fn first_answer(&self, request: &Request) -> Result<(Answer, NodeId), Error> {
        let mut last = None;
        let first = self.nodes.pick(Instant::now());
        let mut node = first;
        loop {
            match self.attempt(request, &Bytes::new(), node).await {
                Ok(answer) => return Ok((answer, node)),
                Err(error) => {
                    self.nodes.failed(node, Instant::now());
                    last.get_or_insert(error);
                }
            }
            node = self.nodes.pick(Instant::now());
            if node == first {
                break;
            }
        }
        let error = last.unwrap_or_else(|| Error::new(ErrorKind::Connect, "no node was asked"));
        Err(self.explain(error, first).await)
    }

    async fn send(&self, request: &Request) -> Result<Response, Error> {
        if request.has_dot_segment() {
            return Err(Error::new(
                ErrorKind::BadRequest,
                format!("{} {} has a name in it that is only dots", request.method.as_str(), request.path),
            )
            .with_help("no URL can have such a name: choose another one"));
        }
        let policy = request.retry.unwrap_or(self.retry);
        let body = self.encoded_body(request).await;
        let started = Instant::now();
        let mut retries = 0;
        loop {
            let node = self.nodes.pick(Instant::now());
            let outcome = self.attempt(request, &body, node).await;
            let error = match outcome {
                Ok(answer) if (200..300).contains(&answer.status) => {
                    self.nodes.succeeded(node);
                    return Ok(Response {
                        status: answer.status,
                        body: answer.body,
                        request: format!("{} {}", request.method.as_str(), request.path),
                        node: diagnosis::printable(self.nodes.url(node)),
                    });
                }
                Ok(answer) => {
                    self.nodes.succeeded(node);
                    self.failure(request, &answer, node)
                }
                Err(error) => {
                    self.nodes.failed(node, Instant::now());
                    error
                }
            };
            let attempt = Attempt {
                kind: error.kind(),
                repeatable: request.repeatable,
                retries,
                elapsed: started.elapsed(),
                retry_after: error.retry_after(),
            };
            let Some(wait) = next_wait(&policy, attempt, fastrand::f64()) else {
                return Err(error);
            };
            warn!(%error, ?wait, "will try again");
            tokio::time::sleep(wait).await;
            retries += 1;
        }
    }

    /// One attempt at one node: an answer of any status, or why there is none.
    async fn attempt(&self, request: &Request, body: &Bytes, node: NodeId) -> Result<Answer, Error> {
        let base = self.nodes.url(node);
        let mut url = base.clone();
        url.set_path(&format!("{}{}", base.path().trim_end_matches('/'), request.path));
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(request.query.iter().map(|(name, value)| (*name, value.as_str())));
        }
        let limit = request.timeout.unwrap_or(self.request_timeout);
        let mut builder = self.http.request(request.method.http(), url).timeout(limit);
        // Until the version is known, the plain types are the ones every version takes.
        builder = if self.info.cluster_uuid.is_empty() {
            builder.header(ACCEPT, "application/json")
        } else {
            builder.header(ACCEPT, self.info.media_type(BodyFormat::Json))
        };
        if let Some(value) = self.credentials.header()? {
            builder = builder.header(AUTHORIZATION, value);
        }
        if !request.body.is_empty() {
            builder = builder.header(CONTENT_TYPE, self.info.media_type(request.format)).body(body.clone());
            if self.compresses(request) {
                builder = builder.header(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            }
        }
        let failed = |source| {
            diagnosis::of_transport(source, base, limit).with_request(
                request.method.as_str(),
                &request.path,
                &diagnosis::printable(base),
            )
        };
        let response = builder.send().await.map_err(failed)?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = response.bytes().await.map_err(failed)?;
        Ok(Answer { status, headers, body })
    }

    fn failure(&self, request: &Request, answer: &Answer, node: NodeId) -> Error {
        let url = self.nodes.url(node);
        let retry_after = answer
            .headers
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.trim().parse().ok())
            .map(Duration::from_secs);
        let method = request.method.as_str();
        diagnosis::of_status(answer.status, &answer.body, url, (method, &request.path), &self.credentials)
            .with_request(method, &request.path, &diagnosis::printable(url))
            .with_retry_after(retry_after)
    }

    /// A plain HTTP request to a TLS port just breaks; asking the port once in TLS tells a
    /// person why.
    async fn explain(&self, error: Error, node: NodeId) -> Error {
        let url = self.nodes.url(node);
        let puzzling = matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::NotElasticsearch);
        if url.scheme() != "http" || !puzzling {
            return error;
        }
        let mut secure = url.clone();
        let anyone = TlsConfig { verification: Verification::None, ..TlsConfig::default() };
        let client = base_client(&anyone, Duration::from_secs(5)).and_then(|builder| {
            builder.build().map_err(|source| Error::new(ErrorKind::Config, "no HTTP client").with_source(source))
        });
        match (client, secure.set_scheme("https")) {
            (Ok(client), Ok(())) => {
                // The address may have been written without a port, which means 80 to http.
                if secure.port().is_none() && secure.set_port(Some(url.port_or_known_default().unwrap_or(80))).is_err()
                {
                    return error;
                }
                match client.get(secure).timeout(Duration::from_secs(5)).send().await {
                    Ok(_) => diagnosis::needs_https(url),
                    Err(_) => error,
                }
            }
            _ => error,
        }
    }

    fn compresses(&self, request: &Request) -> bool {
        self.compression && request.body.len() >= COMPRESS_FROM
    }

    async fn encoded_body(&self, request: &Request) -> Bytes {
        if !self.compresses(request) {
            return request.body.clone();
        }
        let plain = request.body.clone();
        let compress = move || {
            let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 4), Compression::fast());
            // Writing to memory cannot fail; were it to, the plain body would no longer
            // match the header, so the failure is not passed over but ends in an empty body
            // that the server refuses.
            encoder.write_all(&plain).and_then(|()| encoder.finish()).unwrap_or_default().into()
        };
        // Compression takes milliseconds, which the asynchronous threads must not spend.
        tokio::task::spawn_blocking(compress).await.unwrap_or_default()
    }
}
