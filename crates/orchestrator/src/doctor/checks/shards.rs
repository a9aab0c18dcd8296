//! The size of shards, and the room for their copies.

use es_core::cluster::ShardList;
use es_core::{Health, IndexDescription};
use serde_json::{Value, json};

use super::super::finding::{Finding, Group, Status};
use super::{Asked, named, skipped};
use crate::terminal::table::{counted, size};

/// Elasticsearch's advice is 10 to 50 GB a shard. See
/// <https://www.elastic.co/docs/deploy-manage/production-guidance/optimize-performance/size-shards>.
pub const LARGEST: u64 = 50_000_000_000;
/// Shards that are smaller on average waste memory when there are many.
pub const SMALL: u64 = 1_000_000_000;
/// Fewer primary shards than this are not worth a change.
pub const MANY: usize = 100;

const GROUP: Group = Group::Shards;

/// The sizes of some shards: those of the prefix and of the sources.
pub fn sizes(list: &Asked<ShardList>) -> Vec<Finding> {
    let list = match list {
        Ok(list) => list,
        Err(why) => return vec![skipped(GROUP, "size", why)],
    };
    let primaries: Vec<_> = list.shards.iter().filter(|shard| shard.primary && shard.bytes.is_some()).collect();
    if primaries.is_empty() {
        return vec![skipped(GROUP, "size", "there is no index yet")];
    }
    let bytes: u64 = primaries.iter().filter_map(|shard| shard.bytes).sum();
    let average = bytes / primaries.len() as u64;
    let mut findings = Vec::new();
    let mut large: Vec<_> = primaries.iter().filter(|shard| shard.bytes > Some(LARGEST)).collect();
    large.sort_by_key(|shard| std::cmp::Reverse(shard.bytes));
    for shard in large {
        findings.push(
            Finding::new(GROUP, "size", Status::Warn, size(shard.bytes.unwrap_or(0)))
                .about(format!("{} [{}]", shard.index, shard.number))
                .against(format!("{} at most", size(LARGEST)))
                .help("use smaller partitions or more shards: a shard this large is slow to move and to recover"),
        );
    }
    let all = format!("{}, {} on average", counted(primaries.len() as u64, "primary shard"), size(average));
    let values = json!({"primaries": primaries.len(), "average_bytes": average, "shards": list.total});
    if primaries.len() > MANY && average < SMALL {
        findings.push(
            Finding::new(GROUP, "size", Status::Warn, all)
                .against(format!("{} on average, from {MANY} shards on", size(SMALL)))
                .help("use larger partitions, or fewer shards an index")
                .values(values),
        );
    } else if findings.is_empty() {
        findings.push(
            Finding::new(GROUP, "size", Status::Pass, all).against(format!("{} at most", size(LARGEST))).values(values),
        );
    }
    findings
}

/// Checks that the copies that indices ask for have a node each.
pub fn replicas(indices: &Asked<Vec<IndexDescription>>, health: &Asked<Health>) -> Finding {
    let (indices, health) = match (indices, health) {
        (Ok(indices), Ok(health)) => (indices, health),
        (Err(why), _) | (_, Err(why)) => return skipped(GROUP, "replicas", why),
    };
    if indices.is_empty() {
        return skipped(GROUP, "replicas", "there is no index yet");
    }
    let asked_for = |index: &IndexDescription| -> u64 {
        let replicas = index.settings.get("number_of_replicas").and_then(Value::as_str);
        replicas.and_then(|text| text.parse().ok()).unwrap_or(1)
    };
    let place = u64::from(health.data_nodes).saturating_sub(1);
    let without: Vec<&str> =
        indices.iter().filter(|index| asked_for(index) > place).map(|index| index.name.as_str()).collect();
    let nodes = counted(health.data_nodes.into(), "data node");
    if without.is_empty() {
        let ask = if indices.len() == 1 { "asks" } else { "ask" };
        let measured =
            format!("{} {ask} for no more copies than {nodes} can hold", counted(indices.len() as u64, "index"));
        return Finding::new(GROUP, "replicas", Status::Pass, measured);
    }
    Finding::new(GROUP, "replicas", Status::Warn, format!("have no place: those of {}", named(&without)))
        .against(format!("{place} at most, with {nodes}"))
        .help("set number_of_replicas lower in the asset's `index.settings`, or add a data node")
        .values(json!({"indices": without.len()}))
}

#[cfg(test)]
mod tests {
    use es_core::cluster::Shard;
    use es_core::{HealthStatus, Mapping};

    use super::*;

    fn health(data_nodes: u32) -> Asked<Health> {
        Ok(Health {
            status: HealthStatus::Green,
            timed_out: false,
            nodes: data_nodes,
            data_nodes,
            active_shards: 1,
            relocating_shards: 0,
            initializing_shards: 0,
            unassigned_shards: 0,
            unassigned_primary_shards: None,
            pending_tasks: 0,
            longest_wait_ms: 0,
        })
    }

    fn list(sizes: &[u64]) -> Asked<ShardList> {
        let shard = |bytes: &u64| Shard {
            index: "a".into(),
            number: 0,
            primary: true,
            state: "STARTED".into(),
            documents: Some(1),
            bytes: Some(*bytes),
        };
        Ok(ShardList { total: sizes.len(), shards: sizes.iter().map(shard).collect() })
    }

    #[test]
    fn many_small_shards_and_single_large_ones_warn() {
        let one = |sizes: &[u64]| sizes_of(&list(sizes));
        fn sizes_of(list: &Asked<ShardList>) -> Vec<Status> {
            sizes(list).iter().map(|finding| finding.status).collect()
        }
        assert_eq!(one(&[LARGEST]), [Status::Pass]);
        assert_eq!(one(&[LARGEST + 1]), [Status::Warn]);
        assert_eq!(one(&[LARGEST + 1, 5, LARGEST + 2]), [Status::Warn, Status::Warn]);
        assert_eq!(one(&vec![5; MANY]), [Status::Pass]);
        assert_eq!(one(&vec![5; MANY + 1]), [Status::Warn]);
        assert_eq!(one(&vec![SMALL; MANY + 1]), [Status::Pass]);
        assert_eq!(one(&[]), [Status::Skip]);
        assert_eq!(sizes_of(&Err("x".into())), [Status::Skip]);
    }

    #[test]
    fn copies_need_a_node_each() {
        let index = |name: &str, replicas: Option<&str>| {
            let settings = replicas.map(|text| ("number_of_replicas".to_owned(), json!(text))).into_iter().collect();
            IndexDescription { name: name.into(), aliases: vec![], mapping: Mapping::default(), settings }
        };
        let of = |data_nodes, replicas: &[Option<&str>]| {
            let indices = replicas.iter().map(|replicas| index("a", *replicas)).collect();
            replicas_status(&Ok(indices), &health(data_nodes))
        };
        fn replicas_status(indices: &Asked<Vec<IndexDescription>>, health: &Asked<Health>) -> Status {
            replicas(indices, health).status
        }
        assert_eq!(of(1, &[Some("0")]), Status::Pass);
        assert_eq!(of(1, &[Some("0"), Some("1")]), Status::Warn);
        assert_eq!(of(1, &[None]), Status::Warn);
        assert_eq!(of(2, &[Some("1")]), Status::Pass);
        assert_eq!(of(2, &[Some("2")]), Status::Warn);
        assert_eq!(of(1, &[]), Status::Skip);
    }
}
