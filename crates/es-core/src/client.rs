//! The client: carries requests to the nodes, again where that is allowed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::StreamExt as _;
use serde_json::Value;
use tracing::{debug, info, warn};
use url::Url;

use crate::closing::Closings;
use crate::cluster::{CapabilityCache, Cluster};
use crate::connection::config::ClusterConfig;
use crate::connection::credentials::Credentials;
use crate::connection::diagnosis::printable;
use crate::connection::nodes::Nodes;
use crate::connection::product::ClusterInfo;
use crate::connection::retry::{Attempt, RetryPolicy, next_wait};
use crate::connection::sniff::{self, Schedule};
use crate::connection::tls::Verification;
use crate::connection::transport::{Answer, Transport};
use crate::documents::Documents;
use crate::error::server_error::ServerError;
use crate::error::{Error, ErrorKind};
use crate::esql::Esql;
use crate::indices::Indices;
use crate::request::{Method, Request, Response};
use crate::search::{PointInTime, Scroll, SearchAnswer};
use crate::sql::SqlCursor;

/// A connection to one cluster. Cloning it is cheap; all clones share connections.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
    /// For requests without a policy of their own.
    retry: RetryPolicy,
}

struct Inner {
    transport: Transport,
    nodes: Nodes,
    sniffing: Schedule,
    info: ClusterInfo,
    capabilities: CapabilityCache,
    closings: Closings,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let nodes: Vec<String> = self.inner.nodes.urls().iter().map(printable).collect();
        f.debug_struct("Client").field("info", &self.inner.info).field("nodes", &nodes).finish()
    }
}

impl Client {
    /// Connects, and checks that the far side is Elasticsearch 8 or 9 that accepts the
    /// credentials.
    ///
    /// # Errors
    /// Any kind: this is where a wrong address, certificate or password shows.
    pub async fn connect(config: ClusterConfig) -> Result<Self, Error> {
        config.check()?;
        let (urls, in_the_address) = config.endpoint.resolve()?;
        if config.tls.verification == Verification::None {
            let nodes = urls.iter().map(printable).collect::<Vec<_>>().join(", ");
            warn!(nodes, "certificates are not verified: anyone on the way can read and change what is sent");
        }
        let credentials = match &config.credentials {
            Credentials::None => in_the_address,
            given => given.clone(),
        };
        let transport = Transport::new(&config, credentials)?;
        let info = first_answer(&transport, &urls).await?;
        debug!(version = %info.version, cluster = %info.cluster_name, "connected");
        let sniffing = Schedule::new(config.sniffing);
        let inner = Inner {
            transport,
            nodes: Nodes::new(urls),
            sniffing,
            info,
            capabilities: CapabilityCache::default(),
            closings: Closings::new(),
        };
        if inner.sniffing.at_start() {
            inner.sniff().await;
        }
        Ok(Self { inner: Arc::new(inner), retry: config.retry })
    }

    /// The same connection with another policy: for work at the end of which more waiting is
    /// cheaper than doing it again.
    #[must_use]
    pub fn with_retry(&self, retry: RetryPolicy) -> Self {
        Self { retry, ..self.clone() }
    }

    /// What the cluster said of itself when the client connected.
    pub fn info(&self) -> &ClusterInfo {
        &self.inner.info
    }

    /// The addresses that requests go to now, without user information: those of the
    /// configuration, or the ones that sniffing found.
    pub fn nodes(&self) -> Vec<String> {
        self.inner.nodes.urls().iter().map(printable).collect()
    }

    /// Sends a request, again where it may be repeated, and returns the answer if its
    /// status is a success.
    ///
    /// # Errors
    /// The last failure when the retries are used up or not allowed.
    pub async fn send(&self, request: &Request) -> Result<Response, Error> {
        self.sniff_when_due();
        self.inner.send(request, request.retry.unwrap_or(self.retry)).await
    }

    /// Sends a request and tells whether the thing asked for exists (404 says no).
    ///
    /// # Errors
    /// As [`Client::send`], other than for 404.
    pub async fn exists(&self, request: &Request) -> Result<bool, Error> {
        Ok(self.find(request).await?.is_some())
    }

