//! Disks against the watermarks, heap, circuit breakers.

use es_core::cluster::{ClusterSettings, NodeStatistics, Stage};
use serde_json::json;

use super::super::finding::{Finding, Group, Status};
use super::{Asked, skipped};
use crate::terminal::table::{counted, size};

/// More heap in use than this leaves little for the next large request. Garbage collection
/// starts well below it, so that a healthy node passes it only for moments.
pub const HEAP_PERCENT: u32 = 85;

const GROUP: Group = Group::Nodes;

/// The room on each data node.
pub fn disks(nodes: &Asked<Vec<NodeStatistics>>, settings: &Asked<ClusterSettings>) -> Vec<Finding> {
    let (nodes, settings) = match (nodes, settings) {
        (Ok(nodes), Ok(settings)) => (nodes, settings),
        (Err(why), _) | (_, Err(why)) => return vec![skipped(GROUP, "disk", why)],
    };
    let marks = &settings.watermarks;
    let mut findings = Vec::new();
    for node in nodes.iter().filter(|node| node.holds_data()) {
        let Some(disk) = &node.disk else {
            findings.push(skipped(GROUP, "disk", "the node does not tell its size").about(node.name.clone()));
            continue;
        };
        let stage = marks.stage(disk);
        let status = match stage {
            None => Status::Pass,
            Some(Stage::Low) => Status::Warn,
            // Nothing stops writes before the disk is full.
            Some(_) if !marks.enabled => Status::Warn,
            Some(Stage::High | Stage::FloodStage) => Status::Fail,
        };
        let shown = stage.unwrap_or(Stage::Low);
        let threshold = marks.threshold(shown, disk);
        let off = if marks.enabled { "" } else { ", watermarks are off" };
        let help = match stage {
            None => None,
            Some(_) if !marks.enabled => Some("nothing stops writes before it is full: free space, or add a node"),
            Some(Stage::Low) => Some("no more shards are put here but those of new indices: free space, or add a node"),
            Some(Stage::High) => Some("new indices get no shard here: free space, or add a node"),
            Some(Stage::FloodStage) => Some(
                "indices with a shard here refuse writes until there is space: delete what nobody needs, or add a node",
            ),
        };
        let finding =
            Finding::new(GROUP, "disk", status, format!("{} of {} available", size(disk.available), size(disk.total)))
                .about(node.name.clone())
                .against(format!("{} at least, {shown}{off}", size(threshold)))
                .values(json!({
                    "total_bytes": disk.total,
                    "available_bytes": disk.available,
                    "low_bytes": marks.threshold(Stage::Low, disk),
                    "high_bytes": marks.threshold(Stage::High, disk),
                    "flood_stage_bytes": marks.threshold(Stage::FloodStage, disk),
                    "watermarks_enabled": marks.enabled,
                }));
        findings.push(match help {
            Some(help) => finding.help(help),
            None => finding,
        });
    }
    findings
}

/// The heap of each node.
pub fn heap(nodes: &Asked<Vec<NodeStatistics>>) -> Vec<Finding> {
    let nodes = match nodes {
        Ok(nodes) => nodes,
        Err(why) => return vec![skipped(GROUP, "heap", why)],
    };
    nodes
        .iter()
        .map(|node| {
            let measured = format!("{} % of {} in use", node.heap_percent, size(node.heap_max));
            let of = |status| {
                Finding::new(GROUP, "heap", status, measured.clone())
                    .about(node.name.clone())
                    .against(format!("{HEAP_PERCENT} % at most"))
                    .values(json!({"used_bytes": node.heap_used, "max_bytes": node.heap_max}))
            };
            if node.heap_percent > HEAP_PERCENT {
                of(Status::Warn).help("lower `bulk.concurrency` and `run.concurrency`, or give the node more heap")
            } else {
                of(Status::Pass)
            }
        })
        .collect()
}

