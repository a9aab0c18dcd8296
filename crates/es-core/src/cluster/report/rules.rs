//! The rules of the health of a cluster. Pure.

use std::time::Duration;

use es_values::counted;
use serde_json::json;

use super::{HealthCheck, HealthFinding, HealthReport, Verdict};
use crate::cluster::words::{size, time};
use crate::cluster::{AllocationExplanation, ClusterSettings, Health, HealthStatus, NodeStatistics, Stage};

/// The largest difference of clocks that passes. Synchronized machines agree within milliseconds,
/// and a time window that ends now misses or doubles documents by the difference.
pub const MAX_CLOCK_SKEW: Duration = Duration::from_secs(5);

/// The longest wait of a pending task of a master that keeps up.
pub const MAX_TASK_WAIT: Duration = Duration::from_secs(30);

/// The most heap in use, in percent, that leaves room for the next large request. Garbage
/// collection starts well below it, so that a healthy node exceeds it only for moments.
pub const MAX_HEAP_PERCENT: u32 = 85;

/// The most shards in use, in percent of those that the cluster accepts.
pub const MAX_SHARDS_PERCENT: u64 = 80;

/// The facts that the health of a cluster is determined from. Each is what was fetched, or the
/// reason why it was not: checks of the latter are skipped.
#[derive(Clone, Debug)]
pub struct HealthFacts {
    /// The answer of [`crate::Cluster::health`].
    pub health: Result<Health, String>,
    /// The answer of [`crate::Cluster::explain_any_unassigned`].
    pub explanation: Result<Option<AllocationExplanation>, String>,
    /// The answer of [`crate::Cluster::nodes`].
    pub nodes: Result<Vec<NodeStatistics>, String>,
    /// The answer of [`crate::Cluster::settings`].
    pub settings: Result<ClusterSettings, String>,
}

impl HealthFacts {
    /// The verdict on these facts. Pure.
    pub fn report(&self) -> HealthReport {
        let mut findings = Vec::new();
        match &self.health {
            Ok(health) => {
                findings.push(status(health));
                findings.extend(unassigned(health, &self.explanation));
                findings.push(pending_tasks(health));
            }
            Err(why) => {
                let checks = [HealthCheck::Status, HealthCheck::UnassignedShards, HealthCheck::PendingTasks];
                findings.extend(checks.map(|check| HealthFinding::skipped(check, why)));
            }
        }
        findings.push(match (&self.health, &self.settings) {
            (Ok(health), Ok(settings)) => shard_limit(health, settings),
            (Err(why), _) | (_, Err(why)) => HealthFinding::skipped(HealthCheck::ShardLimit, why),
        });
        match (&self.nodes, &self.settings) {
            (Ok(nodes), Ok(settings)) => {
                findings.extend(nodes.iter().filter(|node| node.holds_data()).map(|node| disk(node, settings)));
            }
            (Err(why), _) | (_, Err(why)) => findings.push(HealthFinding::skipped(HealthCheck::Disk, why)),
        }
        match &self.nodes {
            Ok(nodes) => {
                findings.extend(nodes.iter().map(heap));
                findings.extend(breakers(nodes));
                findings.extend(nodes.iter().filter_map(clock));
            }
            Err(why) => {
                let checks = [HealthCheck::Heap, HealthCheck::Breakers, HealthCheck::Clock];
                findings.extend(checks.map(|check| HealthFinding::skipped(check, why)));
            }
        }
        let verdict = findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Pass);
        HealthReport { verdict, findings }
    }
}

