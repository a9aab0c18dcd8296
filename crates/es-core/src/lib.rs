//! A client of Elasticsearch 8 and 9 for programs that must not lose or double data.
//!
//! A [`Client`] sends [`Request`]s to a pool of nodes, retries those that may be sent twice, checks
//! that the server is a supported Elasticsearch, and turns every failure into one [`Error`], whose
//! [`ErrorKind`] a caller can act on. Typed APIs for indices, documents, searches and the cluster
//! build on it.
//!
//! This crate knows no data frames and sends no bulk requests: see `es-frame` and `es-bulk`.
//!
//! # Connect
//!
//! [`ClusterConfig::from_env`] reads the environment ([`VARIABLES`]); every setting is also a field
//! of [`ClusterConfig`]. A `Client` is cheap to clone, and all clones share their connections.
//!
//! ```no_run
//! # async fn example() -> Result<(), es_core::Error> {
//! use es_core::{Client, ClusterConfig, Credentials, Endpoint};
//!
//! let client = Client::connect(ClusterConfig::from_env()?).await?;
//! println!("{} {}", client.info().cluster_name, client.info().version);
//!
//! let config = ClusterConfig {
//!     endpoint: Endpoint::hosts("https://es-1:9200,https://es-2:9200")?,
//!     credentials: Credentials::api_key("VnVhQ2ZHY0JDZGJrUW0tZTVhT3g6dWkybHAyYXhUTm1zeWFrdzl0dk5udw=="),
//!     ..ClusterConfig::default()
//! };
//! let other = Client::connect(config).await?;
//! # Ok(())
//! # }
//! ```
//!
//! [`probe::probe`] shows step by step how far a connection to each node gets.
//!
//! # Send a request
//!
//! Any API can be called. A request says itself whether it may be sent twice:
//!
//! ```no_run
//! # async fn example(client: &es_core::Client) -> Result<(), es_core::Error> {
//! use es_core::{Method, Request};
//! use serde_json::{Value, json};
//!
//! let analyze = Request::new(Method::Post, "/_analyze")
//!     .header("X-Opaque-Id", "nightly-7")
//!     .query("filter_path", "tokens.token")
//!     .json(&json!({"analyzer": "standard", "text": "Newark to Chicago"}))
//!     .repeatable();
//! let answer: Value = client.send(&analyze).await?.json()?;
//! println!("{answer}");
//! # Ok(())
//! # }
//! ```
//!
//! # Act on an error
//!
//! `{:#}` prints the help below the message; `Debug`, which `?` in `main` prints, adds the causes.
//!
//! ```no_run
//! # async fn example(client: &es_core::Client) -> Result<(), es_core::Error> {
//! use es_core::ErrorKind;
//!
//! match client.indices().count("flights").await {
//!     Ok(count) => println!("{count} documents"),
//!     Err(error) if error.kind() == ErrorKind::NotFound => println!("there is no such index"),
//!     Err(error) if error.is_retryable() => eprintln!("try again later: {error:#}"),
//!     Err(error) => return Err(error),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Create and change indices
//!
//! A [`Mapping`] keeps every parameter, also those that this crate does not know, and
//! [`Mapping::diff`] finds the changes that the live index accepts in place. Aliases move in one
//! step ([`Indices::swap_alias`]). [`Indices::create`] fails where the new index has no node, and
//! says why.
//!
//! ```no_run
//! # async fn example(client: &es_core::Client) -> Result<(), Box<dyn std::error::Error>> {
//! use es_core::{AliasOptions, Mapping, NewIndex};
//! use serde_json::json;
//!
//! let mapping: Mapping = serde_json::from_value(json!({"properties": {"delay": {"type": "integer"}}}))?;
//! client.indices().create("flights-2", &NewIndex { mapping, ..NewIndex::default() }).await?;
//! client.indices().swap_alias("flights", &["flights-2"], &AliasOptions::default()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Modules for rarer tasks: [`templates`], [`data_streams`], [`lifecycle`], [`reindex`],
//! [`snapshots`], [`tasks`] and [`indices`] (rollover, merges). A cluster without such a feature
//! answers with [`ErrorKind::FeatureMissing`]. Every wait for work of the server has a limit, a
//! [`Wait`].
//!
//! # Read and write documents
//!
//! [`Documents`] reads and writes single documents with compare-and-set:
//!
//! ```no_run
//! # async fn example(client: &es_core::Client) -> Result<(), es_core::Error> {
//! use es_core::{ErrorKind, Precondition};
//! use serde_json::{Value, json};
//!
//! let jobs = client.documents("jobs");
//! if let Some(job) = jobs.get::<Value>("nightly").await? {
//!     let unchanged = Precondition::Unchanged { seq_no: job.seq_no, primary_term: job.primary_term };
//!     match jobs.put("nightly", &json!({"runs": job.source["runs"].as_u64().unwrap_or(0) + 1}), unchanged).await {
//!         Err(error) if error.kind() == ErrorKind::Conflict => println!("another program was faster"),
//!         result => result?,
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Search
//!
//! [`Client::search`] answers one search. A [`PointInTime`] answers many that see the same
//! documents, follows its id by itself, and reads pages of hits or buckets that shrink where the
//! server or the client has no memory for them ([`PointInTime::search_sized`]). Both refuse an
//! answer that lacks a shard. A [`Scroll`] reads pages where the credentials do not allow a point
//! in time; [`Esql`] and [`SqlCursor`] run queries in ES|QL and SQL.
//!
//! ```no_run
//! # async fn example(client: &es_core::Client) -> Result<(), es_core::Error> {
//! use std::time::Duration;
//! use serde_json::{Value, json};
//!
//! let point = client.open_point_in_time("flights", Duration::from_secs(60)).await?;
//! let late = json!({"range": {"delay": {"gte": 15}}});
//! println!("{} late flights", point.count(&late).await?);
//! let answer: Value = point.search(&json!({"query": late, "size": 10})).await?.json()?;
//! println!("{}", answer["hits"]["hits"]);
//! point.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Serve many tenants over one pool
//!
//! [`Client::with_credentials`] and [`Client::with_headers`] return clients that differ only in
//! these, and share the connections:
//!
//! ```no_run
//! # async fn example(client: &es_core::Client, keys: &[String]) -> Result<(), es_core::Error> {
//! use es_core::{Credentials, ExtraHeaders, Secret};
//!
//! for (number, key) in keys.iter().enumerate() {
//!     let headers = ExtraHeaders::default().with("X-Opaque-Id", Secret::new(format!("tenant-{number}")))?;
//!     let tenant = client.with_credentials(Credentials::api_key(key))?.with_headers(&headers)?;
//!     println!("{} documents", tenant.indices().count("events").await?);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Check the health of the cluster
//!
//! [`Cluster::health_report`] measures the status, unassigned shards, disks, heap, circuit
//! breakers, pending tasks and clocks, and returns a verdict with what to do. The module
//! [`cluster`] has the single measurements, and those of features, licence and privileges.
//!
//! ```no_run
//! # async fn example(client: &es_core::Client) -> Result<(), es_core::Error> {
//! use es_core::Verdict;
//!
//! let report = client.cluster().health_report().await?;
//! if report.verdict >= Verdict::Warn {
//!     println!("{report}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # The end of main
//!
//! A point in time or a scroll that is dropped, also by a cancelled task, is closed in the
//! background. A program that ends waits for that with [`Client::settle`]; otherwise they stay on
//! the server until they expire.
//!
//! ```no_run
//! # async fn work(client: &es_core::Client) -> Result<(), es_core::Error> { Ok(()) }
//! #[tokio::main]
//! async fn main() -> Result<(), es_core::Error> {
//!     let client = es_core::Client::connect(es_core::ClusterConfig::from_env()?).await?;
//!     let result = work(&client).await;
//!     client.settle(std::time::Duration::from_secs(10)).await;
//!     result
//! }
//! ```

