//! The indices that one development command creates on an Elasticsearch that others use as well.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::http::{Auth, Client};

/// The time limit of one request.
const REQUEST_LIMIT: Duration = Duration::from_secs(60);

/// A connection, and a prefix that no other process uses.
#[derive(Clone)]
pub struct IndexScope {
    client: Arc<Client>,
    url: String,
    prefix: String,
}

impl IndexScope {
    /// Connects to the server that `variables` name, or else the environment.
    ///
    /// The prefix starts with the name of the command.
    ///
    /// # Errors
    /// When no server is named, or a certificate cannot be read.
    pub fn connect(variables: &[(&'static str, String)], command: &str) -> Result<Self> {
        let variable = |name: &str| {
            let own = variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone());
            own.or_else(|| std::env::var(name).ok()).filter(|value| !value.is_empty())
        };
        let url = variable("ELASTICSEARCH_URL").context("no Elasticsearch to work on: set ELASTICSEARCH_URL")?;
        let auth = match (variable("ELASTICSEARCH_API_KEY"), variable("ELASTICSEARCH_USER")) {
            (Some(key), _) => Auth::ApiKey(key),
            (None, Some(user)) => {
                Auth::Basic { user, password: variable("ELASTICSEARCH_PASSWORD").unwrap_or_default() }
            }
            (None, None) => Auth::None,
        };
        let ca_cert = variable("ELASTICSEARCH_CA_CERT").map(PathBuf::from);
        let client = Client::new(&url, auth, ca_cert.as_ref(), REQUEST_LIMIT)?;
        Ok(Self { client: Arc::new(client), url, prefix: format!("{command}-{:x}-", std::process::id()) })
    }

    /// The prefix of every index of this scope.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The address of the server.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The client that sends the requests.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Creates an index with a mapping and settings.
    ///
    /// # Errors
    /// When the server refuses it or does not answer.
    pub fn create(&self, name: &str, body: &Value) -> Result<()> {
        match self.client.put(&format!("/{name}"), body)? {
            (200, _) => Ok(()),
            (status, answer) => bail!("cannot create the index {name}: {status}: {answer}"),
        }
    }

    /// Deletes an index if it exists.
    ///
    /// # Errors
    /// When the server refuses it or does not answer.
    pub fn delete(&self, name: &str) -> Result<()> {
        delete(&self.client, name)
    }

    /// Deletes every index of this scope, each by its exact name.
    ///
    /// # Errors
    /// When the server refuses it or does not answer.
    pub fn clean_up(&self) -> Result<()> {
        delete_all(&self.client, &self.prefix)
    }

    /// Deletes every index of this scope; a failure is only reported.
    pub fn leave(&self) {
        if let Err(error) = self.clean_up() {
            eprintln!("indices that start with {} remain: {error:#}", self.prefix);
        }
    }
}

/// Deletes every index whose name starts with `prefix`, each by its exact name.
///
/// # Errors
/// When the server refuses it or does not answer.
pub fn delete_all(client: &Client, prefix: &str) -> Result<()> {
    let listed = client.get_ok(&format!("/_cat/indices/{prefix}*?expand_wildcards=all&h=index&format=json"))?;
    for entry in listed.as_array().into_iter().flatten() {
        let name = entry["index"].as_str().filter(|name| name.starts_with(prefix)).context("no index name")?;
        delete(client, name)?;
    }
    Ok(())
}

fn delete(client: &Client, name: &str) -> Result<()> {
    match client.delete(&format!("/{name}"))? {
        (200 | 404, _) => Ok(()),
        (status, body) => bail!("cannot delete the index {name}: {status}: {body}"),
    }
}
