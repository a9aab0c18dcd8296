//! No secret shows in anything that is printed.

use es_core::{Client, ClusterConfig, Credentials, Secret};
use wiremock::matchers::{any, header};
use wiremock::{Mock, MockServer};

use crate::support::{answer, at, hello, raw_server};

/// "canary" in base64, as it stands at the start of a longer text, and as it is.
const TRACES: [&str; 4] = ["canary", "Y2FuYXJ5", "OmNhbmFyeQ", "ZWxhc3RpYzpjYW5hcnk"];

fn without_traces(text: &str) {
    for trace in TRACES {
        assert!(!text.contains(trace), "{trace} shows in {text}");
    }
}

fn all_credentials() -> [Credentials; 3] {
    [
        Credentials::Basic { user: "elastic".into(), password: Secret::new("canary") },
        Credentials::api_key("canary:canary"),
        Credentials::Bearer(Secret::new("canary")),
    ]
}

#[tokio::test]
async fn configurations_clients_and_errors_keep_secrets() {
    let refusing = MockServer::start().await;
    let body = serde_json::json!({"error": {"type": "security_exception", "reason": "no"}, "status": 401});
    Mock::given(any()).respond_with(answer(401).set_body_json(body)).mount(&refusing).await;
    let accepting = MockServer::start().await;
    Mock::given(any()).respond_with(answer(200).set_body_json(hello("9.4.3"))).mount(&accepting).await;
    let (broken, _) = raw_server(b"").await;
    let dead = crate::support::dead_port().await;
    for credentials in all_credentials() {
        let config = |url: &str| ClusterConfig { credentials: credentials.clone(), ..at(url) };
        without_traces(&format!("{:?} {:#?}", config("localhost:1"), config("localhost:1")));
        let client = Client::connect(config(&accepting.uri())).await.unwrap();
        without_traces(&format!("{client:?} {client:#?}"));
        for url in [refusing.uri(), format!("http://127.0.0.1:{broken}"), format!("http://127.0.0.1:{dead}")] {
            let error = Client::connect(config(&url)).await.unwrap_err();
            without_traces(&format!("{error} {error:?} {error:#?} {:?} {:?}", error.help(), error.node()));
        }
    }
}

#[tokio::test]
async fn a_password_in_an_address_is_used_and_kept() {
    let server = MockServer::start().await;
    let right = "Basic ZWxhc3RpYzpjYW5hcnk=";
    let accepted = answer(200).set_body_json(hello("9.4.3"));
    Mock::given(header("authorization", right)).respond_with(accepted).mount(&server).await;
    Mock::given(any()).respond_with(answer(401)).with_priority(9).mount(&server).await;

    let config = at(&server.uri().replace("http://", "http://elastic:canary@"));
    without_traces(&format!("{config:?} {config:#?}"));
    let client = Client::connect(config).await.unwrap();
    without_traces(&format!("{client:?} {client:#?}"));

    let wrong = at(&server.uri().replace("http://", "http://elastic:canary2@"));
    let error = Client::connect(wrong).await.unwrap_err();
    assert_eq!(error.to_string(), format!("{} does not accept the credentials (user elastic)", server.uri()));
    without_traces(&format!("{error:?} {error:#?}"));
}

#[tokio::test]
async fn credentials_that_are_set_win_over_the_address() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(answer(200).set_body_json(hello("9.4.3"))).mount(&server).await;
    let address = server.uri().replace("http://", "http://other:word@");
    let config = ClusterConfig { credentials: Credentials::Bearer(Secret::new("token")), ..at(&address) };
    Client::connect(config).await.unwrap();
    let requests = server.received_requests().await.unwrap();
    let sent: Vec<_> = requests[0].headers.get_all("authorization").iter().collect();
    assert_eq!(sent, ["Bearer token"]);
}
