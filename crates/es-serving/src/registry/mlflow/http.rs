//! Requests to the tracking server.
//!
//! A request that only reads is sent again a few times when it fails in a way that may pass; one that
//! writes is sent once.

use std::time::Duration;

use es_core::Secret;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::wire::{ErrorAnswer, Refusal};
use super::{Credentials, Mlflow, MlflowOptions};
use crate::error::{Error, ErrorKind};
use crate::registry::folder::io_error;
use crate::server::transport::reason_of;

/// Bytes of an answer beyond which it is refused. Files are read otherwise.
const LARGEST_ANSWER: usize = 32 * 1024 * 1024;

/// Bytes of an answer that no interface of the server wrote, in a message.
const QUOTED: usize = 300;

/// Attempts at a request that only reads, and the wait after the first, which doubles.
const ATTEMPTS: u32 = 4;
const FIRST_WAIT: Duration = Duration::from_millis(200);

pub(super) fn client(options: MlflowOptions) -> Result<Mlflow, Error> {
    let MlflowOptions { uri, user, password, token, timeout, ca_cert } = options;
    let credentials = credentials(user, password, token)?;
    let parsed = reqwest::Url::parse(&uri).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let Some(mut uri) = parsed else {
        return Err(Error::new(ErrorKind::Invalid, format!("`{uri}` is not the address of a server"))
            .with_help("write it as http://mlflow.example.org:5000"));
    };
    if uri.password().is_some() || !uri.username().is_empty() {
        let host = uri.host_str().unwrap_or_default();
        return Err(Error::new(ErrorKind::Invalid, format!("the address of the server {host} contains credentials"))
            .with_help("set MlflowOptions::user and password, or token"));
    }
    let path = uri.path().trim_end_matches('/').to_owned();
    uri.set_path(&path);
    let timeout = timeout.to_duration();
    let mut builder = reqwest::Client::builder().connect_timeout(timeout).read_timeout(timeout);
    if let Some(path) = ca_cert {
        let read = |error: std::io::Error| io_error(&path, "read", error);
        let pem = std::fs::read(&path).map_err(read)?;
        let certificates = reqwest::Certificate::from_pem_bundle(&pem)
            .map_err(|error| read(std::io::Error::new(std::io::ErrorKind::InvalidData, error)))?;
        for certificate in certificates {
            builder = builder.add_root_certificate(certificate);
        }
    }
    let http = builder
        .build()
        .map_err(|error| Error::new(ErrorKind::Invalid, "no HTTP client can be made").with_source(error))?;
    Ok(Mlflow { http, uri, timeout, credentials })
}

fn credentials(user: Option<String>, password: Option<Secret>, token: Option<Secret>) -> Result<Credentials, Error> {
    match (user, password, token) {
        (None, None, None) => Ok(Credentials::None),
        (Some(user), Some(password), None) => Ok(Credentials::Basic { user, password }),
        (None, None, Some(token)) => Ok(Credentials::Token(token)),
        _ => Err(Error::new(
            ErrorKind::Invalid,
            "the credentials for MLflow are neither a user with a password nor a token",
        )
        .with_help("set MlflowOptions::user and password, or token alone")),
    }
}

impl Mlflow {
    /// Reads from the REST interface; sent again when that may help.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Result<T, Refusal>, Error> {
        let path = format!("api/2.0/mlflow/{path}");
        match self.open(&path, query).await? {
            Ok(response) => self.read(&format!("GET /{path}"), response).await.map(Ok),
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    /// Writes by the REST interface.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &Value,
    ) -> Result<Result<T, Refusal>, Error> {
        let path = format!("api/2.0/mlflow/{path}");
        let name = format!("POST /{path}");
        let request = self.request(Method::POST, &path).timeout(self.timeout).json(body);
        match self.send(&name, request).await? {
            Ok(response) => self.read(&name, response).await.map(Ok),
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    /// Uploads a file.
    pub(super) async fn put(&self, path: &str, body: reqwest::Body) -> Result<(), Error> {
        let sent = self.send(&format!("PUT /{path}"), self.request(Method::PUT, path).body(body)).await?;
        sent.map(|_| ()).map_err(|refusal| refusal.into_error(self))
    }

    /// Starts to read an answer of any length.
    pub(super) async fn open(&self, path: &str, query: &[(&str, &str)]) -> Result<Result<Response, Refusal>, Error> {
        let name = format!("GET /{path}");
        let mut attempt = 0;
        loop {
            let outcome = self.send(&name, self.request(Method::GET, path).query(query)).await;
            attempt += 1;
            let may_pass = match &outcome {
                Ok(Err(refusal)) => refusal.is_passing(),
                Ok(Ok(_)) => false,
                Err(error) => error.is_retryable(),
            };
            if !may_pass || attempt == ATTEMPTS {
                return outcome;
            }
            tokio::time::sleep(FIRST_WAIT * 2_u32.pow(attempt - 1)).await;
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut uri = self.uri.clone();
        uri.set_path(&format!("{}/{path}", self.uri.path().trim_end_matches('/')));
        let request = self.http.request(method, uri);
        match &self.credentials {
            Credentials::None => request,
            Credentials::Basic { user, password } => request.basic_auth(user, Some(password.expose())),
            Credentials::Token(token) => request.bearer_auth(token.expose()),
        }
    }

    async fn send(&self, name: &str, request: RequestBuilder) -> Result<Result<Response, Refusal>, Error> {
        let response = request.send().await.map_err(|error| self.failed(name, error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(Ok(response));
        }
        let body = self.body(name, response).await?;
        Ok(Err(refusal(name, status, &body)))
    }

    async fn read<T: DeserializeOwned>(&self, name: &str, response: Response) -> Result<T, Error> {
        let body = self.body(name, response).await?;
        serde_json::from_slice(&body).map_err(|error| {
            let message = format!("the answer of {} to {name} cannot be read: {error}", self.uri);
            Error::new(ErrorKind::Mlflow, message)
                .with_source(error)
                .with_help("check that MlflowOptions::uri is that of a tracking server of MLflow 3")
        })
    }

    pub(super) async fn body(&self, name: &str, mut response: Response) -> Result<Vec<u8>, Error> {
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| self.failed(name, error))? {
            body.extend_from_slice(&piece);
            if body.len() > LARGEST_ANSWER {
                let message = format!("the answer of {} to {name} is larger than {LARGEST_ANSWER} bytes", self.uri);
                return Err(Error::new(ErrorKind::Mlflow, message));
            }
        }
        Ok(body)
    }

    pub(super) fn failed(&self, name: &str, error: reqwest::Error) -> Error {
        // The address is in the message already, and could be long.
        let error = error.without_url();
        let message = format!("{name} at {} failed: {}", self.uri, reason_of(&error));
        let passes = error.is_connect() || error.is_timeout() || error.is_request() || error.is_body();
        Error::new(ErrorKind::Mlflow, message).with_source(error).retryable(passes)
    }
}

fn refusal(name: &str, status: StatusCode, body: &[u8]) -> Refusal {
    let read: Option<ErrorAnswer> = serde_json::from_slice(body).ok();
    let (code, message) = match read {
        Some(ErrorAnswer { error_code, message }) if !error_code.is_empty() => (error_code, message),
        _ => {
            let text = String::from_utf8_lossy(body);
            (String::new(), text.trim().chars().take(QUOTED).collect())
        }
    };
    Refusal { request: name.to_owned(), status: status.as_u16(), code, message }
}
