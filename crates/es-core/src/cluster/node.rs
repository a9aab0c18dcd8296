//! The nodes: their roles, memory, disks, clocks and circuit breakers.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::Deserialize;

use super::Cluster;
use super::clock::ClockSkew;
use super::watermarks::NodeDisk;
use crate::connection::product::Version;
use crate::error::Error;
use crate::request::{Method, Request};

/// The statistics of one node at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeStatistics {
    /// The node's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its version; `None` where the node did not report it.
    pub version: Option<Version>,
    /// Its roles: `data_hot`, `ingest`, `master`, ...
    pub roles: Vec<String>,
    /// The skew of its clock; `None` where the node did not report its time.
    pub clock: Option<ClockSkew>,
    /// Heap in use, in bytes.
    pub heap_used: u64,
    /// The largest heap, in bytes.
    pub heap_max: u64,
    /// Heap in use, as a percentage.
    pub heap_percent: u32,
    /// The disks of its data path; `None` where it does not report them.
    pub disk: Option<NodeDisk>,
    /// Its circuit breakers, by name.
    pub breakers: Vec<Breaker>,
}

impl NodeStatistics {
    /// Returns `true` if shards of ordinary indices can be allocated to it.
    pub fn holds_data(&self) -> bool {
        self.roles.iter().any(|role| role == "data" || (role.starts_with("data_") && role != "data_frozen"))
    }
}

/// A circuit breaker: it refuses requests beyond a limit, before the node runs out of memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// Its name: `parent`, `request`, `fielddata`, ...
    pub name: String,
    /// The estimated use, in bytes.
    pub estimated: u64,
    /// The limit, in bytes.
    pub limit: u64,
    /// The number of requests it has refused since the node started.
    pub tripped: u64,
}

#[derive(Deserialize)]
struct StatisticsBody {
    nodes: BTreeMap<String, NodeBody>,
}

#[derive(Deserialize)]
struct NodeBody {
    #[serde(default)]
    name: String,
    #[serde(default)]
    roles: Vec<String>,
    timestamp: Option<u64>,
    #[serde(default)]
    jvm: Jvm,
    fs: Option<FileSystem>,
    #[serde(default)]
    breakers: BTreeMap<String, BreakerBody>,
}

#[derive(Default, Deserialize)]
struct Jvm {
    #[serde(default)]
    mem: Memory,
}

#[derive(Default, Deserialize)]
struct Memory {
    #[serde(default)]
    heap_used_in_bytes: u64,
    #[serde(default)]
    heap_max_in_bytes: u64,
    #[serde(default)]
    heap_used_percent: u32,
}

#[derive(Deserialize)]
struct FileSystem {
    total: Option<Disk>,
}

/// The sizes of a disk: a node that does not know one writes -1 or leaves it out.
#[derive(Deserialize)]
struct Disk {
    total_in_bytes: Option<i64>,
    free_in_bytes: Option<i64>,
    available_in_bytes: Option<i64>,
}

#[derive(Deserialize)]
struct BreakerBody {
    #[serde(default)]
    estimated_size_in_bytes: i64,
    #[serde(default)]
    limit_size_in_bytes: i64,
    #[serde(default)]
    tripped: u64,
}

#[derive(Deserialize)]
struct VersionsBody {
    nodes: BTreeMap<String, VersionBody>,
}

#[derive(Deserialize)]
struct VersionBody {
    version: String,
}

impl Cluster<'_> {
    /// Returns the statistics of every node, by name.
    ///
    /// # Errors
    /// As [`crate::Client::send`]; it takes the cluster privilege `monitor`.
    pub async fn nodes(&self) -> Result<Vec<NodeStatistics>, Error> {
        let statistics = Request::new(Method::Get, "/_nodes/stats/fs,jvm,breaker").query(
            "filter_path",
            "nodes.*.name,nodes.*.roles,nodes.*.timestamp,nodes.*.fs.total,nodes.*.jvm.mem.heap_*,nodes.*.breakers",
        );
        let versions = Request::new(Method::Get, "/_nodes/http").query("filter_path", "nodes.*.version");
        let before = SystemTime::now();
        let statistics: StatisticsBody = self.get(statistics).await?.json()?;
        let after = SystemTime::now();
        let versions: VersionsBody = self.get(versions).await?.json()?;
        let mut nodes: Vec<NodeStatistics> = statistics
            .nodes
            .into_iter()
            .map(|(id, body)| {
                let version = versions.nodes.get(&id).and_then(|node| node.version.parse().ok());
                statistics_of(id, body, version, before, after)
            })
            .collect();
        nodes.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
        Ok(nodes)
    }
}

fn statistics_of(
    id: String,
    body: NodeBody,
    version: Option<Version>,
    before: SystemTime,
    after: SystemTime,
) -> NodeStatistics {
    let bytes = |number: i64| u64::try_from(number).ok();
    let disk = body.fs.and_then(|fs| fs.total).and_then(|disk| {
        Some(NodeDisk {
            node: body.name.clone(),
            total: disk.total_in_bytes.and_then(bytes).filter(|total| *total > 0)?,
            free: disk.free_in_bytes.and_then(bytes)?,
            available: disk.available_in_bytes.and_then(bytes)?,
        })
    });
    let breakers = body.breakers.into_iter().map(|(name, breaker)| Breaker {
        name,
        estimated: bytes(breaker.estimated_size_in_bytes).unwrap_or_default(),
        limit: bytes(breaker.limit_size_in_bytes).unwrap_or_default(),
        tripped: breaker.tripped,
    });
    NodeStatistics {
        id,
        name: body.name,
        version,
        roles: body.roles,
        clock: body.timestamp.map(|timestamp| ClockSkew::estimate(timestamp, before, after)),
        heap_used: body.jvm.mem.heap_used_in_bytes,
        heap_max: body.jvm.mem.heap_max_in_bytes,
        heap_percent: body.jvm.mem.heap_used_percent,
        disk,
        breakers: breakers.collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(body: serde_json::Value) -> NodeStatistics {
        let now = SystemTime::now();
        statistics_of("id".into(), serde_json::from_value(body).unwrap(), None, now, now)
    }

    #[test]
    fn what_a_node_does_not_report_is_none() {
        let bare = of(json!({}));
        assert_eq!((bare.disk, bare.clock, bare.heap_percent), (None, None, 0));
        let unknown = json!({"fs": {"total": {"total_in_bytes": -1, "free_in_bytes": -1, "available_in_bytes": -1}}});
        assert_eq!(of(unknown).disk, None);
        assert_eq!(of(json!({"fs": {"total": {}}})).disk, None);
        let told = json!({
            "name": "n", "breakers": {"parent": {"limit_size_in_bytes": 10, "estimated_size_in_bytes": -1, "tripped": 2}},
            "fs": {"total": {"total_in_bytes": 100, "free_in_bytes": 50, "available_in_bytes": 40}},
        });
        let told = of(told);
        assert_eq!(told.disk, Some(NodeDisk { node: "n".into(), total: 100, free: 50, available: 40 }));
        assert_eq!(told.breakers, [Breaker { name: "parent".into(), estimated: 0, limit: 10, tripped: 2 }]);
    }

    #[test]
    fn only_nodes_for_ordinary_data_count_as_data_nodes() {
        let table =
            [("data", true), ("data_hot", true), ("data_content", true), ("data_frozen", false), ("master", false)];
        for (role, expected) in table {
            assert_eq!(of(json!({"roles": ["ingest", role]})).holds_data(), expected, "{role}");
        }
    }
}
