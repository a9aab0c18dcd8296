//! Settings that must agree with one another.

use es_assets::{DiagnosticKind, KeyPath, Report};
use serde_json::Value;

use super::sections::Settings;

/// Keys of `cluster` of which a section sets at most one.
const EXCLUSIVE: [&[&str]; 4] = [
    &["hosts", "cloud_id"],
    &["api_key", "user", "bearer_token", "service_token"],
    &["api_key", "password", "bearer_token", "service_token"],
    &["ca_cert", "ca_fingerprint"],
];

/// Reports what is wrong with the settings in force.
pub(super) fn validate(settings: &Value, report: &mut Report<'_>) {
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

/// Reports keys of one place that exclude or need each other.
pub(super) fn validate_layer(section: &Value, path: &KeyPath, report: &mut Report<'_>) {
    let Some(cluster) = section.get("cluster") else { return };
    let path = path.key("cluster");
    let is_set = |key: &&&str| cluster.get(**key).is_some_and(|value| !value.is_null());
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
    contradictions(cluster, &path, report);
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

/// Values that say the opposite of another key.
fn contradictions(cluster: &Value, path: &KeyPath, report: &mut Report<'_>) {
    let is_set = |key: &str| cluster.get(key).is_some_and(|value| !value.is_null());
    let says = |key: &str, text: &str| cluster.get(key).and_then(Value::as_str) == Some(text);
    for key in ["ca_cert", "ca_fingerprint"] {
        if is_set(key) && says("verify", "none") {
            report.add(
                DiagnosticKind::ConflictingKeys,
                &path.key("verify"),
                format!("`verify: none` and `{key}` exclude each other"),
                "remove `verify` to verify with it, or remove the other",
            );
        }
    }
    if is_set("cloud_id") && (says("sniffing", "at_start") || says("sniffing", "continuous")) {
        report.add(
            DiagnosticKind::ConflictingKeys,
            &path.key("sniffing"),
            "`cloud_id` and `sniffing` exclude each other",
            "remove `sniffing`: nodes of Elastic Cloud are reached through its proxy alone",
        );
    }
}
