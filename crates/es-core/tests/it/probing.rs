//! The steps of a connection to a node, as a probe reports them.

use std::time::Duration;

use es_core::probe::probe;
use es_core::{ClusterConfig, Credentials, ErrorKind, Secret, TlsConfig, Verification};
use rcgen::CertificateParams;

use crate::support::{at, dead_port, of_node, raw_server};
use crate::tls_server::{Authority, fingerprint, pinning, serve, serve_clients_of, trusting};

#[tokio::test]
async fn real_nodes_are_reached_step_by_step() {
    for node in [es_testing::plain().await, es_testing::secure().await].into_iter().flatten() {
        let probes = probe(&of_node(&node)).await.unwrap();
        assert_eq!(probes.len(), 1);
        let probe = &probes[0];
        assert_eq!((probe.node.as_str(), &probe.proxy), (node.url.as_str(), &None));
        assert!(!probe.resolved.as_ref().unwrap().is_empty());
        assert!(*probe.connected.as_ref().unwrap().as_ref().unwrap() < Duration::from_secs(5));
        let Some(tls) = &probe.tls else {
            assert!(node.url.starts_with("http://"));
            continue;
        };
        let session = tls.as_ref().unwrap();
        assert!(session.protocol.starts_with("TLSv1."), "{}", session.protocol);
        assert!(session.trusted.is_ok() && !session.chain.is_empty(), "{session:?}");
        let leaf = &session.chain[0];
        assert!(leaf.names.contains(&"127.0.0.1".to_owned()) || leaf.names.contains(&"localhost".to_owned()));
        let now = std::time::SystemTime::now();
        assert!(leaf.not_before < now && now < leaf.not_after, "{leaf:?}");
    }
}

#[tokio::test]
async fn the_chain_shows_whether_it_is_trusted_or_not() {
    let (known, other) = (Authority::new("known"), Authority::new("other"));
    let signed = known.sign("127.0.0.1");
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    let expired = known.sign_params(params);
    let good = serve(&signed.key, vec![signed.der(), known.certificate()]);
    let old = serve(&expired.key, vec![expired.der()]);
    let full = |authority| trusting(authority, Verification::Full);
    let anyone = TlsConfig { verification: Verification::None, ..TlsConfig::default() };
    let table = [
        (good, 2, full(&known), None),
        (good, 2, pinning(&known.certificate()), None),
        (good, 2, anyone, None),
        (good, 2, full(&other), Some("signed by an authority that is not trusted")),
        (good, 2, pinning(&other.certificate()), Some("no certificate of its chain has the fingerprint that is set")),
        (old, 1, full(&known), Some("its certificate has expired")),
    ];
    for (port, length, tls, expected) in table {
        let credentials = Credentials::Basic { user: "u".into(), password: Secret::new("canary") };
        let config = ClusterConfig { tls, credentials, ..at(&format!("https://u:canary@127.0.0.1:{port}")) };
        let probes = probe(&config).await.unwrap();
        assert_eq!(probes[0].node, format!("https://127.0.0.1:{port}"));
        let session = probes[0].tls.as_ref().unwrap().as_ref().unwrap();
        assert_eq!((session.protocol.as_str(), session.chain.len()), ("TLSv1.3", length));
        let why = session.trusted.as_ref().err().map(ToString::to_string);
        match (&why, expected) {
            (None, None) => {}
            (Some(why), Some(expected)) => assert!(why.ends_with(expected), "{why}"),
            other => panic!("{other:?}"),
        }
        assert!(!format!("{probes:?}").contains("canary"));
    }
    let probes = probe(&ClusterConfig { tls: full(&known), ..at(&format!("https://127.0.0.1:{good}")) }).await.unwrap();
    let session = probes[0].tls.as_ref().unwrap().as_ref().unwrap();
    assert_eq!(session.chain[0].names, ["127.0.0.1"]);
    assert_eq!(
        (session.chain[1].subject.as_str(), session.chain[1].fingerprint),
        ("CN=known", fingerprint(&known.certificate()))
    );
}

#[tokio::test]
async fn each_step_says_why_it_failed() {
    let connect_timeout = Duration::from_millis(300);
    let look = async |url: &str| {
        let mut probes = probe(&ClusterConfig { connect_timeout, ..at(url) }).await.unwrap();
        probes.remove(0)
    };
    let unknown = look("http://elasticsearch.invalid:9200").await;
    let error = unknown.resolved.as_ref().unwrap_err();
    assert!(error.to_string().starts_with("the host name elasticsearch.invalid cannot be resolved: "), "{error}");
    assert!(unknown.connected.is_none() && unknown.tls.is_none());

    let port = dead_port().await;
    let refused = look(&format!("https://127.0.0.1:{port}")).await;
    let error = refused.connected.as_ref().unwrap().as_ref().unwrap_err();
    assert_eq!(error.to_string(), format!("cannot connect to https://127.0.0.1:{port}: connection refused"));
    assert!(refused.tls.is_none());

    let (port, _) = raw_server(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n").await;
    let stranger = look(&format!("https://127.0.0.1:{port}")).await;
    let error = stranger.tls.as_ref().unwrap().as_ref().unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string()),
        (ErrorKind::Tls, format!("https://127.0.0.1:{port} is not trusted: it does not speak TLS"))
    );

    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = look(&format!("https://{}", silent.local_addr().unwrap())).await;
    let error = silent.tls.as_ref().unwrap().as_ref().unwrap_err();
    assert!(error.to_string().ends_with("did not finish the TLS handshake within 300ms"), "{error}");
}

#[tokio::test]
async fn a_client_certificate_is_requested_and_not_sent() {
    let authority = Authority::new("one");
    let server = authority.sign("127.0.0.1");
    let port = serve_clients_of(Some(&authority), &server.key, vec![server.der()]);
    let tls = trusting(&authority, Verification::Full);
    let probes = probe(&ClusterConfig { tls, ..at(&format!("https://127.0.0.1:{port}")) }).await.unwrap();
    assert!(probes[0].tls.as_ref().unwrap().as_ref().unwrap().trusted.is_ok());
}

#[tokio::test]
async fn with_a_proxy_the_proxy_is_probed() {
    let (port, _) = raw_server(b"").await;
    let proxy = format!("http://user:canary@127.0.0.1:{port}").parse().unwrap();
    let config = ClusterConfig { proxy: Some(proxy), ..at("https://elasticsearch.invalid:9200") };
    let probes = probe(&config).await.unwrap();
    assert_eq!(probes[0].proxy.as_deref(), Some(format!("http://127.0.0.1:{port}").as_str()));
    assert!(probes[0].connected.as_ref().unwrap().is_ok() && probes[0].tls.is_none());
    assert!(!format!("{probes:?}").contains("canary"));
}

#[tokio::test]
async fn a_configuration_that_cannot_be_used_is_an_error() {
    let tls = TlsConfig { ca_cert: Some("absent.crt".into()), ..TlsConfig::default() };
    let error = probe(&ClusterConfig { tls, ..at("https://localhost:1") }).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("absent.crt"), "{error}");
}
