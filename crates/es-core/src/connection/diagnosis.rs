//! Turns a failed exchange into an [`Error`] with the real cause: nothing listens, the port speaks the
//! other protocol, the certificate is not trusted.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use rustls::{AlertDescription, CertificateError};
use url::Url;

use crate::connection::credentials::Credentials;
use crate::connection::proxy::Proxy;
use crate::error::privilege::MissingPrivilege;
use crate::error::server_error::{RootCause, ServerError, kind_of};
use crate::error::{Error, ErrorKind};

/// The address without user, password, path and query, which must not be printed.
pub(crate) fn printable(url: &Url) -> String {
    let mut text = format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default());
    if let Some(port) = url.port_or_known_default() {
        text.push_str(&format!(":{port}"));
    }
    text
}

/// A failed exchange, as far as the explanation needs it.
#[derive(Clone, Copy)]
pub(crate) struct Exchange<'a> {
    /// The node that the request was sent to.
    pub(crate) url: &'a Url,
    /// The proxy on the way to it.
    pub(crate) proxy: Option<&'a Proxy>,
    /// The time limit.
    pub(crate) limit: Duration,
    /// `true` if the server is known to be Elasticsearch.
    pub(crate) is_known: bool,
}

/// The error of an exchange that brought no HTTP answer.
pub(crate) fn of_transport(error: reqwest::Error, exchange: Exchange<'_>) -> Error {
    let Exchange { url, proxy, limit, is_known } = exchange;
    let node = printable(url);
    let route = proxy.map_or_else(|| node.clone(), |proxy| format!("{node} through the proxy {proxy}"));
    let error = error.without_url();
    if let Some(tls) = find::<rustls::Error>(&error) {
        return of_tls(tls, &node).with_source(error);
    }
    if error.is_timeout() {
        let (kind, message) = if error.is_connect() {
            (ErrorKind::Connect, format!("no connection to {route} could be made in time"))
        } else {
            (ErrorKind::TimedOut, format!("{node} did not answer within {limit:?}"))
        };
        return Error::new(kind, message)
            .with_help("check that the address is right and that no firewall drops the connection")
            .with_source(error);
    }
    if error.is_connect() {
        if let Some(proxy) = proxy
            && says(&error, "proxy authorization required")
        {
            return refused_by_proxy(&proxy.to_string()).with_source(error);
        }
        let cause = find::<io::Error>(&error);
        let (why, help) = match cause.map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => {
                let help = match proxy {
                    None => "check that Elasticsearch runs there and that the port is right",
                    Some(_) => "check that the proxy runs, and that its address is right",
                };
                ("connection refused".to_owned(), help)
            }
            _ => (deepest(&error), "check the host name and the port"),
        };
        return Error::new(ErrorKind::Connect, format!("cannot connect to {route}: {why}"))
            .with_help(help)
            .with_source(error);
    }
    // hyper says so only in its message. A server that speaks first is not HTTP either, unless it is
    // known: then a gateway announces that it is about to close the connection.
    if says(&error, "invalid HTTP") || (!is_known && says(&error, "received unexpected message")) {
        return not_http(url).with_source(error);
    }
    let why = deepest(&error);
    Error::new(ErrorKind::Interrupted, format!("the connection to {route} broke: {why}")).with_source(error)
}

/// The error of a port where another service listens.
pub(crate) fn not_http(url: &Url) -> Error {
    Error::new(ErrorKind::NotElasticsearch, format!("{} answers, but not in HTTP", printable(url)))
        .with_help("another service listens on this port: check the address")
}

/// The error of a proxy that requires credentials.
fn refused_by_proxy(proxy: &str) -> Error {
    Error::new(ErrorKind::Unauthorized, format!("the proxy {proxy} does not let the client through (407)"))
        .with_help("put user:password@ before the host in the proxy's address, or correct them")
}

/// The error of a TCP connection that could not be made.
pub(crate) fn of_connect(source: io::Error, node: &str) -> Error {
    let (why, help) = match source.kind() {
        io::ErrorKind::ConnectionRefused => {
            ("connection refused".to_owned(), "check that Elasticsearch runs there and that the port is right")
        }
        io::ErrorKind::TimedOut => ("no answer in time".to_owned(), "check that no firewall drops the connection"),
        _ => (source.to_string(), "check the host name and the port"),
    };
    Error::new(ErrorKind::Connect, format!("cannot connect to {node}: {why}")).with_help(help).with_source(source)
}

/// The error of a TLS handshake that was broken off.
pub(crate) fn of_handshake(source: io::Error, node: &str) -> Error {
    match unwrap::<rustls::Error>(&source) {
        Some(tls) => of_tls(tls, node).with_source(source),
        None => Error::new(ErrorKind::Tls, format!("{node} broke off the TLS handshake: {source}"))
            .with_help("the port may not speak TLS: try http:// instead of https://")
            .with_source(source),
    }
}

pub(crate) fn of_tls(error: &rustls::Error, node: &str) -> Error {
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
        Tls::AlertReceived(AlertDescription::CertificateRequired) => {
            return of_client_certificate(node, "asks for a client certificate");
        }
        Tls::AlertReceived(
            alert @ (AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::HandshakeFailure),
        ) => return of_client_certificate(node, &format!("refuses the handshake ({alert:?})")),
        Tls::InvalidMessage(_) => {
            ("it does not speak TLS".to_owned(), "the port serves plain HTTP: write http:// instead of https://")
        }
        other => (other.to_string(), "check the certificates of both sides"),
    };
    Error::new(ErrorKind::Tls, format!("{node} is not trusted: {why}")).with_help(help)
}

