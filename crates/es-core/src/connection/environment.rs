//! The environment variables of a connection, declared once.

use std::path::PathBuf;

use crate::connection::config::ClusterConfig;
use crate::connection::credentials::{Credentials, Secret};
use crate::connection::endpoint::Endpoint;
use crate::connection::headers::ExtraHeaders;
use crate::connection::tls::Verification;
use crate::error::{Error, ErrorKind};

/// A variable that [`ClusterConfig::from_env`] reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnvironmentVariable {
    /// Its name.
    pub name: &'static str,
    /// Its meaning, for `.env.example` and the documentation.
    pub description: &'static str,
    /// A value that shows its form.
    pub example: &'static str,
}

/// Every variable that [`ClusterConfig::from_env`] reads.
pub const VARIABLES: &[EnvironmentVariable] = &[
    variable("ELASTICSEARCH_URL", "Addresses of the nodes, comma-separated.", "http://localhost:9200"),
    variable("ELASTICSEARCH_HOST", "Another name of ELASTICSEARCH_URL.", "http://localhost:9200"),
    variable("ELASTIC_CLOUD_ID", "An Elastic Cloud deployment, instead of addresses.", "name:base64"),
    variable("ELASTICSEARCH_API_KEY", "An API key, encoded or as id:key.", "id:key"),
    variable("ELASTICSEARCH_USER", "A user name, with ELASTICSEARCH_PASSWORD.", "elastic"),
    variable("ELASTICSEARCH_PASSWORD", "The password of ELASTICSEARCH_USER.", ""),
    variable("ELASTICSEARCH_BEARER_TOKEN", "A bearer token, such as one of OAuth 2.0.", ""),
    variable("ELASTICSEARCH_SERVICE_TOKEN", "The token of a service account.", ""),
    variable("ELASTICSEARCH_CA_CERT", "A PEM file of the CA to trust, and no other.", "http_ca.crt"),
    variable("ELASTICSEARCH_CA_FINGERPRINT", "The SHA-256 of a certificate of the server's chain.", ""),
    variable("ELASTICSEARCH_CLIENT_CERT", "A PEM file of the client's certificate.", "client.crt"),
    variable("ELASTICSEARCH_CLIENT_KEY", "A PEM file of the client's key.", "client.key"),
    variable("ELASTICSEARCH_VERIFY_CERTS", "The verification of certificates: full, certificate or none.", "full"),
    variable(
        "ELASTICSEARCH_PROXY",
        "The HTTP proxy to go through; http_proxy and no_proxy are not read.",
        "http://user:password@proxy.example.org:3128",
    ),
    variable(
        "ELASTICSEARCH_HEADERS",
        "Headers to send along, as name=value pairs with commas between them.",
        "X-Gateway-Token=secret",
    ),
];

const fn variable(name: &'static str, description: &'static str, example: &'static str) -> EnvironmentVariable {
    EnvironmentVariable { name, description, example }
}

