//! Clients that differ in credentials and headers, and share their connections.

use es_core::{Client, Credentials, ErrorKind, ExtraHeaders, Method, Request, Secret};
use serde_json::json;
use wiremock::Mock;
use wiremock::matchers::{header, path};

use crate::support::{answer, at, mock_node, of_node};

#[tokio::test]
async fn each_tenant_sends_its_own_credentials_and_headers() {
    let server = mock_node().await;
    Mock::given(path("/work")).respond_with(answer(200).set_body_json(json!({}))).mount(&server).await;
    let headers = ExtraHeaders::parse("X-Gateway-Token=gate,X-Opaque-Id=all").unwrap();
    let config = es_core::ClusterConfig {
        credentials: Credentials::Bearer(Secret::new("everyone")),
        headers,
        ..at(&server.uri())
    };
    let client = Client::connect(config).await.unwrap();
    let work = Request::new(Method::Get, "/work");
    let own = ExtraHeaders::parse("X-Opaque-Id=own").unwrap();
    let tenant = client.with_credentials(Credentials::Bearer(Secret::new("tenant"))).unwrap();
    client.send(&work).await.unwrap();
    tenant.send(&work).await.unwrap();
    tenant.with_headers(&own).unwrap().send(&work).await.unwrap();
    tenant.with_credentials(Credentials::None).unwrap().send(&work).await.unwrap();
    client.send(&work.clone().header("X-Opaque-Id", "once")).await.unwrap();
    client.send(&work.clone().query(String::from("a b"), 1)).await.unwrap();

    let requests = server.received_requests().await.unwrap();
    let requests: Vec<_> = requests.iter().filter(|request| request.url.path() == "/work").collect();
    let sent = |name: &str| -> Vec<String> {
        let values = requests.iter().map(|request| request.headers.get_all(name).iter());
        values.map(|values| values.map(|value| value.to_str().unwrap()).collect::<Vec<_>>().join("+")).collect()
    };
    let everyone = "Bearer everyone";
    assert_eq!(sent("authorization"), [everyone, "Bearer tenant", "Bearer tenant", "", everyone, everyone]);
    assert_eq!(sent("x-opaque-id"), ["all", "all", "own", "all", "once", "all"]);
    assert_eq!(sent("x-gateway-token"), ["gate"; 6]);
    assert_eq!(requests[5].url.query(), Some("a+b=1"));
}

#[tokio::test]
async fn an_error_names_the_credentials_of_the_tenant() {
    let server = mock_node().await;
    Mock::given(path("/work")).and(header("authorization", "Bearer a")).respond_with(answer(200)).mount(&server).await;
    Mock::given(path("/work")).respond_with(answer(401)).with_priority(9).mount(&server).await;
    let config = es_core::ClusterConfig { credentials: Credentials::Bearer(Secret::new("a")), ..at(&server.uri()) };
    let client = Client::connect(config).await.unwrap();
    let work = Request::new(Method::Get, "/work");
    let error = client.with_credentials(Credentials::api_key("b")).unwrap().send(&work).await.unwrap_err();
    assert_eq!(error.to_string(), format!("{} does not accept the credentials (an API key)", server.uri()));
    client.send(&work).await.unwrap();
    let error = client.with_credentials(Credentials::Bearer(Secret::new("a\nb"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}

#[tokio::test]
async fn a_wrong_password_fails_its_tenant_alone() {
    let Some(node) = es_testing::secure().await else { return };
    let client = Client::connect(of_node(&node)).await.unwrap();
    let user = node.username.clone().unwrap_or_else(|| "elastic".to_owned());
    let wrong = Credentials::Basic { user, password: Secret::new("canary") };
    let error = client.with_credentials(wrong).unwrap().cluster().health().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    client.cluster().health().await.unwrap();
}
