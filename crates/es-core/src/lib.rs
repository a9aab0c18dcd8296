//! The connection to Elasticsearch that every other crate trusts.
//!
//! A [`Client`] carries [`Request`]s to a pool of nodes, repeats those that may be
//! repeated, checks that the far side is a supported Elasticsearch, and turns every
//! failure into one [`Error`] whose [`ErrorKind`] a caller can act on. On top of it
//! stand the small typed APIs that the pipeline needs: [`Indices`] (create, mappings,
//! settings, aliases), [`Documents`] (single documents with compare-and-set) and
//! [`PointInTime`] (consistent reads). A [`Mapping`] keeps every parameter that it does
//! not know and tells what changed between two mappings.
//!
//! This crate knows nothing of data frames: columns are `es-frame`'s, bulk requests are
//! `es-bulk`'s.
//!
//! ```no_run
//! use es_core::{Client, ClusterConfig};
//!
//! # async fn example() -> Result<(), es_core::Error> {
//! let config = ClusterConfig::from_env()?;
//! let client = Client::connect(config).await?;
//! println!("{} {}", client.info().cluster_name, client.info().version);
//! println!("{} documents", client.indices().count("flights-departures").await?);
//! # Ok(())
//! # }
//! ```

mod certificate;
mod client;
mod config;
mod credentials;
mod diagnosis;
mod documents;
mod endpoint;
mod environment;
mod error;
mod failed_shard;
mod headers;
mod indices;
mod mapping;
mod nodes;
pub mod paths;
mod point_in_time;
mod privilege;
mod probe;
mod product;
mod proxy;
mod request;
mod retry;
mod retry_after;
mod server_error;
mod sniff;
mod tls;
mod transport;

pub use bytes::Bytes;
pub use certificate::{CertificateSummary, Fingerprint};
pub use client::Client;
pub use config::{ClusterConfig, KeepAlive, Sniffing};
pub use credentials::{Credentials, Secret};
pub use documents::{Document, Documents, Precondition};
pub use endpoint::Endpoint;
pub use environment::{EnvironmentVariable, VARIABLES};
pub use error::{Error, ErrorKind};
pub use failed_shard::FailedShard;
pub use headers::ExtraHeaders;
pub use indices::{AliasAction, IndexDescription, Indices, NewIndex};
pub use mapping::{Change, ChangeKind, Mapping, MappingDiff, Properties, Property};
pub use point_in_time::{PointInTime, SearchPage};
pub use privilege::{MissingPrivilege, PrivilegeScope};
pub use probe::{NodeProbe, TlsSession, probe};
pub use product::{ClusterInfo, Version};
pub use proxy::Proxy;
pub use request::{Method, Request, Response};
pub use retry::{Backoff, RetryPolicy};
pub use server_error::{RootCause, ServerError};
pub use tls::{TlsConfig, Verification};
