//! Several runs of one pipeline: each part is built once, and a run that was paused for longer than
//! its lease publishes nothing.

use std::sync::Arc;
use std::time::Duration;

use es_testing::{Fault, FaultProxy, SeenRequest};
use orchestrator::engine::{Engine, RunOptions, Scope, StepEnd};
use orchestrator::project::Project;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::bench::{Live, Running};
use crate::data::{ROWS, write_small};
use crate::flights::write_flights;

fn tell(running: &Running, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(running.id()).unwrap()).unwrap(), signal).unwrap();
}

#[test]
fn two_processes_build_each_part_once() {
    let Some(live) = Live::plain("lease_processes") else { return };
    write_small(&live);
    let runs = [0, 1].map(|_| Running::start(&live, &["--json", "run"]));
    let mut built = Vec::new();
    for run in runs {
        let (events, code) = run.end();
        assert_eq!(code, Some(0), "{events:?}");
        let done =
            events.into_iter().filter(|event| event["event"] == "step_finished" && event["action"] != "unchanged");
        built.extend(done.map(|event| format!("{} {}", event["asset"], event["partition"])));
    }
    built.sort();
    let all = built.len();
    built.dedup();
    assert_eq!(built.len(), all, "no part was built twice: {built:?}");
    assert_eq!(all, 6, "{built:?}");
    assert_eq!(live.count("readings"), ROWS);
    assert_eq!(live.indices().iter().filter(|(name, _)| name.starts_with("readings-")).count(), 3);
}

#[test]
fn a_paused_run_publishes_nothing() {
    let Some(mut live) = Live::plain("lease_paused") else { return };
    write_flights(&live);
    live.set("ORCHESTRATOR_RUN__LEASE", "3s");
    let one_month = ["run", "departures", "--partition", "2013-01"];
    let mut paused = Running::start(&live, &[&["--json"], &one_month[..]].concat());
    paused.until("step_started");
    // Into the middle of the load.
    std::thread::sleep(Duration::from_millis(100));
    tell(&paused, Signal::STOP);

    let events = live.events(0, &one_month);
    let waited = events.iter().filter(|event| event["event"] == "step_waiting").count();
    assert_eq!(waited, 1, "told once that it waits: {events:?}");
    let published = live.behind("departures");
    let rows = live.count("departures");
    assert!(rows > 20_000, "{rows}");
    let run = &events.last().unwrap()["run"];
    assert_eq!(&live.notes(&published[0])["run"], run, "the second run published");

    tell(&paused, Signal::CONT);
    let (events, code) = paused.end();
    assert_eq!(code, Some(75), "{events:?}");
    let failed = events.iter().find(|event| event["event"] == "step_failed").unwrap();
    assert!(failed["error"].as_str().unwrap().contains("lease"), "{failed}");
    assert_eq!((live.behind("departures"), live.count("departures")), (published.clone(), rows));
    assert_eq!(&live.notes(&published[0])["run"], run, "{events:?}");
    // Nothing is left to do, and whatever the first run left goes with the next.
    let events = live.events(0, &one_month);
    assert_eq!(events.last().unwrap()["succeeded"], json!(0), "{events:?}");
    let left: Vec<_> =
        live.indices().into_iter().map(|(name, _)| name).filter(|n| n.starts_with("departures")).collect();
    assert_eq!(left, published);
}

#[test]
fn a_run_that_cannot_renew_its_lease_publishes_nothing() {
    // The lease goes while documents are sent.
    a_cut_off_run_publishes_nothing("lease_cut_in_load", Duration::from_secs(8));
    // Everything is sent before the lease goes: the check before publishing finds it.
    a_cut_off_run_publishes_nothing("lease_cut_at_publish", Duration::ZERO);
}

/// Runs a part behind a proxy that swallows each renewal of a lease, and holds the first bulk request,
/// while another run waits for the part.
fn a_cut_off_run_publishes_nothing(test: &str, load_takes: Duration) {
    let Some(mut live) = Live::plain(test) else { return };
    write_flights(&live);
    live.set("ORCHESTRATOR_RUN__LEASE", "3s");
    let one_month = ["--json", "run", "departures", "--partition", "2013-01"];

    let network = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let proxy = network.block_on(FaultProxy::before(&live.node.url));
    let is_renewal = |request: &SeenRequest| {
        request.path.contains("orchestrator-leases/_doc/") && request.path.contains("if_seq_no=")
    };
    let mut is_first_bulk = true;
    proxy.decide_with(move |request| {
        if is_renewal(request) {
            Fault::Stall
        } else if request.path.contains("_bulk") && std::mem::take(&mut is_first_bulk) {
            Fault::Delay(load_takes)
        } else {
            Fault::Pass
        }
    });
    let direct = live.node.url.clone();
    live.set("ELASTICSEARCH_URL", &proxy.url());
    let mut cut_off = Running::start(&live, &one_month);
    let started = cut_off.until("step_started");
    live.set("ELASTICSEARCH_URL", &direct);
    let other = Running::start(&live, &one_month);

    let (events, code) = cut_off.end();
    assert_eq!(code, Some(75), "{events:?}");
    let failed = events.iter().find(|event| event["event"] == "step_failed").unwrap();
    assert!(failed["error"].as_str().unwrap().contains("lease"), "{failed}");
    assert!(proxy.requests("").iter().any(is_renewal), "a renewal was sent");
    // Neither are readers pointed to what it wrote, nor does it call complete what may be another's.
    assert_eq!((proxy.seen("_aliases"), proxy.seen("_mapping")), (0, 0), "{started}");

    let (events, code) = other.end();
    assert_eq!(code, Some(0), "{events:?}");
    assert!(events.iter().any(|event| event["event"] == "step_waiting"), "{events:?}");
    let published = live.behind("departures");
    assert_eq!(live.notes(&published[0])["run"], events.last().unwrap()["run"], "{test}: {events:#?}");
    let left: Vec<_> =
        live.indices().into_iter().map(|(name, _)| name).filter(|name| name.starts_with("departures")).collect();
    assert_eq!(left, published, "nothing that the first run wrote is left");
}

#[test]
fn two_runs_of_one_process_build_each_part_once() {
    let Some(live) = Live::plain("lease_runs") else { return };
    write_small(&live);
    live.write(".env", format!("ELASTICSEARCH_URL={}\nELASTICSEARCH_INDEX_PREFIX={}\n", live.node.url, live.prefix()));
    let pipeline = live.path("pipeline.yaml");
    let project = Project::load(pipeline.parent().unwrap(), "pipeline.yaml".as_ref(), None).unwrap();
    assert_eq!(project.prefix, live.prefix());
    let (one, other) = tokio::runtime::Runtime::new().unwrap().block_on(async {
        let engine = Engine::connect(Arc::new(project)).await.unwrap();
        let run = async || {
            let cancel = CancellationToken::new();
            let planned = engine.plan(&Scope::of(None), &cancel).await.unwrap();
            engine.run(planned, RunOptions { cancel, sinks: Vec::new() }).await.unwrap()
        };
        tokio::join!(run(), run())
    });
    let ends = || one.steps.iter().chain(&other.steps);
    assert!(ends().all(|step| matches!(step.end, StepEnd::Succeeded(_) | StepEnd::Unchanged)), "{one:?} {other:?}");
    let built = ends().filter(|step| matches!(step.end, StepEnd::Succeeded(_))).count();
    assert_eq!(built, 6, "{one:?} {other:?}");
    assert_eq!(live.count("readings"), ROWS);
}
