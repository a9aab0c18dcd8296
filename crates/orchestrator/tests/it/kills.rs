//! A process that is killed at any moment leaves readers on whole states, and the next run
//! makes up for it.

use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use polars::prelude::df;
use serde_json::Value;

use crate::bench::{Bench, Live};
use crate::data::{ROWS, write_parquet, write_small};
use crate::flights::{assert_each_flight_once, write_flights};

/// Random numbers of a seed that is printed; `KILL_SEED` sets it.
fn random(test: &str) -> fastrand::Rng {
    let by_clock = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let seed = std::env::var("KILL_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(by_clock);
    eprintln!("{test}: KILL_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

/// Starts the program and kills it after a time. Whether it was still running.
fn kill_after(bench: &Bench, arguments: &[&str], wait: Duration) -> bool {
    let mut child = bench.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(wait);
    let was_running = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    was_running
}

/// Fails unless each generation that readers see is whole, and one of its part.
fn assert_readers_see_whole_generations(live: &Live) {
    let mut parts = Vec::new();
    for (index, is_published) in live.indices() {
        if !is_published {
            continue;
        }
        let notes = live.notes(&index);
        let count = live.get(&format!("/PREFIX-{index}/_count"))["count"].as_u64();
        assert!(count.is_some() && notes["complete"]["rows"].as_u64() == count, "{index}: {count:?} {notes}");
        parts.push(format!("{} {}", notes["asset"], notes["partition"]));
    }
    let all = parts.len();
    parts.dedup();
    assert_eq!(parts.len(), all, "one generation of each part: {parts:?}");
}

/// Fails unless the export has its manifest, and the files that it names, with their rows.
fn assert_export_is_whole(live: &Live) {
    let folder = live.path("out/training_set");
    let manifest = es_export::Manifest::read(&folder).unwrap().expect("there is a manifest");
    assert!(manifest.files_are_there(&folder), "{manifest:?}");
    assert_eq!(manifest.rows, ROWS);
}

/// Fails when a process that was killed left what nobody will ever read: an unfinished
/// generation, or more superseded ones than the one that is kept.
fn assert_nothing_is_left_over(live: &Live) {
    let mut superseded: Vec<String> = Vec::new();
    for (index, is_published) in live.indices() {
        if is_published || ["orchestrator-runs", "orchestrator-leases"].contains(&index.as_str()) {
            continue;
        }
        let notes = live.notes(&index);
        assert!(notes["complete"].is_object(), "{index} was abandoned: {:?}", live.indices());
        superseded.push(format!("{} {}", notes["asset"], notes["partition"]));
    }
    let all = superseded.len();
    superseded.dedup();
    assert_eq!(superseded.len(), all, "one superseded generation is kept: {:?}", live.indices());
}

#[test]
fn ten_kills_and_one_run_leave_each_flight_once() {
    let Some(live) = Live::plain("kills_flights") else { return };
    write_flights(&live);
    let mut random = random("ten_kills_and_one_run_leave_each_flight_once");
    let mut killed = 0;
    for _ in 0..10 {
        let wait = Duration::from_millis(random.u64(300..4_000));
        killed += u32::from(kill_after(&live, &["run", "departures"], wait));
        assert_readers_see_whole_generations(&live);
    }
    assert!(killed > 0, "no process was killed in the middle");
    live.expect(0, &["run", "departures"]);
    assert_each_flight_once(&live);
    assert_readers_see_whole_generations(&live);
    assert_nothing_is_left_over(&live);
    assert!(live.expect(0, &["run", "departures"]).stdout.starts_with("nothing to do"));
}

#[test]
fn kills_of_a_small_run_leave_all_kinds_whole() {
    let Some(live) = Live::plain("kills_small") else { return };
    write_small(&live);
    live.expect(0, &["run"]);
    let mut random = random("kills_of_a_small_run_leave_all_kinds_whole");
    let (mut killed, tries) = (0, 10);
    for _ in 0..tries {
        let wait = Duration::from_millis(random.u64(50..2_500));
        killed += u32::from(kill_after(&live, &["run", "--full-refresh"], wait));
        assert_eq!(live.count("readings"), ROWS, "readers see all rows at any moment");
        assert_readers_see_whole_generations(&live);
        assert_export_is_whole(&live);
    }
    assert!(killed > 0, "no process was killed in the middle");
    live.expect(0, &["run", "--full-refresh"]);
    assert_eq!(live.count("readings"), ROWS);
    assert_nothing_is_left_over(&live);
    assert_export_is_whole(&live);
    let entries: Vec<String> = std::fs::read_dir(live.path("out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(entries, ["training_set"], "no staging folder is left");
}

#[test]
fn what_a_killed_process_left_is_removed_though_nothing_is_to_be_made() {
    let Some(live) = Live::plain("kill_last") else { return };
    write_small(&live);
    live.expect(0, &["run", "readings"]);
    // As if a process had been killed in the middle of a refresh, and its part was made
    // since by one that was killed before it could clean up.
    let source = live.behind("readings")[0].clone();
    let mut notes: Value = live.notes(&source);
    notes.as_object_mut().unwrap().remove("complete");
    notes["owner"]["pid"] = (i32::MAX).into();
    let body = serde_json::json!({
        "settings": {"number_of_replicas": 0}, "mappings": {"_meta": {"orchestrator": notes}},
    });
    live.send(reqwest::Method::PUT, "/PREFIX-readings-2024-01-000009", &body);
    assert_eq!(live.indices().len(), 6);
    live.expect(0, &["run", "readings"]);
    assert_nothing_is_left_over(&live);
    // One of a part that a process elsewhere works on is left alone, until its lease is released.
    let lease = format!("{}%7Creadings%2F2024-01", notes["pipeline"].as_str().unwrap());
    let path = format!("/PREFIX-orchestrator-leases/_update/{lease}?refresh=true");
    let elsewhere = serde_json::json!({"id": "elsewhere", "run": "theirs", "host": "another", "since": "2024-01-01T00:00:00Z",
        "process": {"space": null, "pid": 1, "started": null}});
    live.send(reqwest::Method::POST, &path, &serde_json::json!({"doc": {"holder": elsewhere}}));
    live.send(reqwest::Method::PUT, "/PREFIX-readings-2024-01-000010", &body);
    let is_left = || live.indices().iter().any(|(name, _)| name == "readings-2024-01-000010");
    live.expect(0, &["run", "readings"]);
    assert!(is_left(), "{:?}", live.indices());
    live.send(reqwest::Method::POST, &path, &serde_json::json!({"doc": {"holder": null}}));
    live.expect(0, &["run", "readings"]);
    assert!(!is_left(), "{:?}", live.indices());
}

#[test]
fn a_load_of_files_that_is_killed_carries_on() {
    let Some(live) = Live::plain("kill_ingest") else { return };
    let mut random = random("a_load_of_files_that_is_killed_carries_on");
    let rows = 60_000_i64;
    let keys: Vec<i64> = (0..rows).collect();
    let texts: Vec<String> = keys.iter().map(|key| format!("text of {key}")).collect();
    write_parquet(&live, "data/one.parquet", df!("key" => &keys, "text" => &texts).unwrap());
    let lines: String = (rows..2 * rows).map(|key| format!("{{\"key\":{key},\"text\":\"text of {key}\"}}\n")).collect();
    live.write("data/two.ndjson", lines);
    let index = format!("{}a", live.prefix());
    for file in ["data/one.parquet", "data/two.ndjson"] {
        let arguments = ["ingest", file, "--to", &index, "--id", "key"];
        let mut resumed = 0;
        for _ in 0..8 {
            kill_after(&live, &arguments, Duration::from_millis(random.u64(100..1_200)));
        }
        let events = live.events(0, &arguments);
        let last = events.last().unwrap();
        resumed += last["resumed"].as_u64().unwrap();
        let of = |kind: &str| last["summary"][kind].as_u64().unwrap();
        assert_eq!(of("read"), rows.unsigned_abs(), "{last}");
        assert_eq!(of("created") + of("updated"), of("read"), "{last}");
        eprintln!("{file}: {resumed} rows were settled before the last process began");
    }
    let sum = live.search("a", &serde_json::json!({"size": 0, "aggs": {"s": {"sum": {"field": "key"}}}}));
    assert_eq!(live.count("a"), 2 * rows.unsigned_abs());
    assert_eq!(sum["aggregations"]["s"]["value"].as_f64(), Some((rows * (2 * rows - 1)) as f64));
}
