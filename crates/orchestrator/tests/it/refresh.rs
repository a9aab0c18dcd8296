//! Which parts a run makes, which generations it keeps, and how far a failure reaches.

use std::process::Stdio;

use serde_json::Value;

use crate::bench::Live;
use crate::data::{ROWS, change, month, write_small};

fn generations(live: &Live, asset: &str) -> Vec<String> {
    let marked = |(name, published): (String, bool)| format!("{name}{}", if published { " published" } else { "" });
    live.indices().into_iter().map(marked).filter(|name| name.starts_with(asset)).collect()
}

#[test]
fn superseded_generations_are_kept_as_the_settings_say() {
    let Some(mut live) = Live::plain("keep") else { return };
    write_small(&live);
    let refresh: [&str; 3] = ["run", "daily", "--full-refresh"];
    live.expect(0, &["run", "readings"]);
    for _ in 0..3 {
        live.expect(0, &refresh);
    }
    assert_eq!(generations(&live, "daily"), ["daily-000002", "daily-000003 published"]);
    live.set("ORCHESTRATOR_RUN__KEEP", "3");
    live.expect(0, &refresh);
    live.expect(0, &refresh);
    assert_eq!(generations(&live, "daily"), ["daily-000002", "daily-000003", "daily-000004", "daily-000005 published"]);
    live.set("ORCHESTRATOR_RUN__KEEP", "0");
    live.expect(0, &refresh);
    assert_eq!(generations(&live, "daily"), ["daily-000006 published"]);
}

#[test]
fn a_full_refresh_makes_everything_selected_anew() {
    let Some(live) = Live::plain("full_refresh") else { return };
    write_small(&live);
    live.expect(0, &["run"]);
    let events = live.events(0, &["run", "--full-refresh"]);
    let built = events.iter().filter(|event| event["event"] == "step_finished" && event["action"] != "unchanged");
    assert_eq!(built.count(), 6);
    assert_eq!(live.count("readings"), ROWS);
    let names = live.behind("readings");
    assert!(names.iter().all(|name| name.ends_with("-000002")) && names.len() == 3, "{names:?}");
}

#[test]
fn partitions_can_be_chosen() {
    let Some(live) = Live::plain("partitions") else { return };
    write_small(&live);
    live.expect(0, &["run", "readings", "--partition", "2024-02"]);
    assert_eq!(live.behind("readings"), ["readings-2024-02-000001"]);
    live.expect(0, &["run", "readings", "--from", "2024-03-01"]);
    assert_eq!(live.behind("readings"), ["readings-2024-02-000001", "readings-2024-03-000001"]);
    live.expect(0, &["run", "readings", "--from", "2024-01-01", "--to", "2024-03-01", "--full-refresh"]);
    let all = ["readings-2024-01-000001", "readings-2024-02-000002", "readings-2024-03-000001"];
    assert_eq!(live.behind("readings"), all);
    assert_eq!(live.count("readings"), ROWS);
}

/// The end of each step: `asset partition: status`.
fn ends(events: &[Value]) -> Vec<String> {
    let named = |event: &Value, key: &str| event[key].as_str().unwrap_or_default().to_owned();
    let mut ends: Vec<String> = events
        .iter()
        .filter(|event| event["event"] == "step_finished" || event["event"] == "step_failed")
        .map(|event| {
            let part = [named(event, "asset"), named(event, "partition")].join(" ");
            let status = if event["event"] == "step_failed" { named(event, "status") } else { "done".to_owned() };
            format!("{}: {status}", part.trim_end())
        })
        .collect();
    ends.sort();
    ends
}

#[test]
fn what_fails_skips_what_needs_it_and_nothing_else() {
    let Some(live) = Live::plain("failure_reach") else { return };
    write_small(&live);
    let text = live.read("pipeline.yaml");
    live.write("pipeline.yaml", text + "  other:\n    kind: ingest\n    from: { path: other.csv }\n    id: [n]\n    index: { settings: { number_of_replicas: 0 } }\n");
    live.write("other.csv", "n,x\n1,2.5\n");
    live.expect(0, &["run"]);
    let (daily, manifest) = (live.behind("daily"), live.read("out/training_set/_manifest.json"));

    change(&live, "{ rows: { min: 1 } }", "{ range: { field: value, max: 500 } }");
    live.write("data/2024-02.csv", month(2, 1000.0));
    live.write("data/2024-03.csv", month(3, 1.0));
    live.write("other.csv", "n,x\n1,2.5\n2,3.5\n");
    let expected = [
        "daily: skipped",
        "drift: skipped",
        "other: done",
        // January is only checked.
        "readings 2024-01: done",
        "readings 2024-02: failed",
        "readings 2024-03: done",
        "training_set: skipped",
    ];
    assert_eq!(ends(&live.events(3, &["run"])), expected);
    assert_eq!(live.count("other"), 2);
    assert_eq!((live.behind("daily"), live.read("out/training_set/_manifest.json")), (daily, manifest));
    assert!(live.behind("readings").contains(&"readings-2024-02-000001".to_owned()), "{:?}", live.behind("readings"));
    live.golden("run_with_a_failure", &["run"]);

    live.write("data/2024-02.csv", month(2, 0.0));
    let mended = ["daily: done", "drift: done", "readings 2024-02: done", "training_set: done"];
    assert_eq!(ends(&live.events(0, &["run"])), mended);
    live.golden("plan_up_to_date_after_a_failure", &["plan"]);
}

#[test]
fn state_failed_selects_what_failed() {
    let Some(live) = Live::plain("state_failed") else { return };
    write_small(&live);
    live.expect(0, &["run"]);
    change(&live, "key: [sensor, time]", "key: [sensor, tyme]");
    live.expect(1, &["run"]);
    change(&live, "key: [sensor, tyme]", "key: [sensor, time]");
    assert_eq!(ends(&live.events(0, &["run", "state:failed"])), ["training_set: done"]);
    assert_eq!(ends(&live.events(0, &["run", "state:failed"])), [""; 0]);
}

#[test]
fn two_runs_at_once_publish_one_generation_of_each_part() {
    let Some(live) = Live::plain("two_runs") else { return };
    write_small(&live);
    live.expect(0, &["run", "readings,daily"]);
    for _ in 0..2 {
        let mut other = live
            .command(&["run", "readings,daily", "--full-refresh"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let shown = live.run(&["run", "readings,daily", "--full-refresh"]);
        let others_code = other.wait().unwrap().code();
        let published: Vec<String> =
            live.indices().into_iter().filter(|(_, published)| *published).map(|(name, _)| name).collect();
        assert_eq!(published.len(), 4, "{published:?}");
        assert_eq!(live.count("readings"), ROWS);
        assert_eq!((shown.code, others_code), (Some(0), Some(0)), "{}", shown.stderr);
    }
}