/// The status of the cluster. Yellow passes on a single data node, which has no place for replicas.
fn status(health: &Health) -> HealthFinding {
    let nodes = counted(health.nodes.into(), "node");
    let finding = |verdict, measured| {
        HealthFinding::new(HealthCheck::Status, verdict, measured)
            .values(json!({"nodes": health.nodes, "active_shards": health.active_shards}))
    };
    let bad = |verdict, measured, help| finding(verdict, measured).against("green".to_owned()).help(Some(help));
    match health.status {
        HealthStatus::Green => finding(Verdict::Pass, format!("green, {nodes}")),
        HealthStatus::Yellow if health.data_nodes == 1 => {
            finding(Verdict::Pass, format!("yellow, {nodes}: a single data node has no place for replicas"))
        }
        HealthStatus::Yellow => bad(
            Verdict::Warn,
            format!("yellow, {nodes}: some replica is not assigned"),
            "find the reason below: if the node of such a shard is lost, so are its documents",
        ),
        HealthStatus::Red => bad(
            Verdict::Fail,
            format!("red, {nodes}: some primary shard is not assigned"),
            "find the reason below: its documents can neither be read nor written",
        ),
    }
}

/// The unassigned shards, and the reason for one of them.
fn unassigned(health: &Health, explanation: &Result<Option<AllocationExplanation>, String>) -> Vec<HealthFinding> {
    let count = health.unassigned_shards;
    let verdict = match health.status {
        _ if count == 0 => Verdict::Pass,
        HealthStatus::Red => Verdict::Fail,
        HealthStatus::Yellow if health.data_nodes == 1 => Verdict::Pass,
        _ => Verdict::Warn,
    };
    let measured = match health.unassigned_primary_shards {
        _ if count == 0 => "none".to_owned(),
        Some(0) => format!("{count}, all of them replicas"),
        Some(primaries) => format!("{count}, {} among them", counted(primaries, "primary shard")),
        None => count.to_string(),
    };
    let total = HealthFinding::new(HealthCheck::UnassignedShards, verdict, measured).values(json!({"shards": count}));
    let reason = match explanation {
        _ if count == 0 => None,
        Ok(None) => None,
        Ok(Some(found)) => Some(explained(found, verdict)),
        Err(why) => Some(HealthFinding::skipped(HealthCheck::UnassignedShard, why)),
    };
    std::iter::once(total).chain(reason).collect()
}

fn explained(found: &AllocationExplanation, verdict: Verdict) -> HealthFinding {
    let kind = if found.primary { "primary" } else { "replica" };
    let event = found.reason.to_lowercase().replace('_', " ");
    let measured = format!("{kind} {}, {event}: {}", found.shard, found.cause());
    HealthFinding::new(HealthCheck::UnassignedShard, verdict, measured)
        .about(&found.index)
        // That one node has no place for replicas needs no advice.
        .help((verdict != Verdict::Pass).then(|| found.help()))
}

/// The tasks that wait for the master.
fn pending_tasks(health: &Health) -> HealthFinding {
    let wait = Duration::from_millis(health.longest_wait_ms);
    let measured = match health.pending_tasks {
        0 => "none".to_owned(),
        count => format!("{count}, the oldest for {}", time(wait)),
    };
    let is_late = health.pending_tasks > 0 && wait >= MAX_TASK_WAIT;
    let verdict = if is_late { Verdict::Warn } else { Verdict::Pass };
    HealthFinding::new(HealthCheck::PendingTasks, verdict, measured)
        .against(format!("waiting for less than {} s", MAX_TASK_WAIT.as_secs()))
        .help(is_late.then_some("the master is overloaded: use fewer indices and shards, or a stronger master"))
        .values(json!({"tasks": health.pending_tasks, "oldest_ms": health.longest_wait_ms}))
}

/// The number of shards against `cluster.max_shards_per_node`.
fn shard_limit(health: &Health, settings: &ClusterSettings) -> HealthFinding {
    let shards = health.active_shards + health.initializing_shards + health.unassigned_shards;
    let limit = settings.max_shards_per_node.saturating_mul(health.data_nodes.into());
    let (verdict, help) = match shards {
        _ if shards >= limit => (Verdict::Fail, Some("no index can be created: delete old ones, or add a data node")),
        _ if shards.saturating_mul(100) > limit.saturating_mul(MAX_SHARDS_PERCENT) => {
            (Verdict::Warn, Some("delete old indices, use fewer shards an index, or add a data node"))
        }
        _ => (Verdict::Pass, None),
    };
    HealthFinding::new(HealthCheck::ShardLimit, verdict, format!("{shards} of {limit}"))
        .against(format!("at most {MAX_SHARDS_PERCENT} % of cluster.max_shards_per_node"))
        .help(help)
        .values(json!({"shards": shards, "most": limit}))
}