/// Applies the variables to a configuration. An empty variable counts as unset.
pub(crate) fn overlay(
    mut config: ClusterConfig,
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<ClusterConfig, Error> {
    let get = |name: &str| lookup(name).filter(|value| !value.trim().is_empty());

    if let Some(endpoint) = endpoint(&get)? {
        config.endpoint = endpoint;
    }
    if let Some(credentials) = credentials(&get)? {
        config.credentials = credentials;
    }
    let (ca_cert, fingerprint) = (get("ELASTICSEARCH_CA_CERT"), get("ELASTICSEARCH_CA_FINGERPRINT"));
    if ca_cert.is_some() || fingerprint.is_some() {
        config.tls.ca_cert = ca_cert.map(PathBuf::from);
        config.tls.ca_fingerprint = fingerprint.map(|text| text.parse()).transpose()?;
    }
    if let Some(path) = get("ELASTICSEARCH_CLIENT_CERT") {
        config.tls.client_cert = Some(path.into());
    }
    if let Some(path) = get("ELASTICSEARCH_CLIENT_KEY") {
        config.tls.client_key = Some(path.into());
    }
    if let Some(text) = get("ELASTICSEARCH_VERIFY_CERTS") {
        config.tls.verification = verification(&text)?;
    }
    if let Some(text) = get("ELASTICSEARCH_PROXY") {
        config.proxy = Some(text.parse()?);
    }
    if let Some(text) = get("ELASTICSEARCH_HEADERS") {
        config.headers = ExtraHeaders::parse(&text)?;
    }
    Ok(config)
}

fn endpoint(get: &impl Fn(&str) -> Option<String>) -> Result<Option<Endpoint>, Error> {
    let names = ["ELASTICSEARCH_URL", "ELASTICSEARCH_HOST", "ELASTIC_CLOUD_ID"];
    Ok(match only_one(names, get)? {
        Some(("ELASTIC_CLOUD_ID", id)) => Some(Endpoint::CloudId(id)),
        Some((_, hosts)) => Some(Endpoint::hosts(&hosts)?),
        None => None,
    })
}

fn credentials(get: &impl Fn(&str) -> Option<String>) -> Result<Option<Credentials>, Error> {
    let names =
        ["ELASTICSEARCH_API_KEY", "ELASTICSEARCH_USER", "ELASTICSEARCH_BEARER_TOKEN", "ELASTICSEARCH_SERVICE_TOKEN"];
    let password = get("ELASTICSEARCH_PASSWORD");
    Ok(match (only_one(names, get)?, password) {
        (Some(("ELASTICSEARCH_USER", user)), Some(password)) => {
            Some(Credentials::Basic { user, password: Secret::new(password) })
        }
        (Some(("ELASTICSEARCH_USER", _)), None) => {
            return Err(Error::new(ErrorKind::Config, "ELASTICSEARCH_USER is set without ELASTICSEARCH_PASSWORD"));
        }
        (None, Some(_)) => {
            return Err(Error::new(ErrorKind::Config, "ELASTICSEARCH_PASSWORD is set without ELASTICSEARCH_USER"));
        }
        (Some((name, _)), Some(_)) => return Err(contradiction(name, "ELASTICSEARCH_PASSWORD")),
        (Some(("ELASTICSEARCH_API_KEY", key)), None) => Some(Credentials::api_key(&key)),
        (Some(("ELASTICSEARCH_SERVICE_TOKEN", token)), None) => Some(Credentials::ServiceToken(Secret::new(token))),
        (Some((_, token)), None) => Some(Credentials::Bearer(Secret::new(token))),
        (None, None) => None,
    })
}

/// Returns the variable that is set. Two are a contradiction; the error names both.
fn only_one<const N: usize>(
    names: [&'static str; N],
    get: &impl Fn(&str) -> Option<String>,
) -> Result<Option<(&'static str, String)>, Error> {
    let mut set = names.into_iter().filter_map(|name| get(name).map(|value| (name, value)));
    match (set.next(), set.next()) {
        (Some((first, _)), Some((second, _))) => Err(contradiction(first, second)),
        (first, _) => Ok(first),
    }
}

fn contradiction(first: &str, second: &str) -> Error {
    Error::new(ErrorKind::Config, format!("both {first} and {second} are set"))
        .with_help("unset one of them: they are two ways to say the same thing")
}

fn verification(text: &str) -> Result<Verification, Error> {
    match text.trim().to_ascii_lowercase().as_str() {
        "full" | "true" | "1" | "yes" => Ok(Verification::Full),
        "certificate" => Ok(Verification::Certificate),
        "none" | "false" | "0" | "no" => Ok(Verification::None),
        _ => Err(Error::new(
            ErrorKind::Config,
            format!("ELASTICSEARCH_VERIFY_CERTS is {text:?}: it takes full, certificate or none"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Result<ClusterConfig, Error> {
        ClusterConfig::default().overlaid(|name| {
            assert!(VARIABLES.iter().any(|variable| variable.name == name), "{name} is not declared");
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn each_way_in_is_read() {
        let basic = with(&[("ELASTICSEARCH_USER", "u"), ("ELASTICSEARCH_PASSWORD", "p")]).unwrap();
        assert_eq!(basic.credentials, Credentials::Basic { user: "u".into(), password: Secret::new("p") });
        assert_eq!(with(&[("ELASTICSEARCH_API_KEY", "a:b")]).unwrap().credentials, Credentials::api_key("a:b"));
        let bearer = with(&[("ELASTICSEARCH_BEARER_TOKEN", "t")]).unwrap();
        assert_eq!(bearer.credentials, Credentials::Bearer(Secret::new("t")));
        let service = with(&[("ELASTICSEARCH_SERVICE_TOKEN", "t")]).unwrap();
        assert_eq!(service.credentials, Credentials::ServiceToken(Secret::new("t")));
        let proxied = with(&[("ELASTICSEARCH_PROXY", "http://u:p@proxy:3128"), ("ELASTICSEARCH_HEADERS", "X-A=b")]);
        let proxied = proxied.unwrap();
        assert_eq!(proxied.proxy, Some("http://u:p@proxy:3128".parse().unwrap()));
        assert_eq!(proxied.headers, ExtraHeaders::parse("X-A=b").unwrap());
        let cloud = with(&[("ELASTIC_CLOUD_ID", "x:y"), ("ELASTICSEARCH_URL", "")]).unwrap();
        assert_eq!(cloud.endpoint, Endpoint::CloudId("x:y".into()));
        let none = with(&[("ELASTICSEARCH_VERIFY_CERTS", "None")]).unwrap();
        assert_eq!(none.tls.verification, Verification::None);
        assert_eq!(with(&[]).unwrap(), ClusterConfig::default());
    }

    #[test]
    fn contradictions_name_both() {
        type Variables = &'static [(&'static str, &'static str)];
        let table: &[(Variables, [&str; 2])] = &[
            (
                &[("ELASTICSEARCH_URL", "http://a"), ("ELASTIC_CLOUD_ID", "x:y")],
                ["ELASTICSEARCH_URL", "ELASTIC_CLOUD_ID"],
            ),
            (
                &[("ELASTICSEARCH_API_KEY", "a:b"), ("ELASTICSEARCH_USER", "u"), ("ELASTICSEARCH_PASSWORD", "p")],
                ["ELASTICSEARCH_API_KEY", "ELASTICSEARCH_USER"],
            ),
            (
                &[("ELASTICSEARCH_API_KEY", "a:b"), ("ELASTICSEARCH_PASSWORD", "p")],
                ["ELASTICSEARCH_API_KEY", "ELASTICSEARCH_PASSWORD"],
            ),
            (
                &[("ELASTICSEARCH_BEARER_TOKEN", "a"), ("ELASTICSEARCH_SERVICE_TOKEN", "b")],
                ["ELASTICSEARCH_BEARER_TOKEN", "ELASTICSEARCH_SERVICE_TOKEN"],
            ),
            (&[("ELASTICSEARCH_USER", "u")], ["ELASTICSEARCH_USER", "ELASTICSEARCH_PASSWORD"]),
        ];
        for (variables, names) in table {
            let error = with(variables).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            for name in names {
                assert!(error.to_string().contains(name), "{error}");
            }
        }
    }
}
