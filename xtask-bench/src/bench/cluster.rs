//! The Elasticsearch that the candidates work on: its statistics, its load between two iterations,
//! and the removal of everything that a benchmark created.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};
use xtask::process;
use xtask::scope::IndexScope;

use super::apart::Apart;

/// The time limit for the server's merges between two iterations.
const MERGE_LIMIT: Duration = Duration::from_secs(60);

/// Settings that the server adds to each index by itself.
const ADDED_SETTINGS: [&str; 5] = ["creation_date", "provided_name", "uuid", "version", "routing"];

#[derive(Clone)]
pub(crate) struct Cluster {
    scope: IndexScope,
    apart: Arc<OnceLock<Apart>>,
}

impl Cluster {
    /// Connects to the server that `variables` name, or else the environment.
    pub(crate) fn connect(variables: &[(&'static str, String)]) -> Result<Self> {
        Ok(Self { scope: IndexScope::connect(variables, "bench")?, apart: Arc::default() })
    }

    /// The prefix of every index of this benchmark.
    pub(super) fn prefix(&self) -> &str {
        self.scope.prefix()
    }

    /// The address of the server.
    pub(super) fn url(&self) -> &str {
        self.scope.url()
    }

    /// Keeps the server off the processors of the candidates, until [`Self::leave`].
    pub(super) fn stand_apart(&self) -> Result<()> {
        let nodes = self.scope.client().get_ok("/_nodes/process")?;
        let mut ids = nodes["nodes"].as_object().into_iter().flat_map(Map::values).map(|node| &node["process"]["id"]);
        let id = ids.next().and_then(Value::as_u64).context("the server does not name its process")?;
        if ids.next().is_some() {
            bail!("--apart moves a server of one node");
        }
        if self.apart.set(Apart::new(id)?).is_err() {
            bail!("the server was moved already");
        }
        Ok(())
    }

    /// The server's version.
    pub(super) fn version(&self) -> Result<String> {
        let nodes = self.scope.client().get_ok("/_cat/nodes?h=version&format=json")?;
        Ok(nodes[0]["version"].as_str().unwrap_or("of unknown version").to_owned())
    }

    /// The mapping and the settings of the loaded indices, which must be equal except for names and
    /// dates.
    pub(super) fn index_body(&self, prefix: &str) -> Result<Value> {
        let indices = self.scope.client().get_ok(&format!("/{prefix}departures-*"))?;
        let bodies: Vec<Value> = indices.as_object().into_iter().flat_map(Map::values).map(body).collect();
        match bodies.split_first() {
            None => bail!("nothing was loaded under {prefix}departures"),
            Some((first, rest)) if rest.iter().all(|other| other == first) => Ok(first.clone()),
            Some(_) => bail!("the indices under {prefix}departures differ in mapping or settings"),
        }
    }

    /// Creates an index of this benchmark.
    pub(super) fn create(&self, name: &str, body: &Value) -> Result<()> {
        self.scope.create(name, body)
    }

    /// Refreshes an index.
    pub(super) fn refresh(&self, name: &str) -> Result<()> {
        self.scope.client().post_ok(&format!("/{name}/_refresh"), None).map(drop)
    }

    /// The number of segments of an index, in all shards.
    pub(super) fn segments(&self, name: &str) -> Result<u64> {
        let stats = self.scope.client().get_ok(&format!("/{name}/_stats/segments"))?;
        stats["_all"]["primaries"]["segments"]["count"].as_u64().context("the server counts no segments")
    }

    /// The processor time of all nodes since their start, in seconds.
    pub(super) fn cpu_seconds(&self) -> Result<f64> {
        let stats = self.scope.client().get_ok("/_nodes/stats/process")?;
        let nodes = stats["nodes"].as_object().into_iter().flat_map(Map::values);
        Ok(nodes.filter_map(|node| node["process"]["cpu"]["total_in_millis"].as_f64()).sum::<f64>() / 1000.0)
    }

    /// Deletes an index of this benchmark if it exists.
    pub(super) fn delete(&self, name: &str) -> Result<()> {
        self.scope.delete(name)
    }

    /// Waits until the server has finished the merges of an earlier iteration.
    pub(super) fn wait_for_merges(&self) -> Result<()> {
        let started = Instant::now();
        while started.elapsed() < MERGE_LIMIT {
            let stats = self.scope.client().get_ok(&format!("/{}*/_stats/merge", self.prefix()))?;
            // Without an index there are no totals either.
            if stats["_all"]["total"]["merges"]["current"].as_u64().unwrap_or(0) == 0 {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        eprintln!("the server still merges segments, which slows down the next iteration");
        Ok(())
    }

    /// Deletes every index of this benchmark, each by its exact name.
    pub(super) fn clean_up(&self) -> Result<()> {
        self.scope.clean_up()
    }

    /// Restores the server: without an index of this benchmark, and free to use every processor.
    /// A failure is only reported.
    pub(crate) fn leave(&self) {
        if let Some(Err(error)) = self.apart.get().map(Apart::end) {
            eprintln!("the server still uses only its half of the processors: {error:#}");
        }
        self.scope.leave();
    }

    /// Restores the server when the command is interrupted.
    pub(crate) fn leave_at_signal(&self) -> Result<()> {
        let cluster = self.clone();
        process::at_interrupt(move || {
            // The candidate got the signal too, and settles what it has in flight.
            std::thread::sleep(Duration::from_secs(2));
            cluster.leave();
        })
    }
}

/// The body that creates an index like this one.
fn body(index: &Value) -> Value {
    let mut mappings = index["mappings"].clone();
    // It describes the generation, not the fields.
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
    fn the_body_omits_what_the_server_adds() {
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
