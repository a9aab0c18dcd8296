//! The least-privileged role: it is enough, and without any part of it `doctor` says which.

use es_testing::Node;
use reqwest::Method;
use serde_json::{Value, json};

use crate::bench::{Bench, Live};
use crate::data::{change, write_small};
use crate::doctor::masked;

/// A user with a role of its own, as whom the program then runs. Both go with the test.
pub(crate) struct Person {
    name: String,
    node: Node,
}

impl Person {
    pub(crate) fn new(live: &mut Live, role: &Value) -> Self {
        let person = Self { name: format!("{}person", live.prefix()), node: live.node.clone() };
        person.give(live, role);
        let user = json!({"password": "a-canary-password", "roles": [person.name]});
        live.send(Method::PUT, &format!("/_security/user/{}", person.name), &user);
        live.unset("ELASTICSEARCH_API_KEY");
        live.set("ELASTICSEARCH_USER", &person.name);
        live.set("ELASTICSEARCH_PASSWORD", "a-canary-password");
        person
    }

    /// Changes what the user may do.
    pub(crate) fn give(&self, live: &Live, role: &Value) {
        live.send(Method::PUT, &format!("/_security/role/{}", self.name), role);
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        let (node, name) = (self.node.clone(), self.name.clone());
        // A failure of the test is told rather than one of this.
        let _ = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                for kind in ["user", "role"] {
                    node.json(Method::DELETE, &format!("/_security/{kind}/{name}"), "").await;
                }
            });
        })
        .join();
    }
}

fn failures(events: &[Value]) -> Vec<&Value> {
    events.iter().filter(|event| event["status"] == "fail" || event["status"] == "warn").collect()
}

fn of_access(events: &[Value]) -> Vec<Value> {
    failures(events).into_iter().filter(|event| event["group"] == "access").cloned().collect()
}

#[test]
fn a_user_with_exactly_the_role_runs_the_pipeline() {
    let Some(mut live) = Live::secure("role_runs") else { return };
    write_small(&live);
    let role = live.events(0, &["doctor", "--role"]).remove(0)["role"].clone();
    let _person = Person::new(&mut live, &role);
    live.expect(0, &["plan"]);
    live.expect(0, &["run"]);
    // A setting in place, checks again, a partition that is retired, generations removed.
    change(
        &live,
        "number_of_replicas: 0 }\n      mappings",
        "number_of_replicas: 0, refresh_interval: 30s }\n      mappings",
    );
    live.expect(0, &["run"]);
    change(&live, "{ rows: { min: 1 } }", "{ rows: { min: 2 } }");
    live.expect(0, &["run"]);
    change(&live, "partitions: { every: month, start: 2024-01-01,", "partitions: { every: month, start: 2024-02-01,");
    std::fs::remove_file(live.path("data/2024-01.csv")).unwrap();
    change(&live, "reference: { from: 2024-01-01, to: 2024-02-01 }", "reference: { from: 2024-02-01, to: 2024-02-15 }");
    live.expect(0, &["run"]);
    live.expect(0, &["run", "--full-refresh"]);
    live.expect(0, &["run", "--full-refresh"]);
    for command in ["check", "status", "runs"] {
        live.expect(0, &[command]);
    }
    let events = live.events(0, &["doctor"]);
    assert_eq!(of_access(&events), Vec::<Value>::new());
}

#[test]
fn each_privilege_that_is_taken_away_is_named() {
    let Some(mut live) = Live::secure("role_lacks") else { return };
    write_small(&live);
    let whole = live.events(0, &["doctor", "--role", "--source", "elsewhere-logs"]).remove(0)["role"].clone();
    let person = Person::new(&mut live, &whole);
    let doctor = ["doctor", "--source", "elsewhere-logs"];
    assert_eq!(of_access(&live.events(0, &doctor)), Vec::<Value>::new());
    let mut taken = 0;
    for place in 0..whole["indices"].as_array().unwrap().len() {
        for privilege in whole["indices"][place]["privileges"].as_array().unwrap() {
            let mut role = whole.clone();
            role["indices"][place]["privileges"].as_array_mut().unwrap().retain(|other| other != privilege);
            person.give(&live, &role);
            // Only `doctor` itself looks at the sizes of shards.
            let (code, status) = if privilege == "monitor" { (0, "warn") } else { (1, "fail") };
            let found = of_access(&live.events(code, &doctor));
            assert_eq!(found.len(), 1, "without {privilege}: {found:?}");
            assert_eq!((&found[0]["subject"], &found[0]["status"]), (privilege, &status.into()), "{found:?}");
            let on = whole["indices"][place]["names"][0].as_str().unwrap();
            assert!(found[0]["measured"].as_str().unwrap().contains(on), "{found:?}");
            taken += 1;
        }
    }
    assert_eq!(taken, 13);
    // Without `monitor` on the cluster a run does its work, and doctor sees less.
    let mut role = whole.clone();
    role["cluster"] = json!([]);
    person.give(&live, &role);
    let found = of_access(&live.events(0, &doctor));
    assert_eq!((found.len(), &found[0]["subject"], &found[0]["status"]), (1, &"monitor".into(), &"warn".into()));
    let events = live.events(0, &["run"]);
    let warning = events.iter().find(|event| event["event"] == "run_warning").unwrap();
    assert!(warning["warning"].as_str().unwrap().contains("monitor"), "{warning}");
}

#[test]
fn a_user_who_may_only_read_exports() {
    let Some(mut live) = Live::secure("role_reads") else { return };
    live.write("a.csv", "n,t\n1,x\n2,y\n");
    let index = format!("{}a", live.prefix());
    live.expect(0, &["ingest", "a.csv", "--to", &index, "--id", "n"]);
    let role = |privileges: &[&str]| json!({"cluster": [], "indices": [{"names": [index], "privileges": privileges}]});
    let person = Person::new(&mut live, &role(&["read", "view_index_metadata"]));
    live.expect(0, &["export", &index, "--to", "out.ndjson", "--sort", "n"]);
    assert_eq!(live.read("out.ndjson"), "{\"n\":1,\"t\":\"x\"}\n{\"n\":2,\"t\":\"y\"}\n");
    // The mapping says which values are dates, vectors and several: `read` alone does not show it.
    person.give(&live, &role(&["read"]));
    let shown = live.expect(1, &["export", &index, "--to", "again.ndjson"]);
    assert!(shown.stderr.contains("the index privilege view_index_metadata on"), "{}", shown.stderr);
}

#[test]
fn the_role_is_printed_offline() {
    let bench = Bench::offline().with("ELASTICSEARCH_INDEX_PREFIX", "small-");
    write_small(&bench);
    bench.golden("doctor_role", &["doctor", "--role"]);
    bench.golden("doctor_role_with_a_source", &["doctor", "--role", "--source", "logs-a,logs-b-*"]);
    let event = bench.events(0, &["doctor", "--role"]).remove(0);
    assert_eq!((&event["event"], &event["name"]), (&"role".into(), &"small".into()));
    let shown = bench.expect(0, &["-q", "doctor", "--role"]);
    let printed: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!((printed, shown.stderr.as_str()), (event["role"].clone(), ""));
    // A pipeline that makes no index needs fewer privileges.
    assert!(masked(&bench, &shown.stdout).contains("delete_index"));
    let nothing = Bench::offline();
    nothing.golden("doctor_role_of_nothing", &["doctor", "--role"]);
}
