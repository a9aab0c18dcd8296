//! Lifecycle policies and data streams: the answers of a node without them, recorded answers of
//! a node with them, and the formats of the reference.

use std::path::PathBuf;
use std::time::Duration;

use es_core::data_streams::DataLifecycle;
use es_core::indices::RolloverConditions;
use es_core::lifecycle::{DeleteAction, LifecyclePolicy, LifecycleStatus, MergeAction};
use es_core::{Client, ErrorKind};
use serde_json::{Map, Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer};

use crate::support::{answer, at, live, mock_node};

const DAY: Duration = Duration::from_secs(86_400);

/// A recorded exchange.
struct Recorded {
    request: Value,
    status: u16,
    body: Vec<u8>,
}

fn recorded(name: &str) -> Recorded {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ilm-6.8.23");
    let read = |end: &str| std::fs::read(folder.join(format!("{name}.{end}"))).unwrap();
    let headers = String::from_utf8(read("headers.txt")).unwrap();
    let status = headers.lines().next().unwrap().trim_start_matches("HTTP ").parse().unwrap();
    Recorded { request: serde_json::from_slice(&read("request.json")).unwrap(), status, body: read("response.json") }
}

/// Makes the server answer as recorded.
async fn replay(server: &MockServer, name: &str) -> Value {
    let exchange = recorded(name);
    let (verb, at) = (exchange.request["method"].as_str().unwrap(), exchange.request["path"].as_str().unwrap());
    let reply = answer(exchange.status).set_body_raw(exchange.body, "application/json");
    Mock::given(method(verb)).and(path(at)).respond_with(reply).mount(server).await;
    exchange.request
}

async fn connected(server: &MockServer) -> Client {
    Client::connect(at(&server.uri())).await.unwrap()
}

#[tokio::test]
async fn a_node_without_the_features_says_so() {
    let Some((client, scope)) = live("no_policies").await else { return };
    let name = scope.prefix().trim_end_matches('-');
    match client.lifecycle().status().await {
        // A complete distribution has them, and the formats are tested below.
        Ok(_) => return,
        Err(error) => assert_eq!(error.kind(), ErrorKind::FeatureMissing, "{error}"),
    }
    let policy = LifecyclePolicy::roll_and_keep(RolloverConditions::default(), DAY);
    let policies = client.lifecycle();
    let streams = client.data_streams();
    let lifecycle = DataLifecycle::keep(DAY);
    let errors = [
        policies.put(name, &policy).await.unwrap_err(),
        policies.get(name).await.unwrap_err(),
        policies.list().await.unwrap_err(),
        policies.delete(name).await.unwrap_err(),
        policies.explain(name).await.unwrap_err(),
        policies.retry(name).await.unwrap_err(),
        streams.create(name).await.unwrap_err(),
        streams.get(name).await.unwrap_err(),
        streams.list(&format!("{name}*")).await.unwrap_err(),
        streams.delete(name).await.unwrap_err(),
        streams.put_lifecycle(name, &lifecycle).await.unwrap_err(),
        streams.lifecycle(name).await.unwrap_err(),
        streams.delete_lifecycle(name).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::FeatureMissing, "{error}");
    }
}

#[tokio::test]
async fn a_policy_is_read_and_written_as_recorded() {
    let server = mock_node().await;
    let put = replay(&server, "063-ilm-put").await;
    for name in ["062-ilm-status", "064-ilm-get", "065-ilm-get-all", "066-ilm-get-404"] {
        replay(&server, name).await;
    }
    let client = connected(&server).await;
    let policies = client.lifecycle();
    assert_eq!(policies.status().await.unwrap(), LifecycleStatus::Running);

    let stored = policies.get("p1").await.unwrap().unwrap();
    assert_eq!((stored.version, stored.modified_date.as_str()), (1, "2026-11-21T09:46:07.386Z"));
    let hot = stored.policy.phases.hot.as_ref().unwrap();
    let conditions = RolloverConditions {
        max_docs: Some(3),
        max_size: Some(1 << 30),
        max_age: Some(DAY),
        ..RolloverConditions::default()
    };
    assert_eq!((hot.min_age, hot.actions.rollover.as_ref()), (Some(Duration::ZERO), Some(&conditions)));
    assert_eq!(hot.actions.other["set_priority"], json!({"priority": 100}));
    let warm = stored.policy.phases.warm.as_ref().unwrap();
    assert_eq!(warm.actions.forcemerge, Some(MergeAction { max_num_segments: 1, other: Map::new() }));
    let delete = stored.policy.phases.delete.as_ref().unwrap();
    assert_eq!(delete.actions.delete, Some(DeleteAction::default()));
    assert_eq!(stored.policy.retention(), Some(30 * DAY));
    assert_eq!(policies.list().await.unwrap()["p1"], stored);
    assert_eq!(policies.get("none").await.unwrap(), None);

    // The request is the one that the recorded node got.
    let policy: LifecyclePolicy = serde_json::from_value(put["body"]["policy"].clone()).unwrap();
    policies.put("p1", &policy).await.unwrap();
    let requests = server.received_requests().await.unwrap();
    let sent = requests.iter().find(|request| request.method.as_str() == "PUT").unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&sent.body).unwrap(), put["body"]);
}

