//! Certificates that a real node would not show: other names, expired ones, forged chains.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;

use es_core::{Client, ClusterConfig, ErrorKind, Fingerprint, TlsConfig, Verification};
use rcgen::{BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, Stream};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::support::{at, hello};

/// An authority with its certificate in a file.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    _folder: TempDir,
    file: PathBuf,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.crt");
        std::fs::write(&file, issuer.pem()).unwrap();
        Self { issuer, _folder: folder, file }
    }

    fn certificate(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    /// A certificate for a host, with its key.
    fn sign(&self, host: &str) -> Signed {
        self.sign_params(CertificateParams::new(vec![host.to_owned()]).unwrap())
    }

    fn sign_params(&self, params: CertificateParams) -> Signed {
        let key = KeyPair::generate().unwrap();
        Signed { certificate: params.signed_by(&key, &self.issuer).unwrap(), key }
    }
}

struct Signed {
    certificate: Certificate,
    key: KeyPair,
}

impl Signed {
    fn der(&self) -> CertificateDer<'static> {
        self.certificate.der().clone()
    }
}

/// A TLS server that answers every request as a node answers `GET /`. Its threads end with
/// the process.
fn serve(key: &KeyPair, chain: Vec<CertificateDer<'static>>) -> u16 {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (Ok(mut socket), config) = (stream, config.clone()) else { continue };
            std::thread::spawn(move || {
                let mut connection = ServerConnection::new(config).unwrap();
                let mut tls = Stream::new(&mut connection, &mut socket);
                let mut request = [0; 4096];
                // A client that does not trust the certificate hangs up here.
                if tls.read(&mut request).is_ok_and(|read| read > 0) {
                    let body = hello("9.4.3").to_string();
                    let head = "HTTP/1.1 200 OK\r\nX-Elastic-Product: Elasticsearch\r\nConnection: close\r\n";
                    let _ = write!(tls, "{head}Content-Length: {}\r\n\r\n{body}", body.len());
                    tls.conn.send_close_notify();
                    let _ = tls.flush();
                }
            });
        }
    });
    port
}

fn fingerprint(certificate: &CertificateDer<'_>) -> Fingerprint {
    let hex: String = Sha256::digest(certificate).iter().map(|byte| format!("{byte:02x}")).collect();
    hex.parse().unwrap()
}

async fn connect(port: u16, tls: TlsConfig) -> Result<Client, es_core::Error> {
    Client::connect(ClusterConfig { tls, ..at(&format!("https://127.0.0.1:{port}")) }).await
}

fn trusting(authority: &Authority, verification: Verification) -> TlsConfig {
    TlsConfig { ca_cert: Some(authority.file.clone()), verification, ..TlsConfig::default() }
}

fn pinning(certificate: &CertificateDer<'_>) -> TlsConfig {
    TlsConfig { ca_fingerprint: Some(fingerprint(certificate)), ..TlsConfig::default() }
}

#[tokio::test]
async fn the_host_name_counts_unless_told_otherwise() {
    let authority = Authority::new("one");
    let right = authority.sign("127.0.0.1");
    let port = serve(&right.key, vec![right.der()]);
    connect(port, trusting(&authority, Verification::Full)).await.unwrap();

    let other = authority.sign("es.example.org");
    let port = serve(&other.key, vec![other.der()]);
    let error = connect(port, trusting(&authority, Verification::Full)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls);
    assert_eq!(
        error.to_string(),
        format!("https://127.0.0.1:{port} is not trusted: its certificate is for another host name")
    );
    assert_eq!(error.help(), Some("use a name that the certificate has, or set verification to `certificate`"));
    connect(port, trusting(&authority, Verification::Certificate)).await.unwrap();
}

#[tokio::test]
async fn without_the_host_name_the_authority_still_counts() {
    let (known, unknown) = (Authority::new("known"), Authority::new("unknown"));
    let signed = unknown.sign("127.0.0.1");
    let port = serve(&signed.key, vec![signed.der()]);
    for verification in [Verification::Full, Verification::Certificate] {
        let error = connect(port, trusting(&known, verification)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tls);
        assert!(error.to_string().ends_with("signed by an authority that is not trusted"), "{error}");
    }
    connect(port, trusting(&known, Verification::None)).await.unwrap();
}

#[tokio::test]
async fn the_dates_of_a_certificate_count() {
    let authority = Authority::new("one");
    let dated = |from: i32, to: i32| {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(to, 1, 1);
        authority.sign_params(params)
    };
    let table = [
        (dated(2001, 2002), "its certificate has expired", "renew the certificate on the server"),
        (dated(2998, 2999), "its certificate is not valid yet", "check the clocks of both machines"),
    ];
    for (signed, why, help) in table {
        let port = serve(&signed.key, vec![signed.der()]);
        let error = connect(port, trusting(&authority, Verification::Full)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tls);
        assert!(error.to_string().ends_with(why), "{error}");
        assert_eq!(error.help(), Some(help));
    }
}

#[tokio::test]
async fn a_fingerprint_of_the_authority_trusts_what_it_signed() {
    let authority = Authority::new("one");
    let signed = authority.sign("127.0.0.1");
    let port = serve(&signed.key, vec![signed.der(), authority.certificate()]);
    connect(port, pinning(&authority.certificate())).await.unwrap();
    connect(port, pinning(&signed.der())).await.unwrap();
    let error = connect(port, pinning(&Authority::new("two").certificate())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls);
    assert!(error.to_string().ends_with("no certificate of its chain has the fingerprint that is set"), "{error}");
}

#[tokio::test]
async fn a_fingerprint_of_the_authority_leaves_the_host_name_to_be_verified() {
    let authority = Authority::new("one");
    let signed = authority.sign("es.example.org");
    let port = serve(&signed.key, vec![signed.der(), authority.certificate()]);
    let pinned = pinning(&authority.certificate());
    let error = connect(port, pinned.clone()).await.unwrap_err();
    assert!(error.to_string().ends_with("its certificate is for another host name"), "{error}");
    connect(port, TlsConfig { verification: Verification::Certificate, ..pinned }).await.unwrap();
    connect(port, pinning(&signed.der())).await.unwrap();
}

#[tokio::test]
async fn showing_the_authoritys_certificate_is_not_enough() {
    // Certificates are public: anybody can put the right authority behind a leaf of their own.
    let authority = Authority::new("one");
    let forger = Authority::new("one");
    let forged = forger.sign("127.0.0.1");
    let port = serve(&forged.key, vec![forged.der(), authority.certificate()]);
    let error = connect(port, pinning(&authority.certificate())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
}

#[tokio::test]
async fn files_that_hold_no_certificate_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.crt");
    std::fs::write(&empty, "no PEM here\n").unwrap();
    let absent = folder.path().join("absent.crt");
    let table = [
        (&empty, "holds no PEM certificate", Some("it should have lines that start with -----BEGIN CERTIFICATE-----")),
        (&absent, "cannot be read", None),
    ];
    for (file, why, help) in table {
        let tls = TlsConfig { ca_cert: Some(file.clone()), ..TlsConfig::default() };
        let error = connect(1, tls).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        let message = error.to_string();
        assert!(message.contains(why) && message.contains(&file.display().to_string()), "{message}");
        assert_eq!(error.help(), help);
    }
}
