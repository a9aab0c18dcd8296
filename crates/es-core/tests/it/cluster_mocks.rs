//! The cluster APIs against answers that the nodes of the tests do not give: other versions,
//! other licences.

use std::time::Duration;

use es_core::cluster::{Availability, Capability, LicenceAnswer, Security};
use es_core::{Client, ErrorKind, HealthStatus, HealthWait};
use serde_json::{Value, json};
use wiremock::matchers::{method, path, query_param};
use wiremock::{Mock, MockServer};

use crate::support::{answer, asked, at, mock_node};

async fn client(server: &MockServer) -> Client {
    Client::connect(at(&server.uri())).await.unwrap()
}

async fn answers(server: &MockServer, at: &str, status: u16, body: Value) {
    Mock::given(path(at)).respond_with(answer(status).set_body_json(body)).mount(server).await;
}

fn health(status: &str, timed_out: bool) -> Value {
    json!({
        "cluster_name": "mock", "status": status, "timed_out": timed_out, "number_of_nodes": 1,
        "number_of_data_nodes": 1, "active_shards": 1, "unassigned_shards": 1, "number_of_pending_tasks": 3,
        "task_max_waiting_in_queue_millis": 12,
    })
}

#[tokio::test]
async fn a_time_out_of_health_may_be_a_status_or_stand_in_the_body() {
    for status in [200, 408] {
        let server = mock_node().await;
        let late = answer(status).set_body_json(health("yellow", true));
        Mock::given(method("GET"))
            .and(path("/_cluster/health/a"))
            .and(query_param("wait_for_status", "green"))
            .and(query_param("timeout", "100ms"))
            .respond_with(late)
            .expect(1)
            .mount(&server)
            .await;
        Mock::given(path("/_cluster/health/a"))
            .and(query_param("timeout", "0ms"))
            .respond_with(answer(200).set_body_json(health("yellow", false)))
            .expect(u64::from(status == 408))
            .mount(&server)
            .await;
        let client = client(&server).await;
        let limit = Duration::from_millis(100);
        let waited = client.cluster().wait_for_health(Some("a"), HealthStatus::Green, limit).await.unwrap();
        let HealthWait::TimedOut(health) = waited else { panic!("{status}: {waited:?}") };
        assert_eq!((health.status, health.timed_out, health.pending_tasks), (HealthStatus::Yellow, true, 3));
        assert_eq!((health.unassigned_primary_shards, health.longest_wait_ms), (None, 12));
    }
}

#[tokio::test]
async fn a_health_that_cannot_be_read_is_an_error() {
    let server = mock_node().await;
    answers(&server, "/_cluster/health", 200, json!({"status": "mauve"})).await;
    let error = client(&server).await.cluster().health().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
}

#[tokio::test]
async fn one_request_answers_for_the_features_that_it_lists() {
    let server = mock_node().await;
    // In the form of the Info API's reference; ES|QL is not among the features it lists.
    let info = json!({
        "license": {"uid": "u", "type": "basic", "mode": "basic", "status": "active"},
        "features": {
            "sql": {"available": true, "enabled": true},
            "ilm": {"available": true, "enabled": true},
            "data_streams": {"available": true, "enabled": true},
            "ml": {"available": false, "enabled": true},
            "transform": {"available": true, "enabled": false},
        },
    });
    answers(&server, "/_xpack", 200, info).await;
    answers(&server, "/_query", 200, json!({"columns": [], "values": []})).await;
    let languages =
        json!({"types_allowed": ["stored"], "language_contexts": [{"language": "painless", "contexts": []}]});
    answers(&server, "/_script_language", 200, languages).await;
    let client = client(&server).await;
    let found = client.cluster().capabilities().await;
    for capability in [Capability::Sql, Capability::LifecycleManagement, Capability::DataStreams, Capability::Esql] {
        assert!(found.has(capability), "{capability}: {found:?}");
    }
    assert_eq!(found.of(Capability::MachineLearning), &Availability::NotLicensed { licence: "basic".into() });
    assert!(matches!(found.of(Capability::Transforms), Availability::Missing { .. }));
    assert!(matches!(found.of(Capability::Scripting), Availability::Missing { .. }));
    assert_eq!(client.cluster().capabilities().await, found);
    for path in ["/_xpack", "/_query", "/_script_language"] {
        assert_eq!(asked(&server, path).await, 1, "{path}");
    }
    for path in ["/_sql", "/_ml/info", "/_license"] {
        assert_eq!(asked(&server, path).await, 0, "{path}");
    }
}

#[tokio::test]
async fn an_unknown_capability_is_requested_again() {
    let server = mock_node().await;
    for at in ["/_xpack", "/_query", "/_sql", "/_ilm/status", "/_ml/info", "/_license", "/_script_language"] {
        answers(&server, at, 500, json!({"error": {"type": "exception", "reason": "broken"}, "status": 500})).await;
    }
    let client = client(&server).await;
    let found = client.cluster().capabilities().await;
    assert!(matches!(found.of(Capability::Sql), Availability::Unknown { .. }), "{found:?}");
    client.cluster().capabilities().await;
    assert_eq!(asked(&server, "/_sql").await, 2);
}

#[tokio::test]
async fn licences_and_security_that_are_not_here() {
    let server = mock_node().await;
    let absent =
        |what: &str, method: &str| json!({"error": format!("no handler found for uri [{what}] and method [{method}]")});
    answers(&server, "/_license", 400, absent("/_license", "GET")).await;
    answers(&server, "/_security/_authenticate", 400, absent("/_security/_authenticate", "GET")).await;
    let refused = json!({"error": "Incorrect HTTP method for uri [/_security/user/_has_privileges] and method [POST], allowed: [GET]", "status": 405});
    answers(&server, "/_security/user/_has_privileges", 405, refused).await;
    let client = client(&server).await;
    let licence = client.cluster().licence().await.unwrap();
    assert!(matches!(licence, LicenceAnswer::NotHere(ref why) if why.contains("no handler")), "{licence:?}");
    assert_eq!(client.cluster().who_am_i().await.unwrap(), Security::Disabled);
    assert_eq!(client.cluster().missing_privileges(&Default::default()).await.unwrap(), Security::Disabled);

    let young = mock_node().await;
    answers(&young, "/_license", 404, json!({})).await;
    let refused = json!({"error": {"type": "exception", "reason": "broken"}, "status": 500});
    answers(&young, "/_security/_authenticate", 500, refused).await;
    let client = self::client(&young).await;
    assert_eq!(client.cluster().licence().await.unwrap(), LicenceAnswer::None);
    assert_eq!(client.cluster().who_am_i().await.unwrap_err().kind(), ErrorKind::Server);
}
