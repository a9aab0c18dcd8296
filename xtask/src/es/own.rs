//! A node that belongs to one command, which stops and starts it.

use std::time::Duration;

use anyhow::{Result, bail};

use super::provider;
use super::state::{Layout, Node, NodeName};
use super::up::{self, Options, Outcome};
use crate::http::Client;
use crate::process;

const NAME: NodeName = NodeName::Plain;

/// The time limit of one request.
const REQUEST_LIMIT: Duration = Duration::from_secs(60);

/// A running node. Dropping it stops the node and deletes its data.
pub struct OwnNode {
    layout: Layout,
    options: Options,
    node: Node,
    _lock: std::fs::File,
}

impl OwnNode {
    /// Starts an empty node, and stops it when the command is interrupted.
    ///
    /// # Errors
    /// When the node does not start, or another soak is running.
    pub fn start() -> Result<Self> {
        let layout = Layout::soak();
        let lock = layout.lock_all()?;
        let options = Options {
            secure: false,
            port: Some(up::free_port()?),
            provider: provider::own(super::DEFAULT_VERSION),
            heap: "1g".into(),
            es_version: super::DEFAULT_VERSION.into(),
            fresh: true,
        };
        let at_signal = layout.clone();
        process::at_interrupt(move || discard(&at_signal))?;
        let node = started(&layout, &options)?;
        Ok(Self { layout, options: Options { fresh: false, ..options }, node, _lock: lock })
    }

    /// The address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.node.url
    }

    /// The version of Elasticsearch.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.node.version
    }

    /// A client with the administrator's privileges.
    ///
    /// # Errors
    /// When a certificate cannot be read.
    pub fn client(&self) -> Result<Client> {
        self.node.client(REQUEST_LIMIT)
    }

    /// Shuts the node down and starts it again at the same address with its data. Returns as soon as
    /// it serves.
    ///
    /// # Errors
    /// When the node does not stop or start.
    pub fn restart(&mut self) -> Result<()> {
        up::stop(&self.layout, NAME, &self.node)?;
        self.node = started(&self.layout, &self.options)?;
        Ok(())
    }
}

impl Drop for OwnNode {
    fn drop(&mut self) {
        discard(&self.layout);
    }
}

fn started(layout: &Layout, options: &Options) -> Result<Node> {
    match up::up(layout, options)? {
        Outcome::Started(node) | Outcome::Running(node) => Ok(node),
        Outcome::External { url } => bail!("{url} is not this command's own node"),
    }
}

fn discard(layout: &Layout) {
    if let Err(error) = up::discard(layout, NAME) {
        eprintln!("cannot stop the node: {error:#}");
    }
}