#[tokio::test]
async fn refusals_say_why_as_recorded() {
    let server = mock_node().await;
    replay(&server, "067-ilm-put-bad-action").await;
    replay(&server, "080-ilm-delete-in-use").await;
    replay(&server, "085-ilm-delete-404").await;
    replay(&server, "074-ilm-explain-404").await;
    let client = connected(&server).await;
    let mut bogus = LifecyclePolicy::default();
    bogus.phases.hot = Some(serde_json::from_value(json!({"actions": {"bogus": {}}})).unwrap());
    let error = client.lifecycle().put("p2", &bogus).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadRequest);
    assert!(error.to_string().contains("unable to parse LifecycleAction with name [bogus]"), "{error}");
    let error = client.lifecycle().delete("p1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadRequest);
    assert!(error.to_string().contains("It is in use by one or more indices"), "{error}");
    assert!(!client.lifecycle().delete("p3").await.unwrap());
    assert_eq!(client.lifecycle().delete("p*").await.unwrap_err().kind(), ErrorKind::BadRequest);
    assert_eq!(client.lifecycle().explain("nope").await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn the_position_in_a_policy_is_read_as_recorded() {
    let table: [(&str, &str, Value); 4] = [
        (
            "071-ilm-explain-1",
            "logs-*",
            json!([["logs-000001", true, "p1", "hot", "rollover", "check-rollover-ready"]]),
        ),
        (
            "072-ilm-explain-2",
            "logs-*",
            json!([
                ["logs-000001", true, "p1", "hot", "complete", "complete"],
                ["logs-000002", true, "p1", "hot", "rollover", "check-rollover-ready"],
            ]),
        ),
        ("073-ilm-explain-unmanaged", "ds", json!([["ds", false, null, null, null, null]])),
        ("076-ilm-explain-error-step", "noalias-1", json!([["noalias-1", true, "p1", "hot", "rollover", "ERROR"]])),
    ];
    for (name, pattern, expected) in table {
        let server = mock_node().await;
        replay(&server, name).await;
        replay(&server, "077-ilm-retry").await;
        let client = connected(&server).await;
        let found = client.lifecycle().explain(pattern).await.unwrap();
        let rows: Vec<Value> = found
            .iter()
            .map(|one| json!([one.index, one.managed, one.policy, one.phase, one.action, one.step]))
            .collect();
        assert_eq!(json!(rows), expected, "{name}");
        let failures: Vec<_> = found.iter().filter_map(|one| one.failure()).collect();
        if name.starts_with("076") {
            assert_eq!(found[0].failed_step.as_deref(), Some("check-rollover-ready"));
            assert!(failures[0].reason.contains("[index.lifecycle.rollover_alias]"), "{failures:?}");
            client.lifecycle().retry("noalias-1").await.unwrap();
        } else {
            assert!(failures.is_empty());
        }
    }
}

#[test]
fn unknown_parts_of_policies_are_kept() {
    let original = json!({
        "phases": {
            "hot": {"min_age": "0ms", "actions": {
                "rollover": {"max_primary_shard_size": "50gb", "max_age": "30d", "min_docs": 0, "max_new": 1},
                "future": {"x": 1},
            }},
            "frozen": {"min_age": "90d", "actions": {"searchable_snapshot": {"snapshot_repository": "r"}}, "new": 1},
            "delete": {"min_age": "365d", "actions": {"delete": {"delete_searchable_snapshot": true}}},
            "later": {},
        },
        "_meta": {"owner": "me"}, "deprecated": false,
    });
    let policy: LifecyclePolicy = serde_json::from_value(original.clone()).unwrap();
    assert_eq!(serde_json::to_value(&policy).unwrap(), original);
    assert_eq!(policy.retention(), Some(365 * DAY));
    let rolling = RolloverConditions { max_primary_shard_size: Some(50 << 30), ..RolloverConditions::default() };
    assert_eq!(
        serde_json::to_value(LifecyclePolicy::roll_and_keep(rolling, 30 * DAY)).unwrap(),
        json!({"phases": {
            "hot": {"actions": {"rollover": {"max_primary_shard_size": "50gb"}}},
            "delete": {"min_age": "30d", "actions": {"delete": {}}},
        }})
    );
}

/// The answers have the form of the reference of the data stream APIs.
#[tokio::test]
async fn data_streams_are_as_in_the_reference() {
    let server = mock_node().await;
    let backing = |number: u32| {
        json!({"index_name": format!(".ds-s-2099.03.07-00000{number}"), "index_uuid": format!("uuid{number}"),
            "prefer_ilm": true, "ilm_policy": "p", "managed_by": "Index Lifecycle Management"})
    };
    let stream = json!({"data_streams": [{
        "name": "s", "timestamp_field": {"name": "@timestamp"}, "indices": [backing(1), backing(2)], "generation": 2,
        "_meta": {"m": 1}, "status": "GREEN", "template": "t", "ilm_policy": "p",
        "lifecycle": {"enabled": true, "data_retention": "7d", "effective_retention": "5d",
            "retention_determined_by": "max_global_retention"},
        "next_generation_managed_by": "Index Lifecycle Management", "prefer_ilm": true, "hidden": true,
        "system": false, "allow_custom_routing": false, "replicated": false, "rollover_on_write": false,
    }]});
    let lifecycle = json!({"data_streams": [
        {"name": "s", "lifecycle": {"enabled": true, "data_retention": "7d"}}, {"name": "t"},
    ]});
    let missing =
        json!({"error": {"type": "index_not_found_exception", "reason": "no such index [none]"}, "status": 404});
    let rolled = json!({"acknowledged": true, "shards_acknowledged": true, "old_index": ".ds-s-1", "new_index": ".ds-s-2",
        "rolled_over": true, "dry_run": false, "lazy": false, "conditions": {"[max_docs: 1]": true}});
    let acknowledged = json!({"acknowledged": true});
    for (verb, at, status, body) in [
        ("PUT", "/_data_stream/s", 200, &acknowledged),
        ("GET", "/_data_stream/s", 200, &stream),
        ("GET", "/_data_stream/none", 404, &missing),
        ("DELETE", "/_data_stream/s", 200, &acknowledged),
        ("DELETE", "/_data_stream/none", 404, &missing),
        ("PUT", "/_data_stream/s/_lifecycle", 200, &acknowledged),
        ("GET", "/_data_stream/s/_lifecycle", 200, &lifecycle),
        ("GET", "/_data_stream/t/_lifecycle", 200, &lifecycle),
        ("DELETE", "/_data_stream/s/_lifecycle", 200, &acknowledged),
        ("POST", "/s/_rollover", 200, &rolled),
    ] {
        let reply = answer(status).set_body_json(body);
        Mock::given(method(verb)).and(path(at)).respond_with(reply).mount(&server).await;
    }
    let client = connected(&server).await;
    let streams = client.data_streams();
    streams.create("s").await.unwrap();
    let found = streams.get("s").await.unwrap().unwrap();
    assert_eq!((found.generation, found.hidden, found.timestamp_field.name.as_str()), (2, true, "@timestamp"));
    assert_eq!(found.indices[1].index_name, ".ds-s-2099.03.07-000002");
    let kept = found.lifecycle.unwrap();
    assert_eq!((kept.data_retention, kept.effective_retention), (Some(7 * DAY), Some(5 * DAY)));
    assert_eq!(serde_json::to_value(&kept).unwrap(), json!({"enabled": true, "data_retention": "7d"}));
    assert_eq!(found.other["_meta"], json!({"m": 1}));
    assert_eq!(streams.get("none").await.unwrap(), None);
    assert_eq!(streams.lifecycle("s").await.unwrap().unwrap().data_retention, Some(7 * DAY));
    assert_eq!(streams.lifecycle("t").await.unwrap(), None);
    streams.put_lifecycle("s", &DataLifecycle::keep(7 * DAY)).await.unwrap();
    streams.delete_lifecycle("s").await.unwrap();
    let conditions = RolloverConditions { max_docs: Some(1), ..RolloverConditions::default() };
    assert!(streams.rollover("s", &conditions).await.unwrap().rolled_over);
    assert!(streams.delete("s").await.unwrap() && !streams.delete("none").await.unwrap());
    assert_eq!(streams.delete("s*").await.unwrap_err().kind(), ErrorKind::BadRequest);
}
