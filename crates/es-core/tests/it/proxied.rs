//! A forward proxy between the client and the cluster.

use std::sync::{Arc, Mutex};

use es_core::{Client, ClusterConfig, ErrorKind, Method, Request, Verification};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{at, dead_port, mock_node, of_node};
use crate::tls_server::{Authority, serve, trusting};

/// Says `user:canary` to a proxy.
const RIGHT: &str = "Basic dXNlcjpjYW5hcnk=";

/// A forward proxy that tunnels and relays. It records each first line, and requires the user and
/// the password where `locked` says so.
async fn forward_proxy(locked: bool) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let log = lines.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(relay(stream, locked, log.clone()));
        }
    });
    (address, lines)
}

async fn relay(mut client: TcpStream, locked: bool, log: Arc<Mutex<Vec<String>>>) -> Option<()> {
    let mut received = Vec::new();
    while !received.windows(4).any(|end| end == b"\r\n\r\n") {
        if client.read_buf(&mut received).await.ok()? == 0 {
            return None;
        }
    }
    let head = String::from_utf8(received.clone()).unwrap();
    let line = head.lines().next()?.to_owned();
    let target = line.split(' ').nth(1)?.to_owned();
    let tunnels = line.starts_with("CONNECT ");
    log.lock().unwrap().push(line);
    let given = head.lines().filter_map(|line| line.split_once(": "));
    let mut given = given.filter(|(name, _)| name.eq_ignore_ascii_case("proxy-authorization"));
    if locked && given.next().map(|(_, value)| value) != Some(RIGHT) {
        let asks =
            b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n";
        return client.write_all(asks).await.ok();
    }
    let host = target.trim_start_matches("http://").split('/').next()?.to_owned();
    let Ok(mut node) = TcpStream::connect(host).await else {
        return client.write_all(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n").await.ok();
    };
    if tunnels {
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
    } else {
        node.write_all(&received).await.ok()?;
    }
    tokio::io::copy_bidirectional(&mut client, &mut node).await.ok().map(|_| ())
}

fn through(proxy: &str, config: ClusterConfig) -> ClusterConfig {
    ClusterConfig { proxy: Some(proxy.parse().unwrap()), ..config }
}

#[tokio::test]
async fn plain_http_is_relayed_and_tls_is_tunnelled() {
    let server = mock_node().await;
    let (proxy, lines) = forward_proxy(false).await;
    Client::connect(through(&proxy, at(&server.uri()))).await.unwrap();
    assert_eq!(*lines.lock().unwrap(), [format!("GET {}/ HTTP/1.1", server.uri())]);

    let authority = Authority::new("one");
    let signed = authority.sign("127.0.0.1");
    let port = serve(&signed.key, vec![signed.der()]);
    let tls = trusting(&authority, Verification::Full);
    let config = ClusterConfig { tls, ..at(&format!("https://127.0.0.1:{port}")) };
    Client::connect(through(&proxy, config)).await.unwrap();
    assert_eq!(lines.lock().unwrap()[1], format!("CONNECT 127.0.0.1:{port} HTTP/1.1"));
}

#[tokio::test]
async fn a_real_node_is_reached_through_a_tunnel() {
    let Some(node) = es_testing::secure().await.filter(|node| node.url.starts_with("https://")) else { return };
    let (proxy, lines) = forward_proxy(true).await;
    let client = Client::connect(through(&format!("user:canary@{proxy}"), of_node(&node))).await.unwrap();
    client.send(&Request::new(Method::Get, "/_cluster/health")).await.unwrap();
    // The node's credentials are inside the tunnel, and one tunnel is enough.
    let address = node.url.trim_start_matches("https://");
    assert_eq!(*lines.lock().unwrap(), [format!("CONNECT {address} HTTP/1.1")]);
}

#[tokio::test]
async fn a_proxy_that_asks_who_is_there_is_named() {
    let server = mock_node().await;
    let tls_port = dead_port().await;
    let (proxy, _) = forward_proxy(true).await;
    for url in [server.uri(), format!("https://127.0.0.1:{tls_port}")] {
        for user in ["", "user:canary2@"] {
            let error = Client::connect(through(&format!("{user}{proxy}"), at(&url))).await.unwrap_err();
            assert_eq!(error.to_string(), format!("the proxy http://{proxy} does not let the client through (407)"));
            assert_eq!(error.kind(), ErrorKind::Unauthorized);
            assert!(error.help().unwrap().contains("user:password@"), "{:?}", error.help());
            assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        }
    }
    Client::connect(through(&format!("http://user:canary@{proxy}"), at(&server.uri()))).await.unwrap();
}

#[tokio::test]
async fn a_dead_proxy_is_not_reported_as_a_dead_node() {
    let server = mock_node().await;
    let port = dead_port().await;
    let error = Client::connect(through(&format!("127.0.0.1:{port}"), at(&server.uri()))).await.unwrap_err();
    let expected =
        format!("cannot connect to {} through the proxy http://127.0.0.1:{port}: connection refused", server.uri());
    assert_eq!(error.to_string(), expected);
    assert_eq!(
        (error.kind(), error.help()),
        (ErrorKind::Connect, Some("check that the proxy runs, and that its address is right"))
    );

    let (proxy, _) = forward_proxy(false).await;
    let dead = dead_port().await;
    let behind = Client::connect(through(&proxy, at(&format!("http://127.0.0.1:{dead}")))).await.unwrap_err();
    assert_eq!(behind.kind(), ErrorKind::Unavailable, "{behind}");
    let behind = Client::connect(through(&proxy, at(&format!("https://127.0.0.1:{dead}")))).await.unwrap_err();
    assert_eq!(behind.kind(), ErrorKind::Connect, "{behind}");
    assert!(behind.to_string().contains(&format!("through the proxy http://{proxy}: ")), "{behind}");
}
