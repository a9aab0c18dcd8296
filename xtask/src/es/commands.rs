//! The command line of `cargo xtask es`, and what its commands print.

use std::process::{Command as Program, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};

use super::provider::Choice;
use super::state::{Layout, Node, NodeName, Runtime};
use super::up::{self, Options, Outcome};
use super::{DEFAULT_VERSION, docker, image, node};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Start a node, or say that it runs
    Up(UpArgs),
    /// Stop the node; its data stays
    Down(DownArgs),
    /// Show what runs, and where
    Status,
    /// Show the node's log
    Logs(LogsArgs),
    /// Print the exports that point a program at the node: eval "$(cargo xtask es env)"
    Env(NodeArgs),
    /// Build a Docker image of a node, where the official one is not available
    Image(ImageArgs),
}

#[derive(Args)]
pub(crate) struct UpArgs {
    /// Drop the data of earlier runs
    #[arg(long)]
    fresh: bool,
    /// TLS, a password and an API key; a second node beside the plain one
    #[arg(long)]
    secure: bool,
    /// Port on this machine [default: 9200, with --secure 9201]
    #[arg(long)]
    port: Option<u16>,
    /// The provider of the node
    #[arg(long, value_enum, default_value_t = Choice::Auto)]
    provider: Choice,
    /// Java heap
    #[arg(long, default_value = "1g")]
    heap: String,
    /// Elasticsearch version
    #[arg(long, default_value = DEFAULT_VERSION)]
    es_version: String,
}

#[derive(Args)]
pub(crate) struct DownArgs {
    /// The node with security
    #[arg(long, conflicts_with = "all")]
    secure: bool,
    /// Both nodes
    #[arg(long)]
    all: bool,
}

#[derive(Args)]
pub(crate) struct NodeArgs {
    /// The node with security
    #[arg(long)]
    secure: bool,
}

#[derive(Args)]
pub(crate) struct LogsArgs {
    /// The node with security
    #[arg(long)]
    secure: bool,
    /// Keep showing what is added
    #[arg(long, short)]
    follow: bool,
}

