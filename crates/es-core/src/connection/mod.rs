//! The connection to a cluster: addresses, credentials, TLS, the pool of nodes, and one attempt of a
//! request with the diagnosis of its failure. The meaning of requests and answers is left to the rest of
//! the crate.

pub(crate) mod access;
pub(crate) mod certificate;
pub(crate) mod config;
pub(crate) mod credentials;
pub(crate) mod diagnosis;
pub(crate) mod endpoint;
pub(crate) mod environment;
pub(crate) mod headers;
pub(crate) mod nodes;
pub(crate) mod probe;
pub(crate) mod product;
pub(crate) mod proxy;
pub(crate) mod retry;
pub(crate) mod retry_after;
pub(crate) mod sniff;
pub(crate) mod tls;
pub(crate) mod transport;
