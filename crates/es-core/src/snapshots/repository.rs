//! The place where snapshots are kept: named, checked, let go.

use std::collections::BTreeMap;

use elasticsearch::snapshot::{
    SnapshotCreateRepositoryParts, SnapshotDeleteRepositoryParts, SnapshotGetRepositoryParts,
    SnapshotVerifyRepositoryParts,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Snapshots;
use crate::error::server_error::ServerError;
use crate::error::{Error, ErrorKind};
use crate::request::{Method, Request};

/// A repository: the store that snapshots are kept in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Repository {
    /// The kind of store: `fs`, `s3`, `gcs`, `azure`, `url`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The settings of this kind of store, as Elasticsearch documents them.
    #[serde(default)]
    pub settings: Map<String, Value>,
    /// All other keys, as the server returned them.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Repository {
    /// A directory that all nodes share, below one of their `path.repo`.
    pub fn fs(location: &str) -> Self {
        let settings = Map::from_iter([("location".to_owned(), json!(location))]);
        Self { kind: "fs".to_owned(), settings, other: Map::new() }
    }
}

#[derive(Deserialize)]
struct NodesBody {
    nodes: BTreeMap<String, NodeBody>,
}

#[derive(Deserialize)]
struct NodeBody {
    name: String,
}

impl Snapshots<'_> {
    /// Creates or replaces the repository, and makes every node write a file to it.
    ///
    /// # Errors
    /// [`ErrorKind::Server`] when a node does not know the kind of store or may not write there; the
    /// help names the setting.
    pub async fn register(&self, repository: &Repository) -> Result<(), Error> {
        let request = Request::new(Method::Put, SnapshotCreateRepositoryParts::Repository(self.repository).url())
            .json(repository)
            .repeatable();
        self.client.send(&request).await.map(|_| ()).map_err(explained)
    }

    /// Checks that every node can write to the repository, and returns their names.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such repository; [`ErrorKind::Server`] when
    /// a node cannot write to it.
    pub async fn verify(&self) -> Result<Vec<String>, Error> {
        let request =
            Request::new(Method::Post, SnapshotVerifyRepositoryParts::Repository(self.repository).url()).repeatable();
        let found: NodesBody = self.client.send(&request).await.map_err(explained)?.json()?;
        Ok(found.nodes.into_values().map(|node| node.name).collect())
    }

    /// Returns the repository, if it exists.
    ///
    /// # Errors
    /// As [`crate::Client::send`].
    pub async fn repository(&self) -> Result<Option<Repository>, Error> {
        let request = Request::new(Method::Get, SnapshotGetRepositoryParts::Repository(&[self.repository]).url());
        match self.client.send(&request).await {
            Ok(answer) => Ok(answer.json::<BTreeMap<String, Repository>>()?.remove(self.repository)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes the repository from the cluster; its snapshots stay in the store. Returns `true` if there
    /// was one.
    ///
    /// # Errors
    /// [`ErrorKind::BadRequest`] for a pattern; else as [`crate::Client::send`].
    pub async fn unregister(&self) -> Result<bool, Error> {
        self.exact(self.repository)?;
        let parts = SnapshotDeleteRepositoryParts::Repository(&[self.repository]);
        self.client.exists(&Request::new(Method::Delete, parts.url()).repeatable()).await
    }
}

/// Adds the help of an error whose cause is the configuration of a node.
fn explained(error: Error) -> Error {
    let reason = error.server().map(ServerError::summary).unwrap_or_default();
    if reason.contains("path.repo") {
        return error
            .with_help("add the folder to `path.repo` in the elasticsearch.yml of every node, and restart the nodes");
    }
    if reason.contains("repository type") {
        return error.with_help("install the plugin or module for this kind of repository on every node");
    }
    error
}
