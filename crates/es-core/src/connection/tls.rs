//! The settings of TLS: certificate authorities, fingerprints, client certificates, verification.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::connection::certificate::Fingerprint;
use crate::error::{Error, ErrorKind};

/// The extent to which the server's certificate is verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verification {
    /// The chain and the host name.
    #[default]
    Full,
    /// Only the chain: any host name is accepted.
    Certificate,
    /// Nothing. Anyone on the network path can read and change the traffic; each connect logs a warning.
    None,
}

/// The settings of TLS connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsConfig {
    /// A PEM file of certificate authorities. If given, no others are trusted.
    pub ca_cert: Option<PathBuf>,
    /// The fingerprint of the server's certificate, or of the authority's certificate that signed it and
    /// that the server sends too. If given, the host name is ignored.
    pub ca_fingerprint: Option<Fingerprint>,
    /// A PEM file of the client's certificate chain.
    pub client_cert: Option<PathBuf>,
    /// A PEM file of the client's private key.
    pub client_key: Option<PathBuf>,
    /// The extent of verification. Default: full.
    pub verification: Verification,
}

impl TlsConfig {
    /// Checks that settings do not contradict each other, without reading a file.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let wrong = |why: &str| Error::new(ErrorKind::Config, why);
        if self.ca_cert.is_some() && self.ca_fingerprint.is_some() {
            return Err(wrong("both a CA certificate and a CA fingerprint are set")
                .with_help("keep one of them: the fingerprint alone decides which servers are trusted"));
        }
        if self.verification == Verification::None && (self.ca_cert.is_some() || self.ca_fingerprint.is_some()) {
            let what = if self.ca_cert.is_some() { "certificate" } else { "fingerprint" };
            return Err(wrong(&format!("both verification none and a CA {what} are set"))
                .with_help("remove `none` to verify with it: without verification it has no effect"));
        }
        match (&self.client_cert, &self.client_key) {
            (Some(_), None) => Err(wrong("a client certificate is set without its key")),
            (None, Some(_)) => Err(wrong("a client key is set without its certificate")),
            _ => Ok(()),
        }
    }

    /// The rustls configuration of these settings.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when a file cannot be read or the settings contradict each other.
    pub(crate) fn client_config(&self) -> Result<ClientConfig, Error> {
        self.client_config_with(self.verifier()?)
    }

    /// The same with another verifier.
    pub(crate) fn client_config_with(&self, verifier: Arc<dyn ServerCertVerifier>) -> Result<ClientConfig, Error> {
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|source| Error::new(ErrorKind::Config, "TLS cannot be set up").with_source(source))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let (Some(cert), Some(key)) = (&self.client_cert, &self.client_key) else {
            return Ok(builder.with_no_client_auth());
        };
        let chain = certificates(cert)?;
        let key = PrivateKeyDer::from_pem_file(key).map_err(|source| unreadable("client key", key, source))?;
        builder.with_client_auth_cert(chain, key).map_err(|source| {
            Error::new(ErrorKind::Config, "the client certificate and key do not match").with_source(source)
        })
    }

    /// The verifier of servers' certificates.
    pub(crate) fn verifier(&self) -> Result<Arc<dyn ServerCertVerifier>, Error> {
        self.check()?;
        let provider = Arc::new(ring::default_provider());
        let names = match self.verification {
            Verification::Certificate => HostNames::Any,
            Verification::Full | Verification::None => HostNames::Verified,
        };
        let trust = match (self.verification, self.ca_fingerprint) {
            (Verification::None, _) => Trust::Anyone,
            (_, Some(fingerprint)) => Trust::Pinned(fingerprint, names),
            (_, None) => match self.roots()? {
                // A machine without authorities can still use plain HTTP.
                roots if roots.is_empty() => Trust::Nobody,
                roots => Trust::Chain(chain_verifier(roots, &provider)?, names),
            },
        };
        Ok(Arc::new(Verifier { trust, provider }))
    }

    fn roots(&self) -> Result<RootCertStore, Error> {
        let mut roots = RootCertStore::empty();
        match &self.ca_cert {
            Some(path) => {
                for certificate in certificates(path)? {
                    roots.add(certificate).map_err(|source| unreadable("CA certificate", path, source))?;
                }
            }
            None => {
                let found = rustls_native_certs::load_native_certs();
                roots.add_parsable_certificates(found.certs);
            }
        }
        Ok(roots)
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|source| unreadable("certificate", path, source));
    match found {
        Ok(list) if list.is_empty() => {
            Err(Error::new(ErrorKind::Config, format!("{} holds no PEM certificate", path.display()))
                .with_help("it should have lines that start with -----BEGIN CERTIFICATE-----"))
        }
        other => other,
    }
}

