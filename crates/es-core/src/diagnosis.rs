//! Turns a failed exchange into an [`Error`] that says what is really wrong: nothing
//! listens, the port speaks the other protocol, the certificate is not trusted.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use rustls::CertificateError;
use url::Url;

use crate::credentials::Credentials;
use crate::error::{Error, ErrorKind};
use crate::server_error::{ServerError, kind_of};

/// The address as it may be printed: without user, password, path and query.
pub(crate) fn printable(url: &Url) -> String {
    let mut text = format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default());
    if let Some(port) = url.port_or_known_default() {
        text.push_str(&format!(":{port}"));
    }
    text
}

/// The error of an exchange that brought no HTTP answer.
pub(crate) fn of_transport(error: reqwest::Error, url: &Url, limit: Duration) -> Error {
    let node = printable(url);
    let error = error.without_url();
    if let Some(tls) = find::<rustls::Error>(&error) {
        return of_tls(tls, &node).with_source(error);
    }
    if error.is_timeout() {
        let (kind, message) = if error.is_connect() {
            (ErrorKind::Connect, format!("no connection to {node} could be made in time"))
        } else {
            (ErrorKind::TimedOut, format!("{node} did not answer within {limit:?}"))
        };
        return Error::new(kind, message)
            .with_help("check that the address is right and that no firewall drops the connection")
            .with_source(error);
    }
    if error.is_connect() {
        let cause = find::<io::Error>(&error);
        let (why, help) = match cause.map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => {
                ("connection refused".to_owned(), "check that Elasticsearch runs there and that the port is right")
            }
            _ => (deepest(&error), "check the host name and the port"),
        };
        return Error::new(ErrorKind::Connect, format!("cannot connect to {node}: {why}"))
            .with_help(help)
            .with_source(error);
    }
    if speaks_something_else(&error) {
        return Error::new(ErrorKind::NotElasticsearch, format!("{node} answers, but not in HTTP"))
            .with_help("another service listens on this port: check the address")
            .with_source(error);
    }
    let why = deepest(&error);
    Error::new(ErrorKind::Interrupted, format!("the connection to {node} broke: {why}")).with_source(error)
}

fn of_tls(error: &rustls::Error, node: &str) -> Error {
    use rustls::Error as Tls;
    let (why, help) = match error {
        Tls::InvalidCertificate(CertificateError::UnknownIssuer) => (
            "its certificate is signed by an authority that is not trusted".to_owned(),
            "set ELASTICSEARCH_CA_CERT to the authority's certificate (Elasticsearch keeps it in config/certs/http_ca.crt)",
        ),
        Tls::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => (
            "its certificate is for another host name".to_owned(),
            "use a name that the certificate has, or set verification to `certificate`",
        ),
        Tls::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            ("its certificate has expired".to_owned(), "renew the certificate on the server")
        }
        Tls::InvalidCertificate(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }) => {
            ("its certificate is not valid yet".to_owned(), "check the clocks of both machines")
        }
        Tls::InvalidCertificate(CertificateError::ApplicationVerificationFailure) => (
            "no certificate of its chain has the fingerprint that is set".to_owned(),
            "print the right one with: openssl x509 -fingerprint -sha256 -noout -in http_ca.crt",
        ),
        Tls::InvalidMessage(_) => {
            ("it does not speak TLS".to_owned(), "the port serves plain HTTP: write http:// instead of https://")
        }
        other => (other.to_string(), "check the certificates of both sides"),
    };
    Error::new(ErrorKind::Tls, format!("{node} is not trusted: {why}")).with_help(help)
}

/// The error for a plain HTTP address whose port turned out to speak TLS.
pub(crate) fn needs_https(url: &Url) -> Error {
    Error::new(ErrorKind::Tls, format!("{} speaks TLS, and the address says http", printable(url)))
        .with_help("write https:// instead of http://")
}

