//! Shards that are not assigned and why, tasks that wait, clocks that differ.

use es_core::cluster::{AllocationExplanation, NodeStatistics};
use es_core::{Health, HealthStatus};
use serde_json::json;

use super::super::finding::{Finding, Group, Status};
use super::{Asked, skipped};
use crate::terminal::table::{counted, took};
use std::time::Duration;

/// A clock may be off by so much. Machines that keep their time agree within milliseconds, and
/// windows that end at the present moment, in which documents of others are counted, are thinned
/// by what the clocks differ.
pub const CLOCK_SKEW: Duration = Duration::from_secs(5);
/// The master keeps up with its work while tasks wait for less than this.
pub const TASK_WAIT: Duration = Duration::from_secs(30);

const GROUP: Group = Group::Health;

/// The health of the cluster.
pub fn status(health: &Asked<Health>) -> Finding {
    let health = match health {
        Ok(health) => health,
        Err(why) => return skipped(GROUP, "status", why),
    };
    let of = |status, measured: String| {
        Finding::new(GROUP, "status", status, measured)
            .values(json!({"nodes": health.nodes, "active_shards": health.active_shards}))
    };
    let nodes = counted(health.nodes.into(), "node");
    match health.status {
        HealthStatus::Green => of(Status::Pass, format!("green, {nodes}")),
        HealthStatus::Yellow if health.data_nodes == 1 => {
            of(Status::Pass, format!("yellow, {nodes}: a single data node has no place for replicas"))
        }
        HealthStatus::Yellow => of(Status::Warn, format!("yellow, {nodes}: some replica is not assigned"))
            .against("green")
            .help("see why below; data is lost if the node of such a shard is"),
        HealthStatus::Red => of(Status::Fail, format!("red, {nodes}: some primary shard is not assigned"))
            .against("green")
            .help("see why below; its documents can neither be read nor written"),
    }
}

/// The shards without a node, and why it is so for one of them.
pub fn unassigned(health: &Asked<Health>, explanation: &Asked<Option<AllocationExplanation>>) -> Vec<Finding> {
    let health = match health {
        Ok(health) => health,
        Err(why) => return vec![skipped(GROUP, "unassigned shards", why)],
    };
    let count = health.unassigned_shards;
    // Replicas that a single node has no place for are no trouble of the cluster's.
    let expected = health.data_nodes == 1 && health.status == HealthStatus::Yellow;
    let status = match health.status {
        _ if count == 0 => Status::Pass,
        HealthStatus::Red => Status::Fail,
        _ if expected => Status::Pass,
        _ => Status::Warn,
    };
    let measured = match health.unassigned_primary_shards {
        Some(0) if count > 0 => format!("{count}, all of them replicas"),
        Some(primaries) if count > 0 => format!("{count}, {} among them", counted(primaries, "primary shard")),
        _ if count == 0 => "none".to_owned(),
        _ => count.to_string(),
    };
    let mut findings =
        vec![Finding::new(GROUP, "unassigned shards", status, measured).values(json!({"shards": count}))];
    if count == 0 {
        return findings;
    }
    match explanation {
        Ok(Some(why)) => findings.push(explained(why, status)),
        Ok(None) => {}
        Err(why) => findings.push(skipped(GROUP, "unassigned shard", why)),
    }
    findings
}

fn explained(why: &AllocationExplanation, status: Status) -> Finding {
    let kind = if why.primary { "primary" } else { "replica" };
    let rule = why.deciders.first();
    let reason = rule.map_or(why.explanation.as_str(), |rule| rule.explanation.as_str());
    // The ids of shards and nodes that follow say nothing to a person.
    let reason = reason.split(" [[").next().unwrap_or(reason);
    let measured = format!("{kind} {}, {}: {reason}", why.shard, why.reason.to_lowercase().replace('_', " "));
    let finding = Finding::new(GROUP, "unassigned shard", status, measured).about(why.index.clone());
    let help = match rule.map(|rule| rule.name.as_str()) {
        Some("same_shard") => "add a data node, or lower number_of_replicas of the index",
        Some("disk_threshold") => "free disk space on the data nodes, or add one",
        Some("filter" | "data_tier") => "add a node that the index' allocation filters allow, or change them",
        Some("max_retry") => "find what failed in the server's log, then: POST _cluster/reroute?retry_failed=true",
        Some("enable") => "allow it again: cluster.routing.allocation.enable",
        Some("shards_limit") => "add a data node, or raise the limit of shards",
        _ => "see all of it: GET _cluster/allocation/explain",
    };
    // That one node has no place for replicas needs no advice a second time.
    if status == Status::Pass { finding } else { finding.help(help) }
}

