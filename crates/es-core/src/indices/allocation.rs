//! A new index whose primary shards were not active in time: which one, and why.

use std::time::Duration;

use crate::client::Client;
use crate::cluster::{AllocationExplanation, Shard};
use crate::error::{Error, ErrorKind};

/// The longest wait for the primary shards of a new index, as the server's own default.
pub(super) const DEFAULT_LIMIT: Duration = Duration::from_secs(30);

/// The time that an answer may take beyond the time that the server was told to wait.
pub(super) const GRACE: Duration = Duration::from_secs(60);

/// The limit of the requests that look for the reason.
const REASON_LIMIT: Duration = Duration::from_secs(10);

/// Finds out why a primary shard of a new index is not active. It may have become active since.
pub(super) async fn check(client: &Client, index: &str, limit: Duration) -> Result<(), Error> {
    let cluster = client.cluster().limited_to(REASON_LIMIT);
    let shard = match cluster.shards(index, usize::MAX).await {
        Ok(list) => match list.shards.into_iter().find(is_waiting_primary) {
            Some(shard) => shard.number,
            None => return Ok(()),
        },
        // Without the privilege to list shards, the first one is as likely as any.
        Err(_) => 0,
    };
    let explanation = cluster.explain_shard(index, shard, true).await.ok().flatten();
    Err(not_allocated(index, shard, limit, explanation.as_ref()))
}

fn is_waiting_primary(shard: &Shard) -> bool {
    shard.primary && matches!(shard.state.as_str(), "UNASSIGNED" | "INITIALIZING")
}

fn not_allocated(index: &str, shard: u32, limit: Duration, explanation: Option<&AllocationExplanation>) -> Error {
    let cause = match explanation.map(AllocationExplanation::cause) {
        Some(cause) if !cause.is_empty() => format!(": {cause}"),
        _ => String::new(),
    };
    let message =
        format!("the index {index} was created, but its primary shard {shard} was not active within {limit:?}{cause}");
    let help = explanation.map_or("find the reason: GET _cluster/allocation/explain", AllocationExplanation::help);
    Error::new(ErrorKind::NotAllocated, message)
        .with_help(format!("{help}; the index exists: delete it, or write to it once the shard is active"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Decider;

    #[test]
    fn the_reason_is_part_of_the_message_and_its_remedy_of_the_help() {
        let explanation = AllocationExplanation {
            index: "a".into(),
            shard: 1,
            primary: true,
            reason: "INDEX_CREATED".into(),
            explanation: "no node".into(),
            deciders: vec![Decider {
                name: "disk_threshold".into(),
                explanation: "the node is above the high watermark [[a][1]]".into(),
            }],
        };
        let error = not_allocated("a", 1, Duration::from_secs(30), Some(&explanation));
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::NotAllocated, false));
        assert_eq!(
            error.to_string(),
            "the index a was created, but its primary shard 1 was not active within 30s: the node is above the high \
             watermark"
        );
        assert!(error.help().unwrap().starts_with("free disk space on the data nodes, or add one; "));
        let unknown = not_allocated("a", 0, Duration::from_millis(1), None);
        assert_eq!(unknown.to_string(), "the index a was created, but its primary shard 0 was not active within 1ms");
    }
}