/// The error of a handshake that the server ended: nearly always as it requires a client certificate.
fn of_client_certificate(node: &str, why: &str) -> Error {
    Error::new(ErrorKind::Tls, format!("{node} {why}"))
        .with_help("set ELASTICSEARCH_CLIENT_CERT and ELASTICSEARCH_CLIENT_KEY to a certificate that the server trusts")
}

/// The error of a redirect. Redirects are not followed: a forged one would collect the credentials.
pub(crate) fn redirected(url: &Url, location: &str) -> Error {
    let node = printable(url);
    let target = url.join(location).map_or_else(|_| "another address".to_owned(), |target| printable(&target));
    Error::new(ErrorKind::NotElasticsearch, format!("{node} redirects to {target}, and redirects are not followed"))
        .with_help("Elasticsearch does not redirect: set the address to where it answers itself")
}

/// The error for a plain HTTP address whose port turned out to speak TLS.
pub(crate) fn needs_https(url: &Url) -> Error {
    Error::new(ErrorKind::Tls, format!("{} speaks TLS, and the address says http", printable(url)))
        .with_help("write https:// instead of http://")
}

/// The error of an HTTP answer without success.
pub(crate) fn of_status(
    status: u16,
    body: &[u8],
    exchange: Exchange<'_>,
    request: (&str, &str),
    credentials: &Credentials,
) -> Error {
    let server = ServerError::parse(body);
    let kind = kind_of(status, server.as_ref());
    let node = printable(exchange.url);
    if status == 407 {
        let proxy = exchange.proxy.map_or_else(|| format!("before {node}"), ToString::to_string);
        return refused_by_proxy(&proxy).with_status(status);
    }
    let (method, path) = request;
    let message = match (kind, &server) {
        (ErrorKind::Unauthorized, _) => match credentials {
            Credentials::None => format!("{node} asks for credentials, and none are set"),
            given => format!("{node} does not accept the credentials ({})", given.description()),
        },
        (_, Some(server)) => {
            let said = RootCause { error_type: server.error_type.clone(), reason: server.summary() };
            format!("{method} {path} was answered {status}: {said}")
        }
        (_, None) => format!("{method} {path} was answered {status} by {node}"),
    };
    let error = Error::new(kind, message).with_status(status);
    let error = match help(kind, server.as_ref(), credentials) {
        Some(help) => error.with_help(help),
        None => error,
    };
    match server {
        Some(server) => error.with_server(server),
        None => error,
    }
}

fn help(kind: ErrorKind, server: Option<&ServerError>, credentials: &Credentials) -> Option<String> {
    if let Some(advice) = server.and_then(ServerError::advice) {
        return Some(advice);
    }
    let known = match kind {
        ErrorKind::Unauthorized => credentials.help(),
        ErrorKind::Forbidden => {
            let missing = server.and_then(|server| MissingPrivilege::parse(&server.reason));
            return Some(missing.map_or_else(
                || "grant the privilege to the user or the API key, or use another one".to_owned(),
                |missing| missing.help(),
            ));
        }
        ErrorKind::LicenceMissing => {
            let feature = server.and_then(ServerError::unlicensed_feature).unwrap_or("it");
            return Some(format!(
                "do without {feature}, or have the cluster's licence cover it (GET /_license shows it)"
            ));
        }
        ErrorKind::FeatureMissing => {
            "this Elasticsearch has no such API: its distribution lacks the module, or the module is switched off"
        }
        ErrorKind::Overloaded => "the cluster has too much to do: lower the concurrency or try later",
        ErrorKind::Unavailable => "it may be starting, or be cut off from its cluster: try again, and see its log",
        ErrorKind::TooLarge => "send less at once, or raise http.max_content_length of the server",
        _ => return None,
    };
    Some(known.to_owned())
}

/// Returns `true` if the message of a cause contains these words. Not all causes have a public type.
fn says(error: &reqwest::Error, words: &str) -> bool {
    chain(error).any(|cause| cause.to_string().contains(words))
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
            let exchange = Exchange { url: &url, proxy: None, limit: Duration::ZERO, is_known: true };
            of_status(status, body.as_bytes(), exchange, ("GET", "/a"), credentials)
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

    #[test]
    fn forbidden_and_unlicensed_say_what_is_missing() {
        let url = Url::parse("http://localhost:9200").unwrap();
        let exchange = Exchange { url: &url, proxy: None, limit: Duration::ZERO, is_known: true };
        let of = |reason: &str| {
            let body = serde_json::json!({"status": 403, "error": {"type": "security_exception", "reason": reason}});
            of_status(403, body.to_string().as_bytes(), exchange, ("PUT", "/a"), &Credentials::None)
        };
        let denied = of("action [indices:admin/create] is unauthorized for user [u] with effective roles [r] on \
            indices [a], this action is granted by the index privileges [create_index,manage,all]");
        assert_eq!(denied.help(), Some("grant user [u] the index privilege create_index on a (or manage, all)"));
        assert_eq!(denied.missing_privilege().unwrap().action, "indices:admin/create");
        let unlicensed = of("current license is non-compliant for [security tokens]");
        assert_eq!(unlicensed.kind(), ErrorKind::LicenceMissing);
        assert!(unlicensed.help().unwrap().starts_with("do without security tokens"));
        assert_eq!(unlicensed.missing_privilege(), None);
    }

    #[test]
    fn a_redirect_names_its_target_alone() {
        let url = Url::parse("https://es.example").unwrap();
        let error = redirected(&url, "http://u:canary@evil.example/steal?t=canary");
        assert_eq!(
            error.to_string(),
            "https://es.example:443 redirects to http://evil.example:80, and redirects are not followed"
        );
        assert!(redirected(&url, "/login").to_string().contains("redirects to https://es.example:443"));
        assert!(redirected(&url, "http://[").to_string().contains("another address"));
    }
}
