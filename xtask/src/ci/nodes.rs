//! The Elasticsearch nodes that one run of the checks starts for itself.
//!
//! They have ports and folders of their own, so that a developer's node is not
//! disturbed, and they are stopped on every way out.

use std::thread::JoinHandle;

use anyhow::{Context, Result, anyhow};

use super::in_ci;
use crate::es::commands;
use crate::es::provider::Choice;
use crate::es::state::{Layout, Node, NodeName};
use crate::es::up::{self, Options, Outcome};
use crate::{process, terminal};

/// Nodes that boot in the background.
pub(crate) struct TestNodes {
    layout: Layout,
    provider: Choice,
    es_version: String,
    booting: Option<JoinHandle<Result<Ready>>>,
    ready: Option<Ready>,
    _lock: std::fs::File,
}

/// The environment that points tests at the nodes.
#[derive(Clone, Default)]
pub(crate) struct Ready {
    pub(crate) variables: Vec<(String, String)>,
    /// Version and address of the plain node.
    pub(crate) against: String,
}

impl TestNodes {
    /// Starts to boot a plain and a secure node, except those that the environment names.
    pub(crate) fn begin(provider: Choice, es_version: &str) -> Result<Self> {
        let layout = Layout::checks();
        let lock = layout.lock_all()?;
        terminal::show_only_results();
        let at_signal = layout.clone();
        process::at_interrupt(move || discard_all(&at_signal))?;
        let mut nodes =
            Self { layout, provider, es_version: es_version.to_owned(), booting: None, ready: None, _lock: lock };
        nodes.boot();
        Ok(nodes)
    }

    /// Stops these nodes, and starts to boot others of another version.
    pub(crate) fn change_version(&mut self, es_version: &str) {
        self.stop();
        es_version.clone_into(&mut self.es_version);
        self.boot();
    }

    fn boot(&mut self) {
        self.ready = None;
        let (layout, provider, es_version) = (self.layout.clone(), self.provider, self.es_version.clone());
        self.booting = Some(std::thread::spawn(move || boot(&layout, provider, &es_version)));
    }

    fn stop(&mut self) {
        if let Some(booting) = self.booting.take() {
            let _ = booting.join();
        }
        discard_all(&self.layout);
    }

    /// Waits until both nodes serve.
    ///
    /// A failed boot is repeated once: the first ran beside the compiler, on a machine that may have
    /// lacked time or memory for both, and a download may have been cut short. Without a node tests
    /// skip and say so; in CI that is an error.
    pub(crate) fn ready(&mut self) -> Result<Ready> {
        if let Some(ready) = &self.ready {
            return Ok(ready.clone());
        }
        let booted = self.booted().or_else(|error| {
            println!("the nodes for live tests did not start: {error:#}\ntrying once more");
            discard_all(&self.layout);
            self.boot();
            self.booted()
        });
        let ready = match booted {
            Err(error) if !in_ci() => {
                println!("no Elasticsearch for live tests: {error:#}");
                Ready { against: "no Elasticsearch".into(), ..Ready::default() }
            }
            other => other.context("no Elasticsearch for live tests")?,
        };
        self.ready = Some(ready.clone());
        Ok(ready)
    }

    fn booted(&mut self) -> Result<Ready> {
        match self.booting.take() {
            Some(booting) => booting.join().unwrap_or_else(|_| Err(anyhow!("the boot panicked"))),
            None => Err(anyhow!("no node is booting")),
        }
    }
}

impl Drop for TestNodes {
    fn drop(&mut self) {
        self.stop();
    }
}

fn discard_all(layout: &Layout) {
    for name in NodeName::ALL {
        if let Err(error) = up::discard(layout, name) {
            eprintln!("cannot stop the {} node: {error:#}", name.as_str());
        }
    }
}

fn boot(layout: &Layout, provider: Choice, es_version: &str) -> Result<Ready> {
    let mut ready = Ready::default();
    for name in NodeName::ALL {
        let secure = name == NodeName::Secure;
        if secure && std::env::var_os("ES_TEST_SECURE_URL").is_some() {
            continue;
        }
        // A URL in the environment is a plain node to the tests.
        let provider = match provider {
            Choice::Auto if secure && std::env::var_os("ELASTICSEARCH_URL").is_some() => continue,
            other => other,
        };
        let options = Options {
            secure,
            port: Some(up::free_port()?),
            provider,
            heap: if secure { "512m" } else { "1g" }.into(),
            es_version: es_version.into(),
            fresh: true,
        };
        match up::up(layout, &options)? {
            Outcome::External { url } => ready.against = format!("the Elasticsearch at {url}"),
            Outcome::Running(node) | Outcome::Started(node) => {
                if !secure {
                    ready.against = format!("Elasticsearch {} at {}", node.version, node.url);
                }
                ready.variables.extend(test_variables(name, &node));
            }
        }
    }
    Ok(ready)
}

fn test_variables(name: NodeName, node: &Node) -> Vec<(String, String)> {
    commands::variables(node)
        .into_iter()
        .map(|(key, value)| match name {
            NodeName::Plain => (key.to_owned(), value),
            NodeName::Secure => (key.replace("ELASTICSEARCH_", "ES_TEST_SECURE_"), value),
        })
        .collect()
}
