//! Certificates for a container of one test run.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

/// An authority on disk, for clients, and what it signed for the node.
pub(crate) struct Certificates {
    /// The authority, as a PEM file that is removed with this value.
    pub(crate) ca_cert: PathBuf,
    /// The node's certificate (PEM).
    pub(crate) certificate: String,
    /// The node's key (PEM).
    pub(crate) key: String,
}

impl Certificates {
    /// Makes an authority and a certificate for this machine's own names and `hosts`.
    pub(crate) fn generate(hosts: Vec<String>) -> Result<Self, String> {
        let (ca, certificate, key) = sign(hosts).map_err(|error| error.to_string())?;
        let name = crate::unique_prefix("ca");
        let ca_cert = std::env::temp_dir().join(format!("{name}ca.crt"));
        std::fs::write(&ca_cert, ca).map_err(|error| format!("cannot write {}: {error}", ca_cert.display()))?;
        Ok(Self { ca_cert, certificate, key })
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.ca_cert);
    }
}

fn sign(hosts: Vec<String>) -> Result<(String, String, String), rcgen::Error> {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, "es-testing");
    let issuer = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let own = ["localhost", "127.0.0.1"].map(str::to_owned);
    let names: Vec<String> = own.into_iter().chain(hosts).collect();
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(names)?.signed_by(&key, &issuer)?;
    Ok((issuer.pem(), certificate.pem(), key.serialize_pem()))
}
