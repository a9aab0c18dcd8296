//! `command`: programs that make indices and files, and what becomes of them when they fail, take
//! too long or are interrupted.

use std::time::{Duration, Instant};

use reqwest::Method;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::{Value, json};

use crate::bench::{Live, Running};
use crate::data::{ROWS, write_months};

/// The readings, and one asset `made` with more lines of its definition.
fn pipeline(made: &[&str]) -> String {
    let mut text = String::from(
        "version: 1\nname: programs\nassets:\n  readings:\n    kind: ingest\n    from: { path: \"data/*.csv\" }\n    \
         id: [sensor, time]\n    index:\n      settings: { number_of_replicas: 0 }\n      \
         mappings: { properties: { sensor: { type: keyword } } }\n  made:\n    kind: command\n",
    );
    for line in made {
        text.push_str(&format!("    {line}\n"));
    }
    text
}

fn bench(test: &str, made: &[&str]) -> Option<Live> {
    let live = Live::plain(test)?;
    write_months(&live);
    live.write("pipeline.yaml", pipeline(made));
    Some(live)
}

fn of<'a>(events: &'a [Value], event: &str, asset: &str) -> &'a Value {
    let found = events.iter().find(|one| one["event"] == event && one["asset"] == asset);
    found.unwrap_or_else(|| panic!("no {event} of {asset} in {events:#?}"))
}

/// The error of the step `made`, with its help.
fn failure(events: &[Value]) -> String {
    let failed = of(events, "step_failed", "made");
    format!("{} | {}", failed["error"].as_str().unwrap(), failed["help"].as_str().unwrap_or_default())
}

/// Returns once a file is there and holds a number.
fn process_in(live: &Live, file: &str) -> Pid {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let text = std::fs::read_to_string(live.path(file)).unwrap_or_default();
        if let Some(id) = text.strip_suffix('\n').and_then(|text| text.parse().ok()).and_then(Pid::from_raw) {
            return id;
        }
        assert!(Instant::now() < until, "{file} was not written");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Returns whether a process is there, and not merely waiting to be noted as ended.
fn is_alive(id: Pid) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/stat", id.as_raw_nonzero())).unwrap_or_default();
    test_kill_process(id).is_ok() && !status.contains(") Z ")
}

