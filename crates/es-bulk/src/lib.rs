//! Bulk indexing that accounts for every document.
//!
//! A [`BulkLoader`] sends [`Batch`]es of documents to one index: several at once, failed documents
//! again where that is safe, within one budget of memory. Its [`Summary`] adds up: every document
//! that was read is acknowledged, rejected with its reason in a [`DeadLetter`], or unknown.
//!
//! Batches come from a stream of values ([`batched`]), of frames ([`batched_frames`]), from files
//! ([`files`]), from an earlier dead letter ([`replay`]), or from a [`BatchBuilder`] that is filled
//! by hand. The stream is read only as fast as the cluster takes it.
//!
//! Indices, aliases and mappings belong to `es-core`, and the encoding of cells as JSON to
//! `es-frame`. The feature `frames`, on by default, adds frames and the files that are read as
//! frames; without it, the crate does not depend on Polars.
//!
//! # Structs
//! Anything that serializes to a JSON object is a document. The stream may end with any error.
//!
//! ```no_run
//! use es_bulk::{Action, BulkLoader, BulkOptions, Operation, batched};
//! use es_core::{Client, ClusterConfig};
//! use futures::stream;
//!
//! #[derive(serde::Serialize)]
//! struct Departure {
//!     flight: String,
//!     delay: i32,
//! }
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::connect(ClusterConfig::from_env()?).await?;
//! let departures = stream::iter([Ok::<_, std::io::Error>(Departure { flight: "UA1545".into(), delay: 2 })]);
//! let options = BulkOptions::default();
//! let batches = batched(departures, options.batch_limits(), |departure| {
//!     Action::new(Operation::Index, &departure.flight)
//! });
//! let summary = BulkLoader::new(client, "departures", options).load(batches).await?;
//! println!("{summary}");
//! # Ok(())
//! # }
//! ```
//!
//! # Documents that are JSON already
//! Their bytes are sent as they are, so that no digit is lost.
//!
//! ```no_run
//! # use es_bulk::{Action, BatchBuilder, BatchLimits, BulkLoader, BulkOptions, Operation};
//! # async fn example(client: es_core::Client) -> Result<(), es_bulk::Error> {
//! let mut builder = BatchBuilder::new(BatchLimits::default());
//! let full = builder.push_json(&Action::new(Operation::Index, "UA1545"), br#"{"delay": 2.50}"#)?;
//! let batches = full.into_iter().chain(builder.finish());
//! let summary = BulkLoader::new(client, "departures", BulkOptions::default()).load_batches(batches).await?;
//! assert!(summary.adds_up());
//! # Ok(())
//! # }
//! ```
//!
//! # Frames
#![cfg_attr(
    feature = "frames",
    doc = r#"
```no_run
use es_bulk::{BulkLoader, BulkOptions, batched_frames};
use futures::stream;
use polars::prelude::*;

# async fn example(client: es_core::Client) -> Result<(), Box<dyn std::error::Error>> {
let frame = df!("carrier" => ["UA", "B6"], "flight" => [1545, 725])?;
let frames = stream::iter([Ok::<_, PolarsError>(frame)]);
let options = BulkOptions::default();
let batches = batched_frames(frames, &["carrier", "flight"], options.batch_limits());
let summary = BulkLoader::new(client, "departures", options).load(batches).await?;
# Ok(())
# }
```
"#
)]
//! # Files
//! The module [`files`] reads Parquet, CSV, Arrow IPC and NDJSON into batches. `load_files` and
//! `load_frame` also create the index and make the documents searchable; the module `ingest` resumes
//! loads that were cut off.
#![cfg_attr(
    feature = "frames",
    doc = r#"
