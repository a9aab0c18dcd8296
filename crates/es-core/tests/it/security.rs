//! A node with TLS and users: who gets in, and what the others are told.

use std::sync::{Arc, Mutex};

use es_core::{Client, ClusterConfig, Credentials, ErrorKind, Fingerprint, NewIndex, Secret, TlsConfig, Verification};
use es_testing::Node;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};
use sha2::{Digest as _, Sha256};

use crate::support::{at, of_node};

const SET_CREDENTIALS: &str = "set ELASTICSEARCH_API_KEY, or ELASTICSEARCH_USER and ELASTICSEARCH_PASSWORD";

fn with_password(node: &Node, password: &str) -> ClusterConfig {
    let user = node.username.clone().unwrap();
    ClusterConfig { credentials: Credentials::Basic { user, password: Secret::new(password) }, ..of_node(node) }
}

fn right_password(node: &Node) -> ClusterConfig {
    with_password(node, node.password.as_deref().unwrap())
}

#[tokio::test]
async fn the_right_password_opens_and_a_wrong_one_does_not() {
    let Some(node) = es_testing::secure().await else { return };
    Client::connect(right_password(&node)).await.unwrap();
    let error = Client::connect(with_password(&node, "canary")).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Unauthorized, Some(401)));
    let user = node.username.as_deref().unwrap();
    assert_eq!(error.to_string(), format!("{} does not accept the credentials (user {user})", node.url));
    assert_eq!(error.help(), Some(SET_CREDENTIALS));
    assert!(!format!("{error:?} {error:#?}").contains("canary"));
}

#[tokio::test]
async fn without_credentials_the_client_is_asked_for_them() {
    let Some(node) = es_testing::secure().await else { return };
    let nobody = ClusterConfig { credentials: Credentials::None, ..of_node(&node) };
    let error = Client::connect(nobody).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert_eq!(error.to_string(), format!("{} asks for credentials, and none are set", node.url));
    assert_eq!(error.help(), Some(SET_CREDENTIALS));
}

#[tokio::test]
async fn an_api_key_opens_as_far_as_it_is_allowed() {
    let Some(node) = es_testing::secure().await else { return };
    let name = es_testing::unique_prefix("key");
    let body = serde_json::json!({
        "name": name, "expiration": "5m",
        "role_descriptors": {"reader": {"cluster": ["monitor"], "indices": []}},
    });
    let admin = Client::connect(right_password(&node)).await.unwrap();
    let create = es_core::Request::new(es_core::Method::Post, "/_security/api_key").json(&body);
    let key: serde_json::Value = admin.send(&create).await.unwrap().json().unwrap();
    let text = |field: &str| key[field].as_str().unwrap().to_owned();
    let in_both_forms = [text("encoded"), format!("{}:{}", text("id"), text("api_key"))];
    for form in &in_both_forms {
        let config = ClusterConfig { credentials: Credentials::api_key(form), ..of_node(&node) };
        let client = Client::connect(config).await.unwrap();
        let error = client.indices().create(&format!("{name}a"), &NewIndex::default()).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (ErrorKind::Forbidden, Some(403)));
        assert!(error.to_string().contains("security_exception"), "{error}");
        assert_eq!(error.help(), Some("grant the privilege to the user or the API key, or use another one"));
        let wrong = ClusterConfig { credentials: Credentials::api_key(&format!("{}x", text("id"))), ..of_node(&node) };
        let error = Client::connect(wrong).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthorized);
        assert_eq!(error.to_string(), format!("{} does not accept the credentials (an API key)", node.url));
        assert!(!format!("{error:?} {client:?}").contains(&text("api_key")));
    }
    let remove = serde_json::json!({"ids": [text("id")]});
    let invalidate = es_core::Request::new(es_core::Method::Delete, "/_security/api_key").json(&remove);
    admin.send(&invalidate).await.unwrap();
}

#[tokio::test]
async fn an_authority_that_is_not_known_is_not_trusted() {
    let Some(node) = es_testing::secure().await else { return };
    let stranger = ClusterConfig { tls: TlsConfig::default(), ..right_password(&node) };
    let error = Client::connect(stranger).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls);
    assert_eq!(
        error.to_string(),
        format!("{} is not trusted: its certificate is signed by an authority that is not trusted", node.url)
    );
    assert!(error.help().unwrap().starts_with("set ELASTICSEARCH_CA_CERT to the authority's certificate"));
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn without_verification_anybody_is_trusted() {
    let Some(node) = es_testing::secure().await else { return };
    let tls = TlsConfig { verification: Verification::None, ..TlsConfig::default() };
    Client::connect(ClusterConfig { tls, ..right_password(&node) }).await.unwrap();
}

#[tokio::test]
async fn a_fingerprint_opens_and_a_wrong_one_does_not() {
    let Some(node) = es_testing::secure().await else { return };
    let leaf = leaf_of(&node.url);
    let pinned = |digest: &str| {
        let fingerprint: Fingerprint = digest.parse().unwrap();
        let tls = TlsConfig { ca_fingerprint: Some(fingerprint), ..TlsConfig::default() };
        ClusterConfig { tls, ..right_password(&node) }
    };
    let digest: String = Sha256::digest(&leaf).iter().map(|byte| format!("{byte:02X}")).collect();
    Client::connect(pinned(&digest)).await.unwrap();
    let error = Client::connect(pinned(&"ab".repeat(32))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls);
    assert_eq!(
        error.to_string(),
        format!("{} is not trusted: no certificate of its chain has the fingerprint that is set", node.url)
    );
    assert!(error.help().unwrap().contains("openssl x509 -fingerprint -sha256"));
}

#[tokio::test]
async fn http_to_a_port_that_speaks_tls() {
    let Some(node) = es_testing::secure().await else { return };
    let url = node.url.replace("https://", "http://");
    let error = Client::connect(at(&url)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls);
    assert_eq!(error.to_string(), format!("{url} speaks TLS, and the address says http"));
    assert_eq!(error.help(), Some("write https:// instead of http://"));
}

#[tokio::test]
async fn https_to_a_port_that_speaks_http() {
    let Some(node) = es_testing::plain().await else { return };
    let Some(address) = node.url.strip_prefix("http://") else { return };
    let error = Client::connect(at(&format!("https://{address}"))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls);
    assert_eq!(error.to_string(), format!("https://{address} is not trusted: it does not speak TLS"));
    assert_eq!(error.help(), Some("the port serves plain HTTP: write http:// instead of https://"));
}

/// The certificate that a server shows, whoever signed it.
fn leaf_of(url: &str) -> Vec<u8> {
    let address = url.strip_prefix("https://").unwrap();
    let host = address.rsplit_once(':').unwrap().0;
    let seen = Arc::new(Recorder::default());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(seen.clone())
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    while connection.is_handshaking() {
        connection.complete_io(&mut stream).unwrap();
    }
    let leaf = seen.leaf.lock().unwrap().take();
    leaf.unwrap()
}

/// Notes the certificate and trusts everybody.
#[derive(Debug, Default)]
struct Recorder {
    leaf: Mutex<Option<Vec<u8>>>,
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        *self.leaf.lock().unwrap() = Some(leaf.to_vec());
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
