//! The requests that each call sends: method, path, query and body.

use std::time::Duration;

use es_core::data_streams::DataLifecycle;
use es_core::indices::{RolloverConditions, RolloverMode};
use es_core::lifecycle::LifecyclePolicy;
use es_core::reindex::Reindex;
use es_core::snapshots::{NewSnapshot, Repository, Restore};
use es_core::tasks::TaskId;
use es_core::templates::{ComponentTemplate, IndexTemplate};
use es_core::{AliasAction, AliasOptions, Client, ForceMerge, Mapping, NewIndex, Wait};
use serde_json::{Map, Value, json};
use wiremock::matchers::{any, method};
use wiremock::{Mock, MockServer};

use crate::support::{answer, at, mock_node};

/// The requests since the last call, as `METHOD path?query body`.
async fn sent(server: &MockServer) -> Vec<String> {
    let line = |request: &wiremock::Request| {
        let query = request.url.query().map(|query| format!("?{query}")).unwrap_or_default();
        let body = String::from_utf8_lossy(&request.body);
        format!("{} {}{query} {body}", request.method, request.url.path()).trim_end().to_owned()
    };
    let lines = server.received_requests().await.unwrap().iter().map(line).filter(|line| line != "GET /").collect();
    server.reset().await;
    // An answer that most calls cannot read: only the request is checked.
    Mock::given(method("HEAD")).respond_with(answer(404)).with_priority(1).mount(server).await;
    Mock::given(any()).respond_with(answer(200).set_body_json(json!({}))).mount(server).await;
    lines
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

async fn mocked() -> (MockServer, Client) {
    let server = mock_node().await;
    let client = Client::connect(at(&server.uri())).await.unwrap();
    sent(&server).await;
    (server, client)
}

/// Makes a call, ignores its result, and compares the request.
async fn check<T>(server: &MockServer, call: impl Future<Output = Result<T, es_core::Error>>, lines: &[&str]) {
    let _ = call.await;
    assert_eq!(sent(server).await, lines);
}

#[tokio::test]
async fn requests_to_indices_and_aliases() {
    let (server, client) = mocked().await;
    let indices = client.indices();
    let mapping: Mapping = serde_json::from_value(json!({"properties": {"n": {"type": "long"}}})).unwrap();
    let new = NewIndex { settings: object(json!({"number_of_shards": 2})), mapping: mapping.clone() };
    let (settings, query) = (object(json!({"refresh_interval": null})), json!({"term": {"n": 1}}));
    let (index, alias) = ("a-1".to_owned(), "a b".to_owned());
    let options = AliasOptions { is_write_index: Some(true), ..AliasOptions::default() };
    let actions = [
        AliasAction::Add { index: index.clone(), alias: alias.clone() },
        AliasAction::AddWith { index: index.clone(), alias: alias.clone(), options },
        AliasAction::Remove { index, alias },
    ];
    let conditions = RolloverConditions {
        max_age: Some(Duration::from_secs(86_400)),
        max_primary_shard_size: Some(50 << 30),
        ..RolloverConditions::default()
    };
    let now = RolloverConditions::default();
    check(
        &server,
        indices.create("a", &new),
        &[r#"PUT /a?timeout=30000ms {"settings":{"number_of_shards":2},"mappings":{"properties":{"n":{"type":"long"}}}}"#],
    )
    .await;
    check(&server, indices.exists("a"), &["HEAD /a"]).await;
    check(&server, indices.describe("a*"), &["GET /a*?expand_wildcards=open%2Chidden&ignore_unavailable=true"]).await;
    check(&server, indices.put_mapping("a", &mapping), &[r#"PUT /a/_mapping {"properties":{"n":{"type":"long"}}}"#])
        .await;
    check(&server, indices.put_settings("a", &settings), &[r#"PUT /a/_settings {"index":{"refresh_interval":null}}"#])
        .await;
    check(&server, indices.count("a"), &[r#"POST /a/_count {"query":{"match_all":{}}}"#]).await;
    check(&server, indices.count_matching("a", &query), &[r#"POST /a/_count {"query":{"term":{"n":1}}}"#]).await;
    check(&server, indices.delete("a"), &["DELETE /a?expand_wildcards=none"]).await;
    check(&server, indices.refresh("a"), &["POST /a/_refresh"]).await;
    check(&server, indices.flush("a"), &["POST /a/_flush"]).await;
    check(
        &server,
        indices.start_force_merge("a", ForceMerge::ToSegments(1)),
        &["POST /a/_forcemerge?wait_for_completion=false&max_num_segments=1"],
    )
    .await;
    check(
        &server,
        indices.start_force_merge("a", ForceMerge::ExpungeDeletes),
        &["POST /a/_forcemerge?wait_for_completion=false&only_expunge_deletes=true"],
    )
    .await;
    check(
        &server,
        indices.start_force_merge("a", ForceMerge::IfNeeded),
        &["POST /a/_forcemerge?wait_for_completion=false"],
    )
    .await;
    check(&server, indices.alias("a b"), &["GET /_alias/a%20b?expand_wildcards=all"]).await;
    check(
        &server,
        indices.update_aliases(&actions),
        &[concat!(
            r#"POST /_aliases {"actions":[{"add":{"index":"a-1","alias":"a b"}},"#,
            r#"{"add":{"is_write_index":true,"index":"a-1","alias":"a b"}},"#,
            r#"{"remove":{"index":"a-1","alias":"a b","must_exist":false}}]}"#,
        )],
    )
    .await;
    check(
        &server,
        indices.rollover("a", None, &conditions, RolloverMode::Make),
        &[r#"POST /a/_rollover {"conditions":{"max_age":"1d","max_primary_shard_size":"50gb"}}"#],
    )
    .await;
    check(&server, indices.rollover("a", Some("b"), &now, RolloverMode::DryRun), &["POST /a/_rollover/b?dry_run=true"])
        .await;
}

#[tokio::test]
async fn requests_to_templates_and_policies() {
    let (server, client) = mocked().await;
    let (templates, streams, policies) = (client.templates(), client.data_streams(), client.lifecycle());
    let template = IndexTemplate { priority: Some(5), ..IndexTemplate::new(["a-*"]) };
    let component = ComponentTemplate { version: Some(1), ..ComponentTemplate::default() };
    let keep = DataLifecycle::keep(Duration::from_secs(7 * 86_400));
    let policy = LifecyclePolicy::roll_and_keep(
        RolloverConditions { max_docs: Some(9), ..RolloverConditions::default() },
        Duration::from_secs(86_400),
    );
    check(
        &server,
        templates.put("t", &template),
        &[r#"PUT /_index_template/t {"index_patterns":["a-*"],"template":{},"priority":5}"#],
    )
    .await;
    check(&server, templates.get("t"), &["GET /_index_template/t"]).await;
    check(&server, templates.list("t*"), &["GET /_index_template/t*"]).await;
    check(&server, templates.exists("t"), &["HEAD /_index_template/t"]).await;
    check(&server, templates.delete("t"), &["DELETE /_index_template/t"]).await;
    check(&server, templates.delete("t*"), &[]).await;
    check(
        &server,
        templates.put_component("c", &component),
        &[r#"PUT /_component_template/c {"template":{},"version":1}"#],
    )
    .await;
    check(&server, templates.get_component("c"), &["GET /_component_template/c"]).await;
    check(&server, templates.list_components("c*"), &["GET /_component_template/c*"]).await;
    check(&server, templates.component_exists("c"), &["HEAD /_component_template/c"]).await;
    check(&server, templates.delete_component("c"), &["DELETE /_component_template/c"]).await;
    check(&server, templates.simulate("a-1"), &["POST /_index_template/_simulate_index/a-1"]).await;
    check(&server, streams.create("s"), &["PUT /_data_stream/s"]).await;
    check(&server, streams.get("s"), &["GET /_data_stream/s?expand_wildcards=all"]).await;
    check(&server, streams.delete("s"), &["DELETE /_data_stream/s?expand_wildcards=none"]).await;
    check(&server, streams.delete("s,t"), &[]).await;
    check(&server, streams.rollover("s", &RolloverConditions::default()), &["POST /s/_rollover"]).await;
    check(&server, streams.put_lifecycle("s", &keep), &[r#"PUT /_data_stream/s/_lifecycle {"data_retention":"7d"}"#])
        .await;
    check(&server, streams.lifecycle("s"), &["GET /_data_stream/s/_lifecycle"]).await;
    check(&server, streams.delete_lifecycle("s"), &["DELETE /_data_stream/s/_lifecycle"]).await;
    check(
        &server,
        policies.put("p", &policy),
        &[concat!(
            r#"PUT /_ilm/policy/p {"policy":{"phases":{"hot":{"actions":{"rollover":{"max_docs":9}}},"#,
            r#""delete":{"min_age":"1d","actions":{"delete":{}}}}}}"#,
        )],
    )
    .await;
    check(&server, policies.get("p"), &["GET /_ilm/policy/p"]).await;
    check(&server, policies.list(), &["GET /_ilm/policy"]).await;
    check(&server, policies.delete("p"), &["DELETE /_ilm/policy/p"]).await;
    check(&server, policies.delete("*"), &[]).await;
    check(&server, policies.explain("a*"), &["GET /a*/_ilm/explain"]).await;
    check(&server, policies.retry("a"), &["POST /a/_ilm/retry"]).await;
    check(&server, policies.status(), &["GET /_ilm/status"]).await;
}

#[tokio::test]
async fn requests_to_tasks_and_snapshots() {
    let (server, client) = mocked().await;
    let (tasks, id, snapshots) = (client.tasks(), TaskId::new("n-1:7"), client.snapshots("r"));
    let copy = Reindex::new("a", "b").documents_per_second(100.0);
    let restore = Restore::new("a", "b");
    let (wait, limit) = (Wait::default(), Duration::from_secs(1));
    check(
        &server,
        client.start_reindex(&copy),
        &[concat!(
            "POST /_reindex?wait_for_completion=false&slices=1&refresh=true&requests_per_second=100 ",
            r#"{"source":{"index":["a"],"size":1000},"dest":{"index":"b"}}"#,
        )],
    )
    .await;
    check(&server, tasks.get(&id), &["GET /_tasks/n%2D1%3A7"]).await;
    check(&server, tasks.list("*reindex"), &["GET /_tasks?actions=*reindex&detailed=true&group_by=none"]).await;
    check(&server, tasks.cancel(&id), &["POST /_tasks/n%2D1%3A7/_cancel?group_by=none"]).await;
    check(
        &server,
        snapshots.register(&Repository::fs("/x")),
        &[r#"PUT /_snapshot/r {"type":"fs","settings":{"location":"/x"}}"#],
    )
    .await;
    check(&server, snapshots.verify(), &["POST /_snapshot/r/_verify"]).await;
    check(&server, snapshots.repository(), &["GET /_snapshot/r"]).await;
    check(&server, snapshots.unregister(), &["DELETE /_snapshot/r"]).await;
    check(
        &server,
        snapshots.take("s", &NewSnapshot::of(["a"]), &wait, |_| ()),
        &[
            concat!(
                "PUT /_snapshot/r/s?wait_for_completion=false ",
                r#"{"indices":["a"],"include_global_state":false,"ignore_unavailable":false,"partial":false}"#,
            ),
            "GET /_snapshot/r/s/_status",
        ],
    )
    .await;
    check(&server, snapshots.get("s"), &["GET /_snapshot/r/s"]).await;
    check(
        &server,
        snapshots.list("s*", 5),
        &["GET /_snapshot/r/s*?sort=start_time&order=desc&size=5&ignore_unavailable=true"],
    )
    .await;
    check(&server, snapshots.delete("s", limit), &["DELETE /_snapshot/r/s"]).await;
    check(
        &server,
        snapshots.restore("s", &restore, &wait, |_| ()),
        &[
            "HEAD /b",
            concat!(
                "POST /_snapshot/r/s/_restore?wait_for_completion=false ",
                r#"{"indices":"a","rename_pattern":"^.+$","rename_replacement":"b","include_global_state":false,"#,
                r#""include_aliases":false,"index_settings":{},"ignore_index_settings":[]}"#,
            ),
            "GET /_cat/shards/b?format=json&h=prirep%2Cstate%2Cunassigned.reason%2Cunassigned.details",
        ],
    )
    .await;
}
