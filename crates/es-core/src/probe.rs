//! Probing a connection to each node, step by step, for a person who asks why a cluster cannot be
//! reached. No credentials are sent.
//!
//! ```no_run
//! # async fn example() -> Result<(), es_core::Error> {
//! use es_core::ClusterConfig;
//! use es_core::probe::probe;
//!
//! for node in probe(&ClusterConfig::from_env()?).await? {
//!     println!("{}: {:?}, {:?}, {:?}", node.node, node.resolved, node.connected, node.tls);
//! }
//! # Ok(())
//! # }
//! ```

pub use crate::connection::certificate::CertificateSummary;
pub use crate::connection::probe::{NodeProbe, TlsSession, probe};
