//! The addresses of a cluster: a list of hosts, or an Elastic Cloud id.

use std::fmt;

use percent_encoding::percent_decode_str;
use url::Url;

use crate::connection::credentials::{Credentials, Secret};
use crate::connection::diagnosis::printable;
use crate::error::{Error, ErrorKind};

/// The addresses of a cluster.
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

    /// Reads the id of an Elastic Cloud deployment, as its page shows it.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for an id without an address.
    pub fn cloud_id(id: &str) -> Result<Self, Error> {
        let endpoint = Self::CloudId(id.trim().to_owned());
        endpoint.urls().map(|_| endpoint)
    }

    /// Returns the addresses to connect to, and the credentials of the first address that has any.
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
            // The variant can be built by hand, so the list is checked again.
            Self::Hosts(hosts) => {
                if hosts.is_empty() {
                    return Err(Error::new(ErrorKind::Config, "the list of Elasticsearch hosts is empty"));
                }
                hosts.iter().try_for_each(|url| accept(url, &printable(url)))?;
                Ok(hosts.clone())
            }
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

/// Removes user name and password from an address, and returns them.
pub(crate) fn take_user_info(url: &mut Url) -> Credentials {
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
    let shown = redact_user_info(host);
    let url = Url::parse(&text).map_err(|source| wrong_host(&shown, &format!("is not a URL: {source}")))?;
    accept(&url, &shown)?;
    Ok(url)
}

fn accept(url: &Url, shown: &str) -> Result<(), Error> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong_host(shown, "does not start with http:// or https://"));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(wrong_host(shown, "has no host"));
    }
    Ok(())
}

fn wrong_host(shown: &str, why: &str) -> Error {
    Error::new(ErrorKind::Config, format!("the Elasticsearch address {shown} {why}"))
        .with_help("write it as http://localhost:9200 or https://es.example.org:9200")
}

/// The address without its user name and password, which must not be printed.
pub(crate) fn redact_user_info(host: &str) -> String {
    match (host.find("://"), host.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => format!("{}[redacted]{}", &host[..scheme + 3], &host[at..]),
        (_, Some(at)) => format!("[redacted]{}", &host[at..]),
        _ => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
        for by_hand in [vec![], vec![Url::parse("mailto:a@example.org").unwrap()]] {
            assert_eq!(Endpoint::Hosts(by_hand).resolve().unwrap_err().kind(), ErrorKind::Config);
        }
    }

    #[test]
    fn a_password_in_an_address_is_not_printed() {
        for wrong in [
            "ftp://elastic:canary@host",
            "elastic:canary@host:99999",
            "http://elastic:can@ary@host:99999",
            "http://elastic:canary/ary@host",
            "elastic:canary@host://",
        ] {
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

    proptest! {
        #[test]
        fn any_text_is_a_list_of_hosts_or_an_error(text in "\\PC*", list in "(https?://)?[a-z@:/.,%\\[\\]0-9 ]{0,40}") {
            for text in [text, list] {
                if let Ok(endpoint) = Endpoint::hosts(&text) {
                    let (urls, _) = endpoint.resolve().unwrap();
                    prop_assert!(urls.iter().all(|url| url.username().is_empty() && url.password().is_none()));
                }
            }
        }

        #[test]
        fn any_text_is_a_cloud_id_or_an_error(text in "\\PC*", decoded in "[a-z.:$0-9\u{e9}]{0,30}", name in "[a-z:]{0,5}") {
            use base64::Engine as _;
            let encoded = base64::engine::general_purpose::STANDARD.encode(decoded);
            for id in [text, format!("{name}:{encoded}")] {
                if let Err(error) = Endpoint::CloudId(id).resolve() {
                    prop_assert_eq!(error.kind(), ErrorKind::Config);
                }
            }
        }
    }
}
