//! The output of `doctor`, of clusters that are well and of those that are not.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use regex::Regex;
use serde_json::Value;

use crate::bench::{Bench, Live, golden};
use crate::data::{change, write_small};
use crate::doctor_access::Person;

/// Checks whose value or result is that of the machine or of other tests on the same node.
const VOLATILE: [&str; 10] = [
    "features",
    "status",
    "unassigned shards",
    "pending tasks",
    "clock",
    "disk",
    "heap",
    "breakers",
    "number",
    "lifecycle",
];
/// Lines of the steps to a node that depend on where it is, unless they fail.
const STEPS: [&str; 5] = ["name", "port", "TLS", "certificate", "unassigned shard"];

/// The output of `doctor` without what differs from machine to machine.
pub(crate) fn masked(bench: &Bench, text: &str) -> String {
    let line = Regex::new(r"^  (pass|warn|fail|skip)  ([A-Za-z_ ]+?)(:| {2,}|$)").unwrap();
    let version = Regex::new(r"Elasticsearch \d+\.\d+\.\d+ on \d+ nodes?").unwrap();
    let name = Regex::new(r"the cluster \S+ answers").unwrap();
    let counts = Regex::new(r"^\d+ passed, \d+ warned, (\d+) failed, \d+ skipped$").unwrap();
    let certificate = Regex::new("; the certificate is for .*").unwrap();
    let gaps = Regex::new(r" {2,}(\S)").unwrap();
    let mut kept = String::new();
    let mut leaves_out_help = false;
    for text in bench.normal(text).lines() {
        let check = line.captures(text).map(|found| found[2].to_owned());
        if let Some(check) = &check {
            let is_step = STEPS.contains(&check.as_str()) && !text.starts_with("  fail");
            leaves_out_help = VOLATILE.contains(&check.as_str()) || is_step;
            if VOLATILE.contains(&check.as_str()) && !text.contains("the connection failed") {
                kept.push_str(&format!("  [any] {check}\n"));
            }
        }
        let is_below = ["help: ", "and "].iter().any(|start| text.trim_start().starts_with(start));
        if (is_below || check.is_some()) && leaves_out_help {
            continue;
        }
        let text = version.replace(text, "Elasticsearch [version] on [nodes]");
        let text = name.replace(&text, "the cluster [name] answers");
        let text = counts.replace(&text, "[counts], $1 failed");
        let text = certificate.replace(&text, "; the certificate is [shown]");
        kept.push_str(&gaps.replace_all(&text, "  $1"));
        kept.push('\n');
    }
    kept
}

/// Runs `doctor` and compares what it prints with a golden.
#[track_caller]
fn shown(bench: &Bench, name: &str, code: i32, arguments: &[&str]) -> String {
    let shown = bench.expect(code, arguments);
    let all = format!("{}{}", shown.stdout, shown.stderr);
    assert!(!all.contains("canary") && !all.contains("panicked") && !all.contains('\x1b'), "{all}");
    golden(name, &masked(bench, &all));
    shown.stdout
}

#[test]
fn a_healthy_secured_node() {
    let Some(mut live) = Live::secure("doctor_healthy") else { return };
    write_small(&live);
    let role = live.events(0, &["doctor", "--role"]).remove(0)["role"].clone();
    let _person = Person::new(&mut live, &role);
    shown(&live, "doctor_healthy", 0, &["doctor"]);
    live.expect(0, &["run"]);
    shown(&live, "doctor_healthy_after_a_run", 0, &["doctor"]);
}

#[test]
fn a_node_that_is_stopped() {
    let mut bench = Bench::offline();
    write_small(&bench);
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    bench.set("ELASTICSEARCH_URL", &format!("http://{address}"));
    bench.rename(&address, "[address]");
    shown(&bench, "doctor_stopped", 1, &["doctor"]);
    let events = bench.events(1, &["doctor"]);
    let failed: Vec<&Value> = events.iter().filter(|event| event["status"] == "fail").collect();
    assert!(failed.iter().any(|event| event["check"] == "port"), "{events:?}");
    assert!(events.iter().filter(|event| event["status"] == "skip").count() >= 15);
    assert_eq!(events.last().unwrap()["exit_code"], 1);
}

#[test]
fn a_wrong_password() {
    let Some(mut live) = Live::secure("doctor_password") else { return };
    write_small(&live);
    live.unset("ELASTICSEARCH_API_KEY");
    live.set("ELASTICSEARCH_USER", "elastic");
    live.set("ELASTICSEARCH_PASSWORD", "wrong-canary");
    shown(&live, "doctor_wrong_password", 1, &["doctor"]);
}

