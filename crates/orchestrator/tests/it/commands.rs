//! The output of each command.

use serde_json::Value;

use crate::bench::{Bench, Live, golden};
use crate::data::{ROWS, change, write_small};

#[test]
fn help_names_every_command() {
    let bench = Bench::offline();
    bench.golden("help", &["--help"]);
    bench.golden("help_of_run", &["run", "--help"]);
}

#[test]
fn a_sound_pipeline_is_valid() {
    let bench = Bench::offline();
    write_small(&bench);
    bench.golden("valid", &["validate"]);
    let events = bench.events(0, &["validate"]);
    assert_eq!((events.len(), &events[0]["event"], &events[0]["assets"]), (1, &"valid".into(), &4.into()));
    // From elsewhere, by folder and by file.
    let outside = Bench::offline();
    let folder = bench.path("").display().to_string();
    outside.expect(0, &["-C", &folder, "validate"]);
    outside.expect(0, &["-f", &bench.path("pipeline.yaml").display().to_string(), "validate"]);
}

#[test]
fn the_graph_in_each_form() {
    let bench = Bench::offline();
    write_small(&bench);
    for format in ["text", "mermaid", "dot", "json"] {
        bench.golden(&format!("graph_{format}"), &["graph", "--format", format]);
    }
}

#[test]
fn completions_are_written_for_each_shell() {
    let bench = Bench::offline();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let shown = bench.expect(0, &["completions", shell]);
        for word in ["orchestrator", "validate", "full-refresh"] {
            assert!(shown.stdout.contains(word), "{shell} knows no {word}");
        }
    }
}

#[test]
fn what_init_writes_is_a_pipeline_that_runs() {
    let Some(live) = Live::plain("init") else { return };
    live.golden("init", &["init", "."]);
    live.golden("init_twice", &["init", "."]);
    live.expect(0, &["validate"]);
    live.expect(0, &["run"]);
    let rows = live.read("data/measurements.csv").lines().count() as u64 - 1;
    assert_eq!(live.count("measurements"), rows);
    live.expect(0, &["init", "deep/er"]);
    live.expect(0, &["-C", "deep/er", "validate"]);
    let example = live.read(".env.example");
    for name in
        ["ELASTICSEARCH_URL", "ELASTICSEARCH_API_KEY", "ELASTICSEARCH_INDEX_PREFIX", "ORCHESTRATOR_SECTION__KEY"]
    {
        assert!(example.contains(name), "{name} is not in .env.example");
    }
}

#[test]
fn plan_says_what_a_run_would_do_and_why() {
    let Some(live) = Live::plain("plan") else { return };
    write_small(&live);
    live.golden("status_of_nothing", &["status"]);
    live.golden("runs_of_nothing", &["runs"]);
    live.golden("plan_of_new_assets", &["plan"]);
    assert_eq!(live.indices(), [], "a plan writes nothing");
    live.expect(0, &["run"]);
    live.golden("plan_up_to_date", &["plan"]);
    live.golden("plan_of_a_full_refresh", &["plan", "--full-refresh", "--from", "2024-02-01"]);

    let whole = live.read("pipeline.yaml");
    let plan = |name: &str, from: &str, to: &str| {
        live.write("pipeline.yaml", &whole);
        change(&live, from, to);
        live.golden(name, &["plan"]);
    };
    plan("plan_of_a_changed_mapping", "sensor: { type: keyword }", "sensor: { type: keyword, ignore_above: 99 }");
    plan("plan_of_a_changed_type", "sensor: { type: keyword }", "sensor: { type: text }");
    plan("plan_of_a_changed_split", "train: 0.8, test: 0.2", "train: 0.7, test: 0.3");
    plan("plan_of_a_changed_feature", "windows: [7d]", "windows: [7d, 28d]");
    plan(
        "plan_of_a_setting_changed_in_place",
        "number_of_shards: 1, number_of_replicas: 0",
        "number_of_shards: 1, number_of_replicas: 0, refresh_interval: 30s",
    );
    plan("plan_of_changed_shards", "number_of_shards: 1,", "number_of_shards: 2,");
    plan("plan_of_changed_checks", "{ rows: { min: 1 } }", "{ rows: { min: 2 } }");
    plan("plan_of_a_moved_end", "end: 2024-04-01", "end: 2024-05-01");
    plan("plan_of_a_changed_monitor", "p: 0.001", "p: 0.002");
    plan(
        "plan_of_a_changed_description",
        "    kind: export\n",
        "    kind: export\n    description: Rows to learn from.\n",
    );
    let without_monitor = &whole[..whole.find("  training_set:").unwrap()];
    live.write("pipeline.yaml", without_monitor.replace("  daily:", "  weekly:"));
    live.golden("plan_of_renamed_and_removed_assets", &["plan"]);
    live.write("pipeline.yaml", &whole);
    live.golden("plan_selected_by_state", &["plan", "state:changed"]);
}

