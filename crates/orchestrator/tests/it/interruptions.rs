//! Ctrl-C and SIGTERM: what is under way is settled, readers see whole states, and the next
//! run carries on.

use std::io::Write as _;
use std::time::{Duration, Instant};

use reqwest::Method;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::bench::{Live, Running};
use crate::data::{ROWS, change, write_small};
use crate::flights::write_flights;

/// The flights from January to May.
const FLIGHTS: u64 = 137_915;

fn tell(running: &Running, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(running.id()).unwrap()).unwrap(), signal).unwrap();
}

fn interrupted_and_carried_on(test: &str, signal: Signal) {
    let Some(live) = Live::plain(test) else { return };
    write_flights(&live);
    change(&live, "end: 2014-01-01, ", "end: 2013-06-01, outside: skip, ");
    let mut running = Running::start(&live, &["--json", "run", "departures"]);
    // In the middle of the second month.
    running.until("step_finished");
    running.until("step_started");
    tell(&running, signal);
    let (events, code) = running.end();
    assert_eq!(code, Some(130), "{events:?}");
    let last = events.last().unwrap();
    assert_eq!((&last["event"], &last["exit_code"]), (&json!("run_finished"), &json!(130)));
    let statuses: Vec<&str> = events.iter().filter_map(|event| event["status"].as_str()).collect();
    assert!(statuses.iter().filter(|status| **status == "skipped").count() >= 2, "{statuses:?}");

    // What was published is whole, and beside it is what the next run carries on, at most.
    let published = live.behind("departures");
    let done = last["succeeded"].as_u64().unwrap() + 1;
    assert!((1..=3).contains(&published.len()), "{published:?}, {done}");
    let departures = || -> Vec<String> {
        live.indices().into_iter().map(|(name, _)| name).filter(|name| name.starts_with("departures")).collect()
    };
    let unfinished = departures().len() - published.len();
    assert!(unfinished <= 1, "{:?}", departures());
    let before = live.count("departures");
    assert!(before > 0 && before < FLIGHTS);
    let shown = live.expect(0, &["runs"]);
    assert!(!shown.stdout.contains("running"), "{}", shown.stdout);

    let events = live.events(0, &["run", "departures"]);
    let made = events.iter().filter(|event| event["event"] == "step_finished").count();
    assert_eq!(made + published.len(), 5, "the next run makes what is missing, and no more");
    assert_eq!(live.count("departures"), FLIGHTS);
    assert_eq!(departures(), live.behind("departures"), "nothing unfinished is left");
    let carried_on = |event: &&Value| event["summary"]["carried_on_after"].as_u64() > Some(0);
    assert_eq!(events.iter().filter(carried_on).count(), unfinished, "{events:?}");
}

#[test]
fn ctrl_c() {
    interrupted_and_carried_on("ctrl_c", Signal::INT);
}

#[test]
fn sigterm() {
    interrupted_and_carried_on("sigterm", Signal::TERM);
}

#[test]
fn an_interrupted_export_stays_as_it_was() {
    let Some(live) = Live::plain("interrupted_export") else { return };
    write_small(&live);
    live.expect(0, &["run"]);
    let manifest = live.read("out/training_set/_manifest.json");
    let behind = live.behind("daily");
    let mut running = Running::start(&live, &["--json", "run", "--full-refresh"]);
    running.until("step_started");
    tell(&running, Signal::INT);
    let (events, code) = running.end();
    assert_eq!(code, Some(130), "{events:?}");
    assert_eq!((live.read("out/training_set/_manifest.json"), live.behind("daily")), (manifest, behind));
    assert_eq!(live.count("readings"), ROWS);
    let shown = live.expect(0, &["status"]);
    assert!(!shown.stdout.contains("failed"), "{}", shown.stdout);
    live.expect(0, &["run"]);
    assert_eq!(live.count("readings"), ROWS);
}

#[test]
fn a_pipe_that_stays_open_is_sent_as_it_comes_and_can_be_interrupted() {
    let Some(live) = Live::plain("slow_pipe") else { return };
    let index = format!("{}a", live.prefix());
    let formats = [
        ("ndjson", "", ["{\"n\": 1}\n{\"n\": 2}\n", "{\"n\": 3}\nbroken\n{\"n\"", ": 4}\n"]),
        ("csv", "n,text\n", ["5,five\n6,six\n", "7,seven\n8,", "eight\n"]),
    ];
    for (number, (format, header, parts)) in (0_u64..).zip(formats) {
        let to = ["--json", "ingest", "-", "--to", &index, "--format", format, "--id", "n", "--max-rejected", "1"];
        let (running, mut input) = Running::with_input(&live, &to);
        input.write_all(header.as_bytes()).unwrap();
        for (part, documents) in parts.into_iter().zip([2, 3, 4]) {
            input.write_all(part.as_bytes()).unwrap();
            wait_for(&live, number * 4 + documents);
        }
        tell(&running, Signal::INT);
        let (events, code) = running.end();
        assert_eq!(code, Some(130), "{events:?}");
        let summary = &events.iter().find(|event| event["event"] == "ingest_finished").unwrap()["summary"];
        let broken = u64::from(format == "ndjson");
        assert_eq!((&summary["read"], &summary["created"]), (&json!(4 + broken), &json!(4)), "{events:?}");
        drop(input);
    }
}

#[test]
fn a_pipe_of_which_nothing_comes_can_be_interrupted() {
    let Some(live) = Live::plain("silent_pipe") else { return };
    let index = format!("{}a", live.prefix());
    for format in ["ndjson", "csv", "ipc-stream"] {
        let to = ["--json", "ingest", "-", "--to", &index, "--format", format];
        let (running, input) = Running::with_input(&live, &to);
        // Its threads are to be at the pipe by then; that it ends holds at any moment.
        std::thread::sleep(Duration::from_millis(500));
        tell(&running, Signal::INT);
        let (events, code) = running.end();
        assert_eq!(code, Some(130), "{events:?}");
        drop(input);
    }
    assert_eq!(live.indices(), []);
}

/// Waits until an index that is there or will be has so many documents.
fn wait_for(live: &Live, documents: u64) {
    let until = Instant::now() + Duration::from_secs(60);
    let count = || {
        live.send(Method::POST, "/PREFIX-*/_refresh", &Value::Null);
        live.get("/PREFIX-*/_stats/docs")["_all"]["primaries"]["docs"]["count"].as_u64()
    };
    loop {
        let found = count();
        if found == Some(documents) {
            return;
        }
        assert!(Instant::now() < until, "{found:?} documents, and not {documents}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
