//! Starts a node and waits until it serves; does nothing where it already does.

use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::account::Account;
use super::provider::{Choice, Provider};
use super::secure::Setup;
use super::state::{Layout, Node, NodeName, Runtime};
use super::{assemble, commands, docker, jdk, node, provider};
use crate::http::{Auth, Client};
use crate::terminal::{Progress, heading};

/// The time limit from the start of a node to its first successful answer.
const READY_LIMIT: Duration = Duration::from_secs(300);

/// The requested node.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) secure: bool,
    pub(crate) port: Option<u16>,
    pub(crate) provider: Choice,
    pub(crate) heap: String,
    pub(crate) es_version: String,
    pub(crate) fresh: bool,
}

impl Options {
    pub(crate) fn name(&self) -> NodeName {
        NodeName::of(self.secure)
    }

    fn port(&self) -> u16 {
        self.port.unwrap_or(match self.name() {
            NodeName::Plain => 9200,
            NodeName::Secure => 9201,
        })
    }
}

/// The node to use, and how it came to be there.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// `ELASTICSEARCH_URL` names one.
    External { url: String },
    /// It ran before.
    Running(Node),
    /// It was started just now.
    Started(Node),
}

/// Starts the node that is wanted, unless it runs or the environment names one.
pub(crate) fn up(layout: &Layout, options: &Options) -> Result<Outcome> {
    let name = options.name();
    let _lock = layout.lock(name)?;
    if let Some(node) = running(layout, name)? {
        if !options.fresh {
            return keep(layout, options, node).map(Outcome::Running);
        }
        stop(layout, name, &node)?;
    }
    let provider = provider::choose(options.provider, &options.es_version, named_url(options)?)?;
    if let Provider::External { url } = provider {
        return Ok(Outcome::External { url });
    }
    require_free_port(options.port())?;
    let started = match provider {
        Provider::Docker { image } => start_container(layout, options, &image),
        Provider::Local | Provider::External { .. } => start_local(layout, options),
    };
    started.map(Outcome::Started)
}

/// Finds or starts the development node.
///
/// Returns the environment variables that point a program at it; none if the environment names an
/// Elasticsearch already.
///
/// # Errors
/// When no node can be started.
pub fn elasticsearch() -> Result<Vec<(&'static str, String)>> {
    heading("an Elasticsearch");
    let options = Options {
        secure: false,
        port: None,
        provider: Choice::Auto,
        heap: "1g".into(),
        es_version: super::DEFAULT_VERSION.into(),
        fresh: false,
    };
    Ok(match up(&Layout::development(), &options)? {
        Outcome::External { url } => {
            println!("using {url}, as ELASTICSEARCH_URL says");
            Vec::new()
        }
        Outcome::Running(node) | Outcome::Started(node) => {
            println!("Elasticsearch {} at {}", node.version, node.url);
            commands::variables(&node)
        }
    })
}

/// The node that runs, if one does.
pub(crate) fn running(layout: &Layout, name: NodeName) -> Result<Option<Node>> {
    Ok(layout.load(name)?.filter(|node| match &node.runtime {
        Runtime::Local { folder } => node::running_pid(folder).is_some(),
        Runtime::Container { name, .. } => docker::is_running(name),
    }))
}

/// Stops a node; its data stays.
pub(crate) fn stop(layout: &Layout, name: NodeName, node: &Node) -> Result<()> {
    match &node.runtime {
        Runtime::Local { folder } => node::stop(folder),
        Runtime::Container { name, .. } => docker::stop(name)?,
    }
    layout.forget(name)
}

/// Keeps the running node, when it is the one that is wanted.
fn keep(layout: &Layout, options: &Options, node: Node) -> Result<Node> {
    // What version a container has is up to its image.
    let is_local = matches!(node.runtime, Runtime::Local { .. });
    if is_local && node.version != options.es_version {
        bail!(
            "Elasticsearch {} runs at {}, and {} is wanted: stop it first with `cargo xtask es down{}`",
            node.version,
            node.url,
            options.es_version,
            flag(options.secure)
        );
    }
    if let Some(port) = options.port.filter(|port| !node.url.ends_with(&format!(":{port}"))) {
        bail!(
            "Elasticsearch runs at {}, and port {port} is wanted: stop it first with `cargo xtask es down{}`",
            node.url,
            flag(options.secure)
        );
    }
    // It may still be booting, when an earlier command was interrupted.
    finish(layout, options.name(), node)
}

fn flag(secure: bool) -> &'static str {
    if secure { " --secure" } else { "" }
}

/// The Elasticsearch that the environment names, where it is to be used.
///
/// It has to answer. But a URL where the wanted node would be is left over from
/// `cargo xtask es env`, when nothing answers there.
fn named_url(options: &Options) -> Result<Option<String>> {
    let named = std::env::var("ELASTICSEARCH_URL").ok().filter(|url| !url.is_empty());
    let Some(named) = named.filter(|_| options.provider == Choice::Auto) else {
        return Ok(None);
    };
    // Any HTTP answer will do: whether the credentials are right is for its user to find out.
    let ca_cert = std::env::var_os("ELASTICSEARCH_CA_CERT").map(std::path::PathBuf::from);
    let answer =
        Client::new(&named, Auth::None, ca_cert.as_ref(), Duration::from_secs(10)).and_then(|client| client.get("/"));
    match answer {
        Ok(_) => Ok(Some(named)),
        Err(_) if named.trim_end_matches('/') == url(options) => Ok(None),
        Err(error) => Err(error).with_context(|| {
            format!("ELASTICSEARCH_URL is set to {named}, which does not answer: unset it to have a node started")
        }),
    }
}

