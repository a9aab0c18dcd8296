//! The setup of a node with security: a certificate authority, a
//! certificate for this machine's own addresses, a password and an API key.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::state::{Access, Layout, Node, NodeName, Secret, create_folder, write_private};
use crate::http::{Auth, Client};

/// The user that Elasticsearch creates with all rights.
const ADMINISTRATOR: &str = "elastic";

/// The name that the API key has in Elasticsearch.
const API_KEY_NAME: &str = "orchestrator-development";

/// Secrets that last as long as the node's data.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Credentials {
    pub(crate) password: Secret,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    api_key: Option<Secret>,
}

/// The files and secrets of a node with security.
pub(crate) struct Setup {
    pub(crate) credentials: Credentials,
    pub(crate) files: CertificateFiles,
    credentials_file: PathBuf,
}

/// The folder of the PEM certificates.
#[derive(Clone)]
pub(crate) struct CertificateFiles {
    /// The authority, that clients trust.
    pub(crate) ca_cert: PathBuf,
    /// The node's certificate and key, in a folder that can be mounted.
    pub(crate) folder: PathBuf,
}

impl CertificateFiles {
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.join("http.crt")
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.folder.join("http.key")
    }
}

impl Setup {
    /// The files and secrets of the node, made first where there are none.
    pub(crate) fn ensure(layout: &Layout) -> Result<Self> {
        let state = layout.state_of(NodeName::Secure);
        let private = layout.private(NodeName::Secure);
        create_folder(&state, 0o711)?;
        create_folder(&private, 0o700)?;
        let files = CertificateFiles { ca_cert: state.join("ca.crt"), folder: private.join("certs") };
        if !(files.ca_cert.is_file() && files.certificate().is_file() && files.key().is_file()) {
            write_certificates(&files)?;
        }
        let credentials_file = private.join("credentials.json");
        let credentials = match std::fs::read(&credentials_file) {
            Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| {
                format!("{} is damaged: run `cargo xtask es up --secure --fresh`", credentials_file.display())
            })?,
            Err(_) => {
                let credentials = Credentials { password: random_password()?, api_key: None };
                write_private(&credentials_file, &serde_json::to_vec_pretty(&credentials)?)?;
                credentials
            }
        };
        Ok(Self { credentials, files, credentials_file })
    }

    /// Forgets the files and secrets, for a node whose data is dropped.
    pub(crate) fn remove(layout: &Layout) -> Result<()> {
        let private = layout.private(NodeName::Secure);
        if private.exists() {
            std::fs::remove_dir_all(&private).with_context(|| format!("cannot remove {}", private.display()))?;
        }
        Ok(())
    }

    /// The credentials of a client, without the API key that only a running node can create.
    pub(crate) fn access(&self) -> Access {
        Access {
            username: ADMINISTRATOR.into(),
            password: self.credentials.password.clone(),
            api_key: None,
            ca_cert: self.files.ca_cert.clone(),
        }
    }

    /// An API key that works on the running node: the kept one, or a new one.
    pub(crate) fn api_key(&mut self, node: &Node) -> Result<Secret> {
        let limit = Duration::from_secs(30);
        if let Some(kept) = &self.credentials.api_key {
            let client = Client::new(&node.url, Auth::ApiKey(kept.0.clone()), Some(&self.files.ca_cert), limit)?;
            if matches!(client.get("/_security/_authenticate"), Ok((200, _))) {
                return Ok(kept.clone());
            }
        }
        let (status, answer) = node.client(limit)?.put("/_security/api_key", &json!({ "name": API_KEY_NAME }))?;
        let Some(encoded) = answer["encoded"].as_str().filter(|_| status == 200) else {
            bail!("the node made no API key; it answered {status}: {answer}");
        };
        let key = Secret(encoded.to_owned());
        self.credentials.api_key = Some(key.clone());
        write_private(&self.credentials_file, &serde_json::to_vec_pretty(&self.credentials)?)?;
        Ok(key)
    }
}

/// 24 random bytes from the system, in hexadecimal.
fn random_password() -> Result<Secret> {
    use std::io::Read;
    let mut bytes = [0_u8; 24];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .context("cannot read /dev/urandom")?;
    Ok(Secret(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
}

/// Makes an authority and one certificate signed by it.
///
/// The authority's key is never written: nothing else can be signed with it.
fn write_certificates(files: &CertificateFiles) -> Result<()> {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    authority.distinguished_name.push(DnType::CommonName, "Orchestrator development CA");
    let issuer = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;

    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut server = CertificateParams::new(names)?;
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    server.distinguished_name.push(DnType::CommonName, "localhost");
    let key = KeyPair::generate()?;
    let certificate = server.signed_by(&key, &issuer)?;

    create_folder(&files.folder, 0o755)?;
    // The node shows its authority too, so that clients can pin it by its fingerprint.
    write_public(&files.certificate(), &format!("{}{}", certificate.pem(), issuer.pem()))?;
    // A container reads the key as another user; the folder above keeps the
    // other users of this machine out.
    write_public(&files.key(), &key.serialize_pem())?;
    // Written last: it is the file whose presence says that the set is complete.
    write_public(&files.ca_cert, &issuer.pem())
}

fn write_public(path: &Path, pem: &str) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, pem)
        .and_then(|()| std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)))
        .with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_long_and_differ() {
        let (one, other) = (random_password().unwrap(), random_password().unwrap());
        assert_eq!(one.0.len(), 48);
        assert_ne!(one, other);
    }

    #[test]
    fn certificates_are_written_as_pem() {
        let folder = std::env::temp_dir().join(format!("xtask-certs-{}", std::process::id()));
        let files = CertificateFiles { ca_cert: folder.join("ca.crt"), folder: folder.clone() };
        write_certificates(&files).unwrap();
        for (path, label) in [
            (&files.ca_cert, "BEGIN CERTIFICATE"),
            (&files.certificate(), "BEGIN CERTIFICATE"),
            (&files.key(), "BEGIN PRIVATE KEY"),
        ] {
            let pem = std::fs::read_to_string(path).unwrap();
            assert!(pem.contains(label), "{}", path.display());
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
