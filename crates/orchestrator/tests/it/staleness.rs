//! The changes that make an asset stale, and those that do not.

use std::fs::File;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::bench::Live;
use crate::data::{ROWS, change, month, write_small};

/// The pending steps of a plan: the parts with their actions, without those that are up to date.
#[track_caller]
fn pending(live: &Live) -> Vec<String> {
    let events = live.events(0, &["plan"]);
    outline(&events, "step_planned", |action| action != "unchanged")
}

/// The steps of a run: the parts with their actions.
#[track_caller]
fn done(live: &Live, arguments: &[&str]) -> Vec<String> {
    let events = live.events(0, arguments);
    outline(&events, "step_finished", |_| true)
}

fn outline(events: &[Value], wanted: &str, is_shown: impl Fn(&str) -> bool) -> Vec<String> {
    let named = |event: &Value, key: &str| event[key].as_str().unwrap_or_default().to_owned();
    events
        .iter()
        .filter(|event| event["event"] == wanted && is_shown(&named(event, "action")))
        .map(|event| {
            let part = [named(event, "asset"), named(event, "partition")].join(" ");
            format!("{} {}", part.trim_end(), named(event, "action"))
        })
        .collect()
}

const ALL: [&str; 6] = [
    "readings 2024-01 build",
    "readings 2024-02 build",
    "readings 2024-03 build",
    "daily build",
    "drift evaluate",
    "training_set build",
];

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

fn all() -> Vec<String> {
    sorted(ALL.iter().map(|line| (*line).to_owned()).collect())
}

#[test]
fn a_second_run_does_nothing_and_writes_nothing() {
    let Some(live) = Live::plain("second_run") else { return };
    write_small(&live);
    assert_eq!(sorted(done(&live, &["run"])), all());
    let before = live.footprint();
    let manifest = live.read("out/training_set/_manifest.json");
    for command in ["run", "plan", "status", "runs"] {
        live.expect(0, &[command]);
    }
    assert_eq!(done(&live, &["run"]), [""; 0]);
    assert_eq!(live.footprint(), before);
    assert_eq!(live.read("out/training_set/_manifest.json"), manifest);
}

#[test]
fn a_file_that_was_only_touched_is_not_stale() {
    let Some(live) = Live::plain("touched") else { return };
    write_small(&live);
    live.expect(0, &["run"]);
    let before = live.footprint();
    let file = File::options().write(true).open(live.path("data/2024-02.csv")).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
    assert_eq!(pending(&live), [""; 0]);
    assert_eq!(done(&live, &["run"]), [""; 0]);
    // The same rows in another order are the same documents.
    let text = live.read("data/2024-03.csv");
    let mut lines: Vec<&str> = text.lines().collect();
    lines[1..].reverse();
    live.write("data/2024-03.csv", lines.join("\n") + "\n");
    assert_eq!(pending(&live), [""; 0]);
    assert_eq!(live.footprint(), before);
}

#[test]
fn new_data_make_their_partition_and_what_needs_it_stale() {
    let Some(live) = Live::plain("new_data") else { return };
    write_small(&live);
    live.expect(0, &["run"]);
    let january = live.behind("readings")[0].clone();
    let made = live.notes(&january)["run"].clone();
    live.write("data/2024-02.csv", month(2, 1.0));
    let expected =
        ["daily build", "drift evaluate", "readings 2024-02 build", "training_set build"].map(str::to_owned).to_vec();
    assert_eq!(sorted(pending(&live)), expected);
    live.golden("plan_of_new_data", &["plan"]);
    assert_eq!(sorted(done(&live, &["run"])), expected);
    assert_eq!(live.notes(&january)["run"], made, "January is left alone");
    assert_eq!(live.count("readings"), ROWS);
    assert_eq!(pending(&live), [""; 0]);

    // A selection brings up to date what it names; what needs it is stale after that.
    live.write("data/2024-03.csv", month(3, 1.0));
    assert_eq!(done(&live, &["run", "readings"]), ["readings 2024-03 build"]);
    assert_eq!(sorted(pending(&live)), ["daily build", "drift evaluate", "training_set build"]);
    assert_eq!(sorted(done(&live, &["run", "training_set"])), ["training_set build"]);
    assert_eq!(sorted(done(&live, &["run", "state:changed"])), ["daily build", "drift evaluate"]);
    assert_eq!(pending(&live), [""; 0]);

    // A file more, which only fills the gap of another.
    let march = live.read("data/2024-03.csv");
    let (head, tail) = march.split_at(march.find("attic,2024-03-20").unwrap());
    live.write("data/2024-03.csv", head);
    live.write("data/2024-03b.csv", format!("sensor,time,value,count\n{tail}"));
    assert_eq!(pending(&live), [""; 0], "the same rows in other files");
}

