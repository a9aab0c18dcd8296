//! Every way in which a server can fail to prove its identity, and the error of each: one table, printed with `cargo test -p es-core --test it refusals -- --nocapture`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use es_core::{Client, ClusterConfig, Credentials, ErrorKind, Secret, TlsConfig, Verification};
use rcgen::{CertificateParams, KeyPair};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{at, mock_node};
use crate::tls_server::{Authority, pinning, serve, trusting};

struct Case {
    what: &'static str,
    url: String,
    tls: TlsConfig,
    kind: ErrorKind,
    message: &'static str,
}

/// A TLS server whose certificate for this machine was changed before it was signed.
fn serving(authority: &Authority, change: impl FnOnce(&mut CertificateParams)) -> String {
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    change(&mut params);
    let signed = authority.sign_params(params);
    format!("https://127.0.0.1:{}", serve(&signed.key, vec![signed.der(), authority.certificate()]))
}

fn self_signed() -> String {
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    format!("https://127.0.0.1:{}", serve(&key, vec![own.der().clone()]))
}

#[tokio::test]
async fn a_server_that_cannot_prove_who_it_is_gets_no_credentials() {
    let (known, other) = (Authority::new("known"), Authority::new("other"));
    let trust = || trusting(&known, Verification::Full);
    let plain = mock_node().await;
    let elsewhere = mock_node().await;
    let redirecting = MockServer::start().await;
    let location = format!("{}/?canary=1", elsewhere.uri());
    let redirect = ResponseTemplate::new(301).insert_header("Location", location.as_str());
    Mock::given(any()).respond_with(redirect).mount(&redirecting).await;
    let case = |what, url, tls, message| Case { what, url, tls, kind: ErrorKind::Tls, message };
    let cases = [
        case(
            "expired",
            serving(&known, |params| params.not_after = rcgen::date_time_ymd(2002, 1, 1)),
            trust(),
            "its certificate has expired",
        ),
        case(
            "not yet valid",
            serving(&known, |params| params.not_before = rcgen::date_time_ymd(2998, 1, 1)),
            trust(),
            "its certificate is not valid yet",
        ),
        case(
            "wrong host",
            serving(&known, |params| *params = CertificateParams::new(vec!["es.example.org".to_owned()]).unwrap()),
            trust(),
            "its certificate is for another host name",
        ),
        case(
            "wrong CA",
            serving(&other, |_| ()),
            trust(),
            "its certificate is signed by an authority that is not trusted",
        ),
        case("self-signed", self_signed(), trust(), "its certificate is signed by an authority that is not trusted"),
        case(
            "no CA set",
            serving(&known, |_| ()),
            TlsConfig::default(),
            "its certificate is signed by an authority that is not trusted",
        ),
        case(
            "wrong fingerprint",
            serving(&known, |_| ()),
            pinning(&other.certificate()),
            "no certificate of its chain has the fingerprint that is set",
        ),
        case("downgrade to http", plain.uri().replace("http://", "https://"), trust(), "it does not speak TLS"),
        Case {
            what: "redirect to another host",
            url: redirecting.uri(),
            tls: TlsConfig::default(),
            kind: ErrorKind::NotElasticsearch,
            message: "and redirects are not followed",
        },
    ];
    println!("{:<26} {:<18} {:<9} message", "server", "kind", "refused");
    for Case { what, url, tls, kind, message } in cases {
        let credentials = Credentials::Basic { user: "elastic".into(), password: Secret::new("canary") };
        let refused = Client::connect(ClusterConfig { tls, credentials, ..at(&url) }).await;
        let told = refused.as_ref().map_or_else(|error| error.to_string(), |_| String::new());
        let found = refused.as_ref().map_or_else(|error| format!("{:?}", error.kind()), |_| String::new());
        println!("{what:<26} {found:<18} {:<9} {told}", refused.is_err());
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), kind, "{what}: {error}");
        assert!(told.ends_with(message), "{what}: {error}");
        assert!(error.help().is_some() && !error.is_retryable(), "{what}");
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    }
    for server in [&plain, &elsewhere] {
        assert_eq!(server.received_requests().await.unwrap().len(), 0, "the credentials went to {}", server.uri());
    }
}

#[tokio::test]
async fn a_redirect_in_the_middle_is_not_followed_either() {
    let (server, elsewhere) = (mock_node().await, mock_node().await);
    let redirect = ResponseTemplate::new(307)
        .insert_header("X-Elastic-Product", "Elasticsearch")
        .insert_header("Location", format!("{}/work", elsewhere.uri()).as_str());
    Mock::given(wiremock::matchers::path("/work")).respond_with(redirect).mount(&server).await;
    let client = Client::connect(at(&server.uri())).await.unwrap();
    let error = client.send(&es_core::Request::new(es_core::Method::Get, "/work")).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::NotElasticsearch, Some(307)));
    let expected = format!("{} redirects to {}, and redirects are not followed", server.uri(), elsewhere.uri());
    assert_eq!(error.to_string(), expected);
    assert_eq!(elsewhere.received_requests().await.unwrap().len(), 0);
}

/// The handshake is where trust is decided, so nothing of a request may come before its end.
#[tokio::test]
async fn a_server_that_is_not_trusted_receives_no_request() {
    let read = Arc::new(AtomicUsize::new(0));
    let authority = Authority::new("unknown");
    let signed = authority.sign("127.0.0.1");
    let port = serve(&signed.key, vec![signed.der()]);
    // Counts what comes from the client after its first message, in the clear or not.
    let tap = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", tap.local_addr().unwrap());
    let counter = read.clone();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = tap.accept().await {
            let mut server = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let counter = counter.clone();
            tokio::spawn(async move {
                let copied = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                counter.fetch_add(copied.map_or(0, |(sent, _)| sent as usize), Ordering::SeqCst);
            });
        }
    });
    let secret = Secret::new("c".repeat(16_000));
    let credentials = Credentials::Basic { user: "elastic".into(), password: secret };
    let error = Client::connect(ClusterConfig { credentials, ..at(&url) }).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls);
    // The greeting of a handshake and an alert are far shorter than the password.
    assert!(read.load(Ordering::SeqCst) < 8_000);
}
