//! Finds the node that a test is to use.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;

use crate::container::{self, Security};
use crate::{Node, ledger};

/// The time limit for the first answer of a node that should run.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// A node without security, or none where none is to be had.
///
/// A node that `ELASTICSEARCH_URL` names is used as it is, with the credentials
/// beside it.
///
/// # Panics
/// With `CI=true` when there is no node; and when the environment names a node
/// that does not answer.
pub async fn plain() -> Option<Node> {
    find(Kind::Plain).await
}

/// A node with TLS, a password and (but from a container) an API key, or none
/// where none is to be had.
///
/// # Panics
/// As [`plain`].
pub async fn secure() -> Option<Node> {
    find(Kind::Secure).await
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Secure,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Secure => "secure",
        }
    }

    fn variable(self, name: &str) -> String {
        match self {
            Self::Plain => format!("ELASTICSEARCH_{name}"),
            Self::Secure => format!("ES_TEST_SECURE_{name}"),
        }
    }

    fn command(self) -> &'static str {
        match self {
            Self::Plain => "cargo xtask es up",
            Self::Secure => "cargo xtask es up --secure",
        }
    }
}

async fn find(kind: Kind) -> Option<Node> {
    let found = match from_environment(kind, |name| std::env::var(name).ok()) {
        Some(node) => {
            if let Err(reason) = answers(&node).await {
                panic!("{} is set to {}: {reason}", kind.variable("URL"), node.url);
            }
            Ok(node)
        }
        None => match from_checkout(kind).await {
            Some(node) => Ok(node),
            None => from_container(kind).await,
        },
    };
    match found {
        Ok(node) => {
            ledger::record(kind.name(), &node.url);
            Some(node)
        }
        Err(reason) => {
            let command = kind.command();
            assert!(
                std::env::var("CI").as_deref() != Ok("true"),
                "no Elasticsearch for live tests ({reason}): {command}"
            );
            ledger::say(&format!("SKIPPED live test: no Elasticsearch ({command}); {reason}"));
            None
        }
    }
}

fn from_environment(kind: Kind, variable: impl Fn(&str) -> Option<String>) -> Option<Node> {
    let value = |name: &str| variable(&kind.variable(name)).filter(|value| !value.is_empty());
    Some(Node {
        username: value("USER"),
        password: value("PASSWORD"),
        api_key: value("API_KEY"),
        ca_cert_path: value("CA_CERT").map(PathBuf::from),
        ..Node::open(value("URL")?)
    })
}

/// The part of the state of `cargo xtask es` that tests need.
#[derive(Deserialize)]
struct State {
    url: String,
    #[serde(default)]
    access: Option<Access>,
}

#[derive(Deserialize)]
struct Access {
    username: String,
    password: String,
    #[serde(default)]
    api_key: Option<String>,
    ca_cert: PathBuf,
}

async fn from_checkout(kind: Kind) -> Option<Node> {
    let state = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.es").join(kind.name()).join("state.json");
    let node = parse_state(&std::fs::read(state).ok()?)?;
    answers(&node).await.ok().map(|()| node)
}

fn parse_state(json: &[u8]) -> Option<Node> {
    let state: State = serde_json::from_slice(json).ok()?;
    let node = Node::open(state.url);
    Some(match state.access {
        None => node,
        Some(access) => Node {
            username: Some(access.username),
            password: Some(access.password),
            api_key: access.api_key,
            ca_cert_path: Some(access.ca_cert),
            ..node
        },
    })
}

async fn from_container(kind: Kind) -> Result<Node, String> {
    let security = match kind {
        Kind::Plain => Security::Off,
        Kind::Secure => Security::On,
    };
    let container = container::shared(security).await?;
    Ok(Node { container: Some(Arc::clone(&container)), ..container.node().clone() })
}

async fn answers(node: &Node) -> Result<(), String> {
    match tokio::time::timeout(ANSWER_LIMIT, node.send(Method::GET, "/_cluster/health", None)).await {
        Ok(Ok((200, _))) => Ok(()),
        Ok(Ok((status, text))) => Err(format!("it answers with status {status}: {text}")),
        Ok(Err(error)) => Err(format!("it does not answer: {error:?}")),
        Err(_) => Err(format!("it does not answer within {} s", ANSWER_LIMIT.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_reads_its_own_variables() {
        let variable = |name: &str| {
            let value = match name {
                "ELASTICSEARCH_URL" => "http://a:9200/",
                "ELASTICSEARCH_USER" => "",
                "ES_TEST_SECURE_URL" => "https://b:9201",
                "ES_TEST_SECURE_API_KEY" => "key",
                "ES_TEST_SECURE_CA_CERT" => "/ca.crt",
                _ => return None,
            };
            Some(value.to_owned())
        };
        let plain = from_environment(Kind::Plain, variable).unwrap();
        assert_eq!((plain.url.as_str(), plain.username), ("http://a:9200", None));
        let secure = from_environment(Kind::Secure, variable).unwrap();
        assert_eq!(secure.api_key.as_deref(), Some("key"));
        assert_eq!(secure.ca_cert_path, Some(PathBuf::from("/ca.crt")));
        assert!(from_environment(Kind::Plain, |_| None).is_none());
    }

    #[test]
    fn the_state_file_of_the_development_node_is_understood() {
        let plain =
            br#"{"url":"http://127.0.0.1:9200","version":"9.4.3","runtime":{"provider":"local","folder":"/n"}}"#;
        assert_eq!(parse_state(plain).unwrap().url, "http://127.0.0.1:9200");
        let secure = br#"{"url":"https://127.0.0.1:9201","version":"9.4.3","access":{"username":"elastic","password":"p","api_key":"k","ca_cert":"/ca.crt"},"runtime":{"provider":"docker"}}"#;
        let node = parse_state(secure).unwrap();
        assert_eq!(node.username.as_deref(), Some("elastic"));
        assert_eq!(node.api_key.as_deref(), Some("k"));
        assert!(parse_state(b"{}").is_none());
    }
}
