//! The configuration of a connection to a cluster.

use std::time::Duration;

use url::Url;

use crate::connection::credentials::Credentials;
use crate::connection::endpoint::Endpoint;
use crate::connection::environment;
use crate::connection::headers::ExtraHeaders;
use crate::connection::proxy::Proxy;
use crate::connection::retry::RetryPolicy;
use crate::connection::tls::TlsConfig;
use crate::error::{Error, ErrorKind};

/// The lifetime of connections without a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepAlive {
    /// The silence after which TCP sends a keep-alive probe. `None`: never. Default: 60 seconds.
    pub tcp: Option<Duration>,
    /// The time that an idle connection is kept for the next request. `None`: as long as the server
    /// keeps it. Default: 50 seconds, as common load balancers close connections after 60.
    pub idle: Option<Duration>,
}

impl Default for KeepAlive {
    fn default() -> Self {
        Self { tcp: Some(Duration::from_secs(60)), idle: Some(Duration::from_secs(50)) }
    }
}

/// The discovery of the cluster's other nodes. Dedicated masters are left out, and so is a node that
/// cannot be reached from here under the address that it publishes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sniffing {
    /// Requests go only to the addresses of the configuration.
    #[default]
    Off,
    /// Nodes are discovered once, when the client connects.
    AtStart,
    /// Nodes are discovered when the client connects, after a node has failed, and when the list is old.
    Continuous {
        /// The age at which the list is renewed.
        every: Duration,
    },
}

/// The configuration of a connection to a cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterConfig {
    /// The addresses of the cluster. Default: `http://localhost:9200`.
    pub endpoint: Endpoint,
    /// The credentials of the client. Default: none.
    pub credentials: Credentials,
    /// The certificates that the client trusts.
    pub tls: TlsConfig,
    /// The proxy that requests go through. Default: none; `http_proxy` is ignored.
    pub proxy: Option<Proxy>,
    /// Headers to send with every request. Default: none.
    pub headers: ExtraHeaders,
    /// The time limit of connecting, including name resolution, proxy and TLS handshake. Default: 10
    /// seconds.
    pub connect_timeout: Duration,
    /// The time limit of one attempt of a request that sets none itself. Default: 90 seconds.
    pub request_timeout: Duration,
    /// The lifetime of connections without a request.
    pub keep_alive: KeepAlive,
    /// The discovery of other nodes. Default: off.
    pub sniffing: Sniffing,
    /// The retries of requests. See [`RetryPolicy`].
    pub retry: RetryPolicy,
    /// Compresses request and response bodies with gzip. Default: no, as it costs more processor time
    /// than it saves on a fast network.
    pub compression: bool,
    /// The largest body of an answer, decompressed, in bytes. Default: 512 MiB.
    pub max_response_size: usize,
}

impl Default for ClusterConfig {
    fn default() -> Self {
        Self {
            endpoint: Endpoint::Hosts(vec![default_host()]),
            credentials: Credentials::None,
            tls: TlsConfig::default(),
            proxy: None,
            headers: ExtraHeaders::default(),
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(90),
            keep_alive: KeepAlive::default(),
            sniffing: Sniffing::Off,
            retry: RetryPolicy::default(),
            compression: false,
            max_response_size: 512 << 20,
        }
    }
}

#[expect(clippy::expect_used, reason = "the literal is a URL")]
fn default_host() -> Url {
    Url::parse("http://localhost:9200").expect("the literal is a URL")
}

impl ClusterConfig {
    /// Reads the configuration from the process environment: see [`crate::VARIABLES`].
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when variables contradict each other or cannot be read.
    pub fn from_env() -> Result<Self, Error> {
        Self::default().overlaid(|name| std::env::var(name).ok())
    }

    /// Returns this configuration with the variables that `lookup` finds ([`crate::VARIABLES`]) in place
    /// of its own values. A variable of the endpoint replaces the whole endpoint, and one of the
    /// credentials all credentials, so that layers never mix into a contradiction.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when variables contradict each other or cannot be read.
    pub fn overlaid(self, lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        environment::overlay(self, lookup)
    }

    /// Checks that settings do not contradict each other, without reading a file.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.tls.check()?;
        if matches!(self.endpoint, Endpoint::CloudId(_)) && self.sniffing != Sniffing::Off {
            return Err(Error::new(ErrorKind::Config, "both a cloud id and sniffing are set")
                .with_help("switch sniffing off: nodes of Elastic Cloud are reached through its proxy alone"));
        }
        for (what, limit) in [("connect", self.connect_timeout), ("request", self.request_timeout)] {
            if limit.is_zero() {
                return Err(Error::new(ErrorKind::Config, format!("the {what} timeout is zero, and must be greater")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contradictions_name_both() {
        let cloud = Endpoint::CloudId("cluster:ZXhhbXBsZS5vcmckYWJjJGRlZg==".into());
        let minute = Duration::from_secs(60);
        for sniffing in [Sniffing::AtStart, Sniffing::Continuous { every: minute }] {
            let config = ClusterConfig { endpoint: cloud.clone(), sniffing, ..ClusterConfig::default() };
            let error = config.check().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert_eq!(error.to_string(), "both a cloud id and sniffing are set");
        }
        ClusterConfig { endpoint: cloud, ..ClusterConfig::default() }.check().unwrap();
        ClusterConfig { sniffing: Sniffing::AtStart, ..ClusterConfig::default() }.check().unwrap();
        let hasty = ClusterConfig { request_timeout: Duration::ZERO, ..ClusterConfig::default() };
        assert_eq!(hasty.check().unwrap_err().to_string(), "the request timeout is zero, and must be greater");
    }
}
