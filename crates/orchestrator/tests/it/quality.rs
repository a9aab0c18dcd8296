//! Checks and monitors: what they mean for the exit code, and for readers.

use crate::bench::Live;
use crate::data::{ROWS, change, write_small};

#[test]
fn a_check_that_fails_leaves_readers_on_what_they_had() {
    let Some(live) = Live::plain("failing_check") else { return };
    write_small(&live);
    live.expect(0, &["run", "readings"]);
    let before = live.behind("readings");
    // February gets a value that the new check refuses; the other months pass it.
    change(
        &live,
        "      - { rows: { min: 1 } }\n",
        "      - { rows: { min: 1 } }\n      - { range: { field: value, max: 500 } }\n",
    );
    let february = live.read("data/2024-02.csv");
    live.write("data/2024-02.csv", format!("{february}attic,2024-02-10T01:00:00Z,1000.0,1\n"));
    live.golden("failed_check", &["run", "readings"]);
    assert_eq!(live.behind("readings"), before, "no alias moves");
    assert_eq!(live.count("readings"), ROWS);
    let published = |name: &String| before.contains(name);
    let indices: Vec<String> = live.indices().into_iter().map(|(name, _)| name).collect();
    assert!(indices.iter().all(|name| published(name) || name.starts_with("orchestrator-")), "{indices:?}");

    live.golden("status_after_a_failed_check", &["status", "readings"]);
    live.write("data/2024-02.csv", february);
    live.expect(0, &["run", "readings"]);
    live.expect(0, &["status"]);
    assert_eq!(live.count("readings"), ROWS);
}

#[test]
fn every_rule_can_fail() {
    let Some(live) = Live::plain("rules") else { return };
    write_small(&live);
    let whole = live.read("pipeline.yaml");
    let rules = [
        ("rows_check", "{ rows: { min: 1, max: 100 } }"),
        ("not_null_check", "{ not_null: [sensor, value] }"),
        ("unique_check", "{ unique: [sensor, count] }"),
        ("range_check", "{ range: { field: count, min: 2, max: 30 } }"),
    ];
    let january = live.read("data/2024-01.csv");
    live.write("data/2024-01.csv", format!("{january}attic,2024-01-31T23:00:00Z,,31\n"));
    for (name, rule) in rules {
        live.write("pipeline.yaml", whole.replace("{ rows: { min: 1 } }", rule));
        live.golden(name, &["run", "readings", "--partition", "2024-01"]);
    }
    assert_eq!(live.get("/_cat/aliases/PREFIX-*?format=json"), serde_json::json!([]), "nothing was published");
}

#[test]
fn a_check_of_severity_warn_is_told_and_published() {
    let Some(live) = Live::plain("warning") else { return };
    write_small(&live);
    change(&live, "{ rows: { min: 1 } }", "{ rows: { max: 100 }, severity: warn }");
    live.golden("check_that_warns", &["run", "readings", "--partition", "2024-01"]);
    assert_eq!(live.count("readings"), 124);
}

#[test]
fn a_monitor_decides_the_exit_code_with_severity_error() {
    let Some(live) = Live::plain("monitor") else { return };
    write_small(&live);
    let whole = live.read("pipeline.yaml");
    live.expect(0, &["run", "readings"]);
    live.golden("no_drift", &["run", "drift"]);

    let drifted = crate::data::month(2, 100.0);
    live.write("data/2024-02.csv", drifted);
    live.expect(0, &["run", "readings"]);
    live.golden("drift_of_severity_error", &["run", "drift"]);
    live.golden("status_of_a_drifted_monitor", &["status", "drift"]);
    // The alarm stays on, for a scheduler that tries again, until somebody takes note of it.
    live.expect(3, &["run", "drift"]);
    live.expect(3, &["run"]);
    live.expect(0, &["ack", "drift", "--by", "ann"]);
    live.expect(0, &["run", "drift"]);
    live.write("pipeline.yaml", whole.replace("    fields:\n", "    severity: warn\n    fields:\n"));
    live.golden("drift_of_severity_warn", &["run", "drift"]);

    // A window without documents cannot be measured.
    let empty = whole.replace("from: 2024-02-01, to: 2024-03-01", "from: 2025-02-01, to: 2025-03-01");
    live.write("pipeline.yaml", &empty);
    live.golden("not_measured_of_severity_error", &["run", "drift"]);
    live.expect(4, &["run", "drift"]);
    live.write("pipeline.yaml", empty.replace("    fields:\n", "    severity: warn\n    fields:\n"));
    live.golden("not_measured_of_severity_warn", &["run", "drift"]);
}

#[test]
fn check_looks_at_what_is_published_and_changes_nothing_else() {
    let Some(live) = Live::plain("check") else { return };
    write_small(&live);
    live.golden("check_of_nothing", &["check", "readings"]);
    live.expect(0, &["run"]);
    let indices = live.indices();
    live.golden("check", &["check"]);
    assert_eq!(live.indices(), indices);

    // What is checked does not for that fulfil a definition that has changed since.
    change(&live, "sensor: { type: keyword }", "sensor: { type: keyword, ignore_above: 99 }");
    live.expect(0, &["check"]);
    live.golden("plan_after_a_check_of_a_changed_definition", &["plan", "readings"]);
    change(&live, "{ rows: { min: 1 } }", "{ rows: { min: 1000 } }");
    live.golden("check_that_fails", &["check", "readings"]);
    assert_eq!(live.indices(), indices);
}

#[test]
fn documents_without_an_entity_are_told() {
    let Some(live) = Live::plain("without_entity") else { return };
    live.write(
        "a.ndjson",
        "{\"time\":\"2024-01-01T10:00:00Z\",\"who\":\"ann\",\"v\":1}\n\
         {\"time\":\"2024-01-01T11:00:00Z\",\"v\":2}\n\
         {\"time\":\"2024-01-01T12:00:00Z\",\"who\":null,\"v\":3}\n",
    );
    live.write(
        "pipeline.yaml",
        "version: 1\nname: small\nassets:\n  a: { kind: ingest, from: { path: a.ndjson }, time: time }\n  \
         daily: { kind: features, from: a, entity: [who], time: time, every: 1d, windows: [1d], features: { n: { count: {} } } }\n",
    );
    let shown = live.expect(0, &["run"]);
    assert!(shown.stderr.contains("2 documents of `a` without who: they are in no feature"), "{}", shown.stderr);
}