#[test]
fn a_changed_definition_makes_the_asset_and_what_needs_it_stale() {
    let Some(live) = Live::plain("definitions") else { return };
    write_small(&live);
    live.expect(0, &["run"]);
    change(&live, "p: 0.001", "p: 0.002");
    assert_eq!(done(&live, &["run"]), ["drift evaluate"]);
    change(&live, "seed: 1", "seed: 2");
    assert_eq!(done(&live, &["run"]), ["training_set build"]);
    change(&live, "value_mean: { avg: { field: value } }", "value_mean: { max: { field: value } }");
    assert_eq!(done(&live, &["run"]), ["daily build"]);
    // What readers of the values see changes with the mapping, though the documents do not.
    change(&live, "sensor: { type: keyword }", "sensor: { type: keyword }\n          value: { type: float }");
    assert_eq!(sorted(done(&live, &["run"])), all());
    assert_eq!(pending(&live), [""; 0]);
}

#[test]
fn an_upstream_that_turns_out_the_same_leaves_the_rest_alone() {
    let Some(live) = Live::plain("turned_out_the_same") else { return };
    write_small(&live);
    live.expect(0, &["run"]);
    let manifest = live.read("out/training_set/_manifest.json");
    let daily = live.behind("daily");
    change(&live, "number_of_shards: 1,", "number_of_shards: 2,");
    assert_eq!(sorted(pending(&live)), all());
    let expected = [
        "daily unchanged",
        "drift unchanged",
        "readings 2024-01 build",
        "readings 2024-02 build",
        "readings 2024-03 build",
        "training_set unchanged",
    ];
    assert_eq!(sorted(done(&live, &["run"])), expected);
    assert_eq!((live.read("out/training_set/_manifest.json"), live.behind("daily")), (manifest, daily));
    assert_eq!(pending(&live), [""; 0]);
}

#[test]
fn settings_that_can_be_changed_are_changed_in_place() {
    let Some(live) = Live::plain("in_place") else { return };
    write_small(&live);
    live.expect(0, &["run"]);
    let (names, rows) = (live.behind("readings"), live.count("readings"));
    let settings = |name: &str| {
        let found = live.get("/PREFIX-readings/_settings?flat_settings=true");
        let of_index = |index: &Value| index["settings"][format!("index.{name}")].clone();
        found.as_object().unwrap().values().map(of_index).collect::<Vec<Value>>()
    };
    let default = [Value::Null, Value::Null, Value::Null];
    assert_eq!(settings("refresh_interval"), default, "it is back after the load");
    change(
        &live,
        "number_of_replicas: 0 }\n      mappings",
        "number_of_replicas: 1, refresh_interval: 30s }\n      mappings",
    );
    let parts = ["2024-01", "2024-02", "2024-03"].map(|part| format!("readings {part} update_in_place"));
    assert_eq!(done(&live, &["run"]), parts);
    assert_eq!(settings("refresh_interval"), ["30s", "30s", "30s"]);
    assert_eq!(settings("number_of_replicas"), ["1", "1", "1"]);
    // One that is no longer given goes back to its default.
    change(&live, "number_of_replicas: 1, refresh_interval: 30s", "number_of_replicas: 0");
    assert_eq!(done(&live, &["run"]), parts);
    assert_eq!(settings("refresh_interval"), default);
    assert_eq!((live.behind("readings"), live.count("readings")), (names, rows), "nothing is made anew");
    assert_eq!(pending(&live), [""; 0]);
}