/// The error of an HTTP answer that is no success.
pub(crate) fn of_status(
    status: u16,
    body: &[u8],
    url: &Url,
    request: (&str, &str),
    credentials: &Credentials,
) -> Error {
    let server = ServerError::parse(body);
    let kind = kind_of(status, server.as_ref());
    let node = printable(url);
    let (method, path) = request;
    let message = match (kind, &server) {
        (ErrorKind::Unauthorized, _) => match credentials {
            Credentials::None => format!("{node} asks for credentials, and none are set"),
            given => format!("{node} does not accept the credentials ({})", given.description()),
        },
        (_, Some(server)) => {
            let error_type = if server.error_type.is_empty() { "" } else { &server.error_type };
            let separator = if error_type.is_empty() { "" } else { ": " };
            format!("{method} {path} was answered {status}: {error_type}{separator}{}", server.summary())
        }
        (_, None) => format!("{method} {path} was answered {status} by {node}"),
    };
    let mut error = Error::new(kind, message).with_status(status);
    match kind {
        ErrorKind::Unauthorized => {
            error = error.with_help("set ELASTICSEARCH_API_KEY, or ELASTICSEARCH_USER and ELASTICSEARCH_PASSWORD");
        }
        ErrorKind::Forbidden => {
            error = error.with_help("grant the privilege to the user or the API key, or use another one");
        }
        ErrorKind::Overloaded => {
            error = error.with_help("the cluster has too much to do: lower the concurrency or try later");
        }
        ErrorKind::Unavailable => {
            error = error.with_help("it may be starting, or be cut off from its cluster: try again, and see its log");
        }
        _ => {}
    }
    match server {
        Some(server) => error.with_server(server),
        None => error,
    }
}

/// hyper says so in words alone when what came back is no HTTP.
fn speaks_something_else(error: &reqwest::Error) -> bool {
    chain(error).any(|cause| cause.to_string().contains("invalid HTTP"))
}

fn deepest(error: &reqwest::Error) -> String {
    chain(error).last().map_or_else(|| error.to_string(), ToString::to_string)
}

fn find<T: StdError + 'static>(error: &reqwest::Error) -> Option<&T> {
    chain(error).find_map(|cause| unwrap(cause))
}

/// hyper and tokio-rustls wrap their causes in I/O errors, one inside the other, which hide
/// them from `source`.
fn unwrap<'a, T: StdError + 'static>(cause: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let found = cause.downcast_ref::<T>();
    found.or_else(|| unwrap(cause.downcast_ref::<io::Error>()?.get_ref()?))
}

fn chain(error: &reqwest::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    std::iter::successors(error.source(), |cause| (*cause).source())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_printed_without_its_user_information() {
        let url = Url::parse("https://elastic:canary@es.example:9243/path?q=canary").unwrap();
        assert_eq!(printable(&url), "https://es.example:9243");
    }

    #[test]
    fn each_status_says_what_to_do() {
        let url = Url::parse("http://localhost:9200").unwrap();
        let of = |status, body: &str, credentials: &Credentials| {
            of_status(status, body.as_bytes(), &url, ("GET", "/a"), credentials)
        };
        let none = of(401, "", &Credentials::None);
        assert_eq!(none.to_string(), "http://localhost:9200 asks for credentials, and none are set");
        let wrong = of(401, "", &Credentials::api_key("a:canary"));
        assert_eq!(wrong.to_string(), "http://localhost:9200 does not accept the credentials (an API key)");
        assert!(wrong.help().unwrap().contains("ELASTICSEARCH_API_KEY"));
        let missing = of(
            404,
            r#"{"error":{"type":"index_not_found_exception","reason":"no such index [a]"}}"#,
            &Credentials::None,
        );
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        assert_eq!(missing.to_string(), "GET /a was answered 404: index_not_found_exception: no such index [a]");
        let page = of(502, "<html>", &Credentials::None);
        assert_eq!(page.to_string(), "GET /a was answered 502 by http://localhost:9200");
        assert_eq!(page.kind(), ErrorKind::Unavailable);
    }
}
