//! The check for room to write, made once before documents are written.

use std::time::Duration;

use es_core::Client;
use es_core::cluster::{DiskGate, DiskShortage};
use tracing::warn;

use crate::error::{Error, Result};
use crate::terminal::table::size;

/// Asking takes no longer than this: a run is not held up by what only protects it.
const LIMIT: Duration = Duration::from_secs(10);

/// Refuses to write documents where they would have no place, and warns where the room is short, or
/// where the disks cannot be inspected, as by a user without the privilege `monitor`.
///
/// # Errors
/// Names the node, its free space and the watermark.
pub(crate) async fn require_room(client: &Client, warn_user: impl Fn(&str)) -> Result<()> {
    let cluster = client.cluster().limited_to(LIMIT);
    let asked = tokio::time::timeout(LIMIT, cluster.disk_gate()).await;
    let unknown = |why: &str| {
        let text = format!("whether the disks have room is not known: {why}");
        warn!("{text}");
        warn_user(&text);
    };
    match asked {
        Ok(Ok(DiskGate::Ok)) => {}
        Ok(Ok(DiskGate::Warned(shortage))) => {
            let text = told(&shortage);
            warn!("{text}");
            warn_user(&text);
        }
        Ok(Ok(DiskGate::Refused(shortage))) => {
            let help = "free disk space or add a data node; `orchestrator doctor` shows every node, and \
                `run.disk_check: false` runs all the same";
            return Err(Error::failed(told(&shortage)).with_help(Some(help)));
        }
        Ok(Err(error)) => unknown(&error.to_string()),
        Err(_) => unknown("no answer came in time"),
    }
    Ok(())
}

fn told(shortage: &DiskShortage) -> String {
    let DiskShortage { node, available, threshold, stage } = shortage;
    format!(
        "the disk of the node {node} is past the {stage}: {} are available, and {} must be",
        size(*available),
        size(*threshold)
    )
}

#[cfg(test)]
mod tests {
    use es_core::cluster::Stage;

    use super::*;

    #[test]
    fn the_refusal_names_the_node_and_both_numbers() {
        let shortage = DiskShortage {
            node: "n1".into(),
            available: 5_000_000_000,
            threshold: 50_000_000_000,
            stage: Stage::FloodStage,
        };
        let text =
            "the disk of the node n1 is past the flood stage watermark: 5.0 GB are available, and 50.0 GB must be";
        assert_eq!(told(&shortage), text);
    }
}
