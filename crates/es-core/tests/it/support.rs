//! Configurations, live clients, and servers that answer as a test needs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use es_core::{Backoff, Client, ClusterConfig, Credentials, Endpoint, Method, Request, RetryPolicy, Secret};
use es_testing::{Node, Scope};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

/// A configuration for one or more addresses, impatient enough for a test.
pub(crate) fn at(hosts: &str) -> ClusterConfig {
    ClusterConfig {
        endpoint: Endpoint::hosts(hosts).unwrap(),
        connect_timeout: Duration::from_secs(5),
        request_timeout: Duration::from_secs(20),
        retry: RetryPolicy {
            max: 3,
            total: Duration::from_secs(10),
            backoff: Backoff { first: Duration::from_millis(5), longest: Duration::from_millis(20) },
        },
        ..ClusterConfig::default()
    }
}

/// The configuration for a node of the test run.
pub(crate) fn of_node(node: &Node) -> ClusterConfig {
    let mut config = at(&node.url);
    config.tls.ca_cert = node.ca_cert_path.clone();
    config.credentials = match (&node.api_key, &node.username, &node.password) {
        (Some(key), _, _) => Credentials::api_key(key),
        (None, Some(user), Some(password)) => {
            Credentials::Basic { user: user.clone(), password: Secret::new(password.clone()) }
        }
        _ => Credentials::None,
    };
    config
}

/// A client of the plain node with names of the test's own, or nothing where there is no node.
pub(crate) async fn live(test: &str) -> Option<(Client, Scope)> {
    let node = es_testing::plain().await?;
    let client = Client::connect(of_node(&node)).await.unwrap();
    Some((client, Scope::new(&node, test)))
}

/// The answer of a node to `GET /`.
pub(crate) fn hello(version: &str) -> Value {
    json!({
        "name": "mock", "cluster_name": "mock", "cluster_uuid": "vSxLkM3uQ0mJ",
        "version": {"number": version}, "tagline": "You Know, for Search",
    })
}

/// An answer with the header by which Elasticsearch identifies itself.
pub(crate) fn answer(status: u16) -> ResponseTemplate {
    ResponseTemplate::new(status).insert_header("X-Elastic-Product", "Elasticsearch")
}

/// A server that a client accepts as Elasticsearch; the test adds other answers.
pub(crate) async fn mock_node() -> MockServer {
    // Not one of the pool, whose servers go on answering when they are dropped.
    let server = MockServer::builder().start().await;
    let hello = answer(200).set_body_json(hello("9.4.3"));
    Mock::given(method("GET")).and(path("/")).respond_with(hello).mount(&server).await;
    server
}

/// The number of requests to a path.
pub(crate) async fn asked(server: &MockServer, path: &str) -> usize {
    let requests = server.received_requests().await.unwrap();
    requests.iter().filter(|request| request.url.path() == path).count()
}

/// A TCP server that answers `GET /` like a node where `known` says so, and everything else
/// with `reply`, and hangs up. Returns its port and the number of other requests so far.
async fn tcp_server(known: bool, reply: &'static [u8]) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = requests.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let counter = counter.clone();
            tokio::spawn(async move {
                let mut received = [0; 4096];
                let read = stream.read(&mut received).await.unwrap_or(0);
                if known && received[..read].starts_with(b"GET / HTTP") {
                    let body = hello("9.4.3").to_string();
                    let head = "HTTP/1.1 200 OK\r\nX-Elastic-Product: Elasticsearch\r\nConnection: close\r\n";
                    let whole = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
                    let _ = stream.write_all(whole.as_bytes()).await;
                } else {
                    counter.fetch_add(1, Ordering::SeqCst);
                    let _ = stream.write_all(reply).await;
                }
                let _ = stream.shutdown().await;
            });
        }
    });
    (port, requests)
}

/// A server that says `reply` to everything and hangs up; its port, and the requests so far.
pub(crate) async fn raw_server(reply: &'static [u8]) -> (u16, Arc<AtomicUsize>) {
    tcp_server(false, reply).await
}

/// A node that answers `GET /`, and everything else with `reply` before it hangs up.
pub(crate) async fn breaking_node(reply: &'static [u8]) -> (Client, Arc<AtomicUsize>) {
    let (port, requests) = tcp_server(true, reply).await;
    let client = Client::connect(at(&format!("127.0.0.1:{port}"))).await.unwrap();
    (client, requests)
}

/// A port of this machine on which nothing listens.
pub(crate) async fn dead_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

/// Returns `true` if the node has a module. The bare distribution of 8.19 has neither scripts nor
/// reindex, which every complete one has.
pub(crate) async fn has_module(client: &Client, module: &str) -> bool {
    let request = Request::new(Method::Get, "/_nodes/plugins").query("filter_path", "nodes.*.modules.name");
    let modules: Value = client.send(&request).await.unwrap().json().unwrap();
    let has = modules.to_string().contains(&format!("\"{module}\""));
    if !has {
        println!("not tested: the node has no module {module}");
    }
    has
}
