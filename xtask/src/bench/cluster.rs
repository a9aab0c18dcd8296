//! The Elasticsearch that the contestants work on: what it holds of theirs, when
//! it is at rest, and the end of it all.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

use super::apart::Apart;
use crate::http::{Auth, Client};

/// How long the server may take to come to rest between two turns.
const MERGE_LIMIT: Duration = Duration::from_secs(60);

/// Settings that the server adds to each index by itself.
const ADDED_SETTINGS: [&str; 5] = ["creation_date", "provided_name", "uuid", "version", "routing"];

#[derive(Clone)]
pub(crate) struct Cluster {
    client: Arc<Client>,
    url: String,
    run: String,
    apart: Arc<OnceLock<Apart>>,
}

impl Cluster {
    /// The server that `variables` lead to, or else the environment; indices are named after the command.
    pub(crate) fn connect(variables: &[(&'static str, String)], command: &str) -> Result<Self> {
        let variable = |name: &str| {
            let own = variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone());
            own.or_else(|| std::env::var(name).ok()).filter(|value| !value.is_empty())
        };
        let url = variable("ELASTICSEARCH_URL").context("no Elasticsearch to work on")?;
        let auth = match (variable("ELASTICSEARCH_API_KEY"), variable("ELASTICSEARCH_USER")) {
            (Some(key), _) => Auth::ApiKey(key),
            (None, Some(user)) => {
                Auth::Basic { user, password: variable("ELASTICSEARCH_PASSWORD").unwrap_or_default() }
            }
            (None, None) => Auth::None,
        };
        let ca_cert = variable("ELASTICSEARCH_CA_CERT").map(PathBuf::from);
        let client = Client::new(&url, auth, ca_cert.as_ref(), Duration::from_secs(60))?;
        Ok(Self {
            client: Arc::new(client),
            url,
            run: format!("{command}-{:x}-", std::process::id()),
            apart: Arc::default(),
        })
    }

    /// What the names of all indices of this run of the command start with.
    pub(crate) fn run(&self) -> &str {
        &self.run
    }

    /// Where the server is.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Keeps the server off the processors that contestants run on, until [`Self::leave`].
    pub(super) fn stand_apart(&self) -> Result<()> {
        let nodes = self.client.get_ok("/_nodes/process")?;
        let mut ids = nodes["nodes"].as_object().into_iter().flat_map(Map::values).map(|node| &node["process"]["id"]);
        let id = ids.next().and_then(Value::as_u64).context("the server does not name its process")?;
        if ids.next().is_some() {
            bail!("--apart moves a server of one node");
        }
        if self.apart.set(Apart::new(id)?).is_err() {
            bail!("the server stands apart already");
        }
        Ok(())
    }

    /// The server's version.
    pub(super) fn version(&self) -> Result<String> {
        let nodes = self.client.get_ok("/_cat/nodes?h=version&format=json")?;
        Ok(nodes[0]["version"].as_str().unwrap_or("of unknown version").to_owned())
    }

    /// The mapping and the settings that indices with documents have.
    ///
    /// They have to agree with each other, but for names and dates.
    pub(super) fn index_body(&self, prefix: &str) -> Result<Value> {
        let indices = self.client.get_ok(&format!("/{prefix}departures-*"))?;
        let bodies: Vec<Value> = indices.as_object().into_iter().flat_map(Map::values).map(body).collect();
        match bodies.split_first() {
            None => bail!("nothing was loaded under {prefix}departures"),
            Some((first, rest)) if rest.iter().all(|other| other == first) => Ok(first.clone()),
            Some(_) => bail!("the indices under {prefix}departures differ in mapping or settings"),
        }
    }

    /// Creates an index of this run.
    pub(super) fn create(&self, name: &str, body: &Value) -> Result<()> {
        match self.client.put(&format!("/{name}"), body)? {
            (200, _) => Ok(()),
            (status, answer) => bail!("cannot create the index {name}: {status}: {answer}"),
        }
    }

    /// Lets searches see everything that was written to an index.
    pub(super) fn refresh(&self, name: &str) -> Result<()> {
        self.client.post_ok(&format!("/{name}/_refresh"), None).map(drop)
    }

    /// How many segments an index has, all shards together.
    pub(super) fn segments(&self, name: &str) -> Result<u64> {
        let stats = self.client.get_ok(&format!("/{name}/_stats/segments"))?;
        stats["_all"]["primaries"]["segments"]["count"].as_u64().context("the server counts no segments")
    }

    /// The processor time that all nodes together have taken since they started, in seconds.
    pub(super) fn cpu_seconds(&self) -> Result<f64> {
        let stats = self.client.get_ok("/_nodes/stats/process")?;
        let nodes = stats["nodes"].as_object().into_iter().flat_map(Map::values);
        Ok(nodes.filter_map(|node| node["process"]["cpu"]["total_in_millis"].as_f64()).sum::<f64>() / 1000.0)
    }

    /// Removes an index of this run, if it is there.
    pub(super) fn delete(&self, name: &str) -> Result<()> {
        match self.client.delete(&format!("/{name}"))? {
            (200 | 404, _) => Ok(()),
            (status, body) => bail!("cannot delete the index {name}: {status}: {body}"),
        }
    }

    /// Waits until the server does no work that an earlier turn has left.
    pub(super) fn wait_for_merges(&self) -> Result<()> {
        let started = Instant::now();
        while started.elapsed() < MERGE_LIMIT {
            let stats = self.client.get_ok(&format!("/{}*/_stats/merge", self.run))?;
            // Without an index there are no totals either.
            if stats["_all"]["total"]["merges"]["current"].as_u64().unwrap_or(0) == 0 {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        eprintln!("the server still merges segments; what is measured now is burdened by it");
        Ok(())
    }

    /// Removes every index of this run, each by its exact name.
    pub(super) fn clean_up(&self) -> Result<()> {
        let listed =
            self.client.get_ok(&format!("/_cat/indices/{}*?expand_wildcards=all&h=index&format=json", self.run))?;
        for entry in listed.as_array().into_iter().flatten() {
            let name = entry["index"].as_str().filter(|name| name.starts_with(&self.run)).context("no index name")?;
            self.delete(name)?;
        }
        Ok(())
    }

    /// Leaves the server as it was found: without an index of this run, and free to run anywhere.
    /// What cannot be done is told, and hinders nothing else.
    pub(crate) fn leave(&self) {
        if let Some(Err(error)) = self.apart.get().map(Apart::end) {
            eprintln!("the server still runs on its part of the processors: {error:#}");
        }
        if let Err(error) = self.clean_up() {
            eprintln!("indices that start with {} are left: {error:#}", self.run);
        }
    }

    /// Leaves the server when the command is interrupted.
    pub(crate) fn leave_at_signal(&self) -> Result<()> {
        let cluster = self.clone();
        ctrlc::set_handler(move || {
            // What runs just now got the signal too; what it settles now is to go as well.
            std::thread::sleep(Duration::from_secs(2));
            cluster.leave();
            std::process::exit(130);
        })
        .context("cannot handle Ctrl-C")
    }
}

/// What would create an index like this one.
fn body(index: &Value) -> Value {
    let mut mappings = index["mappings"].clone();
    // It names the generation, and says nothing of fields.
    if let Some(mappings) = mappings.as_object_mut() {
        mappings.remove("_meta");
    }
    let mut settings = index["settings"]["index"].clone();
    if let Some(settings) = settings.as_object_mut() {
        settings.retain(|name, _| !ADDED_SETTINGS.contains(&name.as_str()));
    }
    json!({ "mappings": mappings, "settings": settings })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_what_an_index_was_created_with() {
        let index = json!({
            "aliases": { "a": {} },
            "mappings": { "_meta": { "generation": 1 }, "properties": { "x": { "type": "long" } } },
            "settings": { "index": {
                "uuid": "u", "creation_date": "1", "provided_name": "i", "version": { "created": "9" },
                "routing": { "allocation": {} }, "number_of_shards": "1", "hidden": "true"
            } }
        });
        assert_eq!(
            body(&index),
            json!({
                "mappings": { "properties": { "x": { "type": "long" } } },
                "settings": { "number_of_shards": "1", "hidden": "true" }
            })
        );
    }
}
