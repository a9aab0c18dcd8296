//! A real node behind a proxy that breaks connections: the error of the client, and the effect on the node.

use std::time::{Duration, Instant};

use es_core::{Client, ClusterConfig, Error, ErrorKind, Method, NewIndex, Request};
use es_testing::{ConnectionFault, Fault, FaultProxy, Node, Scope};
use serde_json::json;

use crate::support::{at, of_node};

/// The limit of a request that is never answered.
const LIMIT: Duration = Duration::from_millis(300);
/// Less than the limits that hold where none is given: only what hangs takes so long.
const HANG: Duration = Duration::from_secs(25);

struct Setup {
    node: Node,
    proxy: FaultProxy,
    client: Client,
    index: String,
    _scope: Scope,
}

async fn setup(test: &str) -> Option<Setup> {
    let node = es_testing::plain().await.filter(|node| node.url.starts_with("http://"))?;
    let scope = Scope::new(&node, test);
    let index = format!("{}a", scope.prefix());
    let direct = Client::connect(of_node(&node)).await.unwrap();
    direct.indices().create(&index, &NewIndex::default()).await.unwrap();
    let proxy = FaultProxy::before(&node.url).await;
    let client = Client::connect(at(&proxy.url())).await.unwrap();
    Some(Setup { node, proxy, client, index, _scope: scope })
}

impl Setup {
    async fn count(&self) -> u64 {
        self.node.get(&format!("/{}/_refresh", self.index)).await;
        self.node.get(&format!("/{}/_count", self.index)).await["count"].as_u64().unwrap()
    }

    /// Adds a document under a name that the server makes up: twice is one too many.
    fn add(&self) -> Request {
        Request::new(Method::Post, format!("/{}/_doc", self.index)).json(&json!({"a": 1}))
    }

    /// Writes a document under a name of its own: twice is as good as once.
    fn put(&self) -> Request {
        Request::new(Method::Put, format!("/{}/_doc/1", self.index)).json(&json!({"a": 1})).repeatable()
    }
}

/// Sends a request that must fail before long.
async fn soon(client: &Client, request: &Request) -> Error {
    let started = Instant::now();
    let error = client.send(request).await.unwrap_err();
    assert!(started.elapsed() < HANG, "{error} after {:?}", started.elapsed());
    error
}

#[tokio::test]
async fn what_may_have_been_applied_is_reported_and_not_sent_twice() {
    let Some(test) = setup("lost_replies").await else { return };
    let faults = [Fault::DropReply, Fault::Truncate(60), Fault::StallAfter(60), Fault::Rewrite(503), Fault::Stall];
    let ends = [
        (ErrorKind::Interrupted, HANG),
        (ErrorKind::Interrupted, HANG),
        (ErrorKind::TimedOut, LIMIT),
        (ErrorKind::Unavailable, HANG),
        (ErrorKind::TimedOut, LIMIT),
    ];
    test.proxy.script_for("/_doc", faults);
    for (sent, (fault, (kind, limit))) in faults.iter().zip(ends).enumerate() {
        let error = soon(&test.client, &test.add().timeout(limit)).await;
        assert_eq!(error.kind(), kind, "{fault:?}: {error}");
        assert_eq!(test.proxy.seen("/_doc"), sent + 1, "{fault:?}");
        let help = error.help().unwrap();
        assert!(help.ends_with("the request may have been applied: check before sending it again"), "{help}");
    }
    // All but the stalled one arrived, and each of them once. The client may have given up before the
    // node answered.
    while test.proxy.forwarded("/_doc") < 4 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!((test.count().await, test.proxy.forwarded("/_doc"), test.proxy.unused()), (4, 4, 0));
}

#[tokio::test]
async fn what_may_be_repeated_is_applied_in_the_end() {
    let Some(test) = setup("repeated").await else { return };
    for fault in [Fault::DropReply, Fault::Truncate(60), Fault::Reset, Fault::Rewrite(502), Fault::Answer(503)] {
        let before = test.proxy.seen("/_doc/1");
        test.proxy.script_for("/_doc/1", [fault, fault]);
        let response = test.client.send(&test.put()).await.unwrap();
        assert!(matches!(response.status(), 200 | 201), "{fault:?}");
        assert_eq!(test.proxy.seen("/_doc/1"), before + 3, "{fault:?}");
    }
    assert_eq!((test.count().await, test.proxy.unused()), (1, 0));
}