#[test]
fn a_wrong_fingerprint() {
    let Some(mut live) = Live::secure("doctor_fingerprint") else { return };
    write_small(&live);
    live.unset("ELASTICSEARCH_CA_CERT");
    live.set("ELASTICSEARCH_CA_FINGERPRINT", &"ab".repeat(32));
    shown(&live, "doctor_wrong_fingerprint", 1, &["doctor"]);
}

#[test]
fn a_role_without_view_index_metadata() {
    let Some(mut live) = Live::secure("doctor_metadata") else { return };
    write_small(&live);
    let mut role = live.events(0, &["doctor", "--role"]).remove(0)["role"].clone();
    role["indices"][0]["privileges"].as_array_mut().unwrap().retain(|privilege| privilege != "view_index_metadata");
    let _person = Person::new(&mut live, &role);
    shown(&live, "doctor_without_view_index_metadata", 1, &["doctor"]);
}

#[test]
fn without_a_pipeline_the_environment_is_examined() {
    let Some(mut live) = Live::plain("doctor_bare") else { return };
    live.unset("ELASTICSEARCH_INDEX_PREFIX");
    shown(&live, "doctor_without_a_pipeline", 0, &["doctor"]);
    // A pipeline that is named must be there, and be sound.
    live.expect(2, &["-f", "other.yaml", "doctor"]);
    live.write("pipeline.yaml", "version: 1\nname: a\nasets: {}\n");
    live.expect(2, &["doctor"]);
}

#[test]
fn mappings_that_hurt_are_found() {
    let Some(live) = Live::plain("doctor_mappings") else { return };
    write_small(&live);
    change(&live, "sensor: { type: keyword }", "sensor: { type: keyword, fields: { words: { type: text } } }");
    live.expect(0, &["run", "readings"]);
    // What others write: text that is grouped by, no `_source`, refreshed all the time.
    let body = serde_json::json!({
        "settings": {"number_of_replicas": 3, "refresh_interval": "1s", "mapping.total_fields.limit": 5,
            "blocks.write": true},
        "mappings": {"_source": {"enabled": false}, "properties": {
            "sensor": {"type": "text"}, "time": {"type": "date"}, "value": {"type": "double"},
            "note": {"type": "text", "fields": {"raw": {"type": "keyword"}}},
        }},
        "aliases": {"PREFIX-readings": {}},
    });
    let body: Value = serde_json::from_str(&body.to_string().replace("PREFIX-", live.prefix())).unwrap();
    live.send(reqwest::Method::PUT, "/PREFIX-stranger", &body);
    shown(&live, "doctor_mappings", 1, &["doctor"]);
}

#[test]
fn every_event_has_its_keys() {
    let Some(live) = Live::plain("doctor_events") else { return };
    write_small(&live);
    let events = live.events(0, &["doctor"]);
    let (end, checks) = events.split_last().unwrap();
    for check in checks {
        assert_eq!(check["event"], "checked", "{check}");
        for key in ["group", "check", "status", "measured", "time"] {
            assert!(check[key].is_string(), "{key} of {check}");
        }
        for key in check.as_object().unwrap().keys() {
            let known =
                ["event", "group", "check", "subject", "status", "measured", "threshold", "help", "values", "time"];
            assert!(known.contains(&key.as_str()), "{key} of {check}");
        }
    }
    let count = |status: &str| checks.iter().filter(|check| check["status"] == status).count();
    assert_eq!((&end["event"], &end["exit_code"]), (&"doctor_finished".into(), &0.into()));
    for (key, status) in [("passed", "pass"), ("warned", "warn"), ("failed", "fail"), ("skipped", "skip")] {
        assert_eq!(end[key], count(status), "{key}");
    }
}

/// A node that takes connections and says nothing: the limits of each stage hold.
#[test]
fn a_stalled_node_does_not_hold_it_up() {
    let mut bench = Bench::offline();
    write_small(&bench);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    bench.set("ELASTICSEARCH_URL", &format!("http://{}", listener.local_addr().unwrap()));
    bench.set("ORCHESTRATOR_CLUSTER__REQUEST_TIMEOUT", "2s");
    let kept = std::thread::spawn(move || listener.incoming().take(8).collect::<Vec<_>>());
    let started = Instant::now();
    let shown = bench.expect(1, &["doctor"]);
    assert!(shown.stdout.contains("did not answer within"), "{}", shown.stdout);
    // Three stages of ten seconds, and room for a slow machine.
    assert!(started.elapsed() < Duration::from_secs(45), "{:?}", started.elapsed());
    drop(kept);
}
