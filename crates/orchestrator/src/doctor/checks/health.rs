//! The health of the cluster and its nodes, by the rules of es-core. The names of settings in the
//! advice are those of this program.

use es_core::cluster::{HealthCheck, HealthFacts, HealthFinding};

use super::super::finding::{Finding, Group, Status};

/// The findings of the rules in these facts.
pub fn all(facts: &HealthFacts) -> Vec<Finding> {
    facts.report().findings.into_iter().map(finding).collect()
}

fn finding(found: HealthFinding) -> Finding {
    let (group, check) = place(found.check);
    let help = found.help.map(|help| advice(found.check, found.verdict).map_or(help, str::to_owned));
    let HealthFinding { subject, verdict, measured, threshold, values, .. } = found;
    Finding { group, check, subject, status: verdict, measured, threshold, help, values }
}

/// The place of a check in the output, and its name there.
fn place(check: HealthCheck) -> (Group, &'static str) {
    match check {
        HealthCheck::Disk | HealthCheck::Heap | HealthCheck::Breakers => (Group::Nodes, check.as_str()),
        HealthCheck::ShardLimit => (Group::Shards, "number"),
        _ => (Group::Health, check.as_str()),
    }
}

/// The advice where settings of this program help.
fn advice(check: HealthCheck, status: Status) -> Option<&'static str> {
    match check {
        HealthCheck::ShardLimit if status == Status::Warn => {
            Some("remove old indices, use larger partitions, or add a data node")
        }
        HealthCheck::Heap => Some("lower `bulk.concurrency` and `run.concurrency`, or give the node more heap"),
        HealthCheck::Breakers => {
            Some("it ran short of memory: lower `bulk.batch_bytes` and `bulk.concurrency`, or give it more heap")
        }
        _ => None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use es_core::cluster::{Breaker, ClusterSettings, DiskWatermarks, NodeDisk, NodeStatistics, Watermark};
    use es_core::{Health, HealthStatus, Version};

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

    fn facts(node: NodeStatistics) -> HealthFacts {
        let free = Watermark::Free(0);
        let watermarks = DiskWatermarks { enabled: true, low: free, high: free, flood_stage: free };
        let health = Health {
            status: HealthStatus::Green,
            timed_out: false,
            nodes: 1,
            data_nodes: 1,
            active_shards: 1,
            relocating_shards: 0,
            initializing_shards: 0,
            unassigned_shards: 0,
            unassigned_primary_shards: None,
            pending_tasks: 0,
            longest_wait_ms: 0,
        };
        HealthFacts {
            health: Ok(health),
            explanation: Ok(None),
            nodes: Ok(vec![node]),
            settings: Ok(ClusterSettings { watermarks, max_shards_per_node: 100 }),
        }
    }

    #[test]
    fn every_check_keeps_its_group_and_name() {
        let found = all(&facts(node("n", None)));
        let places: Vec<(Group, &str)> = found.iter().map(|finding| (finding.group, finding.check)).collect();
        let expected = [
            (Group::Health, "status"),
            (Group::Health, "unassigned shards"),
            (Group::Health, "pending tasks"),
            (Group::Shards, "number"),
            (Group::Nodes, "disk"),
            (Group::Nodes, "heap"),
            (Group::Nodes, "breakers"),
        ];
        assert_eq!(places, expected);
        assert!(found.iter().all(|finding| finding.status == Status::Pass && finding.help.is_none()), "{found:?}");
    }

    #[test]
    fn advice_about_memory_names_the_settings_that_help() {
        let breaker = Breaker { name: "parent".into(), estimated: 1, limit: 2, tripped: 1 };
        let short = NodeStatistics { heap_percent: 86, breakers: vec![breaker], ..node("n", None) };
        let found = all(&facts(short));
        for check in ["heap", "breakers"] {
            let finding = found.iter().find(|finding| finding.check == check).unwrap();
            assert_eq!(finding.status, Status::Warn);
            assert!(finding.help.as_ref().unwrap().contains("`bulk.concurrency`"), "{finding:?}");
        }
    }
}
