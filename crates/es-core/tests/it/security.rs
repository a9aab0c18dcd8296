//! A node with TLS and users: which clients are accepted, and the errors of the others.

use std::sync::{Arc, Mutex};

use es_core::error::PrivilegeScope;
use es_core::{
    Client, ClusterConfig, Credentials, ErrorKind, Fingerprint, Method, NewIndex, Request, Secret, Sniffing, TlsConfig,
    Verification,
};
use es_testing::Node;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};
use serde_json::{Value, json};
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
    let help = "correct the user or the password: ELASTICSEARCH_USER and ELASTICSEARCH_PASSWORD";
    assert_eq!(error.help(), Some(help));
    assert!(!format!("{error:?} {error:#?}").contains("canary"));
}

#[tokio::test]
async fn without_credentials_the_error_asks_for_them() {
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
        let missing = error.missing_privilege().unwrap();
        let principal = format!("API key id [{}] of user [{}]", text("id"), node.username.as_deref().unwrap());
        assert_eq!((missing.principal, missing.action.as_str()), (principal.clone(), "indices:admin/create"));
        assert_eq!(missing.indices, [format!("{name}a")]);
        let help = format!("grant {principal} the index privilege create_index on {name}a (or manage, all)");
        assert_eq!(error.help(), Some(help.as_str()));
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

/// A user of a role that may read the cluster's state, and read one pattern of indices.
struct Restricted<'a> {
    admin: &'a Client,
    name: String,
}

const RESTRICTED_PASSWORD: &str = "restricted-password";

impl<'a> Restricted<'a> {
    async fn new(admin: &'a Client, cluster: &[&str]) -> Self {
        let name = es_testing::unique_prefix("restricted");
        let role = json!({"cluster": cluster, "indices": [{"names": [format!("{name}*")], "privileges": ["read"]}]});
        let user = json!({"password": RESTRICTED_PASSWORD, "roles": [name]});
        for (what, body) in [("role", role), ("user", user)] {
            let path = format!("/_security/{what}/{name}");
            admin.send(&Request::new(Method::Put, path).json(&body).repeatable()).await.unwrap();
        }
        Self { admin, name }
    }

    fn config(&self, node: &Node) -> ClusterConfig {
        let password = Secret::new(RESTRICTED_PASSWORD);
        ClusterConfig { credentials: Credentials::Basic { user: self.name.clone(), password }, ..of_node(node) }
    }