fn unreadable(what: &str, path: &Path, source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Config, format!("the {what} {} cannot be read: {source}", path.display())).with_source(source)
}

/// Verifies a server's certificate by a rule of this crate. Signatures are verified in any case:
/// otherwise anyone who knows a certificate could pretend to own it.
#[derive(Debug)]
struct Verifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
}

/// The rule.
#[derive(Debug)]
enum Trust {
    /// Accepts every server.
    Anyone,
    /// Accepts no server, as no authority is known.
    Nobody,
    /// Accepts a server whose own certificate has this fingerprint, or whose chain ends at a certificate
    /// that has it.
    Pinned(Fingerprint, HostNames),
    /// Accepts a chain that ends at a known authority.
    Chain(Arc<WebPkiServerVerifier>, HostNames),
}

/// `true` if the certificate must be for the host name.
#[derive(Clone, Copy, Debug)]
enum HostNames {
    Verified,
    Any,
}

fn chain_verifier(roots: RootCertStore, provider: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>, Error> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|source| Error::new(ErrorKind::Config, "no certificate authority is known").with_source(source))
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let unknown = rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure);
        let (verifier, names) = match &self.trust {
            Trust::Anyone => return Ok(ServerCertVerified::assertion()),
            Trust::Nobody => return Err(CertificateError::UnknownIssuer.into()),
            Trust::Pinned(fingerprint, _) if Fingerprint::of(leaf) == *fingerprint => {
                return Ok(ServerCertVerified::assertion());
            }
            Trust::Pinned(fingerprint, names) => {
                // An authority's certificate is public, so sending it proves nothing: it must have signed the server's
                // own certificate.
                let pinned = intermediates.iter().find(|certificate| Fingerprint::of(certificate) == *fingerprint);
                let mut roots = RootCertStore::empty();
                roots.add(pinned.ok_or(unknown.clone())?.clone().into_owned())?;
                (chain_verifier(roots, &self.provider).map_err(|_| unknown)?, *names)
            }
            Trust::Chain(verifier, names) => (verifier.clone(), *names),
        };
        match (verifier.verify_server_cert(leaf, intermediates, name, ocsp, now), names) {
            // The name is checked last, when the chain is good.
            (
                Err(rustls::Error::InvalidCertificate(
                    CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
                )),
                HostNames::Any,
            ) => Ok(ServerCertVerified::assertion()),
            (outcome, _) => outcome,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contradictions_and_missing_files_name_themselves() {
        let path = |name: &str| Some(PathBuf::from(name));
        let table = [
            (TlsConfig { ca_cert: path("absent.pem"), ..Default::default() }, "absent.pem"),
            (TlsConfig { client_cert: path("c.pem"), ..Default::default() }, "without its key"),
            (TlsConfig { client_key: path("k.pem"), ..Default::default() }, "without its certificate"),
            (
                TlsConfig {
                    ca_cert: path("ca.pem"),
                    ca_fingerprint: Some("ab".repeat(32).parse().unwrap()),
                    ..Default::default()
                },
                "both a CA certificate and a CA fingerprint",
            ),
            (
                TlsConfig { ca_cert: path("ca.pem"), verification: Verification::None, ..Default::default() },
                "both verification none and a CA certificate",
            ),
            (
                TlsConfig {
                    ca_fingerprint: Some("ab".repeat(32).parse().unwrap()),
                    verification: Verification::None,
                    ..Default::default()
                },
                "both verification none and a CA fingerprint",
            ),
        ];
        for (config, expected) in table {
            let error = config.client_config().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