/// The room on the disk of a data node.
fn disk(node: &NodeStatistics, settings: &ClusterSettings) -> HealthFinding {
    let Some(disk) = &node.disk else {
        return HealthFinding::skipped(HealthCheck::Disk, "the node does not report the size of its disk")
            .about(&node.name);
    };
    let marks = &settings.watermarks;
    let stage = marks.stage(disk);
    let (verdict, help) = match stage {
        None => (Verdict::Pass, None),
        Some(_) if !marks.enabled => {
            (Verdict::Warn, Some("nothing stops writes before the disk is full: free disk space, or add a data node"))
        }
        Some(Stage::Low) => {
            (Verdict::Warn, Some("the node accepts only shards of new indices: free disk space, or add a data node"))
        }
        Some(Stage::High) => {
            (Verdict::Fail, Some("the node accepts no shards of new indices: free disk space, or add a data node"))
        }
        Some(Stage::FloodStage) => (
            Verdict::Fail,
            Some("indices with a shard on the node refuse writes: delete unused indices, or add a data node"),
        ),
    };
    let shown = stage.unwrap_or(Stage::Low);
    let off = if marks.enabled { "" } else { ", watermarks are off" };
    HealthFinding::new(
        HealthCheck::Disk,
        verdict,
        format!("{} of {} available", size(disk.available), size(disk.total)),
    )
    .about(&node.name)
    .against(format!("at least {}, {shown}{off}", size(marks.threshold(shown, disk))))
    .help(help)
    .values(json!({
        "total_bytes": disk.total,
        "available_bytes": disk.available,
        "low_bytes": marks.threshold(Stage::Low, disk),
        "high_bytes": marks.threshold(Stage::High, disk),
        "flood_stage_bytes": marks.threshold(Stage::FloodStage, disk),
        "watermarks_enabled": marks.enabled,
    }))
}

/// The heap of a node.
fn heap(node: &NodeStatistics) -> HealthFinding {
    let is_full = node.heap_percent > MAX_HEAP_PERCENT;
    let measured = format!("{} % of {} in use", node.heap_percent, size(node.heap_max));
    HealthFinding::new(HealthCheck::Heap, if is_full { Verdict::Warn } else { Verdict::Pass }, measured)
        .about(&node.name)
        .against(format!("at most {MAX_HEAP_PERCENT} %"))
        .help(is_full.then_some("send fewer requests at once, or give the node more heap"))
        .values(json!({"used_bytes": node.heap_used, "max_bytes": node.heap_max}))
}

/// The circuit breakers that refused requests; one finding that passes where none did.
fn breakers(nodes: &[NodeStatistics]) -> Vec<HealthFinding> {
    let mut findings = Vec::new();
    for node in nodes {
        for breaker in node.breakers.iter().filter(|breaker| breaker.tripped > 0) {
            let refused = counted(breaker.tripped, "request");
            let measured = format!("{} refused {refused} since the node started", breaker.name);
            findings.push(
                HealthFinding::new(HealthCheck::Breakers, Verdict::Warn, measured)
                    .about(&node.name)
                    .against("0".to_owned())
                    .help(Some("the node ran short of memory: send smaller and fewer requests, or give it more heap"))
                    .values(json!({"breaker": breaker.name, "tripped": breaker.tripped, "limit_bytes": breaker.limit})),
            );
        }
    }
    if findings.is_empty() {
        let measured = format!("none tripped on {} since the start", counted(nodes.len() as u64, "node"));
        findings.push(HealthFinding::new(HealthCheck::Breakers, Verdict::Pass, measured));
    }
    findings
}

