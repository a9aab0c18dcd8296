//! The way to a cluster: where it is, who asks, whom to trust, and how one attempt of a request
//! is made and judged. Which request, and what its answer means, is left to the rest of the crate.

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
