//! Whom to trust: certificate authorities, fingerprints, and how much to verify.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use sha2::{Digest as _, Sha256};

use crate::error::{Error, ErrorKind};

/// How much of the server's certificate is verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verification {
    /// The chain and the host name.
    #[default]
    Full,
    /// The chain alone: any host name will do.
    Certificate,
    /// Nothing. Anyone on the way can read and change what is sent; each start warns.
    None,
}

/// The SHA-256 of a certificate of the server's chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    fn of(certificate: &CertificateDer<'_>) -> Self {
        Self(Sha256::digest(certificate.as_ref()).into())
    }
}

impl FromStr for Fingerprint {
    type Err = Error;

    /// Takes 64 hexadecimal digits, with or without colons, in either case.
    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || {
            Error::new(
                ErrorKind::Config,
                format!("the CA fingerprint {text:?} is not a SHA-256: it needs 64 hexadecimal digits"),
            )
            .with_help("print it with: openssl x509 -fingerprint -sha256 -noout -in http_ca.crt")
        };
        let digits: Vec<u8> = text.trim().bytes().filter(|byte| *byte != b':').collect();
        if digits.len() != 64 {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The settings of TLS connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsConfig {
    /// A PEM file of certificate authorities. When given, no others are trusted.
    pub ca_cert: Option<PathBuf>,
    /// Trust a server that shows a certificate with this fingerprint, or, behind its own, the
    /// authority's with this fingerprint that signed it. The host name is not looked at.
    pub ca_fingerprint: Option<Fingerprint>,
    /// A PEM file of the client's certificate chain.
    pub client_cert: Option<PathBuf>,
    /// A PEM file of the client's private key.
    pub client_key: Option<PathBuf>,
    /// How much is verified.
    pub verification: Verification,
}

impl TlsConfig {
    /// The rustls configuration that these settings mean.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when a file cannot be read or the settings contradict each other.
    pub(crate) fn client_config(&self) -> Result<ClientConfig, Error> {
        if self.ca_cert.is_some() && self.ca_fingerprint.is_some() {
            return Err(Error::new(ErrorKind::Config, "both a CA certificate and a CA fingerprint are set")
                .with_help("keep one of them: the fingerprint alone decides whom to trust"));
        }
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|source| Error::new(ErrorKind::Config, "TLS cannot be set up").with_source(source))?;
        let names = match self.verification {
            Verification::Certificate => HostNames::Any,
            Verification::Full | Verification::None => HostNames::Verified,
        };
        let trust = match (self.verification, self.ca_fingerprint) {
            (Verification::None, _) => Some(Trust::Anyone),
            (_, Some(fingerprint)) => Some(Trust::Pinned(fingerprint, names)),
            (Verification::Certificate, None) => Some(Trust::Chain(chain_verifier(self.roots()?, &provider)?, names)),
            (Verification::Full, None) => None,
        };
        let builder = match trust {
            Some(trust) => builder.dangerous().with_custom_certificate_verifier(Arc::new(Verifier { trust, provider })),
            None => builder.with_root_certificates(self.roots()?),
        };
        match (&self.client_cert, &self.client_key) {
            (None, None) => Ok(builder.with_no_client_auth()),
            (Some(cert), Some(key)) => {
                let chain = certificates(cert)?;
                let key = PrivateKeyDer::from_pem_file(key).map_err(|source| unreadable("client key", key, source))?;
                builder.with_client_auth_cert(chain, key).map_err(|source| {
                    Error::new(ErrorKind::Config, "the client certificate and key do not fit together")
                        .with_source(source)
                })
            }
            (Some(_), None) => Err(Error::new(ErrorKind::Config, "a client certificate is set without its key")),
            (None, Some(_)) => Err(Error::new(ErrorKind::Config, "a client key is set without its certificate")),
        }
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

/// Decides on a server's certificate by a rule of ours. Signatures are verified in any case:
/// without that, whoever knows a certificate could pretend to own it.
#[derive(Debug)]
struct Verifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
}

/// The rule.
#[derive(Debug)]
enum Trust {
    /// Whoever answers.
    Anyone,
    /// A server whose own certificate has this fingerprint, or whose chain ends at a
    /// certificate that has it.
    Pinned(Fingerprint, HostNames),
    /// A chain that ends at a known authority.
    Chain(Arc<WebPkiServerVerifier>, HostNames),
}

/// Whether the certificate must be for the host name.
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
            Trust::Pinned(fingerprint, _) if Fingerprint::of(leaf) == *fingerprint => {
                return Ok(ServerCertVerified::assertion());
            }
            Trust::Pinned(fingerprint, names) => {
                // An authority's certificate is public, so that it was sent proves nothing:
                // the server's own certificate has to be signed by it.
                let pinned = intermediates.iter().find(|certificate| Fingerprint::of(certificate) == *fingerprint);
                let mut roots = RootCertStore::empty();
                roots.add(pinned.ok_or(unknown.clone())?.clone().into_owned())?;
                (chain_verifier(roots, &self.provider).map_err(|_| unknown)?, *names)
            }
            Trust::Chain(verifier, names) => (verifier.clone(), *names),
        };
        match (verifier.verify_server_cert(leaf, intermediates, name, ocsp, now), names) {
            // The name is looked at last, when the chain has proved good.
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
    fn a_fingerprint_is_read_with_and_without_colons() {
        let plain = "AB".repeat(32);
        let colons = vec!["ab"; 32].join(":");
        assert_eq!(plain.parse::<Fingerprint>().unwrap(), colons.parse().unwrap());
        assert_eq!(plain.parse::<Fingerprint>().unwrap().to_string(), plain.to_lowercase());
        for wrong in ["", "ab", &"zz".repeat(32), &"ab".repeat(33), &"é".repeat(32)] {
            assert_eq!(wrong.parse::<Fingerprint>().unwrap_err().kind(), ErrorKind::Config);
        }
    }

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
        ];
        for (config, expected) in table {
            let error = config.client_config().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