    /// Sends a request for something that may not exist: then (404) there is no answer.
    pub(crate) async fn find(&self, request: &Request) -> Result<Option<Response>, Error> {
        match self.send(request).await {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
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

    /// Takes over a point in time that was opened before, by this process or another one. Nothing
    /// is sent: if it is gone, the first search fails with [`ErrorKind::NotFound`].
    pub fn point_in_time(&self, id: &str, keep_alive: Duration) -> PointInTime {
        PointInTime::with_id(self.clone(), id, keep_alive)
    }

    /// Begins to scroll, and returns the first page. The body must not hold `search_after`.
    ///
    /// # Errors
    /// As [`Client::search`].
    pub async fn scroll(
        &self,
        index: &str,
        body: &Value,
        keep_alive: Duration,
    ) -> Result<(Scroll, SearchAnswer), Error> {
        Scroll::open(self.clone(), index, body, keep_alive).await
    }

    /// Queries in ES|QL.
    pub fn esql(&self) -> Esql<'_> {
        Esql::new(self)
    }

    /// Sends a query in SQL; its pages are then taken from the cursor.
    ///
    /// # Errors
    /// As [`SqlCursor::next_page`].
    pub async fn sql(&self, body: &Value) -> Result<SqlCursor, Error> {
        SqlCursor::open(self.clone(), body).await
    }

    /// Runs work in the background that a dropped value leaves behind, such as to close what it
    /// opened on the server, in the runtime that the client was connected in: also where `Drop`
    /// runs outside of any. [`Client::settle`] waits for it.
    pub fn finish_later(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.inner.closings.begin(work);
    }

    /// Waits until the work that dropped values left behind is done, `limit` at most, and returns
    /// how much of it is not. Call it at the end of `main`: a runtime that ends takes unfinished
    /// work with it, and a point in time then stays on the server until it expires.
    ///
    /// ```no_run
    /// # async fn example(client: &es_core::Client) {
    /// let left = client.settle(std::time::Duration::from_secs(10)).await;
    /// if left > 0 {
    ///     eprintln!("{left} closings did not end in time");
    /// }
    /// # }
    /// ```
    pub async fn settle(&self, limit: Duration) -> usize {
        self.inner.closings.settle(limit).await
    }

    /// Asks for the list of nodes beside the requests, which do not wait for it.
    fn sniff_when_due(&self) {
        if self.inner.sniffing.is_due(Instant::now()) {
            let inner = self.inner.clone();
            tokio::spawn(async move { inner.sniff().await });
        }
    }
}

/// Finds a node that answers. A person waits for the first answer, so a dead address is told
/// at once: every node is asked, and none is asked twice.
async fn first_answer(transport: &Transport, urls: &[Url]) -> Result<ClusterInfo, Error> {
    let hello = Request::new(Method::Get, "/");
    let mut first: Option<(Error, &Url)> = None;
    for url in urls {
        let error = match transport.attempt(&hello, &Bytes::new(), url, None).await {
            Ok(answer) => match identify(transport, &hello, &answer, url) {
                Err(error) if error.is_retryable() => error,
                decided => return explained(transport, decided, url).await,
            },
            Err(error) => error,
        };
        first.get_or_insert((error, url));
    }
    match first {
        Some((error, url)) => Err(transport.explain(error, url).await),
        None => Err(Error::new(ErrorKind::Config, "the list of Elasticsearch hosts is empty")),
    }
}

async fn explained(transport: &Transport, found: Result<ClusterInfo, Error>, url: &Url) -> Result<ClusterInfo, Error> {
    match found {
        Ok(info) => Ok(info),
        Err(error) => Err(transport.explain(error, url).await),
    }
}

/// Says of a request that must not be sent twice that its fate is not known.
fn in_doubt(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Interrupted | ErrorKind::TimedOut | ErrorKind::Unavailable | ErrorKind::AnswerTooLarge => {
            error.with_more_help("the request may have been applied: look before sending it again")
        }
        _ => error,
    }
}

/// Who answered.
fn identify(transport: &Transport, hello: &Request, answer: &Answer, url: &Url) -> Result<ClusterInfo, Error> {
    let product = answer.product();
    // A proxy that asks for credentials, or that finds no node behind it, has no product header
    // to show, nor has Elasticsearch where the user may not even ask for its version. What
    // points elsewhere is told so.
    let is_refused = || ServerError::parse(&answer.body).is_some_and(|error| error.error_type == "security_exception");
    let is_known = product.is_some()
        || answer.location().is_some()
        || matches!(answer.status, 401 | 407 | 429 | 502..=504)
        || (answer.status == 403 && is_refused());
    if !answer.is_success() && is_known {
        return Err(transport.failure(hello, answer, url));
    }
    ClusterInfo::check(&printable(url), product, &answer.body)
}