#[tokio::test]
async fn what_certainly_did_not_arrive_is_sent_again() {
    let Some(test) = setup("not_arrived").await else { return };
    test.proxy.script_for("/_doc", [Fault::Answer(429), Fault::Answer(429)]);
    test.client.send(&test.add()).await.unwrap();
    assert_eq!((test.count().await, test.proxy.seen("/_doc")), (1, 3));
    // A node that is down takes nothing, so even this may wait for it.
    test.proxy.shut().await;
    let adding = tokio::spawn({
        let (client, request) = (test.client.clone(), test.add());
        async move { client.send(&request).await }
    });
    tokio::task::yield_now().await;
    test.proxy.open().await;
    adding.await.unwrap().unwrap();
    assert_eq!(test.count().await, 2);
}

#[tokio::test]
async fn stalled_and_half_open_connections_end_in_time() {
    let Some(test) = setup("stalls").await else { return };
    let search = || Request::new(Method::Get, format!("/{}/_search", test.index)).retry(es_core::RetryPolicy::NEVER);
    let slow = Fault::Drip(Duration::from_secs(1));
    test.proxy.script_for("/_search", [Fault::Stall, Fault::StallAfter(0), Fault::StallAfter(100), slow]);
    for _ in 0..4 {
        let error = soon(&test.client, &search().timeout(LIMIT)).await;
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
        assert_eq!(error.to_string(), format!("{} did not answer within 300ms", test.proxy.url()));
    }
    assert_eq!(test.proxy.unused(), 0);
    test.client.send(&search()).await.unwrap();

    // Nobody behind the port at all: neither an answer to plain HTTP nor a TLS handshake.
    for url in [test.proxy.url(), test.proxy.url().replace("http://", "https://")] {
        test.proxy.script_connections([ConnectionFault::Stall]);
        let config = ClusterConfig { connect_timeout: LIMIT, request_timeout: LIMIT, ..at(&url) };
        let started = Instant::now();
        let error = Client::connect(config).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::Connect), "{url}: {error}");
        assert!(started.elapsed() < HANG, "{url}: {:?}", started.elapsed());
    }
    assert_eq!(test.proxy.unused(), 0);
}

#[tokio::test]
async fn a_request_moves_on_from_a_broken_node_at_once() {
    let Some(test) = setup("moves_on").await else { return };
    let second = FaultProxy::before(&test.node.url).await;
    let patient = es_core::Backoff { first: Duration::from_secs(60), longest: Duration::from_secs(60) };
    let retry = es_core::RetryPolicy { backoff: patient, ..es_core::RetryPolicy::default() };
    let hosts = format!("{},{}", test.proxy.url(), second.url());
    let client = Client::connect(ClusterConfig { retry, ..at(&hosts) }).await.unwrap();
    // Whichever is asked first fails, and the other one answers; a wait would take a minute.
    test.proxy.script_for("/_doc/1", [Fault::DropReply]);
    second.script_for("/_doc/1", [Fault::Pass]);
    let started = Instant::now();
    client.send(&test.put()).await.unwrap();
    client.send(&test.put()).await.unwrap();
    assert!(started.elapsed() < HANG, "{:?}", started.elapsed());
    assert_eq!((test.proxy.unused(), test.count().await), (0, 1));
    assert_eq!(test.proxy.seen("/_doc/1") + second.seen("/_doc/1"), 3);
}

#[tokio::test]
async fn answers_have_a_largest_size() {
    let Some(test) = setup("answer_sizes").await else { return };
    let text = "x".repeat(50_000);
    let put = Request::new(Method::Put, format!("/{}/_doc/1", test.index)).query("refresh", true);
    test.client.send(&put.json(&json!({"text": text}))).await.unwrap();
    let get = Request::new(Method::Get, format!("/{}/_doc/1", test.index));
    // Announced in full, and unpacked from far less than that.
    for compression in [false, true] {
        let config = |max_response_size| ClusterConfig { compression, max_response_size, ..at(&test.proxy.url()) };
        let strict = Client::connect(config(40_000)).await.unwrap();
        let error = strict.send(&get).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AnswerTooLarge);
        let path = format!("/{}/_doc/1", test.index);
        let expected = format!("the answer of {} to GET {path} is larger than 40000 bytes", test.proxy.url());
        assert_eq!((error.to_string(), error.status()), (expected, Some(200)));
        assert!(!error.is_retryable());
        let generous = Client::connect(config(60_000)).await.unwrap();
        assert!(generous.send(&get).await.unwrap().body().len() > 50_000);
    }
}