    async fn remove(self) {
        for what in ["user", "role"] {
            self.admin.send(&Request::new(Method::Delete, format!("/_security/{what}/{}", self.name))).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_restricted_role_gets_the_privilege_that_it_lacks() {
    let Some(node) = es_testing::secure().await else { return };
    let admin = Client::connect(right_password(&node)).await.unwrap();
    let restricted = Restricted::new(&admin, &["monitor"]).await;
    let client = Client::connect(restricted.config(&node)).await.unwrap();
    let user = format!("user [{}]", restricted.name);
    let own = format!("{}a", restricted.name);
    let table = [
        (
            Request::new(Method::Put, format!("/{own}")),
            "indices:admin/create",
            Some(PrivilegeScope::Index),
            vec![own.clone()],
            format!("grant {user} the index privilege create_index on {own} (or manage, all)"),
        ),
        (
            Request::new(Method::Get, "/somebody-elses/_search"),
            "indices:data/read/search",
            Some(PrivilegeScope::Index),
            vec!["somebody-elses".to_owned()],
            format!("grant {user} the index privilege read on somebody-elses (or all)"),
        ),
        (
            Request::new(Method::Put, "/_security/role/mine").json(&json!({})),
            "cluster:admin/xpack/security/role/put",
            Some(PrivilegeScope::Cluster),
            vec![],
            format!("grant {user} the cluster privilege manage_security (or all)"),
        ),
    ];
    for (request, action, scope, indices, help) in table {
        let error = client.send(&request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Forbidden, "{error}");
        let missing = error.missing_privilege().unwrap();
        assert_eq!((missing.action.as_str(), &missing.principal), (action, &user));
        assert_eq!((missing.scope, missing.indices), (scope, indices));
        assert_eq!(error.help(), Some(help.as_str()));
    }
    restricted.remove().await;
}

#[tokio::test]
async fn who_may_not_list_the_nodes_can_work_all_the_same() {
    let Some(node) = es_testing::secure().await else { return };
    let admin = Client::connect(right_password(&node)).await.unwrap();
    let restricted = Restricted::new(&admin, &["cluster:monitor/main", "cluster:monitor/health"]).await;
    let config = ClusterConfig { sniffing: Sniffing::AtStart, ..restricted.config(&node) };
    let client = Client::connect(config).await.unwrap();
    let list = client.send(&Request::new(Method::Get, "/_nodes/http")).await.unwrap_err();
    assert_eq!(list.kind(), ErrorKind::Forbidden);
    client.send(&Request::new(Method::Get, "/_cluster/health")).await.unwrap();
    restricted.remove().await;
}

#[tokio::test]
async fn a_service_account_token_opens_and_a_wrong_one_does_not() {
    let Some(node) = es_testing::secure().await else { return };
    let admin = Client::connect(right_password(&node)).await.unwrap();
    let name = es_testing::unique_prefix("token");
    let path = format!("/_security/service/elastic/fleet-server/credential/token/{name}");
    let made: Value = admin.send(&Request::new(Method::Post, &path)).await.unwrap().json().unwrap();
    let token = made["token"]["value"].as_str().unwrap().to_owned();
    // A service account token is a bearer token to the server; only its name differs in messages.
    for credentials in [Credentials::ServiceToken(Secret::new(&token)), Credentials::Bearer(Secret::new(&token))] {
        let client = Client::connect(ClusterConfig { credentials, ..of_node(&node) }).await.unwrap();
        let who: Value =
            client.send(&Request::new(Method::Get, "/_security/_authenticate")).await.unwrap().json().unwrap();
        assert_eq!(who["username"], "elastic/fleet-server");
        let error = client.send(&Request::new(Method::Put, format!("/{name}a"))).await.unwrap_err();
        assert_eq!(error.missing_privilege().unwrap().principal, "service account [elastic/fleet-server]");
        assert!(!format!("{client:?} {error:?}").contains(&token));
    }
    let wrong = token.replace("AAEAA", "AAEAB");
    let table = [
        (Credentials::ServiceToken(Secret::new(&wrong)), "a service account token"),
        (Credentials::Bearer(Secret::new("canary")), "a bearer token"),
    ];
    for (credentials, named) in table {
        let error = Client::connect(ClusterConfig { credentials, ..of_node(&node) }).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (ErrorKind::Unauthorized, Some(401)));
        assert_eq!(error.to_string(), format!("{} does not accept the credentials ({named})", node.url));
        assert!(error.help().unwrap().starts_with("the token is wrong"), "{:?}", error.help());
        assert!(!format!("{error:?}").contains(&wrong) && !format!("{error:?}").contains("canary"), "{error:?}");
    }
    admin.send(&Request::new(Method::Delete, &path)).await.unwrap();
}

#[tokio::test]
async fn an_oauth_token_opens_where_the_licence_covers_it() {
    let Some(node) = es_testing::secure().await else { return };
    let admin = Client::connect(right_password(&node)).await.unwrap();
    let ask = Request::new(Method::Post, "/_security/oauth2/token").json(&json!({"grant_type": "client_credentials"}));
    match admin.send(&ask).await {
        Ok(response) => {
            let token = response.json::<Value>().unwrap()["access_token"].as_str().unwrap().to_owned();
            let credentials = Credentials::Bearer(Secret::new(&token));
            Client::connect(ClusterConfig { credentials, ..of_node(&node) }).await.unwrap();
            let remove = Request::new(Method::Delete, "/_security/oauth2/token").json(&json!({"token": token}));
            admin.send(&remove).await.unwrap();
        }
        // The basic licence does not, and says so.
        Err(error) => {
            assert_eq!((error.kind(), error.status()), (ErrorKind::LicenceMissing, Some(403)), "{error}");
            assert_eq!(error.server().unwrap().unlicensed_feature(), Some("security tokens"));
            assert!(error.help().unwrap().starts_with("do without security tokens"), "{:?}", error.help());
        }
    }
}

#[tokio::test]
async fn a_password_in_the_address_opens_as_the_setting_does() {
    let Some(node) = es_testing::secure().await else { return };
    let (user, password) = (node.username.clone().unwrap(), node.password.clone().unwrap());
    let url = node.url.replace("https://", &format!("https://{user}:{password}@"));
    let config = ClusterConfig { tls: of_node(&node).tls, ..at(&url) };
    let client = Client::connect(config).await.unwrap();
    assert!(!format!("{client:?}").contains(&password));
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

/// Records the certificate and trusts every server.
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
