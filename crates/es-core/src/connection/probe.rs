//! The steps of a connection to each node: name resolution, TCP, TLS. Requests are left to the client.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use crate::connection::certificate::CertificateSummary;
use crate::connection::config::ClusterConfig;
use crate::connection::diagnosis::{self, printable};
use crate::error::{Error, ErrorKind};

/// The steps of a connection to one node.
#[derive(Debug)]
pub struct NodeProbe {
    /// The node's address, without user information.
    pub node: String,
    /// The proxy that requests to the node go through, without user information. With one, the steps
    /// below are those to the proxy, and the node behind it is not probed.
    pub proxy: Option<String>,
    /// The addresses that its host name resolves to.
    pub resolved: Result<Vec<IpAddr>, Error>,
    /// The time of a TCP connect. `None` where the name has no address.
    pub connected: Option<Result<Duration, Error>>,
    /// The TLS session. `None` for plain HTTP, and without a connection.
    pub tls: Option<Result<TlsSession, Error>>,
}

/// The result of a TLS handshake.
#[derive(Debug)]
pub struct TlsSession {
    /// The protocol version, such as `TLSv1.3`.
    pub protocol: String,
    /// The certificates that it sent, its own first.
    pub chain: Vec<CertificateSummary>,
    /// `Ok` if the configuration trusts them; else the reason.
    pub trusted: Result<(), Error>,
}

/// Probes every node of a configuration, all at once. Only the handshake is sent: no password, key or
/// token, and no client certificate.
///
/// # Errors
/// [`crate::ErrorKind::Config`] when the configuration itself cannot be used. The failure of a node is
/// in its [`NodeProbe`].
pub async fn probe(config: &ClusterConfig) -> Result<Vec<NodeProbe>, Error> {
    config.check()?;
    let (urls, _) = config.endpoint.resolve()?;
    // Unreadable files fail now, and not once a node.
    config.tls.client_config()?;
    let verifier = config.tls.verifier()?;
    let probes = urls.iter().map(|url| probe_node(config, url, verifier.clone()));
    Ok(futures::future::join_all(probes).await)
}

async fn probe_node(config: &ClusterConfig, url: &Url, verifier: Arc<dyn ServerCertVerifier>) -> NodeProbe {
    let target = config.proxy.as_ref().map_or(url, |proxy| proxy.url());
    let mut probe = NodeProbe {
        node: printable(url),
        proxy: config.proxy.as_ref().map(ToString::to_string),
        resolved: Ok(Vec::new()),
        connected: None,
        tls: None,
    };
    let addresses = match resolve(target, config.connect_timeout).await {
        Ok(addresses) => addresses,
        Err(error) => return NodeProbe { resolved: Err(error), ..probe },
    };
    probe.resolved = Ok(addresses.iter().map(SocketAddr::ip).collect());
    let started = Instant::now();
    let stream = connect(target, &addresses, config.connect_timeout).await;
    let took = started.elapsed();
    match stream {
        Ok(stream) => {
            probe.connected = Some(Ok(took));
            if target.scheme() == "https" {
                probe.tls = Some(handshake(config, target, verifier, stream).await);
            }
        }
        Err(error) => probe.connected = Some(Err(error)),
    }
    probe
}

async fn resolve(url: &Url, limit: Duration) -> Result<Vec<SocketAddr>, Error> {
    let port = url.port_or_known_default().unwrap_or(9200);
    let name = match url.host() {
        Some(Host::Ipv4(ip)) => return Ok(vec![(ip, port).into()]),
        Some(Host::Ipv6(ip)) => return Ok(vec![(ip, port).into()]),
        Some(Host::Domain(name)) => name,
        None => "",
    };
    let unknown = |why: String| {
        Error::new(ErrorKind::Connect, format!("the host name {name} cannot be resolved: {why}"))
            .with_help("check the spelling, and that this machine's name server knows it")
    };
    match timeout(limit, tokio::net::lookup_host((name, port))).await {
        Ok(Ok(found)) => {
            let mut addresses: Vec<SocketAddr> = Vec::new();
            for address in found {
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
            if addresses.is_empty() { Err(unknown("it has no address".to_owned())) } else { Ok(addresses) }
        }
        Ok(Err(source)) => Err(unknown(source.to_string()).with_source(source)),
        Err(_) => Err(unknown(format!("no answer within {limit:?}"))),
    }
}

/// Connects to the first address that accepts.
async fn connect(url: &Url, addresses: &[SocketAddr], limit: Duration) -> Result<TcpStream, Error> {
    match timeout(limit, TcpStream::connect(addresses)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(source)) => Err(diagnosis::of_connect(source, &printable(url))),
        Err(_) => Err(diagnosis::of_connect(io::ErrorKind::TimedOut.into(), &printable(url))),
    }
}

async fn handshake(
    config: &ClusterConfig,
    url: &Url,
    verifier: Arc<dyn ServerCertVerifier>,
    stream: TcpStream,
) -> Result<TlsSession, Error> {
    let node = printable(url);
    let observer = Arc::new(Observer { verifier, seen: Mutex::default() });
    let without_client = crate::TlsConfig { client_cert: None, client_key: None, ..config.tls.clone() };
    let tls = without_client.client_config_with(observer.clone())?;
    let name = ServerName::try_from(url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned())
        .map_err(|source| Error::new(ErrorKind::Tls, format!("{node} has no name for TLS")).with_source(source))?;
    let limit = config.connect_timeout;
    let done = timeout(limit, TlsConnector::from(Arc::new(tls)).connect(name, stream)).await;
    let seen = observer.seen.lock().unwrap_or_else(PoisonError::into_inner).take();
    let protocol = match done {
        Ok(Ok(stream)) => {
            let version = stream.get_ref().1.protocol_version();
            version.and_then(|version| version.as_str()).unwrap_or("TLS").replace('_', ".")
        }
        Ok(Err(source)) => return Err(diagnosis::of_handshake(source, &node)),
        Err(_) => {
            let why = format!("{node} did not finish the TLS handshake within {limit:?}");
            return Err(Error::new(ErrorKind::Connect, why)
                .with_help("the port may speak something else, or a firewall may hold the connection"));
        }
    };
    let Some(Seen { chain, verdict }) = seen else {
        return Err(Error::new(ErrorKind::Tls, format!("{node} showed no certificate")));
    };
    Ok(TlsSession {
        protocol,
        chain: chain.iter().map(CertificateSummary::read).collect::<Result<_, _>>()?,
        trusted: verdict.map_err(|error| diagnosis::of_tls(&error, &node).with_source(error)),
    })
}

/// Records the chain and the configuration's verdict, and lets the handshake continue. The signature
/// of the server is verified in any case.
#[derive(Debug)]
struct Observer {
    verifier: Arc<dyn ServerCertVerifier>,
    seen: Mutex<Option<Seen>>,
}

/// The certificates that a server sent, its own first, and the configuration's verdict.
#[derive(Debug)]
struct Seen {
    chain: Vec<CertificateDer<'static>>,
    verdict: Result<(), rustls::Error>,
}

impl ServerCertVerifier for Observer {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let chain = std::iter::once(leaf).chain(intermediates).map(|one| one.clone().into_owned()).collect();
        let verdict = self.verifier.verify_server_cert(leaf, intermediates, name, ocsp, now);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(Seen { chain, verdict: verdict.map(|_| ()) });
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