fn require_free_port(port: u16) -> Result<()> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map(drop).with_context(|| {
        format!(
            "port {port} is taken: choose another with `cargo xtask es up --port N`, or, if an Elasticsearch that you want to use is there, set ELASTICSEARCH_URL"
        )
    })
}

/// A port that nothing listens on just now.
pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    Ok(listener.local_addr()?.port())
}

fn start_local(layout: &Layout, options: &Options) -> Result<Node> {
    let name = options.name();
    let jdk = jdk::find()?;
    let account = Account::for_node()?;
    let layout = layout.clone().reachable_by(account);
    let home = assemble::ensure(&layout, &options.es_version, &jdk)?;
    let folder = layout.node(name, &options.es_version);
    // One whose state file was lost.
    node::stop(&folder);
    if options.fresh {
        drop_data(&layout, name)?;
    }
    let setup = options.secure.then(|| Setup::ensure(&layout)).transpose()?;
    let node = Node {
        url: url(options),
        version: options.es_version.clone(),
        access: setup.as_ref().map(Setup::access),
        runtime: Runtime::Local { folder: folder.clone() },
    };
    // Saved before the start, so that an interrupted one can be stopped.
    layout.save(name, &node)?;
    node::start(&node::Launch {
        es_version: &options.es_version,
        home: &home,
        folder: &folder,
        jdk: &jdk,
        account,
        port: options.port(),
        heap: &options.heap,
        setup: setup.as_ref(),
    })?;
    finish(&layout, name, node)
}

fn start_container(layout: &Layout, options: &Options, image: &str) -> Result<Node> {
    let name = options.name();
    if options.fresh {
        drop_data(layout, name)?;
    }
    let setup = options.secure.then(|| Setup::ensure(layout)).transpose()?;
    let runtime = docker::start(&docker::Launch {
        name: layout.container(name),
        image,
        port: options.port(),
        heap: &options.heap,
        setup: setup.as_ref(),
    })?;
    let node = Node {
        url: url(options),
        version: options.es_version.clone(),
        access: setup.as_ref().map(Setup::access),
        runtime,
    };
    layout.save(name, &node)?;
    finish(layout, name, node)
}

fn url(options: &Options) -> String {
    let scheme = if options.secure { "https" } else { "http" };
    format!("{scheme}://127.0.0.1:{}", options.port())
}

/// Drops the data that a stopped node has kept, whatever provided it.
fn drop_data(layout: &Layout, name: NodeName) -> Result<()> {
    for folder in layout.node_folders(name) {
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    if docker::daemon_answers() {
        docker::drop_data(&layout.container(name));
    }
    // The secrets are as old as the data that they were written into.
    if name == NodeName::Secure {
        Setup::remove(layout)?;
    }
    Ok(())
}

/// Stops a node, if it runs or its state was lost, and drops its data but not its logs.
pub(crate) fn discard(layout: &Layout, name: NodeName) -> Result<()> {
    let Some(node) = layout.load(name)? else {
        return Ok(());
    };
    stop(layout, name, &node)?;
    match &node.runtime {
        Runtime::Local { folder } => {
            let data = folder.join("data");
            if data.exists() {
                std::fs::remove_dir_all(&data).with_context(|| format!("cannot remove {}", data.display()))?;
            }
        }
        Runtime::Container { name, .. } => docker::drop_data(name),
    }
    Ok(())
}

/// Waits until the node serves, and completes what is remembered of it.
fn finish(layout: &Layout, name: NodeName, mut node: Node) -> Result<Node> {
    wait_until_ready(&node)?;
    // Not from `/`: an assembled node without added modules does not serve it.
    let nodes = node.client(Duration::from_secs(30))?.get_ok("/_cat/nodes?h=version&format=json")?;
    if let Some(version) = nodes[0]["version"].as_str() {
        node.version = version.to_owned();
    }
    if node.access.is_some() {
        let key = Setup::ensure(layout)?.api_key(&node)?;
        if let Some(access) = &mut node.access {
            access.api_key = Some(key);
        }
    }
    layout.save(name, &node)?;
    Ok(node)
}

fn wait_until_ready(node: &Node) -> Result<()> {
    let client = node.client(Duration::from_secs(5))?;
    let mut progress = Progress::new(format!("waiting for {}", node.url));
    let started = Instant::now();
    let mut shown = false;
    loop {
        let answer = client.get("/_cluster/health");
        match &answer {
            Ok((200, health)) if health["status"] != "red" => {
                if shown {
                    progress.finish("it serves");
                }
                return Ok(());
            }
            Ok((401, _)) if started.elapsed() > Duration::from_secs(30) => {
                progress.abandon();
                bail!(
                    "{} refuses the password that was made for it: start again with `cargo xtask es up --secure --fresh`",
                    node.url
                );
            }
            _ => {}
        }
        if let Runtime::Container { name, .. } = &node.runtime
            && !docker::is_running(name)
        {
            progress.abandon();
            bail!("the container {name} has ended; its log:\n{}", docker::log_tail(name));
        }
        if started.elapsed() > READY_LIMIT {
            progress.abandon();
            let last = match answer {
                Ok((status, body)) => format!("status {status}: {body}"),
                Err(error) => format!("{error:#}"),
            };
            bail!("{} did not become ready within {} s: {last}", node.url, READY_LIMIT.as_secs());
        }
        shown = true;
        progress.update("not ready yet");
        std::thread::sleep(Duration::from_millis(250));
    }
}
