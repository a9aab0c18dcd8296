//! How to talk to the cluster: everything that decides how requests reach it.

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

/// How long connections without a request are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepAlive {
    /// How long a connection is silent before TCP asks whether the other side still lives.
    /// `None`: never. Default: 60 seconds.
    pub tcp: Option<Duration>,
    /// How long an idle connection is kept for the next request. `None`: as long as the other
    /// side keeps it. Default: 50 seconds, as common load balancers cut connections after 60.
    pub idle: Option<Duration>,
}

impl Default for KeepAlive {
    fn default() -> Self {
        Self { tcp: Some(Duration::from_secs(60)), idle: Some(Duration::from_secs(50)) }
    }
}

/// Whether the client asks the cluster for its other nodes. Dedicated masters are left out,
/// and so is a node that cannot be reached from here under the address that it publishes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sniffing {
    /// The addresses of the configuration are all there are.
    #[default]
    Off,
    /// Once, when the client connects.
    AtStart,
    /// When the client connects, after a node has failed, and when the list is this old.
    Continuous {
        /// The age at which the list is asked for again.
        every: Duration,
    },
}

/// Everything that decides how requests reach the cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterConfig {
    /// Where the cluster answers. Default: `http://localhost:9200`.
    pub endpoint: Endpoint,
    /// Who the client says it is. Default: nobody.
    pub credentials: Credentials,
    /// Whom the client trusts.
    pub tls: TlsConfig,
    /// The proxy that requests go through. Default: none, whatever the environment says.
    pub proxy: Option<Proxy>,
    /// What is sent along with every request. Default: nothing.
    pub headers: ExtraHeaders,
    /// How long making a connection may take, with name resolution, proxy and TLS handshake.
    /// Default: 10 seconds.
    pub connect_timeout: Duration,
    /// How long one attempt of a request may take, unless the request says otherwise.
    /// Default: 90 seconds.
    pub request_timeout: Duration,
    /// How long connections without a request are kept.
    pub keep_alive: KeepAlive,
    /// Whether the cluster is asked for its other nodes. Default: no.
    pub sniffing: Sniffing,
    /// Which requests are sent again, how often and how long. See [`RetryPolicy`].
    pub retry: RetryPolicy,
    /// Whether request and response bodies are compressed with gzip. Default: no, as it
    /// costs more processor time than it saves on a fast network.
    pub compression: bool,
    /// How many bytes the body of an answer may have once it is unpacked. Default: 512 MiB,
    /// far above any page that the pipeline asks for, and below what exhausts a machine.
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
    /// The configuration that the process environment gives: see [`crate::VARIABLES`].
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when variables contradict each other or cannot be read.
    pub fn from_env() -> Result<Self, Error> {
        Self::default().overlaid(|name| std::env::var(name).ok())
    }

    /// This configuration with what `lookup` knows of [`crate::VARIABLES`] put over it.
    /// A variable of the endpoint replaces the whole endpoint, and one of the credentials
    /// all credentials, so that layers never mix into a contradiction.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when variables contradict each other or cannot be read.
    pub fn overlaid(self, lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        environment::overlay(self, lookup)
    }

    /// Looks for settings that contradict each other, without reading a file.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.tls.check()?;
        if matches!(self.endpoint, Endpoint::CloudId(_)) && self.sniffing != Sniffing::Off {
            return Err(Error::new(ErrorKind::Config, "both a cloud id and sniffing are set")
                .with_help("switch sniffing off: nodes of Elastic Cloud are reached through its proxy alone"));
        }
        for (what, limit) in [("connect", self.connect_timeout), ("request", self.request_timeout)] {
            if limit.is_zero() {
                return Err(Error::new(ErrorKind::Config, format!("the {what} time-out is zero")));
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
        assert_eq!(hasty.check().unwrap_err().to_string(), "the request time-out is zero");
    }
}