/// The clock of a node against that of this machine; `None` where it is unknown.
fn clock(node: &NodeStatistics) -> Option<HealthFinding> {
    let skew = node.clock?;
    let off = Duration::from_millis(skew.milliseconds.unsigned_abs());
    let direction = if skew.milliseconds < 0 { "behind" } else { "ahead of" };
    let measured = match skew.certain() {
        0 => format!("agrees with this machine's to {} ms", skew.uncertainty),
        _ => format!("{} {direction} this machine's, to {} ms", time(off), skew.uncertainty),
    };
    let is_off = u128::from(skew.certain()) > MAX_CLOCK_SKEW.as_millis();
    Some(
        HealthFinding::new(HealthCheck::Clock, if is_off { Verdict::Warn } else { Verdict::Pass }, measured)
            .about(&node.name)
            .against(format!("off by at most {} s", MAX_CLOCK_SKEW.as_secs()))
            .help(is_off.then_some("synchronize the clocks of both machines, as with NTP"))
            .values(json!({"skew_ms": skew.milliseconds, "uncertainty_ms": skew.uncertainty})),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Breaker, ClockSkew, Decider, DiskWatermarks, NodeDisk, Watermark};

    fn health_of(status: HealthStatus, data_nodes: u32, unassigned: u64) -> Health {
        Health {
            status,
            timed_out: false,
            nodes: data_nodes,
            data_nodes,
            active_shards: 10,
            relocating_shards: 0,
            initializing_shards: 0,
            unassigned_shards: unassigned,
            unassigned_primary_shards: Some(0),
            pending_tasks: 0,
            longest_wait_ms: 0,
        }
    }

    fn node() -> NodeStatistics {
        NodeStatistics {
            id: "n".into(),
            name: "n".into(),
            version: None,
            roles: vec!["data".into()],
            clock: None,
            heap_used: 500,
            heap_max: 1000,
            heap_percent: 50,
            disk: Some(NodeDisk { node: "n".into(), total: 1000, free: 900, available: 900 }),
            breakers: vec![],
        }
    }

    fn settings(enabled: bool) -> ClusterSettings {
        let used = |share| Watermark::Used { share, max_headroom: None };
        let watermarks = DiskWatermarks { enabled, low: used(0.85), high: used(0.9), flood_stage: used(0.95) };
        ClusterSettings { watermarks, max_shards_per_node: 100 }
    }

    fn facts() -> HealthFacts {
        HealthFacts {
            health: Ok(health_of(HealthStatus::Green, 1, 0)),
            explanation: Ok(None),
            nodes: Ok(vec![node()]),
            settings: Ok(settings(true)),
        }
    }

    /// The outcomes of a check.
    fn verdicts(facts: &HealthFacts, check: HealthCheck) -> Vec<Verdict> {
        let findings = facts.report().findings;
        findings.iter().filter(|finding| finding.check == check).map(|finding| finding.verdict).collect()
    }

    fn explanation(decider: Option<&str>) -> AllocationExplanation {
        AllocationExplanation {
            index: "a".into(),
            shard: 0,
            primary: false,
            reason: "NODE_LEFT".into(),
            explanation: "nowhere".into(),
            deciders: decider
                .map(|name| Decider { name: name.into(), explanation: "not there [[a][0]]".into() })
                .into_iter()
                .collect(),
        }
    }

    #[test]
    fn yellow_passes_on_one_node() {
        use HealthStatus::{Green, Red, Yellow};
        let table = [
            (Green, 3, 0, Verdict::Pass, Verdict::Pass),
            (Yellow, 1, 4, Verdict::Pass, Verdict::Pass),
            (Yellow, 2, 4, Verdict::Warn, Verdict::Warn),
            (Red, 1, 4, Verdict::Fail, Verdict::Fail),
            (Red, 3, 1, Verdict::Fail, Verdict::Fail),
        ];
        for (colour, data_nodes, shards, expected, of_shards) in table {
            let facts = HealthFacts { health: Ok(health_of(colour, data_nodes, shards)), ..facts() };
            assert_eq!(verdicts(&facts, HealthCheck::Status), [expected], "{colour} {data_nodes}");
            assert_eq!(verdicts(&facts, HealthCheck::UnassignedShards), [of_shards], "{colour} {data_nodes}");
            assert_eq!(facts.report().verdict, expected, "{colour} {data_nodes}");
        }
    }

    #[test]
    fn facts_that_are_missing_skip_their_checks() {
        let missing = || "no privilege".to_owned();
        let facts = HealthFacts {
            health: Err(missing()),
            explanation: Err(missing()),
            nodes: Err(missing()),
            settings: Err(missing()),
        };
        let report = facts.report();
        assert_eq!(report.verdict, Verdict::Skip);
        assert!(report.findings.iter().all(|finding| finding.verdict == Verdict::Skip));
        assert!(report.findings.iter().all(|finding| finding.measured == "no privilege"));
        assert_eq!(report.findings.len(), 8);
        let facts = HealthFacts { settings: Err("y".to_owned()), ..self::facts() };
        let skipped = facts.report().findings.into_iter().filter(|finding| finding.verdict == Verdict::Skip);
        let skipped: Vec<(HealthCheck, String)> = skipped.map(|finding| (finding.check, finding.measured)).collect();
        assert_eq!(skipped, [(HealthCheck::ShardLimit, "y".to_owned()), (HealthCheck::Disk, "y".to_owned())]);
    }

    #[test]
    fn the_rule_that_keeps_a_shard_away_is_named() {
        let with =
            |explanation| HealthFacts { health: Ok(health_of(HealthStatus::Yellow, 2, 1)), explanation, ..facts() };
        let of = |facts: HealthFacts| facts.report().findings.swap_remove(2);
        let found = of(with(Ok(Some(explanation(Some("disk_threshold"))))));
        assert_eq!(found.measured, "replica 0, node left: not there");
        assert!(found.help.unwrap().contains("disk space"));
        assert_eq!(of(with(Ok(Some(explanation(None))))).measured, "replica 0, node left: nowhere");
        assert_eq!(of(with(Err("x".into()))).verdict, Verdict::Skip);
        let single =
            HealthFacts { health: Ok(health_of(HealthStatus::Yellow, 1, 1)), ..with(Ok(Some(explanation(None)))) };
        assert_eq!(of(single).help, None, "one node has no place for replicas");
    }

    #[test]
    fn tasks_and_clocks_have_their_limits() {
        for (count, wait, expected) in
            [(0, 0, Verdict::Pass), (1, 29_999, Verdict::Pass), (1, 30_000, Verdict::Warn), (0, 90_000, Verdict::Pass)]
        {
            let health = health_of(HealthStatus::Green, 1, 0);
            let health = Ok(Health { pending_tasks: count, longest_wait_ms: wait, ..health });
            let found = verdicts(&HealthFacts { health, ..facts() }, HealthCheck::PendingTasks);
            assert_eq!(found, [expected], "{count} {wait}");
        }
        for (milliseconds, uncertainty, expected) in [
            (0, 1, Verdict::Pass),
            (5_000, 0, Verdict::Pass),
            (5_001, 0, Verdict::Warn),
            (-5_001, 0, Verdict::Warn),
            // The round trip may explain it.
            (5_500, 500, Verdict::Pass),
            (-5_501, 500, Verdict::Warn),
        ] {
            let clock = Some(ClockSkew { milliseconds, uncertainty });
            let nodes = Ok(vec![NodeStatistics { clock, ..node() }]);
            let found = verdicts(&HealthFacts { nodes, ..facts() }, HealthCheck::Clock);
            assert_eq!(found, [expected], "{milliseconds} {uncertainty}");
        }
        assert_eq!(verdicts(&facts(), HealthCheck::Clock), []);
    }

    #[test]
    fn the_limit_of_shards_grows_with_the_nodes() {
        let table = [
            (1, 80, 0, Verdict::Pass),
            (1, 80, 1, Verdict::Warn),
            (1, 99, 0, Verdict::Warn),
            (1, 90, 10, Verdict::Fail),
            (2, 160, 0, Verdict::Pass),
            (2, 161, 0, Verdict::Warn),
            (0, 0, 0, Verdict::Fail),
        ];
        for (data_nodes, active_shards, unassigned, expected) in table {
            let health = Ok(Health { active_shards, ..health_of(HealthStatus::Green, data_nodes, unassigned) });
            let found = verdicts(&HealthFacts { health, ..facts() }, HealthCheck::ShardLimit);
            assert_eq!(found, [expected], "{data_nodes} {active_shards}");
        }
    }

    #[test]
    fn a_disk_fails_where_writes_do() {
        let of = |available, enabled| {
            let disk = Some(NodeDisk { node: "n".into(), total: 1000, free: available, available });
            disk_of(&NodeStatistics { disk, ..node() }, enabled)
        };
        fn disk_of(node: &NodeStatistics, enabled: bool) -> HealthFinding {
            disk(node, &settings(enabled))
        }
        let table = [
            (150, true, Verdict::Pass),
            (149, true, Verdict::Warn),
            (100, true, Verdict::Warn),
            (99, true, Verdict::Fail),
            (49, true, Verdict::Fail),
            (149, false, Verdict::Warn),
            (49, false, Verdict::Warn),
            (150, false, Verdict::Pass),
        ];
        for (available, enabled, expected) in table {
            let found = of(available, enabled);
            assert_eq!(found.verdict, expected, "{available} {enabled}");
            assert_eq!(found.help.is_some(), expected != Verdict::Pass);
        }
        assert_eq!(of(99, true).threshold.as_deref(), Some("at least 100 B, high watermark"));
        assert_eq!(of(200, false).threshold.as_deref(), Some("at least 150 B, low watermark, watermarks are off"));
    }

    #[test]
    fn a_node_without_data_has_no_disk_and_one_that_does_not_report_it_is_skipped() {
        let master = NodeStatistics { roles: vec!["master".into()], ..node() };
        let silent = NodeStatistics { disk: None, ..node() };
        let facts = HealthFacts { nodes: Ok(vec![master, silent]), ..facts() };
        assert_eq!(verdicts(&facts, HealthCheck::Disk), [Verdict::Skip]);
    }

    #[test]
    fn heap_and_breakers_have_their_limits() {
        for (heap_percent, expected) in [(85, Verdict::Pass), (86, Verdict::Warn), (0, Verdict::Pass)] {
            assert_eq!(heap(&NodeStatistics { heap_percent, ..node() }).verdict, expected, "{heap_percent}");
        }
        for (tripped, expected) in [(0, Verdict::Pass), (1, Verdict::Warn)] {
            let breaker = Breaker { name: "parent".into(), estimated: 1, limit: 2, tripped };
            let node = NodeStatistics { breakers: vec![breaker], ..node() };
            assert_eq!(breakers(&[node])[0].verdict, expected);
        }
    }

    #[test]
    fn a_report_prints_its_findings_with_their_help() {
        let report = HealthFacts { health: Ok(health_of(HealthStatus::Red, 1, 2)), ..facts() }.report();
        let text = report.to_string();
        let status = "fail: status: red, 1 node: some primary shard is not assigned (green)\n  help: find the reason";
        assert!(text.starts_with(status), "{text}");
        assert!(
            text.contains("\npass: disk of n: 900 B of 1.0 kB available (at least 150 B, low watermark)\n"),
            "{text}"
        );
    }
}
