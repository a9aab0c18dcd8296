//! The client: sends requests to the nodes, and retries where that is allowed.

mod dispatch;
mod identity;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tracing::{debug, warn};

use self::dispatch::Inner;
use self::identity::first_answer;
use crate::closing::Closings;
use crate::cluster::{CapabilityCache, Cluster};
use crate::connection::access::Access;
use crate::connection::config::ClusterConfig;
use crate::connection::credentials::Credentials;
use crate::connection::diagnosis::printable;
use crate::connection::headers::ExtraHeaders;
use crate::connection::nodes::Nodes;
use crate::connection::product::ClusterInfo;
use crate::connection::retry::RetryPolicy;
use crate::connection::sniff::Schedule;
use crate::connection::tls::Verification;
use crate::connection::transport::Transport;
use crate::documents::Documents;
use crate::error::{Error, ErrorKind};
use crate::esql::Esql;
use crate::indices::Indices;
use crate::request::{Request, Response};
use crate::search::{PointInTime, Scroll, SearchAnswer};
use crate::sql::SqlCursor;

/// A connection to one cluster. It is cheap to clone; all clones share their connections.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
    access: Arc<Access>,
    /// Clients with other credentials have their own, as the answer depends on privileges.
    capabilities: Arc<CapabilityCache>,
    /// The policy of requests without one of their own.
    retry: RetryPolicy,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let nodes: Vec<String> = self.inner.nodes.urls().iter().map(printable).collect();
        f.debug_struct("Client").field("info", &self.inner.info).field("nodes", &nodes).finish()
    }
}

impl Client {
    /// Connects, and checks that the server is Elasticsearch 8 or 9 and accepts the credentials.
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
        let access = Arc::new(Access::new(credentials, &config.headers)?);
        let transport = Transport::new(&config)?;
        let info = first_answer(&transport, &urls, &access).await?;
        debug!(version = %info.version, cluster = %info.cluster_name, "connected");
        let sniffing = Schedule::new(config.sniffing);
        let inner = Inner {
            transport,
            nodes: Nodes::new(urls),
            sniffing,
            info,
            access: access.clone(),
            closings: Closings::new(),
        };
        if inner.sniffing.at_start() {
            inner.sniff().await;
        }
        Ok(Self { inner: Arc::new(inner), access, capabilities: Arc::default(), retry: config.retry })
    }

    /// The same connections with another retry policy, such as for long work, where waiting longer
    /// is cheaper than to start from scratch.
    #[must_use]
    pub fn with_retry(&self, retry: RetryPolicy) -> Self {
        Self { retry, ..self.clone() }
    }

    /// The same connections with other credentials, such as those of a tenant. Nothing is sent:
    /// wrong credentials fail the first request with [`ErrorKind::Unauthorized`].
    ///
    /// ```no_run
    /// # async fn example(client: &es_core::Client, keys: &[String]) -> Result<(), es_core::Error> {
    /// use es_core::Credentials;
    ///
    /// for key in keys {
    ///     let tenant = client.with_credentials(Credentials::api_key(key))?;
    ///     println!("{} documents", tenant.indices().count("events").await?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a secret that a header cannot have.
    pub fn with_credentials(&self, credentials: Credentials) -> Result<Self, Error> {
        let access = Arc::new(self.access.with_credentials(credentials)?);
        Ok(Self { access, capabilities: Arc::default(), ..self.clone() })
    }

    /// The same connections with more headers, which replace those of the same name.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a value that a header cannot have.
    pub fn with_headers(&self, headers: &ExtraHeaders) -> Result<Self, Error> {
        let access = Arc::new(self.access.with_headers(headers)?);
        Ok(Self { access, capabilities: Arc::default(), ..self.clone() })
    }

    /// The name, id and version of the cluster, as of the connect.
    pub fn info(&self) -> &ClusterInfo {
        &self.inner.info
    }

    /// The addresses that requests are sent to now, without user information: those of the configuration,
    /// or those that sniffing found.
    pub fn nodes(&self) -> Vec<String> {
        self.inner.nodes.urls().iter().map(printable).collect()
    }

    /// Sends a request, retries it where that is allowed, and returns a successful answer.
    ///
    /// # Errors
    /// The last failure when the retries are used up or not allowed.
    pub async fn send(&self, request: &Request) -> Result<Response, Error> {
        self.sniff_when_due();
        self.inner.send(request, request.retry.unwrap_or(self.retry), &self.access).await
    }

    /// Sends a request. Returns `false` if its target does not exist (404).
    ///
    /// # Errors
    /// As [`Client::send`], other than for 404.
    pub async fn exists(&self, request: &Request) -> Result<bool, Error> {
        Ok(self.find(request).await?.is_some())
    }

    /// Sends a request. Returns `None` if its target does not exist (404).
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
        &self.capabilities
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

    /// Sends a query in SQL, and returns a cursor over its pages.
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

    /// Requests the list of nodes in the background.
    fn sniff_when_due(&self) {
        if self.inner.sniffing.is_due(Instant::now()) {
            let inner = self.inner.clone();
            tokio::spawn(async move { inner.sniff().await });
        }
    }
}