#[test]
fn changed_checks_are_checked_and_nothing_is_made_anew() {
    let Some(live) = Live::plain("rechecks") else { return };
    write_small(&live);
    live.expect(0, &["run"]);
    let names = live.behind("readings");
    change(&live, "{ rows: { min: 1 } }", "{ rows: { min: 2 } }");
    let parts = ["2024-01", "2024-02", "2024-03"].map(|part| format!("readings {part} recheck"));
    assert_eq!(done(&live, &["run"]), parts);
    assert_eq!(live.behind("readings"), names);
    assert_eq!(pending(&live), [""; 0]);

    // With a setting changed as well, both are done, and neither hides the other.
    change(&live, "{ rows: { min: 2 } }", "{ rows: { min: 3 } }");
    change(
        &live,
        "number_of_replicas: 0 }\n      mappings",
        "number_of_replicas: 0, refresh_interval: 30s }\n      mappings",
    );
    let both: Vec<String> = ["2024-01", "2024-02", "2024-03"]
        .iter()
        .flat_map(|part| [format!("readings {part} update_in_place"), format!("readings {part} recheck")])
        .collect();
    assert_eq!(done(&live, &["run"]), both);
    assert_eq!(pending(&live), [""; 0]);

    // A check that fails on what is published fails the run, and readers keep it.
    change(&live, "{ rows: { min: 3 } }", "{ rows: { min: 120 } }");
    live.golden("failed_recheck", &["run", "readings"]);
    assert_eq!(live.behind("readings"), names);
    change(&live, "{ rows: { min: 120 } }", "{ rows: { min: 1 } }");
    live.expect(0, &["run"]);
    assert_eq!(pending(&live), [""; 0]);
}

#[test]
fn a_partition_that_is_no_longer_declared_is_retired() {
    let Some(live) = Live::plain("retired") else { return };
    write_small(&live);
    live.expect(0, &["run"]);
    change(&live, "end: 2024-04-01 }", "end: 2024-03-01, outside: skip }");
    let expected = ["daily build", "drift evaluate", "readings 2024-03 retire", "training_set build"];
    assert_eq!(sorted(pending(&live)), expected);
    live.golden("plan_of_a_partition_no_longer_declared", &["plan"]);
    assert_eq!(sorted(done(&live, &["run"])), expected);
    assert_eq!(live.count("readings"), ROWS - 124);
    assert_eq!(pending(&live), [""; 0]);
    // It comes back as a generation of its own.
    change(&live, "end: 2024-03-01, outside: skip }", "end: 2024-04-01 }");
    live.expect(0, &["run"]);
    assert_eq!(live.count("readings"), ROWS);
    assert!(live.behind("readings").contains(&"readings-2024-03-000002".to_owned()), "{:?}", live.behind("readings"));
}

#[test]
fn an_export_that_is_gone_or_damaged_is_written_again() {
    let Some(live) = Live::plain("lost_export") else { return };
    write_small(&live);
    live.expect(0, &["run"]);
    std::fs::remove_file(live.path("out/training_set/test/part-00000.parquet")).unwrap();
    assert_eq!(done(&live, &["run"]), ["training_set build"]);
    std::fs::remove_dir_all(live.path("out")).unwrap();
    assert_eq!(done(&live, &["run"]), ["training_set build"]);
    // An index that somebody removed is made again, with what needs it where it differs.
    live.send(reqwest::Method::DELETE, &format!("/PREFIX-{}", live.behind("daily")[0]), &Value::Null);
    assert_eq!(done(&live, &["run"]), ["daily build"]);
}
