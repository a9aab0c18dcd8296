//! The connection to Elasticsearch that every other crate trusts.
//!
//! A [`Client`] carries [`Request`]s to a pool of nodes, repeats those that may be
//! repeated, checks that the far side is a supported Elasticsearch, and turns every
//! failure into one [`Error`] whose [`ErrorKind`] a caller can act on. On top of it
//! stand the small typed APIs that the pipeline needs: [`Indices`] (create, mappings,
//! settings, aliases), [`Documents`] (single documents with compare-and-set),
//! [`PointInTime`] (consistent reads) and [`Cluster`] (health, disks, features, privileges). A [`Mapping`] keeps every parameter that it does
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

mod client;
mod cluster;
mod config;
mod credentials;
mod diagnosis;
mod documents;
mod environment;
mod error;
mod indices;
mod mapping;
mod nodes;
pub mod paths;
mod point_in_time;
mod probe;
mod product;
mod request;
mod retry;
mod server_error;
mod tls;

pub use bytes::Bytes;
pub use client::Client;
pub use cluster::{
    AllocationExplanation, Availability, Breaker, Capabilities, Capability, ClockSkew, Cluster, ClusterSettings,
    Decider, DiskGate, DiskShortage, DiskWatermarks, Health, HealthStatus, HealthWait, Identity, IndexPrivileges,
    Licence, LicenceAnswer, NodeDisk, NodeStatistics, PrivilegeRequest, Security, Shard, ShardList, Stage,
    UngrantedPrivilege, Watermark,
};
pub use config::{ClusterConfig, Endpoint};
pub use credentials::{Credentials, Secret};
pub use documents::{Document, Documents, Precondition};
pub use environment::{EnvironmentVariable, VARIABLES};
pub use error::{Error, ErrorKind};
pub use indices::{AliasAction, IndexDescription, Indices, NewIndex};
pub use mapping::{Change, ChangeKind, Mapping, MappingDiff, Properties, Property};
pub use point_in_time::{PointInTime, SearchPage};
pub use probe::{CertificateSummary, NodeProbe, TlsSession, probe};
pub use product::{ClusterInfo, Version};
pub use request::{Method, Request, Response};
pub use retry::{Backoff, RetryPolicy};
pub use server_error::{RootCause, ServerError};
pub use tls::{Fingerprint, TlsConfig, Verification};
