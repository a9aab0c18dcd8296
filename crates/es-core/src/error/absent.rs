//! The error of a cluster that lacks a whole API, as opposed to a wrong request.

use crate::client::Client;
use crate::error::{Error, ErrorKind};
use crate::request::{Request, Response};

/// An API that comes with a module, which a cluster may lack.
#[derive(Clone, Copy)]
pub(crate) struct Optional<'a> {
    pub(crate) client: &'a Client,
    /// The name of the module.
    pub(crate) feature: &'static str,
}

impl Optional<'_> {
    /// As [`Client::send`].
    pub(crate) async fn send(&self, request: &Request) -> Result<Response, Error> {
        self.client.send(request).await.map_err(|error| self.explained(error))
    }

    /// As [`Client::exists`].
    pub(crate) async fn exists(&self, request: &Request) -> Result<bool, Error> {
        self.client.exists(request).await.map_err(|error| self.explained(error))
    }

    fn explained(&self, error: Error) -> Error {
        if error.kind() != ErrorKind::FeatureMissing {
            return error;
        }
        let message = format!("the cluster has no {}: {error}", self.feature);
        let server = error.server().cloned().unwrap_or_default();
        let explained = Error::new(ErrorKind::FeatureMissing, message)
            .with_help(format!("use a distribution of Elasticsearch with {}", self.feature))
            .with_server(server);
        match error.status() {
            Some(status) => explained.with_status(status),
            None => explained,
        }
    }
}