impl Inner {
    async fn send(&self, request: &Request, policy: RetryPolicy) -> Result<Response, Error> {
        request.check()?;
        let body = self.transport.encoded_body(request).await?;
        let started = Instant::now();
        let mut retries = 0;
        let mut tried: Vec<Url> = Vec::new();
        loop {
            let node = self.nodes.pick(Instant::now(), &tried);
            let error = match self.transport.attempt(request, &body, &node, Some(&self.info)).await {
                Ok(answer) if answer.is_success() => {
                    self.nodes.succeeded(&node);
                    return Ok(Response {
                        status: answer.status,
                        headers: answer.headers,
                        body: answer.body,
                        request: format!("{} {}", request.method.as_str(), request.path),
                        node: printable(&node),
                    });
                }
                Ok(answer) => self.transport.failure(request, &answer, &node),
                Err(error) => error,
            };
            self.note(&node, &error);
            if !tried.contains(&node) {
                tried.push(node);
            }
            let attempt = Attempt {
                kind: error.kind(),
                repeatable: request.repeatable,
                retries,
                elapsed: started.elapsed(),
                retry_after: error.retry_after(),
                wants_less: request.can_ask_for_less && error.server().is_some_and(ServerError::is_circuit_breaker),
                untried_node: self.nodes.has_untried(Instant::now(), &tried),
            };
            let Some(wait) = next_wait(&policy, attempt, fastrand::f64()) else {
                return Err(if attempt.repeatable { error } else { in_doubt(error) });
            };
            warn!(%error, ?wait, "will try again");
            tokio::time::sleep(wait).await;
            retries += 1;
        }
    }

    /// Notes how a node did. An answer is a sign of health, also one that refuses the request
    /// or says that what it asked to wait for did not happen (408); a gateway's that has no node
    /// behind it is none.
    fn note(&self, node: &Url, error: &Error) {
        use ErrorKind::{Connect, Interrupted, NotElasticsearch, TimedOut, Tls, Unavailable};
        let is_down = match error.kind() {
            Unavailable | NotElasticsearch => true,
            Connect | Tls | Interrupted | TimedOut => error.status().is_none(),
            _ => false,
        };
        if is_down {
            self.nodes.failed(node, Instant::now());
            self.sniffing.node_failed();
        } else {
            self.nodes.succeeded(node);
        }
    }

    /// Takes over the cluster's list of nodes. What goes wrong is told and changes nothing.
    async fn sniff(&self) {
        let node = self.nodes.pick(Instant::now(), &[]);
        let found = self.find_nodes(&node).await;
        self.sniffing.ended(Instant::now());
        let asked = printable(&node);
        match found {
            Ok(urls) if urls.is_empty() => {
                warn!(asked, "no listed node can be used from here: the client's nodes stay as they are");
            }
            Ok(urls) => {
                debug!(asked, found = urls.len(), "took over the cluster's list of nodes");
                self.nodes.replace(urls);
            }
            Err(error) => {
                warn!(asked, %error, help = error.help(), "nodes cannot be listed: the client's stay as they are");
            }
        }
    }

    async fn find_nodes(&self, node: &Url) -> Result<Vec<Url>, Error> {
        // Short, and tried once: there will be another time.
        let limit = self.transport.connect_timeout();
        let list = Request::new(Method::Get, sniff::PATH).timeout(limit).retry(RetryPolicy::NEVER);
        let answer = self.transport.attempt(&list, &Bytes::new(), node, Some(&self.info)).await?;
        if !answer.is_success() {
            return Err(self.transport.failure(&list, &answer, node));
        }
        let known = self.nodes.urls();
        let listed = sniff::read(&answer.body, node.scheme())?;
        let checks = listed.into_iter().map(|url| {
            let is_known = known.contains(&url);
            async move { (is_known || self.is_same_cluster(&url, limit).await).then_some(url) }
        });
        let checked: Vec<Option<Url>> = futures::stream::iter(checks).buffered(sniff::TRIED_AT_ONCE).collect().await;
        Ok(checked.into_iter().flatten().collect())
    }

    /// Whether a node that was listed can be reached and trusted, and is one of this cluster.
    async fn is_same_cluster(&self, url: &Url, limit: Duration) -> bool {
        let hello = Request::new(Method::Get, "/").timeout(limit);
        let answer = self.transport.attempt(&hello, &Bytes::new(), url, None).await;
        match answer.and_then(|answer| identify(&self.transport, &hello, &answer, url)) {
            Ok(found) if found.cluster_uuid == self.info.cluster_uuid => true,
            Ok(found) => {
                warn!(node = printable(url), cluster = found.cluster_name, "left out a listed node of another cluster");
                false
            }
            Err(error) => {
                info!(node = printable(url), %error, "left out a listed node that cannot be used from here");
                false
            }
        }
    }
}
