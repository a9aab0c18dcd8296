//! New indices whose shards have no node, and the verdict on the cluster that has them.

use std::time::Duration;

use es_core::cluster::{HealthCheck, HealthFinding};
use es_core::{Client, ErrorKind, NewIndex, Verdict};
use serde_json::{Value, json};
use wiremock::matchers::{method, path, query_param};
use wiremock::{Mock, MockServer};

use crate::support::{answer, asked, at, live, mock_node};

fn settings(value: &Value) -> NewIndex {
    NewIndex { settings: value.as_object().unwrap().clone(), ..NewIndex::default() }
}

async fn answers(server: &MockServer, of_method: &str, at: &str, body: Value) {
    Mock::given(method(of_method)).and(path(at)).respond_with(answer(200).set_body_json(body)).mount(server).await;
}

/// A node that creates the index `a` and reports its shards as given.
async fn creating(acknowledged: Value, shards: Value) -> (MockServer, Client) {
    let server = mock_node().await;
    Mock::given(method("PUT"))
        .and(path("/a"))
        .and(query_param("timeout", "200ms"))
        .respond_with(answer(200).set_body_json(acknowledged))
        .mount(&server)
        .await;
    answers(&server, "GET", "/_cat/shards/a", shards).await;
    let explanation = json!({
        "index": "a", "shard": 1, "primary": true, "current_state": "unassigned",
        "unassigned_info": {"reason": "INDEX_CREATED"}, "allocate_explanation": "no node",
        "node_allocation_decisions": [{"deciders": [{"decider": "disk_threshold", "decision": "NO",
            "explanation": "the node is above the high watermark cluster setting"}]}],
    });
    answers(&server, "POST", "/_cluster/allocation/explain", explanation).await;
    let client = Client::connect(at(&server.uri())).await.unwrap();
    (server, client)
}

fn shard(number: u32, state: &str) -> Value {
    json!({"index": "a", "shard": number.to_string(), "prirep": "p", "state": state, "docs": null, "store": null})
}

const SHORT: Duration = Duration::from_millis(200);

#[tokio::test]
async fn an_index_whose_primary_has_no_node_is_an_error_with_the_reason() {
    let late = json!({"acknowledged": true, "shards_acknowledged": false, "index": "a"});
    let shards = json!([shard(0, "STARTED"), shard(1, "UNASSIGNED")]);
    let (server, client) = creating(late, shards).await;
    let error = client.indices().create_within("a", &NewIndex::default(), SHORT).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::NotAllocated, false));
    assert_eq!(
        error.to_string(),
        "the index a was created, but its primary shard 1 was not active within 200ms: the node is above the high \
         watermark cluster setting"
    );
    assert!(error.help().unwrap().starts_with("free disk space on the data nodes"), "{:?}", error.help());
    let requests = server.received_requests().await.unwrap();
    let explained = requests.iter().find(|request| request.url.path() == "/_cluster/allocation/explain").unwrap();
    let body: Value = serde_json::from_slice(&explained.body).unwrap();
    assert_eq!(body, json!({"index": "a", "shard": 1, "primary": true}));
}

#[tokio::test]
async fn an_index_whose_primaries_became_active_late_is_created() {
    let late = json!({"acknowledged": true, "shards_acknowledged": false, "index": "a"});
    let (server, client) = creating(late, json!([shard(0, "STARTED")])).await;
    client.indices().create_within("a", &NewIndex::default(), SHORT).await.unwrap();
    assert_eq!(asked(&server, "/_cluster/allocation/explain").await, 0);

    let (server, client) = creating(json!({"acknowledged": true, "shards_acknowledged": true}), json!([])).await;
    client.indices().create_within("a", &NewIndex::default(), SHORT).await.unwrap();
    assert_eq!(asked(&server, "/_cat/shards/a").await, 0);
}

#[tokio::test]
async fn a_real_index_without_a_node_is_an_error_and_fails_the_health() {
    let Some((client, scope)) = live("unallocated").await else { return };
    let name = format!("{}a", scope.prefix());
    let nowhere = settings(&json!({"index.routing.allocation.require._name": "no-such-node", "number_of_replicas": 0}));
    let error = client.indices().create_within(&name, &nowhere, SHORT).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotAllocated);
    assert!(error.to_string().contains("no-such-node"), "{error}");
    assert!(error.help().unwrap().starts_with("add a node that the allocation filters"), "{error:#}");
    assert!(client.indices().exists(&name).await.unwrap());

    let report = client.cluster().health_report().await.unwrap();
    assert_eq!(report.verdict, Verdict::Fail, "{report}");
    let of = |check: HealthCheck| -> Vec<&HealthFinding> {
        report.findings.iter().filter(|finding| finding.check == check).collect()
    };
    assert_eq!(of(HealthCheck::Status)[0].verdict, Verdict::Fail, "{report}");
    assert_eq!(of(HealthCheck::UnassignedShards)[0].verdict, Verdict::Fail, "{report}");
    assert!(of(HealthCheck::UnassignedShard)[0].help.is_some(), "{report}");
    for check in [HealthCheck::Heap, HealthCheck::Disk, HealthCheck::Breakers, HealthCheck::ShardLimit] {
        assert!(!of(check).is_empty() && of(check).iter().all(|finding| finding.verdict != Verdict::Skip), "{report}");
    }
    client.indices().delete(&name).await.unwrap();
}

#[tokio::test]
async fn a_report_skips_what_is_forbidden_and_fails_where_nothing_is_answered() {
    let server = mock_node().await;
    let health = json!({"status": "green", "number_of_nodes": 1, "number_of_data_nodes": 1, "active_shards": 3});
    answers(&server, "GET", "/_cluster/health", health).await;
    let denied = json!({"error": {"type": "security_exception", "reason": "no"}, "status": 403});
    Mock::given(method("GET")).respond_with(answer(403).set_body_json(denied)).with_priority(9).mount(&server).await;
    let client = Client::connect(at(&server.uri())).await.unwrap();
    let report = client.cluster().health_report().await.unwrap();
    assert_eq!(report.verdict, Verdict::Skip, "{report}");
    assert_eq!(report.findings[0].verdict, Verdict::Pass);
    server.reset().await;
    Mock::given(method("GET")).respond_with(answer(503)).mount(&server).await;
    assert_eq!(client.cluster().health_report().await.unwrap_err().kind(), ErrorKind::Unavailable);
}
