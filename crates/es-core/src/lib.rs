//! The connection to Elasticsearch that every other crate trusts.
//!
//! A [`Client`] carries [`Request`]s to a pool of nodes, repeats those that may be
//! repeated, checks that the far side is a supported Elasticsearch, and turns every
//! failure into one [`Error`] whose [`ErrorKind`] a caller can act on. On top of it
//! stand the small typed APIs that the pipeline needs:
//!
//! - [`Indices`] creates, describes, refreshes, merges and rolls over indices, and moves
//!   aliases in one step ([`Indices::swap_alias`]).
//! - A [`Mapping`] keeps every parameter that it does not know, and tells what changed
//!   between two mappings and what the live index takes ([`Mapping::diff`]);
//!   [`IndexSettings`] does the same for settings.
//! - [`Templates`] are what new indices are made with, [`DataStreams`] and [`Lifecycle`]
//!   policies what becomes of them; a cluster without these features says so with
//!   [`ErrorKind::FeatureMissing`].
//! - A [`ReindexTask`] copies documents on the server with progress and an account of what
//!   was not copied; [`Tasks`] asks after any long work and cancels it.
//! - [`Snapshots`] are taken, listed and brought back, one index at a time.
//! - [`Documents`] reads and writes single documents with compare-and-set, and a
//!   [`PointInTime`] reads many consistently; a [`Scroll`] does where one may not be opened.
//! - [`Esql`] runs a query in ES|QL to its end, and a [`SqlCursor`] reads the pages of one in
//!   SQL.
//! - [`Cluster`] tells of health, disks, shards, licence, features and privileges, and waits
//!   for health; [`probe`] tells how far a connection to each node gets.
//!
//! Every wait for work on the server is bounded by a [`Wait`].
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
mod closing;
mod cluster;
mod connection;
mod content_hash;
mod data_streams;
mod documents;
mod error;
mod esql;
pub mod id;
mod indices;
mod lifecycle;
mod mapping;
pub mod paths;
mod reindex;
mod request;
mod search;
mod settings;
mod snapshots;
mod sql;
mod tasks;
mod templates;
mod units;
mod waiting;

pub use bytes::Bytes;
pub use client::Client;
pub use cluster::{
    AllocationExplanation, Availability, Breaker, Capabilities, Capability, ClockSkew, Cluster, ClusterSettings,
    Decider, DiskGate, DiskShortage, DiskWatermarks, Health, HealthStatus, HealthWait, Identity, IndexPrivileges,
    Licence, LicenceAnswer, NodeDisk, NodeStatistics, PrivilegeRequest, Security, Shard, ShardList, Stage,
    UngrantedPrivilege, Watermark,
};
pub use connection::certificate::{CertificateSummary, Fingerprint};
pub use connection::config::{ClusterConfig, KeepAlive, Sniffing};
pub use connection::credentials::{Credentials, Secret};
pub use connection::endpoint::Endpoint;
pub use connection::environment::{EnvironmentVariable, VARIABLES};
pub use connection::headers::ExtraHeaders;
pub use connection::probe::{NodeProbe, TlsSession, probe};
pub use connection::product::{ClusterInfo, Version};
pub use connection::proxy::Proxy;
pub use connection::retry::{Backoff, RetryPolicy};
pub use connection::tls::{TlsConfig, Verification};
pub use content_hash::ContentHash;
pub use data_streams::{BackingIndex, DataLifecycle, DataStream, DataStreams, TimestampField};
pub use documents::{Document, Documents, Precondition};
pub use error::failed_shard::FailedShard;
pub use error::privilege::{MissingPrivilege, PrivilegeScope};
pub use error::server_error::{RootCause, ServerError};
pub use error::{Error, ErrorKind};
pub use esql::{Esql, EsqlAnswer, TableFormat};
pub use id::IdText;
pub use indices::{
    AliasAction, AliasOptions, ForceMerge, IndexDescription, Indices, NewIndex, Rollover, RolloverConditions,
    RolloverMode, ShardCounts,
};
pub use lifecycle::{
    Actions, DeleteAction, IndexLifecycle, Lifecycle, LifecyclePolicy, LifecycleStatus, MergeAction, Phase, Phases,
    StoredPolicy,
};
pub use mapping::{Change, ChangeKind, Mapping, MappingDiff, Properties, Property};
pub use reindex::{Conflicts, Reindex, ReindexFailure, ReindexProgress, ReindexSummary, ReindexTask, Slices};
pub use request::{Method, Request, Response};
pub use search::{KeepOpen, NextPage, PageSize, PointInTime, Scroll, SearchAnswer, SizedPage};
pub use settings::{IndexSettings, SettingChange, SettingKind, SettingsDiff};
pub use snapshots::{
    NewSnapshot, Repository, Restore, RestoreProgress, Snapshot, SnapshotFailure, SnapshotProgress, SnapshotState,
    Snapshots,
};
pub use sql::SqlCursor;
pub use tasks::{TaskId, TaskInfo, TaskOutcome, TaskState, Tasks};
pub use templates::{
    ComponentTemplate, IndexTemplate, OverlappingTemplate, SimulatedIndex, TemplateContent, Templates,
};
pub use waiting::Wait;
