//! The node that is loaded into: one of its own, as it is stopped and started.

use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::es;
use crate::es::provider;
use crate::es::state::{Layout, Node, NodeName};
use crate::es::up::{self, Options, Outcome};
use crate::http::Client;

const NAME: NodeName = NodeName::Plain;

/// The time limit of one request.
const REQUEST_LIMIT: Duration = Duration::from_secs(60);

/// A running node. Its data goes with it.
pub(super) struct OwnNode {
    layout: Layout,
    options: Options,
    node: Node,
    _lock: std::fs::File,
}

impl OwnNode {
    pub(super) fn start() -> Result<Self> {
        let layout = Layout::soak();
        let lock = layout.lock_all()?;
        let options = Options {
            secure: false,
            port: Some(up::free_port()?),
            provider: provider::own(es::DEFAULT_VERSION),
            heap: "1g".into(),
            es_version: es::DEFAULT_VERSION.into(),
            fresh: true,
        };
        let at_signal = layout.clone();
        ctrlc::set_handler(move || {
            discard(&at_signal);
            std::process::exit(130);
        })
        .context("cannot handle Ctrl-C")?;
        let node = started(&layout, &options)?;
        Ok(Self { layout, options: Options { fresh: false, ..options }, node, _lock: lock })
    }

    pub(super) fn url(&self) -> &str {
        &self.node.url
    }

    pub(super) fn version(&self) -> &str {
        &self.node.version
    }

    pub(super) fn client(&self) -> Result<Client> {
        self.node.client(REQUEST_LIMIT)
    }

    /// Stops the node as an administrator does, and starts it again at the same address with
    /// its data. Returns as soon as it serves.
    pub(super) fn restart(&mut self) -> Result<()> {
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