/// Whether the master keeps up with its work.
pub fn pending_tasks(health: &Asked<Health>) -> Finding {
    let health = match health {
        Ok(health) => health,
        Err(why) => return skipped(GROUP, "pending tasks", why),
    };
    let wait = Duration::from_millis(health.longest_wait_ms);
    let measured = match health.pending_tasks {
        0 => "none".to_owned(),
        count => format!("{count}, the oldest for {}", took(wait)),
    };
    let of = |status| {
        Finding::new(GROUP, "pending tasks", status, measured.clone())
            .against(format!("waiting for less than {}", seconds(TASK_WAIT)))
            .values(json!({"tasks": health.pending_tasks, "oldest_ms": health.longest_wait_ms}))
    };
    if health.pending_tasks > 0 && wait >= TASK_WAIT {
        of(Status::Warn).help("the master is overloaded: fewer indices and shards, or a stronger master")
    } else {
        of(Status::Pass)
    }
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs())
}

/// The difference of each node's clock from this machine's.
pub fn clocks(nodes: &Asked<Vec<NodeStatistics>>) -> Vec<Finding> {
    let nodes = match nodes {
        Ok(nodes) => nodes,
        Err(why) => return vec![skipped(GROUP, "clock", why)],
    };
    let measured = nodes.iter().filter_map(|node| Some((node, node.clock?)));
    measured
        .map(|(node, skew)| {
            let off = Duration::from_millis(skew.milliseconds.unsigned_abs());
            let direction = if skew.milliseconds < 0 { "behind" } else { "ahead of" };
            let measured = match skew.certain() {
                0 => format!("agrees with this machine's to {} ms", skew.uncertainty),
                _ => format!("{} {direction} this machine's, to {} ms", took(off), skew.uncertainty),
            };
            let of = |status| {
                Finding::new(GROUP, "clock", status, measured.clone())
                    .about(node.name.clone())
                    .against(format!("off by {} at most", seconds(CLOCK_SKEW)))
                    .values(json!({"skew_ms": skew.milliseconds, "uncertainty_ms": skew.uncertainty}))
            };
            if u128::from(skew.certain()) > CLOCK_SKEW.as_millis() {
                of(Status::Warn).help("let both machines keep their time by NTP")
            } else {
                of(Status::Pass)
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use es_core::cluster::{ClockSkew, Decider};

    use super::*;

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

    #[test]
    fn yellow_on_one_node_is_no_trouble() {
        use HealthStatus::{Green, Red, Yellow};
        let table = [
            (Green, 3, 0, Status::Pass, Status::Pass),
            (Yellow, 1, 4, Status::Pass, Status::Pass),
            (Yellow, 2, 4, Status::Warn, Status::Warn),
            (Red, 1, 4, Status::Fail, Status::Fail),
            (Red, 3, 1, Status::Fail, Status::Fail),
        ];
        for (colour, data_nodes, shards, expected, of_shards) in table {
            let health = Ok(health_of(colour, data_nodes, shards));
            assert_eq!(status(&health).status, expected, "{colour} {data_nodes}");
            assert_eq!(unassigned(&health, &Ok(None))[0].status, of_shards, "{colour} {data_nodes}");
        }
        assert_eq!(status(&Err("x".into())).status, Status::Skip);
        assert_eq!(unassigned(&Err("x".into()), &Ok(None))[0].status, Status::Skip);
    }

    #[test]
    fn the_rule_that_keeps_a_shard_away_is_told() {
        let why = |decider: Option<&str>| AllocationExplanation {
            index: "a".into(),
            shard: 0,
            primary: false,
            reason: "NODE_LEFT".into(),
            explanation: "nowhere".into(),
            deciders: decider
                .map(|name| Decider { name: name.into(), explanation: "not there [[a][0]]".into() })
                .into_iter()
                .collect(),
        };
        let health = Ok(health_of(HealthStatus::Yellow, 2, 1));
        let found = unassigned(&health, &Ok(Some(why(Some("disk_threshold")))));
        assert_eq!(found[1].measured, "replica 0, node left: not there");
        assert!(found[1].help.as_ref().unwrap().contains("disk space"));
        let bare = unassigned(&health, &Ok(Some(why(None))));
        assert_eq!(bare[1].measured, "replica 0, node left: nowhere");
        assert_eq!(unassigned(&health, &Err("x".into()))[1].status, Status::Skip);
    }

    #[test]
    fn waiting_tasks_and_clocks_have_their_limits() {
        for (count, wait, expected) in
            [(0, 0, Status::Pass), (1, 29_999, Status::Pass), (1, 30_000, Status::Warn), (0, 90_000, Status::Pass)]
        {
            let health = Health { pending_tasks: count, longest_wait_ms: wait, ..health_of(HealthStatus::Green, 1, 0) };
            assert_eq!(pending_tasks(&Ok(health)).status, expected, "{count} {wait}");
        }
        for (milliseconds, uncertainty, expected) in [
            (0, 1, Status::Pass),
            (5_000, 0, Status::Pass),
            (5_001, 0, Status::Warn),
            (-5_001, 0, Status::Warn),
            // The round trip may explain it.
            (5_500, 500, Status::Pass),
            (-5_501, 500, Status::Warn),
        ] {
            let mut node = super::super::nodes::tests::node("n", None);
            node.clock = Some(ClockSkew { milliseconds, uncertainty });
            assert_eq!(clocks(&Ok(vec![node]))[0].status, expected, "{milliseconds} {uncertainty}");
        }
    }
}
