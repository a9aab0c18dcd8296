//! No secret shows in anything that is printed.

use es_core::{Client, ClusterConfig, Credentials, ExtraHeaders, Method, Request, Secret, Sniffing, Verification};
use wiremock::matchers::{any, header};
use wiremock::{Mock, MockServer};

use crate::logs::{TRACES, logs};
use crate::support::{answer, at, hello, raw_server};
use crate::tls_server::{Authority, serve, trusting};

fn without_traces(text: &str) {
    for trace in TRACES {
        assert!(!text.contains(trace), "{trace} shows in {text}");
    }
}

fn all_credentials() -> [Credentials; 5] {
    [
        Credentials::ServiceToken(Secret::new("canary")),
        Credentials::api_key_pair("id", &Secret::new("canary")),
        Credentials::Basic { user: "elastic".into(), password: Secret::new("canary") },
        Credentials::api_key("canary:canary"),
        Credentials::Bearer(Secret::new("canary")),
    ]
}

#[tokio::test]
async fn logs_at_their_most_talkative_keep_secrets() {
    let logs = logs();
    tracing::trace!("the watch sees {}", TRACES[0]);
    assert!(logs.leaks().iter().any(|line| line.contains("the watch sees")));

    let accepting = MockServer::start().await;
    Mock::given(any()).respond_with(answer(200).set_body_json(hello("9.4.3"))).mount(&accepting).await;
    let refusing = MockServer::start().await;
    Mock::given(any()).respond_with(answer(401)).mount(&refusing).await;
    let authority = Authority::new("one");
    let signed = authority.sign("127.0.0.1");
    let tls_port = serve(&signed.key, vec![signed.der()]);
    let (broken, _) = raw_server(b"").await;
    let dead = crate::support::dead_port().await;
    let with_user = |url: String| url.replace("http://", "http://user:canary@");
    let urls = [
        accepting.uri(),
        with_user(accepting.uri()),
        refusing.uri(),
        format!("https://127.0.0.1:{tls_port}"),
        format!("http://127.0.0.1:{broken}"),
        with_user(format!("http://127.0.0.1:{dead}")),
    ];
    for proxy in [None, Some(with_user(accepting.uri())), Some(with_user(format!("http://127.0.0.1:{dead}")))] {
        for credentials in all_credentials() {
            for url in &urls {
                let config = ClusterConfig {
                    credentials: credentials.clone(),
                    proxy: proxy.as_ref().map(|proxy| proxy.parse().unwrap()),
                    headers: ExtraHeaders::default().with("X-Gateway-Token", Secret::new("canary")).unwrap(),
                    tls: trusting(&authority, Verification::Full),
                    sniffing: Sniffing::AtStart,
                    compression: true,
                    ..at(url)
                };
                without_traces(&format!("{config:?} {config:#?}"));
                let body = "a body is no secret, and no log is the place for it".repeat(50);
                match Client::connect(config.clone()).await {
                    Ok(client) => {
                        let request = Request::new(Method::Post, "/a/_doc").json(&body);
                        let _ = client.send(&request).await;
                        without_traces(&format!("{client:?} {client:#?}"));
                    }
                    Err(error) => without_traces(&format!("{error} {error:?} {error:#?} {:?}", error.help())),
                }
                without_traces(&format!("{:?}", es_core::probe::probe(&config).await));
            }
        }
    }
    assert!(logs.lines() > 500, "{}", logs.lines());
    let leaks: Vec<String> = logs.leaks().into_iter().filter(|line| !line.contains("the watch sees")).collect();
    assert_eq!(leaks, [""; 0]);
}

#[tokio::test]
async fn panics_keep_secrets() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(answer(401)).mount(&server).await;
    for credentials in all_credentials() {
        let config = ClusterConfig { credentials, ..at(&server.uri()) };
        let task = tokio::spawn(async move { Client::connect(config).await.map(|_| ()).expect("the panic of a test") });
        let panic = task.await.unwrap_err().into_panic();
        let message = panic.downcast_ref::<String>().unwrap();
        let refused = format!("the panic of a test: {} does not accept the credentials", server.uri());
        assert!(message.starts_with(&refused) && message.contains("\nhelp: "), "{message}");
        without_traces(message);
    }
}

#[tokio::test]
async fn extra_headers_are_sent_and_kept() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(answer(200).set_body_json(hello("9.4.3"))).mount(&server).await;
    let headers = ExtraHeaders::parse("X-Gateway-Token=canary,X-Opaque-Id=run-7").unwrap();
    let config = ClusterConfig { headers, ..at(&server.uri()) };
    without_traces(&format!("{config:?} {config:#?}"));
    Client::connect(config).await.unwrap();
    let request = &server.received_requests().await.unwrap()[0];
    assert_eq!(
        (&request.headers["x-gateway-token"], &request.headers["x-opaque-id"]),
        (&"canary".parse().unwrap(), &"run-7".parse().unwrap())
    );
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
