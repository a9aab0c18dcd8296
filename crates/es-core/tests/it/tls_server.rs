//! TLS servers with certificates that a real node would not show, and those who sign them.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;

use es_core::{Client, ClusterConfig, Fingerprint, TlsConfig, Verification};
use rcgen::{BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, Stream};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::support::{at, hello};

/// An authority with its certificate in a file.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    _folder: TempDir,
    pub(crate) file: PathBuf,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.crt");
        std::fs::write(&file, issuer.pem()).unwrap();
        Self { issuer, _folder: folder, file }
    }

    pub(crate) fn certificate(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    /// A certificate for a host, with its key.
    pub(crate) fn sign(&self, host: &str) -> Signed {
        self.sign_params(CertificateParams::new(vec![host.to_owned()]).unwrap())
    }

    pub(crate) fn sign_params(&self, params: CertificateParams) -> Signed {
        let key = KeyPair::generate().unwrap();
        Signed { certificate: params.signed_by(&key, &self.issuer).unwrap(), key }
    }
}

pub(crate) struct Signed {
    certificate: Certificate,
    pub(crate) key: KeyPair,
}

impl Signed {
    pub(crate) fn der(&self) -> CertificateDer<'static> {
        self.certificate.der().clone()
    }
}

impl Signed {
    /// Certificate and key as files, for a client to show.
    pub(crate) fn files(&self, folder: &TempDir) -> (PathBuf, PathBuf) {
        let (certificate, key) = (folder.path().join("client.crt"), folder.path().join("client.key"));
        std::fs::write(&certificate, self.certificate.pem()).unwrap();
        std::fs::write(&key, self.key.serialize_pem()).unwrap();
        (certificate, key)
    }
}

/// A TLS server that answers every request as a node answers `GET /`. Its threads end with
/// the process.
pub(crate) fn serve(key: &KeyPair, chain: Vec<CertificateDer<'static>>) -> u16 {
    serve_clients_of(None, key, chain)
}

/// The same; it asks for a client certificate that the authority signed.
pub(crate) fn serve_clients_of(
    authority: Option<&Authority>,
    key: &KeyPair,
    chain: Vec<CertificateDer<'static>>,
) -> u16 {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
    let builder = match authority {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.certificate()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.unwrap())
        }
    };
    let config = Arc::new(builder.with_single_cert(chain, key).unwrap());
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
                }
                // A client that was refused may still be writing: to close now would reset the
                // connection and lose the alert that tells it why.
                let _ = tls.conn.complete_io(tls.sock);
                let _ = socket.shutdown(std::net::Shutdown::Write);
                while socket.read(&mut request).is_ok_and(|read| read > 0) {}
            });
        }
    });
    port
}

pub(crate) fn fingerprint(certificate: &CertificateDer<'_>) -> Fingerprint {
    let hex: String = Sha256::digest(certificate).iter().map(|byte| format!("{byte:02x}")).collect();
    hex.parse().unwrap()
}

pub(crate) async fn connect(port: u16, tls: TlsConfig) -> Result<Client, es_core::Error> {
    Client::connect(ClusterConfig { tls, ..at(&format!("https://127.0.0.1:{port}")) }).await
}

pub(crate) fn trusting(authority: &Authority, verification: Verification) -> TlsConfig {
    TlsConfig { ca_cert: Some(authority.file.clone()), verification, ..TlsConfig::default() }
}

pub(crate) fn pinning(certificate: &CertificateDer<'_>) -> TlsConfig {
    TlsConfig { ca_fingerprint: Some(fingerprint(certificate)), ..TlsConfig::default() }
}
