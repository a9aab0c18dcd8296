//! The HTTP proxy between this machine and the cluster.

use std::fmt;
use std::str::FromStr;

use url::Url;

use crate::connection::credentials::{Credentials, Secret};
use crate::connection::diagnosis::printable;
use crate::connection::endpoint::{redact_user_info, take_user_info};
use crate::error::{Error, ErrorKind};

/// An HTTP proxy. Every request of a client goes through it; `http_proxy` and `no_proxy` in the
/// environment are ignored, as a client has a single cluster.
///
/// Requests to `https` nodes pass it encrypted in a tunnel; it can read those to `http` nodes, with
/// their credentials. The TLS settings of the nodes apply to the certificate of an `https` proxy too.
///
/// ```
/// let proxy: es_core::Proxy = "http://user:secret@proxy.example.org:3128".parse()?;
/// assert_eq!(proxy.to_string(), "http://proxy.example.org:3128");
/// # Ok::<(), es_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    url: Url,
    credentials: Option<(String, Secret)>,
}

impl Proxy {
    /// The same proxy with credentials.
    pub fn with_user(mut self, user: &str, password: Secret) -> Self {
        self.credentials = Some((user.to_owned(), password));
        self
    }

    /// The proxy for reqwest, whose own method for passwords would print them with `Debug`.
    pub(crate) fn rule(&self) -> Result<reqwest::Proxy, Error> {
        let rule = reqwest::Proxy::all(self.url.clone()).map_err(|source| {
            Error::new(ErrorKind::Config, format!("the proxy {self} cannot be used")).with_source(source)
        })?;
        Ok(match &self.credentials {
            Some((user, password)) => {
                let credentials = Credentials::Basic { user: user.clone(), password: password.clone() };
                credentials.header()?.map_or_else(|| rule.clone(), |value| rule.clone().custom_http_auth(value))
            }
            None => rule,
        })
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }
}

impl FromStr for Proxy {
    type Err = Error;

    /// Reads an address; `proxy:3128` means `http://proxy:3128`. A user name and password in
    /// it are sent to the proxy and never printed.
    fn from_str(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let wrong = |why: &str| {
            Error::new(ErrorKind::Config, format!("the proxy address {} {why}", redact_user_info(text)))
                .with_help("write it as http://proxy.example.org:3128, with user:password@ before the host if it asks")
        };
        let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let mut url = Url::parse(&whole).map_err(|source| wrong(&format!("is not a URL: {source}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("does not start with http:// or https://"));
        }
        let credentials = match take_user_info(&mut url) {
            Credentials::Basic { user, password } => Some((user, password)),
            _ => None,
        };
        Ok(Self { url, credentials })
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.url))
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("url", &printable(&self.url)).field("credentials", &self.credentials).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_its_password_kept() {
        let proxy: Proxy = "http://us%40er:canary@proxy.example:3128".parse().unwrap();
        assert_eq!(proxy.to_string(), "http://proxy.example:3128");
        assert_eq!(proxy.credentials, Some(("us@er".into(), Secret::new("canary"))));
        assert!(!format!("{proxy:?} {:?}", proxy.rule().unwrap()).contains("canary"));
        assert_eq!("proxy:3128".parse::<Proxy>().unwrap(), "http://proxy:3128".parse().unwrap());
    }

    #[test]
    fn an_address_that_is_not_an_http_proxy_is_refused_without_its_password() {
        for wrong in ["", "socks5://u:canary@proxy:1080", "http://u:canary@proxy:99999", "u:canary@:1"] {
            let error = wrong.parse::<Proxy>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
        }
    }
}
