//! Settings that must agree with one another.

use serde_json::Value;

use super::Report;
use crate::diagnostic::DiagnosticKind;
use crate::key_path::KeyPath;
use crate::spec::Settings;
use crate::yaml::{Content, Node};

/// Keys of `cluster` of which a section sets at most one.
const EXCLUSIVE: [&[&str]; 3] =
    [&["hosts", "cloud_id"], &["api_key", "user", "bearer_token"], &["api_key", "password", "bearer_token"]];

pub(super) fn validate(root: &Node, settings: &Value, report: &mut Report<'_>) {
    cluster(root, &KeyPath::root(), report);
    let environments = KeyPath::root().key("environments");
    for entry in root.get("environments").map_or(&[][..], Node::entries) {
        cluster(&entry.value, &environments.key(&entry.key), report);
    }
    // Settings with a problem of their own are not comparable, and already reported.
    let Ok(settings) = serde_json::from_value::<Settings>(settings.clone()) else { return };
    let (batch, in_flight) = (settings.bulk.batch_bytes, settings.bulk.in_flight_bytes);
    if batch > in_flight {
        let path = KeyPath::root().key("bulk");
        report.invalid(
            &path,
            format!("a batch of {batch} does not fit into {in_flight} in flight"),
            "lower `batch_bytes` or raise `in_flight_bytes`",
        );
    }
}

fn cluster(section: &Node, path: &KeyPath, report: &mut Report<'_>) {
    let Some(cluster) = section.get("cluster") else { return };
    let path = path.key("cluster");
    let is_set = |key: &&&str| cluster.get(key).is_some_and(|node| !matches!(node.content, Content::Null));
    let mut reported = None;
    for group in EXCLUSIVE {
        let set: Vec<&&str> = group.iter().filter(is_set).collect();
        if let [first, second, ..] = set.as_slice()
            && reported != Some(**first)
        {
            reported = Some(**first);
            report.add(
                DiagnosticKind::ConflictingKeys,
                &path.key(second),
                format!("`{first}` and `{second}` exclude each other"),
                "keep one of them",
            );
        }
    }
    for (key, other) in [("client_cert", "client_key"), ("client_key", "client_cert")] {
        if is_set(&&key) && !is_set(&&other) {
            report.add(
                DiagnosticKind::MissingKey,
                &path.key(key),
                format!("`{key}` needs `{other}`"),
                "a client shows its certificate and signs with its key: set both",
            );
        }
    }
}
