//! Where the cluster is and how to talk to it.

use std::fmt;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use url::Url;

use crate::credentials::{Credentials, Secret};
use crate::diagnosis::printable;
use crate::environment;
use crate::error::{Error, ErrorKind};
use crate::retry::RetryPolicy;
use crate::tls::TlsConfig;

/// Where the cluster answers.
#[derive(Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// The addresses of one or more nodes of one cluster. A user name and password in an
    /// address are used where no other credentials are set, and are not printed.
    Hosts(Vec<Url>),
    /// An Elastic Cloud deployment.
    CloudId(String),
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hosts(hosts) => {
                f.debug_tuple("Hosts").field(&hosts.iter().map(printable).collect::<Vec<_>>()).finish()
            }
            Self::CloudId(id) => f.debug_tuple("CloudId").field(id).finish(),
        }
    }
}

impl Endpoint {
    /// Reads a comma-separated list of addresses. `localhost:9200` means `http://localhost:9200`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for what is not an HTTP address.
    pub fn hosts(list: &str) -> Result<Self, Error> {
        let hosts: Vec<Url> =
            list.split(',').map(str::trim).filter(|host| !host.is_empty()).map(parse_host).collect::<Result<_, _>>()?;
        if hosts.is_empty() {
            return Err(Error::new(ErrorKind::Config, "the list of Elasticsearch hosts is empty"));
        }
        Ok(Self::Hosts(hosts))
    }

    /// The addresses to connect to, and the credentials of the first of them that has any.
    pub(crate) fn resolve(&self) -> Result<(Vec<Url>, Credentials), Error> {
        let mut urls = self.urls()?;
        let mut found = Credentials::None;
        for url in &mut urls {
            let credentials = take_user_info(url);
            if found == Credentials::None {
                found = credentials;
            }
        }
        Ok((urls, found))
    }

    fn urls(&self) -> Result<Vec<Url>, Error> {
        match self {
            Self::Hosts(hosts) => Ok(hosts.clone()),
            Self::CloudId(id) => elasticsearch::http::transport::CloudConnectionPool::new(id)
                .map(|pool| {
                    use elasticsearch::http::transport::ConnectionPool as _;
                    vec![pool.next().url().as_ref().clone()]
                })
                .map_err(|source| {
                    Error::new(ErrorKind::Config, "the cloud id cannot be read")
                        .with_help("copy it from the deployment's page: it has the form name:base64")
                        .with_source(source)
                }),
        }
    }
}

/// Takes user name and password out of an address.
fn take_user_info(url: &mut Url) -> Credentials {
    if url.username().is_empty() && url.password().is_none() {
        return Credentials::None;
    }
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let credentials = Credentials::Basic {
        user: decoded(url.username()),
        password: Secret::new(decoded(url.password().unwrap_or_default())),
    };
    // Both fail only for addresses without a host, which have no user information.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    credentials
}

fn parse_host(host: &str) -> Result<Url, Error> {
    let text = if host.contains("://") { host.to_owned() } else { format!("http://{host}") };
    let wrong = |why: &str| {
        Error::new(ErrorKind::Config, format!("the Elasticsearch address {} {why}", redact_user_info(host)))
            .with_help("write it as http://localhost:9200 or https://es.example.org:9200")
    };
    let url = Url::parse(&text).map_err(|source| wrong(&format!("is not a URL: {source}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("does not start with http:// or https://"));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(wrong("has no host"));
    }
    Ok(url)
}

/// The address without a user name and password that may stand in it.
fn redact_user_info(host: &str) -> String {
    match (host.find("://"), host.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => format!("{}[redacted]{}", &host[..scheme + 3], &host[at..]),
        (None, Some(at)) => format!("[redacted]{}", &host[at..]),
        _ => host.to_owned(),
    }
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
    /// How long making a connection may take. Default: 10 seconds.
    pub connect_timeout: Duration,
    /// How long one attempt of a request may take, unless the request says otherwise.
    /// Default: 90 seconds.
    pub request_timeout: Duration,
    /// Which requests are sent again, how often and how long. See [`RetryPolicy`].
    pub retry: RetryPolicy,
    /// Whether request and response bodies are compressed with gzip. Default: no, as it
    /// costs more processor time than it saves on a fast network.
    pub compression: bool,
}

impl Default for ClusterConfig {
    fn default() -> Self {
        Self {
            endpoint: Endpoint::Hosts(vec![default_host()]),
            credentials: Credentials::None,
            tls: TlsConfig::default(),
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(90),
            retry: RetryPolicy::default(),
            compression: false,
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_and_wrong_ones_explained() {
        let Endpoint::Hosts(hosts) = Endpoint::hosts("localhost:9200, https://a.example:9243/es").unwrap() else {
            panic!("hosts were given");
        };
        assert_eq!(hosts[0].as_str(), "http://localhost:9200/");
        assert_eq!(hosts[1].as_str(), "https://a.example:9243/es");
        for (wrong, why) in [
            ("", "empty"),
            (" , ", "empty"),
            ("ftp://a", "http:// or https://"),
            ("http://", "not a URL"),
            ("http://a:99999", "not a URL"),
        ] {
            let error = Endpoint::hosts(wrong).unwrap_err();
            assert!(error.to_string().contains(why), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_password_in_an_address_is_not_printed() {
        for wrong in ["ftp://elastic:canary@host", "elastic:canary@host:99999", "http://elastic:can@ary@host:99999"] {
            let error = Endpoint::hosts(wrong).unwrap_err();
            assert!(!error.to_string().contains("canary") && !error.to_string().contains("ary@"), "{error}");
        }
    }

    #[test]
    fn user_and_password_of_an_address_become_credentials() {
        let hosts = Endpoint::hosts("http://a:1,http://us%40er:p%3Aw@b:2,http://x:y@c:3").unwrap();
        let (urls, credentials) = hosts.resolve().unwrap();
        assert_eq!(urls.iter().map(Url::as_str).collect::<Vec<_>>(), ["http://a:1/", "http://b:2/", "http://c:3/"]);
        assert_eq!(credentials, Credentials::Basic { user: "us@er".into(), password: Secret::new("p:w") });
        assert_eq!(format!("{hosts:?}"), r#"Hosts(["http://a:1", "http://b:2", "http://c:3"])"#);
        assert_eq!(Endpoint::hosts("a,b").unwrap().resolve().unwrap().1, Credentials::None);
    }

    #[test]
    fn a_cloud_id_becomes_its_address() {
        let id = Endpoint::CloudId("cluster:ZXhhbXBsZS5vcmckYWJjJGRlZg==".into());
        assert_eq!(id.urls().unwrap()[0].as_str(), "https://abc.example.org/");
        let wrong = Endpoint::CloudId("nonsense".into());
        assert_eq!(wrong.urls().unwrap_err().kind(), ErrorKind::Config);
    }
}