/// The circuit breakers that refused requests.
pub fn breakers(nodes: &Asked<Vec<NodeStatistics>>) -> Vec<Finding> {
    let nodes = match nodes {
        Ok(nodes) => nodes,
        Err(why) => return vec![skipped(GROUP, "breakers", why)],
    };
    let mut findings = Vec::new();
    for node in nodes {
        for breaker in node.breakers.iter().filter(|breaker| breaker.tripped > 0) {
            let measured = format!("{} refused {} since its start", breaker.name, counted(breaker.tripped, "request"));
            let finding = Finding::new(GROUP, "breakers", Status::Warn, measured)
                .about(node.name.clone())
                .against("0")
                .help("it ran short of memory: lower `bulk.batch_bytes` and `bulk.concurrency`, or give it more heap")
                .values(json!({"breaker": breaker.name, "tripped": breaker.tripped, "limit_bytes": breaker.limit}));
            findings.push(finding);
        }
    }
    if findings.is_empty() {
        let measured = format!("none tripped on {} since the start", counted(nodes.len() as u64, "node"));
        findings.push(Finding::new(GROUP, "breakers", Status::Pass, measured));
    }
    findings
}

#[cfg(test)]
pub(super) mod tests {
    use es_core::Version;
    use es_core::cluster::{Breaker, DiskWatermarks, NodeDisk, Watermark};

    use super::*;

    /// A healthy data node.
    pub(in super::super) fn node(name: &str, version: Option<Version>) -> NodeStatistics {
        NodeStatistics {
            id: name.into(),
            name: name.into(),
            version,
            roles: vec!["data".into()],
            clock: None,
            heap_used: 500,
            heap_max: 1000,
            heap_percent: 50,
            disk: Some(NodeDisk { node: name.into(), total: 1000, free: 900, available: 900 }),
            breakers: vec![],
        }
    }

    fn settings(enabled: bool) -> Asked<ClusterSettings> {
        let used = |share| Watermark::Used { share, max_headroom: None };
        let watermarks = DiskWatermarks { enabled, low: used(0.85), high: used(0.9), flood_stage: used(0.95) };
        Ok(ClusterSettings { watermarks, max_shards_per_node: 1000 })
    }

    #[test]
    fn a_disk_fails_where_writes_do() {
        let of = |available, enabled| {
            let mut node = node("n", None);
            node.disk = Some(NodeDisk { node: "n".into(), total: 1000, free: available, available });
            disks(&Ok(vec![node]), &settings(enabled)).remove(0)
        };
        let table = [
            (150, true, Status::Pass),
            (149, true, Status::Warn),
            (100, true, Status::Warn),
            (99, true, Status::Fail),
            (49, true, Status::Fail),
            (149, false, Status::Warn),
            (49, false, Status::Warn),
            (150, false, Status::Pass),
        ];
        for (available, enabled, expected) in table {
            let found = of(available, enabled);
            assert_eq!(found.status, expected, "{available} {enabled}");
            assert_eq!(found.help.is_some(), expected != Status::Pass);
        }
        assert_eq!(of(99, true).threshold.as_deref(), Some("100 B at least, high watermark"));
        assert_eq!(of(200, false).threshold.as_deref(), Some("150 B at least, low watermark, watermarks are off"));
    }

    #[test]
    fn what_holds_no_data_or_does_not_tell_is_not_judged() {
        let master = NodeStatistics { roles: vec!["master".into()], ..node("m", None) };
        let silent = NodeStatistics { disk: None, ..node("s", None) };
        let found = disks(&Ok(vec![master, silent]), &settings(true));
        assert_eq!((found.len(), found[0].status), (1, Status::Skip));
        assert_eq!(disks(&Err("x".into()), &settings(true))[0].status, Status::Skip);
        assert_eq!(disks(&Ok(vec![]), &Err("y".into()))[0].measured, "y");
    }

    #[test]
    fn heap_and_breakers_have_their_limits() {
        for (percent, expected) in [(85, Status::Pass), (86, Status::Warn), (0, Status::Pass)] {
            let node = NodeStatistics { heap_percent: percent, ..node("n", None) };
            assert_eq!(heap(&Ok(vec![node]))[0].status, expected, "{percent}");
        }
        let breaker = |tripped| Breaker { name: "parent".into(), estimated: 1, limit: 2, tripped };
        for (tripped, expected) in [(0, Status::Pass), (1, Status::Warn)] {
            let node = NodeStatistics { breakers: vec![breaker(tripped)], ..node("n", None) };
            assert_eq!(breakers(&Ok(vec![node]))[0].status, expected);
        }
    }
}
