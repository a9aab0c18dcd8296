//! A node and how to reach it. How it came to be there is left to `source`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use crate::container::Container;

/// The time limit of a test's own request.
const REQUEST_LIMIT: Duration = Duration::from_secs(60);

/// A running Elasticsearch, and what it takes to talk to it.
#[derive(Clone)]
pub struct Node {
    /// Scheme, host and port, without a path.
    pub url: String,
    /// The user for basic authentication.
    pub username: Option<String>,
    /// The password of [`Node::username`].
    pub password: Option<String>,
    /// An encoded API key.
    pub api_key: Option<String>,
    /// A PEM file with the authority that signed the node's certificate.
    pub ca_cert_path: Option<PathBuf>,
    /// Keeps the container alive as long as somebody holds the node.
    pub(crate) container: Option<Arc<Container>>,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let redacted = |secret: &Option<String>| secret.as_ref().map(|_| "[redacted]");
        formatter
            .debug_struct("Node")
            .field("url", &self.url)
            .field("username", &self.username)
            .field("password", &redacted(&self.password))
            .field("api_key", &redacted(&self.api_key))
            .field("ca_cert_path", &self.ca_cert_path)
            .field("in_container", &self.container.is_some())
            .finish()
    }
}

impl Node {
    /// A node without security.
    pub(crate) fn open(url: impl Into<String>) -> Self {
        Self {
            url: url.into().trim_end_matches('/').to_owned(),
            username: None,
            password: None,
            api_key: None,
            ca_cert_path: None,
            container: None,
        }
    }

    /// A request to the node, with its credentials; `path` starts with a slash.
    ///
    /// # Panics
    /// When the CA certificate cannot be read.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.client().request(method, format!("{}{path}", self.url));
        match (&self.api_key, &self.username) {
            (Some(key), _) => request.header("Authorization", format!("ApiKey {key}")),
            (None, Some(user)) => request.basic_auth(user, self.password.as_ref()),
            (None, None) => request,
        }
    }

    /// The JSON that a GET answers.
    ///
    /// # Panics
    /// When the node does not answer, or with a status other than 2xx.
    pub async fn get(&self, path: &str) -> Value {
        self.answer(Method::GET, path, None).await
    }

    /// The JSON that a request with a JSON body (or NDJSON, for `_bulk`) answers.
    ///
    /// # Panics
    /// When the node does not answer, or with a status other than 2xx.
    pub async fn json(&self, method: Method, path: &str, body: impl Into<String>) -> Value {
        self.answer(method, path, Some(body.into())).await
    }

    /// Status and body of a request, whatever they are.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Result<(u16, String), reqwest::Error> {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.header("Content-Type", "application/json").body(body);
        }
        let response = request.send().await?;
        Ok((response.status().as_u16(), response.text().await?))
    }

    async fn answer(&self, method: Method, path: &str, body: Option<String>) -> Value {
        let (status, text) = match self.send(method.clone(), path, body).await {
            Ok(answer) => answer,
            Err(error) => panic!("{method} {}{path} failed: {error:?}", self.url),
        };
        assert!((200..300).contains(&status), "{method} {}{path} answered {status}: {text}", self.url);
        serde_json::from_str(&text).unwrap_or(Value::String(text))
    }

    fn client(&self) -> reqwest::Client {
        let mut builder = reqwest::Client::builder().timeout(REQUEST_LIMIT);
        if let Some(path) = &self.ca_cert_path {
            let certificate = std::fs::read(path)
                .map_err(|error| error.to_string())
                .and_then(|pem| reqwest::Certificate::from_pem(&pem).map_err(|error| error.to_string()));
            builder = match certificate {
                Ok(certificate) => builder.add_root_certificate(certificate),
                Err(error) => panic!("cannot use {}: {error}", path.display()),
            };
        }
        match builder.build() {
            Ok(client) => client,
            Err(error) => panic!("cannot make an HTTP client: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Node;

    #[test]
    fn secrets_do_not_print() {
        let node = Node {
            username: Some("elastic".into()),
            password: Some("hush".into()),
            api_key: Some("quiet".into()),
            ..Node::open("https://localhost:9200/")
        };
        let shown = format!("{node:?}");
        assert!(shown.contains("https://localhost:9200\""), "{shown}");
        assert!(!shown.contains("hush") && !shown.contains("quiet"), "{shown}");
    }
}
