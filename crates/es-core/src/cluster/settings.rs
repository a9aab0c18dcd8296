//! The cluster settings that limit the room for data: watermarks and shard limits.

use serde_json::{Map, Value};

use super::watermarks::{DiskWatermarks, Watermark};
use super::{Cluster, DiskGate};
use crate::error::{Error, ErrorKind};
use crate::request::{Method, Request};

/// Settings of the cluster in force: transient ones, persistent ones, those of the nodes' files, and
/// defaults, in this order.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterSettings {
    /// The disk watermarks.
    pub watermarks: DiskWatermarks,
    /// The most shards for each data node (`cluster.max_shards_per_node`).
    pub max_shards_per_node: u64,
}

/// The default of `cluster.max_shards_per_node`.
const DEFAULT_MAX_SHARDS: u64 = 1000;

impl ClusterSettings {
    /// Reads the answer of `_cluster/settings?include_defaults&flat_settings`.
    fn read(body: &Map<String, Value>) -> Result<Self, Error> {
        let get = |name: &str| {
            ["transient", "persistent", "defaults"].iter().find_map(|layer| match body.get(*layer)?.get(name)? {
                Value::String(text) => Some(text.clone()),
                other => Some(other.to_string()),
            })
        };
        let disk = "cluster.routing.allocation.disk";
        // The server's own defaults, for a server that does not report them.
        let watermark = |name: &str, default: &str| {
            let value = get(&format!("{disk}.watermark.{name}"));
            let headroom = get(&format!("{disk}.watermark.{name}.max_headroom"));
            Watermark::parse(value.as_deref().unwrap_or(default), headroom.as_deref())
        };
        let max_shards = get("cluster.max_shards_per_node");
        Ok(Self {
            watermarks: DiskWatermarks {
                enabled: get(&format!("{disk}.threshold_enabled")).is_none_or(|value| value != "false"),
                low: watermark("low", "85%")?,
                high: watermark("high", "90%")?,
                flood_stage: watermark("flood_stage", "95%")?,
            },
            max_shards_per_node: match max_shards {
                Some(text) => text.parse().map_err(|_| {
                    Error::new(ErrorKind::Decode, format!("cluster.max_shards_per_node is {text:?}, not a number"))
                })?,
                None => DEFAULT_MAX_SHARDS,
            },
        })
    }
}

impl Cluster<'_> {
    /// Returns the settings in force.
    ///
    /// # Errors
    /// As [`crate::Client::send`]; it takes the cluster privilege `monitor`.
    pub async fn settings(&self) -> Result<ClusterSettings, Error> {
        let request = Request::new(Method::Get, "/_cluster/settings")
            .query("include_defaults", true)
            .query("flat_settings", true)
            .query("filter_path", "*.cluster*");
        let body: Map<String, Value> = self.get(request).await?.json()?;
        ClusterSettings::read(&body)
    }

    /// Checks the disks for the room that heavy writes need: see [`DiskWatermarks::gate`].
    ///
    /// # Errors
    /// As [`crate::Client::send`]; it takes the cluster privilege `monitor`.
    pub async fn disk_gate(&self) -> Result<DiskGate, Error> {
        let settings = self.settings().await?;
        let nodes = self.nodes().await?;
        let disks: Vec<_> = nodes.into_iter().filter(|node| node.holds_data()).filter_map(|node| node.disk).collect();
        Ok(settings.watermarks.gate(&disks))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: Value) -> Result<ClusterSettings, Error> {
        ClusterSettings::read(body.as_object().unwrap())
    }

    #[test]
    fn what_is_set_by_hand_wins_and_defaults_fill_in() {
        let low = "cluster.routing.allocation.disk.watermark.low";
        let headroom = "cluster.routing.allocation.disk.watermark.low.max_headroom";
        let found = read(json!({
            "transient": {"cluster.max_shards_per_node": "50"},
            "persistent": {low: "20gb", "cluster.max_shards_per_node": 70},
            "defaults": {low: "85%", headroom: "200GB", "cluster.max_shards_per_node": "1000",
                "cluster.routing.allocation.disk.threshold_enabled": "false"},
        }))
        .unwrap();
        assert_eq!(found.watermarks.low, Watermark::Free(20 << 30));
        assert_eq!(found.watermarks.high, Watermark::Used { share: 0.9, max_headroom: None });
        assert_eq!((found.watermarks.enabled, found.max_shards_per_node), (false, 50));
        let bare = read(json!({})).unwrap();
        assert_eq!((bare.watermarks.enabled, bare.max_shards_per_node), (true, 1000));
        assert_eq!(bare.watermarks.flood_stage, Watermark::Used { share: 0.95, max_headroom: None });
        let defaults = read(json!({"defaults": {low: "85%", headroom: "200GB"}})).unwrap();
        assert_eq!(defaults.watermarks.low, Watermark::Used { share: 0.85, max_headroom: Some(200 << 30) });
        let wrong = read(json!({"persistent": {"cluster.max_shards_per_node": "many"}})).unwrap_err();
        assert_eq!(wrong.kind(), ErrorKind::Decode);
    }
}