```no_run
use es_bulk::{LoadOptions, load_files};

# async fn example(client: es_core::Client) -> Result<(), es_bulk::Error> {
let options = LoadOptions::default().with_id(&["carrier", "flight", "time_hour"]);
let summary = load_files(&client, "flights", &["data/flights-*.parquet"], options).await?;
println!("{summary}");
# Ok(())
# }
```
"#
)]
//!
//! # Rejected documents
//! A load fails when more documents are rejected than [`MaxRejected`] allows. A dead letter keeps
//! each with its reason, and [`replay`] sends them again once the cause is fixed.
//!
//! ```no_run
//! # use std::path::Path;
//! # use es_bulk::{Batch, BatchLimits, BulkLoader, BulkOptions, DeadLetter, MaxRejected, replay};
//! # async fn example(client: es_core::Client, batches: Vec<Batch>) -> Result<(), es_bulk::Error> {
//! let options = BulkOptions::default().with_max_rejected(MaxRejected::Share(0.01));
//! let loader = BulkLoader::new(client.clone(), "departures", options)
//!     .with_dead_letter(DeadLetter::new(Path::new("rejected/departures")));
//! loader.load_batches(batches).await?;
//!
//! // After the mapping was fixed:
//! let rejected = replay(Path::new("rejected/departures.ndjson"), BatchLimits::default())?;
//! let loader = BulkLoader::new(client, "departures", BulkOptions::default());
//! loader.load(futures::stream::iter(rejected)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Progress and resuming
//! [`Progress`] moves a bar, and [`Settled`] is the point from which a killed load resumes.
//!
//! ```no_run
//! # use es_bulk::{Batch, BulkLoader, BulkOptions, Progress};
//! # use std::sync::Mutex;
//! # async fn example(client: es_core::Client, batches: Vec<Batch>) -> Result<(), es_bulk::Error> {
//! let total = Mutex::new(Progress::default());
//! let loader = BulkLoader::new(client, "departures", BulkOptions::default())
//!     .with_observer(move |step| {
//!         if let Ok(mut total) = total.lock() {
//!             *total += step;
//!             println!("{} of {}", total.settled(), total.read);
//!         }
//!     })
//!     .with_checkpoints(|settled| println!("resume after {:?}", settled.checkpoint));
//! loader.load_batches(batches).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Limits that several loads share
//!
//! ```no_run
//! # use es_bulk::{Batch, BulkLoader, BulkOptions, ConcurrencyLimiter, MemoryBudget};
//! # use es_values::ByteSize;
//! # async fn example(client: es_core::Client, tenants: Vec<(String, Vec<Batch>)>) -> Result<(), es_bulk::Error> {
//! let options = BulkOptions::default();
//! let (budget, limiter) = (MemoryBudget::new(ByteSize::mebibytes(256)), ConcurrencyLimiter::new(&options));
//! let loads = tenants.into_iter().map(|(index, batches)| {
//!     let loader = BulkLoader::new(client.clone(), &index, options.clone())
//!         .with_budget(&budget)
//!         .with_limiter(&limiter);
//!     async move { loader.load_batches(batches).await }
//! });
//! let summaries = futures::future::try_join_all(loads).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Filling a new index, stopping, and dropping
//! [`InitialLoad`] turns refreshes and replicas off while an index is filled, and restores them
//! whatever happens. A cancelled load settles what is in flight; a dropped one restores the
//! settings in the background, for which `Client::settle` waits.
//!
//! ```no_run
//! # use std::time::Duration;
//! # use es_bulk::{Batch, BulkLoader, BulkOptions, CancellationToken, InitialLoad, InitialLoadOptions};
//! # async fn example(client: es_core::Client, batches: Vec<Batch>) -> Result<(), es_bulk::Error> {
//! let (options, cancel) = (BulkOptions::default(), CancellationToken::new());
//! let filling = InitialLoad::new(&client, "departures", InitialLoadOptions::default()).await?;
//! let finish = options.finish();
//! let loader = BulkLoader::new(client.clone(), "departures", options).with_cancellation(cancel.clone());
//! let summary = filling.during_until(finish, &cancel, loader.load_batches(batches)).await?;
//! client.settle(Duration::from_secs(10)).await;
//! # Ok(())
//! # }
//! ```

mod batch;
mod dead_letter;
mod delivery;
mod error;
#[cfg(feature = "frames")]
pub mod files;
mod flow;
#[cfg(feature = "frames")]
pub mod ingest;
mod initial_load;
mod load;
mod max_rejected;
#[cfg(not(feature = "frames"))]
mod operation;
mod options;
#[cfg(not(feature = "frames"))]
#[path = "files/place.rs"]
mod place;
mod progress;
mod summary;

/// Positions in files. Reading them as frames takes the feature `frames`.
#[cfg(not(feature = "frames"))]
pub mod files {
    pub use crate::place::FilePlace;
}

pub use batch::{Action, Batch, BatchBuilder, BatchLimits, Checkpoint, Origin, RefusedRow, batched, batched_with};
#[cfg(feature = "frames")]
pub use batch::{FrameInput, batched_frames, batched_frames_with};
pub use dead_letter::{DeadLetter, LetterLength, Replay, replay};
#[doc(hidden)]
pub use delivery::{Answer, read_answer};
pub use error::{BoxError, Error, ErrorKind, Remedy};
pub use flow::{BytesPermit, ConcurrencyLimiter, MemoryBudget};
#[cfg(feature = "frames")]
pub use ingest::{LoadOptions, load_files, load_frame};
pub use initial_load::{Finish, InitialLoad, InitialLoadOptions, OriginalSettings};
pub use load::{BulkLoader, Settled};
pub use max_rejected::MaxRejected;
#[cfg(not(feature = "frames"))]
pub use operation::Operation;
pub use options::BulkOptions;
pub use progress::Progress;
pub use summary::{RowRange, Summary};

// Crates whose types stand in signatures.
pub use es_core;
#[cfg(feature = "frames")]
pub use es_frame::{self, Operation};
pub use es_values;
#[cfg(feature = "frames")]
pub use polars;
pub use tokio_util::sync::CancellationToken;

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