#[test]
fn a_run_and_what_is_told_of_it_afterwards() {
    let Some(live) = Live::plain("told") else { return };
    write_small(&live);
    live.golden("run", &["run"]);
    live.golden("run_with_nothing_to_do", &["run"]);
    live.golden("status", &["status"]);
    let runs = live.golden("runs", &["runs"]);
    let id = runs.stdout.lines().nth(1).unwrap().split(' ').next().unwrap().to_owned();
    live.golden("runs_of_one_run", &["runs", &id]);
    live.golden("runs_of_an_unknown_run", &["runs", "01890000-0000-7000-8000-000000000000"]);
    live.expect(0, &["run", "--full-refresh", "readings"]);
    let limited = live.expect(0, &["runs", "--limit", "1"]);
    assert_eq!(limited.stdout.lines().count(), 3, "a head, a run and the time zone: {}", limited.stdout);
    assert_eq!(live.events(0, &["runs", "--limit", "2"]).len(), 2);
    let verbose = live.expect(0, &["-v", "run", "--full-refresh", "--partition", "2024-01", "readings"]);
    assert!(verbose.stderr.contains("124 read = 124 acknowledged + 0 rejected + 0 unknown"), "{}", verbose.stderr);
    assert_eq!(live.expect(0, &["-v", "plan", "--full-refresh", "readings"]).stdout.matches("2024-0").count(), 3);
    let quiet = live.expect(0, &["-q", "run", "--full-refresh", "readings"]);
    assert_eq!(quiet.stderr, "");
    assert!(quiet.stdout.contains("readings    3/3"), "{}", quiet.stdout);
}

/// The keys of an event in order, with the values that are names.
fn outline(event: &Value) -> String {
    let named = ["event", "asset", "partition", "kind", "action", "status", "exit_code", "steps", "state", "verdict"];
    let words: Vec<String> = event
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, value)| match value {
            _ if named.contains(&key.as_str()) => format!("{key}={value}"),
            Value::Object(map) => format!("{key}{{{}}}", map.keys().cloned().collect::<Vec<_>>().join(" ")),
            _ => key.clone(),
        })
        .collect();
    words.join(" ")
}

#[test]
fn events_have_their_keys_and_their_order() {
    let Some(live) = Live::plain("events") else { return };
    write_small(&live);
    let mut text = String::new();
    let mut tell = |title: &str, code: i32, arguments: &[&str]| -> Vec<Value> {
        let events = live.events(code, arguments);
        text.push_str(&format!("--- {title}\n"));
        for event in events.iter().filter(|event| event["event"] != "step_progress") {
            text.push_str(&outline(event));
            text.push('\n');
        }
        events
    };
    tell("plan", 0, &["plan"]);
    let run = tell("run", 0, &["run"]);
    tell("run with nothing to do", 0, &["run"]);
    tell("status", 0, &["status"]);
    tell("runs", 0, &["runs", "--limit", "1"]);
    change(&live, "{ rows: { min: 1 } }", "{ rows: { min: 500 } }");
    let failed = tell("run with a check that fails", 3, &["run", "readings,daily", "--full-refresh"]);
    tell("usage", 2, &["run", "nothing"]);
    golden("events", &text);

    let rows = |asset: &str| -> u64 {
        let ended = run.iter().filter(|event| event["event"] == "step_finished" && event["asset"] == asset);
        ended.filter_map(|event| event["rows"].as_u64()).sum()
    };
    assert_eq!((rows("readings"), rows("training_set")), (ROWS, ROWS));
    let last = failed.last().unwrap();
    assert_eq!((&last["event"], &last["exit_code"]), (&"run_finished".into(), &3.into()));
    assert_eq!((&last["succeeded"], &last["failed"]), (&0.into(), &4.into()), "{last}");
}

#[test]
fn output_that_is_closed_early_is_no_failure() {
    let bench = Bench::offline();
    write_small(&bench);
    let mut child = bench
        .command(&["schema"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"), "{output:?}");
}
