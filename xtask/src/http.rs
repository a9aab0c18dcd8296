//! The HTTP client of the development commands.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// The credentials of a request.
#[derive(Clone)]
pub enum Auth {
    /// No credentials.
    None,
    /// Basic authentication.
    Basic {
        /// The user name.
        user: String,
        /// The password.
        password: String,
    },
    /// An API key, encoded or as `id:key`.
    ApiKey(String),
}

/// A client of one node.
pub struct Client {
    url: String,
    auth: Auth,
    agent: ureq::Agent,
}

impl Client {
    /// Creates a client whose requests fail after `limit`.
    ///
    /// # Errors
    /// When the certificate cannot be read.
    pub fn new(url: &str, auth: Auth, ca_cert: Option<&PathBuf>, limit: Duration) -> Result<Self> {
        let mut config = ureq::Agent::config_builder().timeout_global(Some(limit)).http_status_as_error(false);
        if let Some(path) = ca_cert {
            let pem = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            let certificate =
                Certificate::from_pem(&pem).with_context(|| format!("{} is not a PEM certificate", path.display()))?;
            config = config
                .tls_config(TlsConfig::builder().root_certs(RootCerts::from(std::iter::once(certificate))).build());
        }
        Ok(Self { url: url.trim_end_matches('/').to_owned(), auth, agent: config.build().into() })
    }

    /// Sends GET, and returns the status and the body, which is null if it is not JSON.
    ///
    /// # Errors
    /// When the node does not answer.
    pub fn get(&self, path: &str) -> Result<(u16, Value)> {
        let mut request = self.agent.get(format!("{}{path}", self.url));
        if let Some(header) = self.authorization() {
            request = request.header("Authorization", header);
        }
        answer(request.call().with_context(|| format!("GET {}{path}", self.url))?)
    }

    /// Sends PUT with JSON, and returns the same as [`Client::get`].
    ///
    /// # Errors
    /// When the node does not answer.
    pub fn put(&self, path: &str, body: &Value) -> Result<(u16, Value)> {
        let mut request = self.agent.put(format!("{}{path}", self.url)).header("Content-Type", "application/json");
        if let Some(header) = self.authorization() {
            request = request.header("Authorization", header);
        }
        let response = request.send(body.to_string()).with_context(|| format!("PUT {}{path}", self.url))?;
        answer(response)
    }

    /// Sends POST, with JSON if there is any, and returns the status and the body as text.
    ///
    /// # Errors
    /// When the node does not answer.
    pub fn post_text(&self, path: &str, body: Option<&Value>) -> Result<(u16, String)> {
        let mut request = self.agent.post(format!("{}{path}", self.url));
        if let Some(header) = self.authorization() {
            request = request.header("Authorization", header);
        }
        let response = match body {
            Some(body) => request.header("Content-Type", "application/json").send(body.to_string()),
            None => request.send_empty(),
        };
        text(response.with_context(|| format!("POST {}{path}", self.url))?)
    }

    /// Sends POST, and returns the body of a 2xx answer.
    ///
    /// # Errors
    /// When the node does not answer, or answers with another status.
    pub fn post_ok(&self, path: &str, body: Option<&Value>) -> Result<Value> {
        match self.post_text(path, body)? {
            (200..=299, body) => Ok(serde_json::from_str(&body).unwrap_or(Value::Null)),
            (status, body) => Err(anyhow!("POST {}{path} answered {status}: {body}", self.url)),
        }
    }

    /// Sends DELETE, and returns the same as [`Client::get`].
    ///
    /// # Errors
    /// When the node does not answer.
    pub fn delete(&self, path: &str) -> Result<(u16, Value)> {
        let mut request = self.agent.delete(format!("{}{path}", self.url));
        if let Some(header) = self.authorization() {
            request = request.header("Authorization", header);
        }
        answer(request.call().with_context(|| format!("DELETE {}{path}", self.url))?)
    }

    /// Sends DELETE with JSON, and returns the same as [`Client::get`].
    ///
    /// # Errors
    /// When the node does not answer.
    pub fn delete_with(&self, path: &str, body: &Value) -> Result<(u16, Value)> {
        let mut request = self.agent.delete(format!("{}{path}", self.url)).header("Content-Type", "application/json");
        if let Some(header) = self.authorization() {
            request = request.header("Authorization", header);
        }
        let response = request.force_send_body().send(body.to_string());
        answer(response.with_context(|| format!("DELETE {}{path}", self.url))?)
    }

    /// Sends GET, and returns the body of a 2xx answer.
    ///
    /// # Errors
    /// When the node does not answer, or answers with another status.
    pub fn get_ok(&self, path: &str) -> Result<Value> {
        match self.get(path)? {
            (200..=299, body) => Ok(body),
            (status, body) => Err(anyhow!("GET {}{path} answered {status}: {body}", self.url)),
        }
    }

    fn authorization(&self) -> Option<String> {
        match &self.auth {
            Auth::None => None,
            Auth::Basic { user, password } => Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))),
            Auth::ApiKey(key) if key.contains(':') => Some(format!("ApiKey {}", STANDARD.encode(key))),
            Auth::ApiKey(encoded) => Some(format!("ApiKey {encoded}")),
        }
    }
}

fn answer(response: ureq::http::Response<ureq::Body>) -> Result<(u16, Value)> {
    let (status, text) = text(response)?;
    Ok((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
}

fn text(mut response: ureq::http::Response<ureq::Body>) -> Result<(u16, String)> {
    let status = response.status().as_u16();
    Ok((status, response.body_mut().read_to_string().context("cannot read the answer")?))
}