mod client;
mod closing;
pub mod cluster;
mod connection;
mod content_hash;
pub mod data_streams;
mod documents;
pub mod error;
mod esql;
pub mod id;
pub mod indices;
pub mod lifecycle;
mod mapping;
pub mod paths;
pub mod probe;
pub mod reindex;
mod request;
mod search;
pub mod settings;
pub mod snapshots;
mod sql;
pub mod tasks;
pub mod templates;
mod units;
mod waiting;

pub use bytes::Bytes;
pub use client::Client;
pub use cluster::{Cluster, Health, HealthReport, HealthStatus, HealthWait, Verdict};
pub use connection::certificate::Fingerprint;
pub use connection::config::{ClusterConfig, KeepAlive, Sniffing};
pub use connection::credentials::{Credentials, Secret};
pub use connection::endpoint::Endpoint;
pub use connection::environment::{EnvironmentVariable, VARIABLES};
pub use connection::headers::ExtraHeaders;
pub use connection::product::{ClusterInfo, Version};
pub use connection::proxy::Proxy;
pub use connection::retry::{Backoff, RetryPolicy};
pub use connection::tls::{TlsConfig, Verification};
pub use content_hash::ContentHash;
pub use documents::{Document, Documents, Precondition};
pub use error::{Error, ErrorKind, FailedShard, ServerError};
pub use esql::{Esql, EsqlAnswer, TableFormat};
pub use id::IdText;
pub use indices::{AliasAction, AliasOptions, ForceMerge, IndexDescription, Indices, NewIndex};
pub use mapping::{Change, ChangeKind, Mapping, MappingDiff, Properties, Property};
pub use request::{Method, Request, Response};
pub use search::{KeepOpen, NextPage, PageSize, PointInTime, Scroll, SearchAnswer, SizedPage};
pub use settings::IndexSettings;
pub use sql::SqlCursor;
pub use waiting::Wait;
