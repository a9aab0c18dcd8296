//! The few requests that development commands send to a node.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// How a request proves who sends it.
#[derive(Clone)]
pub(crate) enum Auth {
    None,
    Basic { user: String, password: String },
    ApiKey(String),
}

/// A node that answers HTTP, and what it takes to talk to it.
pub(crate) struct Client {
    url: String,
    auth: Auth,
    agent: ureq::Agent,
}

impl Client {
    /// Requests give up after `limit`, whatever part of them is slow.
    pub(crate) fn new(url: &str, auth: Auth, ca_cert: Option<&PathBuf>, limit: Duration) -> Result<Self> {
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

    /// The status and the body, which is null when it is not JSON.
    pub(crate) fn get(&self, path: &str) -> Result<(u16, Value)> {
        let mut request = self.agent.get(format!("{}{path}", self.url));
        if let Some(header) = self.authorization() {
            request = request.header("Authorization", header);
        }
        answer(request.call().with_context(|| format!("GET {}{path}", self.url))?)
    }

    /// Sends JSON with PUT; the status and the body as for [`Client::get`].
    pub(crate) fn put(&self, path: &str, body: &Value) -> Result<(u16, Value)> {
        let mut request = self.agent.put(format!("{}{path}", self.url)).header("Content-Type", "application/json");
        if let Some(header) = self.authorization() {
            request = request.header("Authorization", header);
        }
        let response = request.send(body.to_string()).with_context(|| format!("PUT {}{path}", self.url))?;
        answer(response)
    }

    /// Sends POST, with JSON if there is any; the status and the body as text.
    pub(crate) fn post_text(&self, path: &str, body: Option<&Value>) -> Result<(u16, String)> {
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

    /// Sends POST; the body of a 2xx answer, and anything else is an error that shows it.
    pub(crate) fn post_ok(&self, path: &str, body: Option<&Value>) -> Result<Value> {
        match self.post_text(path, body)? {
            (200..=299, body) => Ok(serde_json::from_str(&body).unwrap_or(Value::Null)),
            (status, body) => Err(anyhow!("POST {}{path} answered {status}: {body}", self.url)),
        }
    }

    /// Sends DELETE; the status and the body as for [`Client::get`].
    pub(crate) fn delete(&self, path: &str) -> Result<(u16, Value)> {
        let mut request = self.agent.delete(format!("{}{path}", self.url));
        if let Some(header) = self.authorization() {
            request = request.header("Authorization", header);
        }
        answer(request.call().with_context(|| format!("DELETE {}{path}", self.url))?)
    }

    /// Sends DELETE with JSON.
    pub(crate) fn delete_with(&self, path: &str, body: &Value) -> Result<(u16, Value)> {
        let mut request = self.agent.delete(format!("{}{path}", self.url)).header("Content-Type", "application/json");
        if let Some(header) = self.authorization() {
            request = request.header("Authorization", header);
        }
        let response = request.force_send_body().send(body.to_string());
        answer(response.with_context(|| format!("DELETE {}{path}", self.url))?)
    }

    /// The body of a 2xx answer; anything else is an error that shows it.
    pub(crate) fn get_ok(&self, path: &str) -> Result<Value> {
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