fn assert_ends(id: Pid) {
    let until = Instant::now() + Duration::from_secs(5);
    while is_alive(id) {
        assert!(Instant::now() < until, "process {id:?} is left");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn an_index_through_a_parquet_file() {
    let made = [
        "reads: [readings]",
        "run: [sh, copy.sh]",
        "output: parquet",
        "id: [sensor, time]",
        "index: { settings: { number_of_replicas: 0 } }",
        "checks: [{ not_null: [value] }]",
    ];
    let Some(live) = bench("command_parquet", &made) else { return };
    live.write(
        "copy.sh",
        "echo copying\necho careful >&2\ncp \"$ORCHESTRATOR_INPUT_READINGS\" \"$ORCHESTRATOR_OUTPUT\"\n",
    );
    let events = live.events(0, &["run"]);
    assert_eq!((live.count("readings"), live.count("made")), (ROWS, ROWS));
    let summary = &of(&events, "step_finished", "made")["summary"];
    assert_eq!(summary["exit_code"], 0);
    let mut output: Vec<&str> = summary["output"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    output.sort_unstable();
    assert_eq!(output, ["careful", "copying"]);
    live.send(Method::POST, "/PREFIX-orchestrator-runs/_refresh", &Value::Null);
    let recorded = live.search("orchestrator-runs", &json!({"query": {"term": {"part": "made"}}}));
    assert_eq!(recorded["hits"]["hits"][0]["_source"]["summary"]["output"], summary["output"]);

    let events = live.events(0, &["run"]);
    assert!(events.iter().all(|event| event["event"] != "step_started"), "{events:#?}");
    // Nothing of its work is left, and `-v` shows what the program prints.
    assert_eq!(std::fs::read_dir(live.path(".orchestrator/scratch")).unwrap().count(), 0);
    let shown = live.expect(0, &["-v", "run", "made", "--full-refresh"]);
    assert!(shown.stderr.contains("copying") && shown.stderr.contains("careful"), "{}", shown.stderr);
    let shown = live.expect(0, &["run", "made", "--full-refresh"]);
    assert!(!shown.stderr.contains("careful"), "{}", shown.stderr);
}

#[test]
fn an_index_through_standard_input_and_output() {
    let made = [
        "reads: [{ from: readings, columns: [sensor, value], where: { term: { sensor: attic } } }]",
        "input: stdin",
        "run: [cat]",
        "output: ipc_stream",
    ];
    let Some(live) = bench("command_stream", &made) else { return };
    live.expect(0, &["run"]);
    assert_eq!(live.count("made"), ROWS / 2);
    let found = live.search("made", &json!({"size": 1}));
    let source = found["hits"]["hits"][0]["_source"].as_object().unwrap();
    assert_eq!(source.keys().collect::<Vec<_>>(), ["sensor", "value"]);
    live.write("pipeline.yaml", pipeline(&["run: ['true']", "output: ipc_stream"]));
    let error = failure(&live.events(1, &["run"]));
    assert!(error.contains("`true` succeeded and wrote nothing to standard output"), "{error}");
    assert_eq!(live.count("made"), ROWS / 2);
}

#[test]
fn files_that_are_made_again_when_the_program_changes() {
    let made = [
        "reads: [readings]",
        "folder: tools",
        "run: [sh, train.sh]",
        "environment: { MODE: fast }",
        "to: { path: out/model, files: [model.txt] }",
    ];
    let Some(live) = bench("command_files", &made) else { return };
    let script = "echo $MODE $ORCHESTRATOR_PIPELINE $ORCHESTRATOR_ASSET > \"$ORCHESTRATOR_OUTPUT/model.txt\"\n\
                  mkdir \"$ORCHESTRATOR_OUTPUT/more\" && env > \"$ORCHESTRATOR_OUTPUT/more/variables\"\n";
    live.write("tools/train.sh", script);
    live.expect(0, &["run"]);
    assert_eq!(live.read("out/model/model.txt"), "fast programs made\n");
    let variables = live.read("out/model/more/variables");
    let names: Vec<&str> = variables.lines().filter_map(|line| line.split('=').next()).collect();
    assert!(names.contains(&"ORCHESTRATOR_RUN") && names.contains(&"PATH"), "{names:?}");
    assert!(names.iter().all(|name| !name.starts_with("ELASTIC") && *name != "NO_COLOR"), "{names:?}");
    let own = ["INPUT_READINGS", "OUTPUT", "PIPELINE", "ASSET", "RUN"].map(|name| format!("ORCHESTRATOR_{name}"));
    let given = |name: &&&str| name.starts_with("ORCHESTRATOR_");
    assert_eq!(names.iter().filter(given).count(), own.len(), "{names:?}");
    assert!(own.iter().all(|name| names.contains(&name.as_str())), "{names:?}");

    let started = |events: &[Value]| events.iter().filter(|event| event["event"] == "step_started").count();
    assert_eq!(started(&live.events(0, &["run"])), 0);
    live.write("tools/train.sh", format!("{script}echo more >> \"$ORCHESTRATOR_OUTPUT/model.txt\"\n"));
    let events = live.events(0, &["run"]);
    assert_eq!(of(&events, "step_started", "made")["reasons"], json!(["changed input `program files`"]));
    assert_eq!((started(&events), live.read("out/model/model.txt").as_str()), (1, "fast programs made\nmore\n"));

    // Another program reads the folder; a file that is missing is named, and nothing is published.
    live.write(
        "pipeline.yaml",
        pipeline(&made)
            + "  copied:\n    kind: command\n    reads: [made]\n    run: [sh, tools/copy.sh]\n    \
               to: { path: out/copy, files: [model.txt, model.onnx] }\n",
    );
    live.write("tools/copy.sh", "cp \"$ORCHESTRATOR_INPUT_MADE/model.txt\" \"$ORCHESTRATOR_OUTPUT\"\n");
    let events = live.events(1, &["run"]);
    let failed = of(&events, "step_failed", "copied");
    let error = "`sh` succeeded and did not write `model.onnx`, which `to.files` lists";
    assert_eq!((&failed["error"], &failed["help"]), (&json!(error), &json!("there are only `model.txt`")));
    assert!(!live.path("out/copy").exists());
    live.write("tools/copy.sh", "cp -r \"$ORCHESTRATOR_INPUT_MADE\"/* \"$ORCHESTRATOR_OUTPUT\"\n");
    let error = live.events(1, &["run"]);
    assert!(of(&error, "step_failed", "copied")["error"].as_str().unwrap().contains("model.onnx"), "{error:?}");
}

#[test]
fn a_program_that_fails_says_why() {
    let made = ["reads: [readings]", "run: [sh, fail.sh]", "output: parquet", "retries: { max: 3 }"];
    let Some(live) = bench("command_fails", &made) else { return };
    live.write("fail.sh", "seq 1 20\nsleep 0.2\necho 'no such model' >&2\nexit 3\n");
    let events = live.events(1, &["run"]);
    let error = failure(&events);
    assert!(error.starts_with("`sh` failed with exit code 3: no such model | the last lines"), "{error}");
    assert!(error.contains("\n  12\n") && !error.contains("\n  11\n"), "{error}");
    assert!(events.iter().all(|event| event["event"] != "step_note"), "it is not tried again: {events:#?}");
    assert!(live.indices().iter().all(|(name, _)| !name.starts_with("made")));
    let shown = live.expect(0, &["status"]);
    assert!(shown.stdout.contains("no such model"), "{}", shown.stdout);

    live.write("fail.sh", "kill -KILL $$\n");
    let error = failure(&live.events(1, &["run"]));
    assert!(error.contains("was ended by SIGKILL") && error.contains("printed nothing"), "{error}");
    live.write("fail.sh", "true\n");
    let error = failure(&live.events(1, &["run"]));
    assert!(error.contains("wrote no file") && error.contains("ORCHESTRATOR_OUTPUT"), "{error}");
}

#[test]
fn a_program_that_takes_too_long_is_ended_with_all_its_processes() {
    let made = ["run: [sh, slow.sh]", "output: parquet", "timeout: 1s"];
    let Some(live) = bench("command_timeout", &made) else { return };
    live.write("slow.sh", "sleep 1000 &\necho $! > sleep.pid\necho waiting\nwait\n");
    let error = failure(&live.events(1, &["run", "made"]));
    assert!(error.starts_with("`sh` was ended as it ran longer than 1s, the `timeout`"), "{error}");
    assert!(error.ends_with("\n  waiting"), "{error}");
    assert_ends(process_in(&live, "sleep.pid"));

    // One that does not listen to SIGTERM is killed.
    live.write("slow.sh", "trap '' TERM\nsleep 1000 &\necho $! > sleep.pid\nwait\nwait\n");
    let started = Instant::now();
    failure(&live.events(1, &["run", "made"]));
    assert!(started.elapsed() > Duration::from_secs(5), "{:?}", started.elapsed());
    assert_ends(process_in(&live, "sleep.pid"));
}

#[test]
fn a_process_that_is_left_behind_does_not_hold_up_the_run() {
    let made = ["run: [sh, leave.sh]", "to: { path: out, files: [a] }"];
    let Some(live) = bench("command_left", &made) else { return };
    live.write("leave.sh", "sleep 1000 &\necho $! > sleep.pid\ntouch \"$ORCHESTRATOR_OUTPUT/a\"\n");
    let started = Instant::now();
    live.expect(0, &["run", "made"]);
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
    assert_ends(process_in(&live, "sleep.pid"));
    assert!(live.path("out/a").exists());
}

#[test]
fn an_interruption_ends_the_program() {
    let made = ["run: [sh, slow.sh]", "output: parquet"];
    for (test, signals) in [("command_ctrl_c", 1), ("command_ctrl_c_twice", 2)] {
        let Some(live) = bench(test, &made) else { return };
        let trap = if signals == 2 { "trap '' TERM\n" } else { "" };
        live.write("slow.sh", format!("{trap}sleep 1000 &\necho $! > sleep.pid\nwait\nwait\n"));
        let running = Running::start(&live, &["--json", "run", "made"]);
        let sleep = process_in(&live, "sleep.pid");
        for _ in 0..signals {
            kill_process(Pid::from_raw(i32::try_from(running.id()).unwrap()).unwrap(), Signal::INT).unwrap();
            std::thread::sleep(Duration::from_millis(300));
        }
        let (events, code) = running.end();
        assert_eq!(code, Some(130), "{events:?}");
        assert_ends(sleep);
        assert_eq!(live.indices().iter().filter(|(name, _)| name.starts_with("made")).count(), 0);
        if signals == 1 {
            assert_eq!(of(&events, "step_failed", "made")["status"], "interrupted");
        }
    }
}

#[test]
fn a_program_that_cannot_be_started_is_shown_in_the_file() {
    let Some(live) = bench("command_unknown", &["run: [no-such-program]", "output: parquet"]) else { return };
    let shown = live.expect(2, &["run", "made"]);
    for text in ["there is no program `no-such-program` in PATH", "pipeline.yaml:13:11"] {
        assert!(shown.stderr.contains(text), "{text} in\n{}", shown.stderr);
    }
    live.write("score.sh", "#!/no/such/interpreter\n");
    let table = [
        ("run: [./missing]", "there is no program `"),
        ("run: [./score.sh]", "`./score.sh` is not executable"),
        ("run: [sh]\n    folder: nowhere", "there is no folder `nowhere`"),
    ];
    for (run, message) in table {
        live.write("pipeline.yaml", pipeline(&[run, "output: parquet"]));
        let shown = live.expect(2, &["run", "made"]);
        assert!(shown.stderr.contains(message) && shown.stderr.contains("pipeline.yaml:1"), "{}", shown.stderr);
    }
}
