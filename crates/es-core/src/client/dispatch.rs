//! The dispatch of requests to the nodes: retries, the health of nodes, and their discovery.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::StreamExt as _;
use tracing::{debug, info, warn};
use url::Url;

use super::identity::identify;
use crate::closing::Closings;
use crate::connection::access::Access;
use crate::connection::diagnosis::printable;
use crate::connection::nodes::Nodes;
use crate::connection::product::ClusterInfo;
use crate::connection::retry::{Attempt, RetryPolicy, next_wait};
use crate::connection::sniff::{self, Schedule};
use crate::connection::transport::Transport;
use crate::error::server_error::ServerError;
use crate::error::{Error, ErrorKind};
use crate::request::{Method, Request, Response};

/// The part of a client that its clones share.
pub(super) struct Inner {
    pub(super) transport: Transport,
    pub(super) nodes: Nodes,
    pub(super) sniffing: Schedule,
    pub(super) info: ClusterInfo,
    /// The access of requests that the client sends for itself.
    pub(super) access: Arc<Access>,
    pub(super) closings: Closings,
}

/// Adds to the error of a request that must not be sent twice that its outcome is unknown.
fn in_doubt(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Interrupted | ErrorKind::TimedOut | ErrorKind::Unavailable | ErrorKind::AnswerTooLarge => {
            error.with_more_help("the request may have been applied: check before sending it again")
        }
        _ => error,
    }
}

impl Inner {
    pub(super) async fn send(
        &self,
        request: &Request,
        policy: RetryPolicy,
        access: &Access,
    ) -> Result<Response, Error> {
        request.check()?;
        let body = self.transport.encoded_body(request).await?;
        let started = Instant::now();
        let mut retries = 0;
        let mut tried: Vec<Url> = Vec::new();
        loop {
            let node = self.nodes.pick(Instant::now(), &tried);
            let error = match self.transport.attempt(request, &body, &node, access, Some(&self.info)).await {
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
                Ok(answer) => self.transport.failure(request, &answer, &node, access),
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

    /// Records the health of a node. An answer is a sign of health, also a refusal or a time-out of the
    /// server's own (408); the answer of a gateway without a node behind it is not.
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

    /// Adopts the cluster's list of nodes. A failure is logged and changes nothing.
    pub(super) async fn sniff(&self) {
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
        // A short limit and no retries: the list is requested again later.
        let limit = self.transport.connect_timeout();
        let list = Request::new(Method::Get, sniff::PATH).timeout(limit).retry(RetryPolicy::NEVER);
        let answer = self.transport.attempt(&list, &Bytes::new(), node, &self.access, Some(&self.info)).await?;
        if !answer.is_success() {
            return Err(self.transport.failure(&list, &answer, node, &self.access));
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

    /// Returns `true` if a listed node can be reached and trusted, and belongs to this cluster.
    async fn is_same_cluster(&self, url: &Url, limit: Duration) -> bool {
        let hello = Request::new(Method::Get, "/").timeout(limit);
        let answer = self.transport.attempt(&hello, &Bytes::new(), url, &self.access, None).await;
        match answer.and_then(|answer| identify(&self.transport, &hello, &answer, url, &self.access)) {
            Ok(found) if !found.cluster_uuid.is_empty() && found.cluster_uuid == self.info.cluster_uuid => true,
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