#[derive(Args)]
pub(crate) struct ImageArgs {
    /// Elasticsearch version
    #[arg(long, default_value = DEFAULT_VERSION)]
    es_version: String,
    /// Build it even where the official image or an earlier build is there
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(command: Command) -> Result<()> {
    let layout = Layout::development();
    match command {
        Command::Up(args) => start(&layout, &args),
        Command::Down(args) => stop(&layout, &args),
        Command::Status => status(&layout),
        Command::Logs(args) => logs(&layout, &args),
        Command::Env(args) => env(&layout, NodeName::of(args.secure)),
        Command::Image(args) => image::ensure(&args.es_version, args.force),
    }
}

fn start(layout: &Layout, args: &UpArgs) -> Result<()> {
    let options = Options {
        secure: args.secure,
        port: args.port,
        provider: args.provider,
        heap: args.heap.clone(),
        es_version: args.es_version.clone(),
        fresh: args.fresh,
    };
    match up::up(layout, &options)? {
        Outcome::External { url } => {
            println!("ELASTICSEARCH_URL is set: using {url}, nothing to start");
            return Ok(());
        }
        Outcome::Running(node) => {
            println!("Elasticsearch {} already runs at {}", node.version, node.url);
        }
        Outcome::Started(node) => {
            println!("Elasticsearch {} is up at {} ({})", node.version, node.url, describe(&node.runtime));
        }
    }
    let flag = if args.secure { " --secure" } else { "" };
    println!("to use it from this shell: eval \"$(cargo xtask es env{flag})\"");
    Ok(())
}

fn describe(runtime: &Runtime) -> String {
    match runtime {
        Runtime::Local { folder } => format!("local node in {}", folder.display()),
        Runtime::Container { name, image, .. } => format!("container {name} of {image}"),
    }
}

fn stop(layout: &Layout, args: &DownArgs) -> Result<()> {
    let names = if args.all { NodeName::ALL.to_vec() } else { vec![NodeName::of(args.secure)] };
    for name in names {
        let _lock = layout.lock(name)?;
        match up::running(layout, name)? {
            Some(node) => {
                up::stop(layout, name, &node)?;
                println!("stopped the {} node; its data stays", name.as_str());
            }
            None => {
                require_daemon(layout, name)?;
                layout.forget(name)?;
                println!("the {} node does not run", name.as_str());
            }
        }
    }
    Ok(())
}

/// Without its daemon nobody knows whether a container runs.
fn require_daemon(layout: &Layout, name: NodeName) -> Result<()> {
    match layout.load(name)?.map(|node| node.runtime) {
        Some(Runtime::Container { name, .. }) if !docker::daemon_answers() => {
            bail!("the Docker daemon that ran the container {name} does not answer: start it, or set DOCKER_HOST")
        }
        _ => Ok(()),
    }
}

fn status(layout: &Layout) -> Result<()> {
    if let Ok(url) = std::env::var("ELASTICSEARCH_URL") {
        println!("ELASTICSEARCH_URL is set: {url}");
    }
    let mut any = false;
    for name in NodeName::ALL {
        match up::running(layout, name)? {
            Some(node) => {
                any = true;
                show_status(name, &node)?;
            }
            None => println!("{}: does not run", name.as_str()),
        }
    }
    if !any {
        bail!("no node of this checkout runs: start one with `cargo xtask es up`");
    }
    Ok(())
}

fn show_status(name: NodeName, node: &Node) -> Result<()> {
    println!("{}: runs", name.as_str());
    let mut rows = vec![
        ("url", node.url.clone()),
        ("version", node.version.clone()),
        ("security", if node.access.is_some() { "on" } else { "off" }.to_owned()),
    ];
    match &node.runtime {
        Runtime::Local { folder } => {
            rows.push(("provider", "local".into()));
            if let Some(pid) = node::running_pid(folder) {
                rows.push(("pid", pid.as_raw_nonzero().to_string()));
            }
            rows.push(("data", folder.join("data").display().to_string()));
            rows.push(("log", node::server_log(folder).display().to_string()));
        }
        Runtime::Container { name, volume, image } => {
            rows.push(("provider", "docker".into()));
            rows.push(("container", name.clone()));
            rows.push(("image", image.clone()));
            rows.push(("data", format!("volume {volume}")));
        }
    }
    let health = match node.client(Duration::from_secs(10))?.get("/_cluster/health") {
        Ok((200, health)) => {
            format!("{}, {} shards", health["status"].as_str().unwrap_or("unknown"), health["active_shards"])
        }
        Ok((status, _)) => format!("it answers with status {status}"),
        Err(error) => format!("it does not answer yet: {error:#}"),
    };
    rows.push(("health", health));
    for (key, value) in rows {
        println!("  {key:<10} {value}");
    }
    Ok(())
}

/// The node that a command needs to be there.
fn required(layout: &Layout, name: NodeName) -> Result<Node> {
    let flag = if name == NodeName::Secure { " --secure" } else { "" };
    up::running(layout, name)?
        .with_context(|| format!("the {} node does not run: start it with `cargo xtask es up{flag}`", name.as_str()))
}

fn logs(layout: &Layout, args: &LogsArgs) -> Result<()> {
    let name = NodeName::of(args.secure);
    let node = layout.load(name)?.map_or_else(|| required(layout, name), Ok)?;
    match &node.runtime {
        Runtime::Container { name, .. } => docker::show_logs(name, args.follow),
        Runtime::Local { folder } => {
            let log = node::server_log(folder);
            let mut command = Program::new("tail");
            command.args(["-n", if args.follow { "50" } else { "+1" }]);
            if args.follow {
                command.arg("-F");
            }
            let status = command.arg(&log).stdin(Stdio::null()).status().context("cannot start tail")?;
            if !status.success() {
                bail!("cannot show {}", log.display());
            }
            Ok(())
        }
    }
}

fn env(layout: &Layout, name: NodeName) -> Result<()> {
    let node = required(layout, name)?;
    print!("{}", exports(&variables(&node)));
    Ok(())
}

/// The lines for a shell. Of two ways to say who asks, a program takes one alone: the second is
/// left as a comment.
fn exports(variables: &[(&'static str, String)]) -> String {
    let has_key = variables.iter().any(|(key, _)| *key == "ELASTICSEARCH_API_KEY");
    let is_second = |key: &str| has_key && matches!(key, "ELASTICSEARCH_USER" | "ELASTICSEARCH_PASSWORD");
    let line = |key: &str, value: &str| format!("export {key}={}\n", shell_quoted(value));
    let (second, first): (Vec<_>, Vec<_>) = variables.iter().partition(|(key, _)| is_second(key));
    let mut text: String = first.iter().map(|(key, value)| line(key, value)).collect();
    if !second.is_empty() {
        text.push_str("# the administrator, instead of the API key:\n");
        text.extend(second.iter().map(|(key, value)| format!("# {}", line(key, value))));
    }
    text
}

/// The environment that points a program at the node.
pub(crate) fn variables(node: &Node) -> Vec<(&'static str, String)> {
    let mut variables = vec![("ELASTICSEARCH_URL", node.url.clone())];
    if let Some(access) = &node.access {
        if let Some(key) = &access.api_key {
            variables.push(("ELASTICSEARCH_API_KEY", key.0.clone()));
        }
        variables.push(("ELASTICSEARCH_USER", access.username.clone()));
        variables.push(("ELASTICSEARCH_PASSWORD", access.password.0.clone()));
        variables.push(("ELASTICSEARCH_CA_CERT", access.ca_cert.display().to_string()));
    }
    variables
}

/// A word that a POSIX shell reads back as it was.
fn shell_quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=+@%,".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_exported_is_no_contradiction() {
        let all = [
            ("ELASTICSEARCH_URL", "https://h:1".to_owned()),
            ("ELASTICSEARCH_API_KEY", "k".to_owned()),
            ("ELASTICSEARCH_USER", "u".to_owned()),
            ("ELASTICSEARCH_PASSWORD", "p w".to_owned()),
        ];
        assert_eq!(
            exports(&all),
            "export ELASTICSEARCH_URL=https://h:1\nexport ELASTICSEARCH_API_KEY=k\n\
             # the administrator, instead of the API key:\n\
             # export ELASTICSEARCH_USER=u\n# export ELASTICSEARCH_PASSWORD='p w'\n"
        );
        assert!(exports(&all[2..]).starts_with("export ELASTICSEARCH_USER=u\n"));
    }

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        for (value, quoted) in [
            ("http://127.0.0.1:9200", "http://127.0.0.1:9200"),
            ("abc==", "abc=="),
            ("", "''"),
            ("a b", "'a b'"),
            ("it's $HOME", r"'it'\''s $HOME'"),
        ] {
            assert_eq!(shell_quoted(value), quoted);
        }
    }
}
